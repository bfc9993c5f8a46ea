"""Residual networks without normalisation, after R3GAN (Huang et al. 2024, arXiv:2501.05441, section 4 and appendix D).

A block is x + conv1x1(conv3x3(conv1x1(x))), inverted: wider inside, grouped 3x3 in the middle, LeakyReLU 0.2 between,
weights drawn with the gain of the activation, the last convolution of a block at zero (Zhang et al. 2019, Fixup).
Sizes change by bilinear resampling; widths by 1x1 convolutions.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

SLOPE = 0.2


def _conv(inputs: int, outputs: int, kernel: int, groups: int = 1, gain: float = 1.0, bias: bool = True) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=bias)
    nn.init.normal_(conv.weight, 0, gain / (inputs // groups * kernel**2) ** 0.5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class ResidualBlock(nn.Module):
    """[n c h w] -> [n c h w]; `expansion` times wider inside, in groups of `group` channels."""

    def __init__(self, channels: int, expansion: int, group: int, depth: int):
        super().__init__()
        inner = channels * expansion
        groups = max(1, inner // group)
        if inner > group and inner % group:
            raise ValueError(
                f"{inner} channels inside a block do not split into groups of {group}: change widths or group"
            )
        gain = (2 / (1 + SLOPE**2)) ** 0.5
        # Fixup: with L blocks the inner weights shrink by L^(-1/(2m-2)), m = 3 layers a block.
        gain *= depth**-0.25
        self.widen = _conv(channels, inner, 1, gain=gain)
        self.mix = _conv(inner, inner, 3, groups=groups, gain=gain)
        self.narrow = _conv(inner, channels, 1, gain=0.0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inside = leaky_relu(self.mix(leaky_relu(self.widen(x), SLOPE)), SLOPE)
        return x + self.narrow(inside)


def sides(height: int, width: int, stages: int) -> list[tuple[int, int]]:
    """The picture's size at each stage, smallest first; each is half of the next, rounded up: 28, 3 -> 7, 14, 28."""
    sizes = [(height, width)]
    for _ in range(stages - 1):
        sizes.insert(0, (-(-sizes[0][0] // 2), -(-sizes[0][1] // 2)))
    return sizes


class Generator(nn.Module):
    """[n latent] (+ labels [n]) -> [n channels height width], linear output.

    A learned picture of the smallest size is scaled channel by channel by a linear map of z (and of the label's
    embedding), then each stage plays its blocks and is enlarged to the next.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, int, int],
        widths: Sequence[int],
        *,
        blocks: int,
        expansion: int,
        group: int,
        classes: int = 0,
        embedding: int = 32,
    ):
        super().__init__()
        channels, height, width = shape
        self.sides = sides(height, width, len(widths))
        self.label = nn.Embedding(classes, embedding) if classes else None
        inputs = latent + (embedding if classes else 0)
        self.basis = nn.Parameter(torch.randn(widths[0], *self.sides[0]))
        self.style = nn.Linear(inputs, widths[0], bias=False)
        nn.init.normal_(self.style.weight, 0, inputs**-0.5)
        depth = blocks * len(widths)
        self.stages = nn.ModuleList(
            nn.Sequential(*[ResidualBlock(w, expansion, group, depth) for _ in range(blocks)]) for w in widths
        )
        self.transitions = nn.ModuleList(_conv(i, o, 1, bias=False) for i, o in pairwise(widths))
        self.picture = _conv(widths[-1], channels, 1)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.label is not None:
            z = torch.cat([z, self.label(y)], 1)
        x = (self.style(z)[:, :, None, None] * self.basis).contiguous(memory_format=torch.channels_last)
        x = self.stages[0](x)
        for size, transition, stage in zip(self.sides[1:], self.transitions, list(self.stages)[1:], strict=True):
            x = interpolate(transition(x), size=size, mode="bilinear", align_corners=False)
            x = stage(x)
        return self.picture(x)


class Discriminator(nn.Module):
    """[n channels height width] (+ labels [n]) -> scores [n].

    The generator's mirror; at the smallest size each channel is weighed by a learned picture of its own. With labels
    the score is the projection of the features on the label's embedding (Miyato & Koyama 2018, arXiv:1802.05637).
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        widths: Sequence[int],
        *,
        blocks: int,
        expansion: int,
        group: int,
        classes: int = 0,
    ):
        super().__init__()
        channels, height, width = shape
        down = list(reversed(widths))
        self.sides = list(reversed(sides(height, width, len(widths))))
        self.picture = _conv(channels, down[0], 1)
        depth = blocks * len(widths)
        self.stages = nn.ModuleList(
            nn.Sequential(*[ResidualBlock(w, expansion, group, depth) for _ in range(blocks)]) for w in down
        )
        self.transitions = nn.ModuleList(_conv(i, o, 1, bias=False) for i, o in pairwise(down))
        rows, columns = self.sides[-1]
        self.basis = nn.Parameter(torch.randn(down[-1], rows, columns) / (rows * columns) ** 0.5)
        self.score = nn.Linear(down[-1], 1, bias=False) if not classes else nn.Embedding(classes, down[-1])
        nn.init.normal_(self.score.weight, 0, down[-1] ** -0.5)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.stages[0](self.picture(x))
        for size, transition, stage in zip(self.sides[1:], self.transitions, list(self.stages)[1:], strict=True):
            x = transition(interpolate(x, size=size, mode="bilinear", align_corners=False))
            x = stage(x)
        features = (x * self.basis).sum((2, 3))
        if isinstance(self.score, nn.Embedding):
            return (features * self.score(y)).sum(1)
        return self.score(features).squeeze(1)
