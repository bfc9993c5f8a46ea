"""U-Net: any size, the paper's layers, a way around every resolution, noise that stays on."""

import pytest
import torch
from torch import nn

from zerosum.networks.padding import Padded, instance_norm
from zerosum.networks.unet import Noise, UNet


def widths_and_noise(network):
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    return [m.out_channels for m in convs], sum(isinstance(m, Noise) for m in network.modules())


def test_at_256_px_it_is_the_papers() -> None:
    """Appendix 6.1.1: C64-C128-C256-C512 x 5 down; CD512 x 3-C512-C256-C128-C64 up, its inputs doubled by the skips."""
    with torch.device("meta"):
        network = UNet(3, 3, 256, 256, 64, 0.5)
    widths, noisy = widths_and_noise(network)
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64, 3]
    ups = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in ups] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert noisy == 3
    assert sum(isinstance(m, nn.GroupNorm) for m in network.modules()) == 6 + 7


@pytest.mark.parametrize("built", [(8, 8), (17, 26), (32, 32), (28, 28)])
def test_any_size_in_the_same_size_out(built) -> None:
    network = UNet(2, 3, *built, 4, 0.0)
    for size in (built, (8, 8), (31, 45), (1, 70)):
        y = network(torch.randn(2, 2, *size))
        assert y.shape == (2, 3, *size)
        assert torch.isfinite(y).all()
        assert y.abs().max() < 1


def test_what_is_padded_is_cropped_again() -> None:
    """The identity comes through whole, and a network sees its picture in the middle of repeated edges."""
    x = torch.randn(2, 3, 5, 9)
    assert torch.equal(Padded(nn.Identity(), 4)(x), x)
    seen = []
    padded = Padded(nn.Identity(), 4)
    padded.network.register_forward_hook(lambda module, given, made: seen.append(given[0]))
    padded(x)
    assert seen[0].shape == (2, 3, 8, 12)
    assert torch.equal(seen[0][:, :, 1:6, 1:10], x)
    assert torch.equal(seen[0][:, :, 0, 1:10], x[:, :, 0])
    assert torch.equal(seen[0][:, :, 7, 11], x[:, :, 4, 8])


def test_a_norm_by_picture_is_instance_norm() -> None:
    x = torch.randn(3, 4, 5, 6) * 3 + 2
    norm = instance_norm(4)
    torch.testing.assert_close(norm(x), torch.nn.functional.instance_norm(x), rtol=1e-4, atol=1e-5)


def test_no_picture_depends_on_its_neighbours() -> None:
    network = UNet(3, 3, 16, 16, 4, 0.0)
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]), rtol=1e-4, atol=1e-6)


def test_every_resolution_has_a_way_around() -> None:
    """One pixel's detail reaches the output though the innermost convolution passes nothing on."""
    network = UNet(1, 1, 16, 16, 4, 0.0)
    inner = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
    nn.init.zeros_(inner.weight)
    x = torch.randn(1, 1, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(network(x).square().sum(), x)
    assert (slope != 0).all()


def test_noise_stays_on_when_it_translates() -> None:
    network = UNet(3, 3, 32, 32, 4, 0.5).eval()
    x = torch.randn(1, 3, 32, 32)
    torch.manual_seed(0)
    first, second = network(x), network(x)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(network(x), first), "chance comes from torch's generator"
    still = UNet(3, 3, 32, 32, 4, 0.0).eval()
    assert torch.equal(still(x), still(x))
