"""A quickened game is the same game: values, gradients, penalties, copies, names."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from zerosum.data.spec import Images
from zerosum.play import layers
from zerosum.play.layers import quicken
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES

LAYERS = {
    "strided, from one channel": (lambda: nn.Conv2d(1, 32, 5, 2, 2), (120, 1, 14, 14)),
    "strided, from three, no bias": (lambda: nn.Conv2d(3, 64, 4, 2, 1, bias=False), (120, 3, 11, 14)),
    "strided, to one channel": (lambda: nn.ConvTranspose2d(64, 1, 5, 2, 2, 1), (60, 64, 7, 7)),
    "strided, to three": (lambda: nn.ConvTranspose2d(64, 3, 4, 2, 1), (110, 64, 7, 6)),
    "1x1 from one channel": (lambda: nn.Conv2d(1, 8, 1), (4, 1, 9, 9)),
    "1x1 to one channel": (lambda: nn.Conv2d(8, 1, 1), (4, 8, 9, 9)),
    "1x1, padded": (lambda: nn.Conv2d(8, 1, 1, padding=1), (4, 8, 9, 9)),
    "large kernel, small pictures": (lambda: nn.Conv2d(128, 128, 5, 1, 2), (64, 128, 7, 7)),
    "the same, transposed": (lambda: nn.ConvTranspose2d(128, 128, 5, 1, 2), (64, 128, 7, 7)),
    "much work": (lambda: nn.Conv2d(32, 64, 4, 2, 1), (16, 32, 14, 14)),
    "thin, but small": (lambda: nn.Conv2d(1, 8, 5, 2, 2), (4, 1, 14, 14)),
    "little work": (lambda: nn.Conv2d(4, 4, 3, 1, 1), (2, 4, 6, 6)),
    "reflected": (lambda: nn.Conv2d(1, 8, 5, 2, 2, padding_mode="reflect"), (4, 1, 14, 14)),
    "dilated": (lambda: nn.Conv2d(1, 8, 3, 2, 2, dilation=2), (4, 1, 14, 14)),
    "same": (lambda: nn.Conv2d(1, 8, 5, padding="same"), (4, 1, 9, 9)),
    "spectral norm": (lambda: spectral_norm(nn.Conv2d(1, 64, 4, 2, 1)), (90, 1, 14, 14)),
}


def pair(name):
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    plain = nn.Sequential(make()).to(memory_format=torch.channels_last)
    fast = copy.deepcopy(plain)
    quicken(fast)
    return plain, fast, torch.randn(shape).contiguous(memory_format=torch.channels_last)


def everything(layer, x):
    """The answer, its slopes, and those of a penalty on the slope at x."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    weights = list(layer.parameters())
    torch.manual_seed(1)
    y = layer(x)
    head = torch.randn(y.shape, dtype=y.dtype)
    (slope,) = torch.autograd.grad((y * head).sum(), x, create_graph=True)
    penalty = slope.square().sum() + y.square().mean()
    return [y, slope, *torch.autograd.grad(penalty, [x, *weights], allow_unused=True)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_the_same_function_with_slopes_and_penalties(name, dtype, tolerance) -> None:
    plain, fast, x = pair(name)
    plain, fast, x = plain.to(dtype), fast.to(dtype), x.to(dtype)
    for a, b in zip(everything(fast, x), everything(plain, x), strict=True):
        assert float((a - b).detach().norm()) <= tolerance * float(b.detach().norm())
    assert fast(x).is_contiguous(memory_format=torch.channels_last) or fast(x).is_contiguous()
    assert fast.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("name", LAYERS)
def test_in_bfloat16_as_near_as_torchs(name) -> None:
    plain, fast, x = pair(name)
    truth = plain(x)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = fast(x), plain(x)
        ours.float().sum().backward()
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert float((ours - truth).detach().norm()) <= 5 * float((theirs - truth).detach().norm())
    assert all(p.grad.dtype == torch.float32 for p in fast.parameters())


def test_the_fast_ways_are_taken(monkeypatch) -> None:
    taken = []
    for way in ("linear", "convolve", "convolve_transposed", "play"):
        own = getattr(layers, way)
        monkeypatch.setattr(layers, way, lambda *a, way=way, own=own: taken.append(way) or own(*a))
    ways = {
        "strided, from one channel": ["play"],
        "strided, to three": ["play"],
        "1x1 to one channel": ["linear"],
        "1x1, padded": [],
        "large kernel, small pictures": ["convolve"],
        "the same, transposed": ["convolve_transposed"],
        "thin, but small": [],
        "much work": [],
        "little work": [],
        "dilated": [],
        "spectral norm": ["play"],
    }
    for name, way in ways.items():
        _, fast, x = pair(name)
        taken.clear()
        fast(x)
        assert taken == way, name


def test_slopes_of_slopes_are_looked_ahead_to(monkeypatch) -> None:
    """Pictures that take gradients are about to be penalised; D(G(z)) in G's turn is not."""
    taken = []
    monkeypatch.setattr(layers, "play", lambda function, *a: taken.append(function) or function.apply(*a))
    _, fast, x = pair("much work")
    fast(x.requires_grad_())
    assert taken == [layers.Meet]
    fast(x * 1.0)
    fast(x.detach())
    assert len(taken) == 1
    _, fast, x = pair("little work")
    fast(x.requires_grad_())
    assert len(taken) == 1


def test_without_gradients_all_is_torchs_own() -> None:
    for name in ("strided, to one channel", "large kernel, small pictures"):
        plain, fast, x = pair(name)
        with torch.no_grad():
            assert torch.equal(fast(x), plain(x))


def test_a_copy_plays_by_its_own_weights() -> None:
    for name in ("strided, from one channel", "strided, to one channel", "spectral norm"):
        _, fast, x = pair(name)
        copied = copy.deepcopy(fast.eval())  # spectral norm moves its estimate where it plays
        before = fast(x)
        for p in copied.parameters():
            p.data.mul_(0).add_(1e-3)
        assert torch.equal(fast(x), before)
        assert not torch.equal(copied(x), before)


def test_it_says_what_was_quickened() -> None:
    game = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=2), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.ReLU())
    assert quicken(game) == ["0", "2"]


def test_pictures_without_a_batch_and_sizes_asked_for() -> None:
    _, fast, x = pair("strided, to one channel")
    assert fast[0](x, output_size=[13, 13]).shape[2:] == (13, 13)
    assert torch.allclose(fast(x[0]), fast(x)[0], atol=1e-5)


@pytest.mark.parametrize("name", ["r3gan", "dcgan", "sngan"])
def test_rounds_are_the_same_rounds(name) -> None:
    """Two rounds at full width, with penalties and an average: what differs is rounding."""
    recipe, rows = RECIPES[name], []
    for prepare in (lambda game: None, quicken):
        torch.manual_seed(0)
        game = recipe.game(recipe.config(), Images(1, 28, 28)).to(memory_format=torch.channels_last)
        prepare(game)
        x = torch.randn(64, 1, 28, 28).clamp(-1, 1)
        trainer = Trainer(game, lambda x=x: (x, None))
        for _ in range(2):
            trainer.round()
        samples = trainer.average.game.sample(4, generator=torch.Generator().manual_seed(0))
        rows.append([*[row for _, row in trainer.collect()], samples])
    (*plain, samples), (*fast, others) = rows
    for a, b in zip(plain, fast, strict=True):
        assert a == pytest.approx(b, rel=1e-3, abs=1e-5)
    torch.testing.assert_close(samples, others, rtol=1e-2, atol=1e-3)
    assert any("outlook" in vars(part) for part in trainer.average.game.modules())
