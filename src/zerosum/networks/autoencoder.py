"""The networks of BEGAN (Berthelot et al. 2017, arXiv:1703.10717, section 3.5): plain convolutions with ELU, no norm.

3x3 kernels throughout, strides to go down, nearest neighbours to go up, a dense map to and from the code, linear at
both ends. Each size is half of the next, rounded up, so that pictures of any height and width come back as they were.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from zerosum.networks.blocks import Flatten, Unflatten


def halvings(height: int, width: int, times: int) -> list[tuple[int, int]]:
    """The picture's size after 0, 1, ... `times` halvings, each rounded up: 17, 26, 2 -> (17, 26), (9, 13), (5, 7)."""
    sizes = [(height, width)]
    for _ in range(times):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.ELU(inplace=True))


class Encoder(nn.Sequential):
    """[n channels height width] -> h [n latent].

    A stage is `blocks` convolutions, the next one half as large; the channels grow by `width` with each.
    """

    def __init__(self, shape: tuple[int, int, int], latent: int, width: int, *, stages: int, blocks: int):
        channels, height, length = shape
        rows, columns = halvings(height, length, stages - 1)[-1]
        layers: list[nn.Module] = [_convolution(channels, width)]
        for stage in range(1, stages + 1):
            if stage > 1:
                layers.append(_convolution((stage - 1) * width, stage * width, stride=2))
            layers += [_convolution(stage * width, stage * width) for _ in range(blocks)]
        super().__init__(*layers, Flatten(), nn.Linear(stages * width * rows * columns, latent))


class Decoder(nn.Module):
    """h [n latent] -> [n channels height width], not bounded; a generator just as well. `width` channels throughout."""

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int, *, stages: int, blocks: int):
        super().__init__()
        channels, height, length = shape
        self.sides: Sequence[tuple[int, int]] = halvings(height, length, stages - 1)[::-1]
        rows, columns = self.sides[0]
        self.project = nn.Sequential(nn.Linear(latent, width * rows * columns), Unflatten(width, rows, columns))
        self.stages = nn.ModuleList(
            nn.Sequential(*[_convolution(width, width) for _ in range(blocks)]) for _ in range(stages)
        )
        self.picture = nn.Conv2d(width, channels, 3, 1, 1)

    def forward(self, h: Tensor) -> Tensor:
        x = self.project(h)
        for size, stage in zip(self.sides, self.stages, strict=True):
            x = stage(interpolate(x, size=size, mode="nearest"))
        return self.picture(x)
