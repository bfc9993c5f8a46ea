"""Networks that grow: equalised layers, the ladder, the fade, and what of the paper's table can be counted."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from zerosum.networks.progressive import (
    Discriminator,
    EqualConv,
    EqualLinear,
    Generator,
    PixelNorm,
    enlarge,
    level_after,
    shrink,
)

SHAPES = [(1, 32, 32), (1, 28, 28), (3, 64, 64), (1, 17, 26), (2, 21, 9)]


def networks(shape, stages: int, width: int = 6) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    G, D = Generator(5, shape, [width] * stages), Discriminator(shape, [width] * stages)
    with torch.no_grad():  # wide awake: biases count too
        for p in (*G.parameters(), *D.parameters()):
            p.add_(0.3 * torch.randn_like(p))
    return G, D


def stages_of(shape) -> int:
    return {9: 2, 17: 3, 28: 3, 32: 4, 64: 5}[min(shape[1:])]


@pytest.mark.parametrize("gain", [1.0, 2**0.5])
def test_equalised_layers_have_the_variance_of_he_at_every_use(gain) -> None:
    """Var[c sum w x] = gain^2 for w, x ~ N(0, 1), whatever the layer's size; and the weight at work is c w."""
    torch.manual_seed(0)
    for layer, x, fan in [
        (EqualLinear(256, 512, gain), torch.randn(512, 256), 256),
        (EqualConv(64, 256, 3, gain), torch.randn(16, 64, 8, 8), 64 * 9),
        (EqualConv(3, 1024, 1, gain), torch.randn(16, 3, 8, 8), 3),
    ]:
        assert float(layer.weight.detach().std()) == pytest.approx(1, rel=0.03)
        assert not layer.bias.detach().any()
        y = layer(x).detach()
        inner = y[..., 1:-1, 1:-1] if y.dim() == 4 else y
        assert float(inner.std()) == pytest.approx(gain, rel=0.05)
        with torch.no_grad():
            layer.bias.normal_()
        weight = layer.weight * gain / fan**0.5
        if y.dim() == 4:
            torch.testing.assert_close(layer(x), conv2d(x, weight, layer.bias, padding=layer.kernel_size[0] // 2))
        else:
            torch.testing.assert_close(layer(x), x @ weight.T + layer.bias)


def test_adam_moves_every_equalised_layer_by_the_same_share_of_its_range() -> None:
    """The first step of Adam is lr for every w, so lr in units of the weights' deviation at first, which is c."""
    wide, narrow = EqualLinear(900, 4, gain=1), EqualLinear(9, 4, gain=1)
    for layer in (wide, narrow):
        before = (layer.weight * layer.scale).detach().clone()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01, betas=(0.0, 0.99))
        (layer(torch.rand(1, layer.in_features) + 1) * 1e-2).sum().backward()
        optimizer.step()
        moved = (layer.weight * layer.scale).detach() - before
        torch.testing.assert_close(moved, torch.full_like(moved, -0.01 * layer.in_features**-0.5), rtol=1e-3, atol=0)


def test_pixel_norm_is_the_papers() -> None:
    """b = a / sqrt(1/c sum_j a_j^2 + eps) at each pixel: a length of sqrt(c), the direction kept."""
    x = torch.tensor([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    expected = torch.tensor([[3 / 12.5**0.5, 4 / 12.5**0.5], [0.0, 2**0.5], [0.0, 0.0]])
    torch.testing.assert_close(PixelNorm()(x), expected)
    x = 7 * torch.randn(2, 5, 3, 4)
    y = PixelNorm()(x)
    torch.testing.assert_close(y.norm(dim=1), torch.full((2, 3, 4), 5**0.5))
    torch.testing.assert_close(y / y.norm(dim=1, keepdim=True), x / x.norm(dim=1, keepdim=True))
    x = torch.zeros(1, 3, requires_grad=True)
    PixelNorm()(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("shape", "ladder"),
    [
        ((1, 32, 32), [(4, 4), (8, 8), (16, 16), (32, 32)]),
        ((1, 28, 28), [(7, 7), (14, 14), (28, 28)]),
        ((3, 64, 64), [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]),
        ((1, 17, 26), [(5, 7), (9, 13), (17, 26)]),
    ],
)
def test_every_stage_has_its_side(shape, ladder) -> None:
    G, D = networks(shape, len(ladder))
    assert G.ladder == D.ladder == ladder
    for stage, side in enumerate(ladder):
        for level in (stage, stage - 0.25) if stage else (stage,):
            G.level = D.level = level
            assert G.side == D.side == side
            assert G.share == pytest.approx(1 if level == stage else 0.75)
            made = G(torch.randn(3, 5))
            assert made.shape == (3, shape[0], *side)
            assert D(made).shape == (3,)
            assert D.seen(torch.randn(3, *shape)).shape == made.shape


@pytest.mark.parametrize("shape", SHAPES)
def test_shrinking_undoes_enlarging(shape) -> None:
    G, _ = networks(shape, stages_of(shape))
    for side in G.ladder:
        x = torch.randn(2, shape[0], *side)
        full = enlarge(x, G.ladder)
        assert full.shape[1:] == shape
        torch.testing.assert_close(shrink(full, side), x)
    assert torch.equal(enlarge(full, G.ladder), full)
    assert torch.equal(shrink(full, G.ladder[-1]), full)


def test_enlarging_doubles_and_shrinking_takes_means() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    twice = torch.tensor([[0.0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5], [3, 3, 4, 4, 5, 5]])
    assert torch.equal(enlarge(x, [(2, 3), (4, 6)])[0, 0], twice)
    assert torch.equal(enlarge(x, [(3, 5)])[0, 0], twice[:3, :5])
    torch.testing.assert_close(
        shrink(torch.arange(9.0).reshape(1, 1, 3, 3), (2, 2))[0, 0], torch.tensor([[2, 3.5], [6.5, 8]])
    )


def test_the_schedule() -> None:
    """100 steady, 50 fading: 0 until 100, 0.5 at 125, 1 from 150 to 250, ..., and 2, the last, for ever."""
    expected = {0: 0, 99: 0, 100: 0, 125: 0.5, 149: 0.98, 150: 1, 250: 1, 260: 1.2, 300: 2, 449: 2, 10_000: 2}
    for shown, level in expected.items():
        found = level_after(torch.tensor(shown), 100.0, 50.0, 2)
        assert (found.dtype, float(found)) == (torch.float32, pytest.approx(level))
    levels = [float(level_after(torch.tensor(n), 0.0, 7.0, 3)) for n in range(0, 30)]
    assert levels == sorted(levels), "with no steady stage it fades all the way"
    assert levels[21:] == [3.0] * 9
    assert float(level_after(torch.tensor(12_345_679), 6e5, 6e5, 20)) == 10.0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fade_is_a_straight_line_between_two_generators(shape) -> None:
    """G at k + a is (1 - a) of G at k, enlarged, and a of G at k + 1: at a = 0 nothing has changed."""
    G, _ = networks(shape, stages_of(shape))
    z = torch.randn(3, 5)

    def at(level: float) -> torch.Tensor:
        G.level = level
        return enlarge(G(z), [G.ladder[-1]] if G.side == G.ladder[-1] else G.ladder)

    for k in range(stages_of(shape) - 1):
        small, large = at(k), at(k + 1)
        assert float((large - small).detach().abs().mean()) > 0.05, "the two must differ, or nothing is tested"
        torch.testing.assert_close(at(k + 0.3), 0.7 * small + 0.3 * large, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(at(k + 1e-7), small, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(at(k + 1 - 1e-7), large, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fade_begins_with_the_critic_as_it_was(shape) -> None:
    """D at k + a scores a picture of side k + 1 as D at k scores it shrunk, at a = 0; at a = 1 as D at k + 1."""
    _, D = networks(shape, stages_of(shape))

    def at(level: float, x: torch.Tensor) -> torch.Tensor:
        D.level = level
        return D(x)

    for k in range(stages_of(shape) - 1):
        x = torch.randn(4, shape[0], *D.ladder[k + 1])
        small, large = at(k, shrink(x, D.ladder[k])), at(k + 1, x)
        assert float((large - small).detach().abs().mean()) > 0.01
        torch.testing.assert_close(at(k + 1e-7, x), small, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(at(k + 1 - 1e-7, x), large, rtol=1e-4, atol=1e-5)
        # Between, by hand: the two halves meet where the stage below begins.
        below = nn.functional.leaky_relu(D.pictures[k](shrink(x, D.ladder[k])), 0.2)
        above = D.stages[k + 1](nn.functional.leaky_relu(D.pictures[k + 1](x), 0.2))
        mixed = 0.6 * below + 0.4 * above
        for stage in [D.stages[i] for i in range(k, -1, -1)]:
            mixed = stage(mixed)
        torch.testing.assert_close(at(k + 0.4, x), mixed[:, 0], rtol=1e-4, atol=1e-5)


def test_reals_fade_as_fakes_do() -> None:
    _, D = networks((1, 17, 26), 3)
    x = torch.randn(2, 1, 17, 26)
    D.level = 2
    assert torch.equal(D.seen(x), x)
    D.level = 1
    assert torch.equal(D.seen(x), shrink(x, (9, 13)))
    D.level = 1.25
    torch.testing.assert_close(D.seen(x), 0.75 * enlarge(shrink(x, (9, 13)), [(17, 26)]) + 0.25 * x)
    D.level = 0.25
    smaller = enlarge(shrink(x, (5, 7)), [(9, 13)])
    torch.testing.assert_close(D.seen(x), 0.75 * smaller + 0.25 * shrink(x, (9, 13)))


@pytest.mark.parametrize(
    ("level", "stages", "pictures"), [(0, {0}, {0}), (1, {0, 1}, {1}), (1.5, {0, 1, 2}, {1, 2}), (2, {0, 1, 2}, {2})]
)
def test_only_what_is_at_work_gets_gradients(level, stages, pictures) -> None:
    G, D = networks((1, 32, 32), 4)
    G.level = D.level = level
    parameters = [*G.parameters(), *D.parameters()]
    D(G(torch.randn(3, 5))).sum().backward(inputs=parameters)
    at_work = {f"stages.{i}." for i in stages} | {f"pictures.{i}." for i in pictures}
    for network in (G, D):
        got = {
            name[: name.index(".", name.index(".") + 1) + 1]
            for name, p in network.named_parameters()
            if p.grad is not None
        }
        assert got == at_work


def test_the_level_is_state() -> None:
    G, D = networks((1, 32, 32), 4)
    G.level = float(torch.tensor(2.4))
    D.load_state_dict(D.state_dict())
    other, _ = networks((1, 32, 32), 4)
    other.load_state_dict(G.state_dict())
    assert other.level == G.level != 2.4, "the level is a float32: what a file holds is what is played"
    assert all(isinstance(value, torch.Tensor) for value in G.state_dict().values())


def test_the_papers_networks_have_its_number_of_parameters() -> None:
    """Table 2: 23.1 million each, at 1024 px. All but the last picture layers are outgrown there and not counted."""
    widths = [min(512, 16 * 2 ** (8 - i)) for i in range(9)]
    with torch.device("meta"):
        for network in (Generator(512, (3, 1024, 1024), widths), Discriminator((3, 1024, 1024), widths)):
            outgrown = sum(p.numel() for p in network.pictures[:-1].parameters())
            trained = sum(p.numel() for p in network.parameters()) - outgrown
            assert round(trained / 1e6, 1) == 23.1
