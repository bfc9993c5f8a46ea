"""LPIPS as it is published (Zhang et al. 2018, arXiv:1801.03924): AlexNet's layers and the authors' weights for them.

Both are files that the user names, and nothing downloads: AlexNet's (`alexnet-owt-7be5be79.pth`, trained on ImageNet)
and the weights of its five layers (`alex.pth`, version 0.1).
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from zerosum.metrics.inception import read_weights
from zerosum.metrics.interval import mean
from zerosum.metrics.number import Number
from zerosum.metrics.pairs import lpips
from zerosum.metrics.resize import as_rgb

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in -1..1: the authors' normalisation
PLACES = (0, 3, 6, 8, 10)  # of the convolutions among AlexNet's `features`
SMALLEST = 31  # px: what is left of less after the second pooling is nothing


class AlexNet(nn.Module):
    """The five convolutions of AlexNet (Krizhevsky 2014, arXiv:1404.5997): float [n 3 h w] -> the five ReLUs' maps."""

    def __init__(self) -> None:
        super().__init__()
        shapes = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
        self.features = nn.ModuleDict({str(at): nn.Conv2d(*of) for at, of in zip(PLACES, shapes, strict=True)})

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for layer, convolution in enumerate(self.features.values()):
            x = convolution(max_pool2d(x, 3, 2) if layer in (1, 2) else x).relu()
            maps.append(x)
        return maps


def perceptual_distance(backbone: Path, weights: Path) -> Callable[[Tensor, Tensor], Number]:
    """LPIPS of uint8 pictures [n c h w], made and true, by the files of AlexNet and of its layers' weights.

    Raises ValueError for files that do not hold these.
    """
    found = {name: value for name, value in read_weights(backbone).items() if name.startswith("features.")}
    layers = [read_weights(weights).get(f"lin{i}.model.1.weight") for i in range(len(PLACES))]
    net = AlexNet()
    try:
        net.load_state_dict(found)
    except RuntimeError:
        raise ValueError(
            f"{backbone.name} does not hold AlexNet: expected features.0.weight to features.10.bias"
        ) from None
    if any(layer is None for layer in layers):
        raise ValueError(f"{weights.name} does not hold LPIPS's weights: expected lin0.model.1.weight to lin4")
    net.eval().requires_grad_(False)

    def measure(made: Tensor, truth: Tensor) -> Number:
        blocks = zip(made.split(50), truth.split(50), strict=True)  # the layers of all pictures would fill the memory
        distances = [
            lpips(_maps(net, a), _maps(net, b), [w.flatten() for w in layers if w is not None]) for a, b in blocks
        ]
        return mean("LPIPS", torch.cat(distances), "lower")

    return measure


def _maps(net: AlexNet, pictures: Tensor) -> list[Tensor]:
    if min(pictures.shape[2:]) < SMALLEST:
        size = "x".join(map(str, pictures.shape[2:]))
        raise ValueError(f"LPIPS needs pictures of {SMALLEST} px and more, got {size}: use SSIM")
    shift, scale = (torch.tensor(values)[:, None, None] for values in (SHIFT, SCALE))
    x = (as_rgb(pictures).float() / 127.5 - 1 - shift) / scale
    with torch.no_grad():
        maps: list[Tensor] = net(x)
    return maps
