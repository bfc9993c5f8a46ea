"""Networks: the tutorial's exactly, shapes for any size, and layers against torch's own."""

import pytest
import torch
from torch import nn

from zerosum.data.spec import Images
from zerosum.networks import r3
from zerosum.networks.blocks import Crop, Dropout, doublings, glorot_, normal_
from zerosum.networks.dcgan import Discriminator, Generator
from zerosum.networks.mlp import MLP
from zerosum.recipes.dcgan import DCGAN, PRESETS, Config


def mnist28() -> DCGAN:
    fields = {k: v for k, v in PRESETS["mnist28"].items() if k in Config.model_fields}
    return DCGAN(Config(**fields), Images(1, 28, 28))


def test_mnist28_is_the_tutorials_network() -> None:
    """Layer by layer, with the tutorial's parameter counts: 2,330,944 25,472 of them not trained, and 212,865."""
    game = mnist28()
    trained = sum(p.numel() for p in game.G.parameters())
    statistics = sum(b.numel() for n, b in game.G.named_buffers() if "running" in n)
    assert (trained + statistics, statistics) == (2_330_944, 25_472)
    assert sum(p.numel() for p in game.D.parameters()) == 212_865
    convs = [m for m in game.G if isinstance(m, nn.ConvTranspose2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in convs] == [
        (256, 128, (5, 5), (1, 1)),
        (128, 64, (5, 5), (2, 2)),
        (64, 1, (5, 5), (2, 2)),
    ]
    assert all(c.bias is None for c in convs)
    assert game.G[0].bias is None
    assert isinstance(game.G[-1], nn.Tanh)
    slopes = {m.negative_slope for m in game.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.3}
    downs = [m for m in game.D.features if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in downs] == [
        (1, 64, (5, 5), (2, 2)),
        (64, 128, (5, 5), (2, 2)),
    ]
    assert [m.p for m in game.D.features if isinstance(m, Dropout)] == [0.3, 0.3]
    z = torch.randn(2, 100)
    sizes = []
    for layer in game.G:
        z = layer(z)
        sizes.append(tuple(z.shape[1:]))
    assert (256, 7, 7) in sizes
    assert (128, 7, 7) in sizes
    assert (64, 14, 14) in sizes
    assert sizes[-1] == (1, 28, 28)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (30, 45), (17, 26), (64, 96)])
@pytest.mark.parametrize("kernel", [4, 5])
def test_any_size(size, kernel) -> None:
    shape, stages = (3, *size), doublings(*size)
    widths = [4 * 2**i for i in range(stages)]
    x = Generator(5, shape, widths[::-1], (2,) * stages, kernel=kernel)(torch.randn(2, 5))
    assert x.shape == (2, *shape)
    assert Discriminator(shape, widths, kernel=kernel)(x).shape == (2,)
    g = r3.Generator(5, shape, (8, 4), blocks=1, expansion=2, group=4, classes=3)
    d = r3.Discriminator(shape, (8, 4), blocks=1, expansion=2, group=4, classes=3)
    y = torch.tensor([0, 2])
    x = g(torch.randn(2, 5), y)
    assert x.shape == (2, *shape)
    assert d(x, y).shape == (2,)


def test_labels_are_heard() -> None:
    """The same z and picture under two labels: another picture, another score."""
    g = r3.Generator(5, (1, 16, 16), (8, 4), blocks=1, expansion=1, group=8, classes=3)
    d = r3.Discriminator((1, 16, 16), (8, 4), blocks=1, expansion=1, group=8, classes=3)
    p = Discriminator((1, 16, 16), (4, 8), batch_norm=False, classes=3)
    z, x = torch.randn(1, 5).expand(3, 5), torch.randn(1, 1, 16, 16).expand(3, 1, 16, 16)
    y = torch.arange(3)
    assert (g(z, y)[0] - g(z, y)[1]).abs().max() > 1e-3
    assert d(x, y).unique().numel() == 3
    assert p(x, y).unique().numel() == 3


def test_a_residual_block_starts_as_the_identity() -> None:
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(r3.ResidualBlock(8, 2, 8, depth=3)(x), x)


def test_first_pictures_and_scores_have_the_datas_scale() -> None:
    """Without normalisation the first weights alone keep the scale: neither blank nor blown up."""
    torch.manual_seed(0)
    g = r3.Generator(64, (1, 28, 28), (64, 32, 16), blocks=1, expansion=1, group=64)
    d = r3.Discriminator((1, 28, 28), (64, 32, 16), blocks=1, expansion=1, group=64)
    x = g(torch.randn(64, 64))
    assert 0.1 < float(x.detach().std()) < 3
    assert 0.01 < float(d(x).detach().std()) < 10


def test_too_small_pictures_are_refused() -> None:
    assert [doublings(s, s) for s in (8, 28, 32, 64)] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="7x9 are too small"):
        doublings(7, 9)


def test_dropout_keeps_share_mean_and_layout() -> None:
    torch.manual_seed(0)
    x = torch.ones(8, 16, 33, 31).contiguous(memory_format=torch.channels_last).requires_grad_()
    layer = Dropout(0.3)
    y = layer(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert float((y.detach() == 0).float().mean()) == pytest.approx(0.3, abs=0.005)
    assert float(y.detach().mean()) == pytest.approx(1, abs=0.01)
    assert y.detach().unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    y.sum().backward()
    assert torch.equal(x.grad, y.detach()), "the gradient passes the same mask"
    # No neighbour predicts another: 16-bit words of one draw are independent.
    kept = (y.detach() > 0).float().permute(0, 2, 3, 1).flatten()
    for lag in (1, 2, 3, 4, 8):
        assert abs(float(torch.corrcoef(torch.stack([kept[:-lag], kept[lag:]]))[0, 1])) < 0.02
    assert torch.equal(layer.eval()(x), x)
    with pytest.raises(ValueError, match=r"p = 1\.0"):
        Dropout(1.0)


def test_dropout_follows_torchs_generator() -> None:
    layer, x = Dropout(0.5), torch.ones(3, 7)
    torch.manual_seed(3)
    first = layer(x)
    torch.manual_seed(3)
    assert torch.equal(first, layer(x))


def test_first_weights() -> None:
    net = nn.Sequential(nn.Linear(400, 300), nn.BatchNorm1d(300), nn.ConvTranspose2d(64, 32, 5, bias=False))
    normal_(net, 0.02)
    assert float(net[0].weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert float(net[1].weight.detach().mean()) == pytest.approx(1, abs=0.01)
    assert float(net[0].bias.detach().abs().max()) == 0
    glorot_(net)
    assert float(net[0].weight.detach().var()) == pytest.approx(2 / 700, rel=0.02)


def test_crop_takes_the_middle_and_mlp_flattens() -> None:
    x = torch.arange(36.0).view(1, 1, 6, 6)
    assert Crop(2, 4)(x).tolist() == [[[[13.0, 14, 15, 16], [19, 20, 21, 22]]]]
    assert MLP(12, (5,), 2, nn.ReLU)(torch.randn(3, 3, 4)).shape == (3, 2)


def test_unequal_widths_and_strides_are_refused() -> None:
    with pytest.raises(ValueError, match="2 widths but 1 strides"):
        Generator(5, (1, 16, 16), (8, 4), (2,))


def test_dropout_of_nearly_everything() -> None:
    """Above 1 - 2^-17 the threshold must not wrap round to keep everything."""
    torch.manual_seed(0)
    for p in (1 - 1e-6, 1 - 1e-9):
        assert int(Dropout(p)(torch.ones(100_000)).count_nonzero()) < 20
    assert int(Dropout(1e-9)(torch.ones(100_000)).count_nonzero()) > 99_980


@pytest.mark.parametrize(("kernel", "strides"), [(4, (1, 2)), (2, (2, 3)), (3, (4, 2))])
def test_kernels_that_cannot_grow_a_picture_are_refused(kernel, strides) -> None:
    with pytest.raises(ValueError, match=f"kernel {kernel} cannot grow a picture by stride"):
        Generator(5, (1, 16, 16), (8, 4), strides, kernel=kernel)


@pytest.mark.parametrize("kernel", [3, 4, 5, 6])
def test_every_stride_grows_exactly(kernel) -> None:
    """Before the crop, which would hide a size that is off."""
    for strides in [(3, 3), (3, 2)] + [(1, 3)] * (kernel % 2):
        growth = strides[0] * strides[1]
        net = Generator(5, (1, 2 * growth, 3 * growth), (4, 4), strides, kernel=kernel)
        assert isinstance(net[-2], Crop)
        assert nn.Sequential(*list(net)[:-2])(torch.randn(2, 5)).shape == (2, 1, 2 * growth, 3 * growth)


def test_too_many_halvings_are_refused() -> None:
    assert Discriminator((1, 8, 8), (4, 4, 4), kernel=4)(torch.randn(2, 1, 8, 8)).shape == (2,)
    with pytest.raises(ValueError, match="4 halvings leave nothing of 8x8"):
        Discriminator((1, 8, 8), (4, 4, 4, 4), kernel=4)


def test_channels_that_do_not_split_into_groups_are_refused() -> None:
    assert r3.ResidualBlock(8, 2, 4, depth=1).mix.groups == 4
    with pytest.raises(ValueError, match="7 channels inside a block do not split into groups of 3"):
        r3.ResidualBlock(7, 1, 3, depth=1)
    with pytest.raises(ValueError, match="14 channels"):
        r3.ResidualBlock(7, 2, 4, depth=1)
