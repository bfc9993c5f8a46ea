"""PatchGAN: its patches have the size that they are called by; and the pool of fakes, and CycleGAN's generator."""

import pytest
import torch
from torch import nn

from zerosum.networks.patch import FIELDS, PatchGAN, largest_field
from zerosum.networks.pool import Pool
from zerosum.networks.translator import Translator


@pytest.mark.parametrize("field", [1, 16, 34, 70])
def test_a_score_sees_a_patch_of_the_named_size(field: int) -> None:
    """The slope of one score in the middle, norms aside (they know the whole picture), is a square of that side."""
    torch.manual_seed(0)
    network = PatchGAN(2, field, 4).double()
    for i, layer in enumerate(network):
        if isinstance(layer, nn.GroupNorm):
            network[i] = nn.Identity()
    side = 2 * field + 16
    x = torch.randn(1, 2, side, side, dtype=torch.double, requires_grad=True)
    scores = network(x)
    (slope,) = torch.autograd.grad(scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2], x)
    rows, columns = slope.abs().sum((0, 1)).nonzero().unbind(1)
    assert int(rows.max() - rows.min()) + 1 == field
    assert int(columns.max() - columns.min()) + 1 == field


def test_the_70_px_patchgan_is_the_papers() -> None:
    """Appendix 6.1.2: C64-C128-C256-C512, no norm on the first, LeakyReLU 0.2; a 256 px picture has 30 x 30 patches."""
    with torch.device("meta"):
        network, widest = PatchGAN(6, 70, 64), PatchGAN(6, 286, 64)
    convs = [m for m in network if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convs] == [64, 128, 256, 512, 1]
    assert [m.stride[0] for m in convs] == [2, 2, 2, 1, 1]
    assert [type(m) for m in network][:3] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d]
    assert {m.negative_slope for m in network if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert network(torch.zeros(1, 6, 256, 256, device="meta")).shape == (1, 1, 30, 30)
    assert [m.out_channels for m in widest if isinstance(m, nn.Conv2d)] == [64, 128, 256, 512, 512, 512, 1]


@pytest.mark.parametrize(
    ("size", "wanted", "field"),
    [
        ((256, 256), 70, 70),
        ((32, 32), 70, 70),
        ((28, 40), 286, 70),
        ((17, 26), 70, 34),
        ((8, 8), 70, 16),
        ((5, 9), 70, 1),
    ],
)
def test_a_small_picture_has_smaller_patches(size, wanted, field) -> None:
    assert largest_field(wanted, *size) == field
    scores = PatchGAN(3, field, 4)(torch.randn(2, 3, *size))
    assert scores.shape[:2] == (2, 1)
    assert scores.numel() >= 2
    assert torch.isfinite(scores).all()


def test_a_patch_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="a patch of 69 px cannot be: give one of 1, 16, 34, 70, 142, 286"):
        PatchGAN(3, 69, 4)
    assert list(FIELDS) == [1, 16, 34, 70, 142, 286]


def test_a_pool_fills_then_swaps_half() -> None:
    torch.manual_seed(0)
    pool = Pool((1, 1, 1), 50)
    for start in range(0, 64, 16):
        fakes = torch.arange(start, start + 16.0).reshape(16, 1, 1, 1)
        judged, pool.held = pool(fakes)
        assert torch.equal(judged, fakes)
    assert torch.equal(pool.held.flatten(), torch.arange(50.0))
    fresh = 0
    for start in range(100, 1700, 16):
        fakes = torch.arange(start, start + 16.0).reshape(16, 1, 1, 1)
        before = {*pool.held.flatten().tolist(), *fakes.flatten().tolist()}
        judged, left = pool(fakes)
        assert len(left) == 50
        shown, kept = set(judged.flatten().tolist()), set(left.flatten().tolist())
        assert len(shown) == 16
        assert shown <= before
        assert shown | kept == before, "each fake is either shown now or kept for later"
        fresh += len(shown & set(fakes.flatten().tolist()))
        pool.held = left
    assert abs(fresh / 1600 - 0.5) < 0.05


def test_asking_a_pool_changes_nothing() -> None:
    pool = Pool((1, 2, 2), 4)
    pool.held = torch.randn(4, 1, 2, 2)
    before = pool.held.clone()
    pool(torch.randn(6, 1, 2, 2, requires_grad=True))
    assert torch.equal(pool.held, before)


@pytest.mark.parametrize("most", [0, 3])
def test_a_pool_smaller_than_the_batch(most: int) -> None:
    pool, fakes = Pool((1, 1, 1), most), torch.arange(5.0).reshape(5, 1, 1, 1)
    for _ in range(3):
        judged, pool.held = pool(fakes)
        assert judged.shape == fakes.shape
        assert len(pool.held) == most
    assert most or torch.equal(judged, fakes)


def test_cyclegans_generator_is_the_papers() -> None:
    """Appendix 7.2: c7s1-64, d128, d256, R256 x 6, u128, u64, c7s1-3."""
    with torch.device("meta"):
        network = Translator(3, 3, 64, 6)
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [m.out_channels for m in convs] == [64, 128, 256, *[256] * 12, 128, 64, 3]
    assert [m.kernel_size[0] for m in convs] == [7, 3, 3, *[3] * 12, 3, 3, 7]
    assert all(m.padding_mode == "reflect" for m in convs if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("size", [(8, 8), (17, 26), (32, 32), (9, 64)])
def test_cyclegans_generator_takes_any_size(size) -> None:
    network = Translator(1, 3, 4, 1)
    x = torch.randn(3, 1, *size)
    y = network(x)
    assert y.shape == (3, 3, *size)
    assert y.abs().max() < 1
    torch.testing.assert_close(y[1:2], network(x[1:2]), rtol=1e-4, atol=1e-6)
