"""Networks that are told the time: the noise predictors of diffusion (Ho et al. 2020, arXiv:2006.11239, appendix B).

Each takes examples x [n ...], times t [n] and, where it knows classes, labels y [n]; it returns the shape of x.
The label `classes` itself stands for "not told" (Ho & Salimans 2022, arXiv:2207.12598).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from zerosum.networks.blocks import Crop, Dropout, GroupNorm
from zerosum.networks.mlp import MLP


def sinusoids(t: Tensor, count: int) -> Tensor:
    """[n] -> [n count], float32: sines, then cosines, at frequencies from 1 down towards 1e-4 (Vaswani et al. 2017)."""
    half = count // 2
    frequencies = torch.exp(-math.log(10_000) / half * torch.arange(half, device=t.device))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)


class TimedMLP(nn.Module):
    """A perceptron that sees point and time as sinusoids: [n dim] -> [n dim].

    Without waves of the point a perceptron is slow to learn what changes over a small distance (Tancik et al. 2020,
    arXiv:2006.10739): on a ring of eight the noise of small t was not learnt at all in 2,700 rounds.
    """

    def __init__(self, dim: int, hidden: Sequence[int], *, waves: int = 64, octaves: int = 5):
        super().__init__()
        self.waves, self.octaves = waves, octaves
        self.layers = MLP(dim * (1 + 2 * octaves) + waves, hidden, dim, nn.SiLU)

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        angles = torch.cat([x * 2.0**octave for octave in range(self.octaves)], 1)
        return self.layers(torch.cat([x, angles.sin(), angles.cos(), sinusoids(t, self.waves)], 1))


def norm(channels: int) -> GroupNorm:
    """Group norm: 32 groups (the authors' code), fewer where a group would have less than 4 channels."""
    return GroupNorm(math.gcd(32, max(1, channels // 4), channels), channels)


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with all weights 0: what it adds to begins as it is."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """x + two convolutions of it, told the time in between: [n before h w], [n told] -> [n after h w]."""

    def __init__(self, before: int, after: int, told: int, dropout: float):
        super().__init__()
        self.first = nn.Sequential(norm(before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
        self.time = nn.Linear(told, after)
        last = silent(nn.Conv2d(after, after, 3, padding=1))
        self.second = nn.Sequential(norm(after), nn.SiLU(), Dropout(dropout), last)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        return self.skip(x) + self.second(self.first(x) + self.time(told)[:, :, None, None])


class Attention(nn.Module):
    """x + what each place fetches from all others, one head: [n c h w] -> [n c h w]."""

    def __init__(self, channels: int):
        super().__init__()
        self.ask = nn.Sequential(norm(channels), nn.Conv2d(channels, 3 * channels, 1))
        self.answer = silent(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.ask(x).flatten(2).mT.chunk(3, 2)  # each [n hw c]
        fetched = functional.scaled_dot_product_attention(query, key, value)
        return x + self.answer(fetched.mT.reshape(x.shape))


class Stage(nn.Module):
    """A residual block, and attention if asked."""

    def __init__(self, before: int, after: int, told: int, dropout: float, attention: bool):
        super().__init__()
        self.block = ResidualBlock(before, after, told, dropout)
        self.attention = Attention(after) if attention else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        return self.attention(self.block(x, told))


class Grow(nn.Sequential):
    """Both sides twice as long: each pixel four times, then a convolution."""

    def __init__(self, channels: int):
        super().__init__(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(channels, channels, 3, padding=1))


class TimedUNet(nn.Module):
    """[n c h w], t [n] (+ y [n]) -> [n c h w]; any height and width: padded with 0 to what halves evenly, and cropped.

    widths      channels at each resolution, each half the last; `blocks` residual blocks there, one more on the way up
    attention   at which of them (0 is the first) every block is followed by attention; the middle always has it
    patch       side of the squares of pixels that are taken as one at the door, and given back at the exit
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        blocks: int = 2,
        attention: Sequence[int] = (),
        *,
        dropout: float = 0.0,
        classes: int = 0,
        patch: int = 1,
    ):
        super().__init__()
        self.multiple, self.waves, told = patch * 2 ** (len(widths) - 1), max(2, widths[0] // 2 * 2), 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(self.waves, told), nn.SiLU(), nn.Linear(told, told))
        self.label = nn.Embedding(classes + 1, told) if classes else None

        def stage(before: int, level: int) -> Stage:
            return Stage(before, widths[level], told, dropout, level in attention)

        width, left = widths[0], [widths[0]]  # channels of what each step down leaves for the way up
        self.door = nn.Sequential(nn.PixelUnshuffle(patch), nn.Conv2d(channels * patch**2, width, 3, padding=1))
        self.down = nn.ModuleList()
        for level in range(len(widths)):
            for _ in range(blocks):
                self.down.append(stage(width, level))
                left.append(width := widths[level])
            if level < len(widths) - 1:
                self.down.append(nn.Conv2d(width, width, 3, 2, 1))
                left.append(width)
        self.middle = nn.ModuleList([Stage(width, width, told, dropout, i == 0) for i in range(2)])
        self.up = nn.ModuleList()
        for level in reversed(range(len(widths))):
            for _ in range(blocks + 1):
                self.up.append(stage(width + left.pop(), level))
                width = widths[level]
            if level:
                self.up.append(Grow(width))
        last = silent(nn.Conv2d(width, channels * patch**2, 3, padding=1))
        self.exit = nn.Sequential(norm(width), nn.SiLU(), last, nn.PixelShuffle(patch))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        told = self.time(sinusoids(t, self.waves))
        if self.label is not None:
            told = told + self.label(y)
        told = functional.silu(told)
        height, width = x.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        h = self.door(functional.pad(x, (right // 2, right - right // 2, below // 2, below - below // 2)))
        left = [h]
        for step in self.down:
            h = step(h, told) if isinstance(step, Stage) else step(h)
            left.append(h)
        for step in self.middle:
            h = step(h, told)
        for step in self.up:
            h = step(torch.cat([h, left.pop()], 1), told) if isinstance(step, Stage) else step(h)
        return Crop(height, width)(self.exit(h))
