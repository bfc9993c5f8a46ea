"""Networks that grow from 4 px up, after progressive GANs (Karras et al. 2018, arXiv:1710.10196, section 2, table 2).

All stages exist from the start. How many are at work is the `level`: 2 means stages 0, 1 and 2; 2.4 means that stage 3
is 40 % faded in. The level is a plain number beside the weights, so that nothing waits for the device to learn it.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, linear

from zerosum.networks.blocks import Crop, Unflatten
from zerosum.networks.minibatch import MinibatchDeviation
from zerosum.networks.r3 import sides

Side = tuple[int, int]
HE = 2**0.5  # the gain of He et al. 2015, arXiv:1502.01852, for a ReLU after the layer; 1 where none follows


class EqualLinear(nn.Linear):
    """[n inputs] -> [n outputs] with equalised learning rate: the weight at work is c w, w ~ N(0, 1) at first.

    c = gain / sqrt(inputs) is applied at every use, not once at first (section 4.1): Adam's steps do not depend on the
    size of a gradient, so with it every weight, whatever its layer, moves at the same speed relative to its range.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = HE):
        super().__init__(inputs, outputs)
        self.weight, self.bias = nn.Parameter(torch.randn_like(self.weight)), nn.Parameter(torch.zeros(outputs))
        self.scale = gain / inputs**0.5

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.scale, self.bias)


class EqualConv(nn.Conv2d):
    """[n inputs h w] -> [n outputs h w], sides kept, equalised as `EqualLinear`: c = gain / sqrt(inputs kernel^2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = HE):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.weight, self.bias = nn.Parameter(torch.randn_like(self.weight)), nn.Parameter(torch.zeros(outputs))
        self.scale = gain / (inputs * kernel**2) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.scale, self.bias)


class PixelNorm(nn.Module):
    """a / sqrt(mean_c a_c^2 + 1e-8) at every pixel, of its c features (section 4.2): [n c ...] -> [n c ...]."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def enlarge(x: Tensor, ladder: Sequence[Side]) -> Tensor:
    """Nearest neighbour, doubled to each side of the ladder that is larger than [n c h w]; what is over is cut."""
    for height, width in ladder:
        if height > x.shape[-2]:
            x = interpolate(x, scale_factor=2, mode="nearest")[..., :height, :width]
    return x


def shrink(x: Tensor, side: Side) -> Tensor:
    """Means over 2x2 until [n c h w] has this side of the ladder; over what is there where a side is odd.

    So that enlarging and shrinking again gives the same picture, on odd sides too.
    """
    while x.shape[-2] > side[0]:
        x = avg_pool2d(x, 2, ceil_mode=True)
    return x


def level_after(shown: Tensor, steady: float, fade: float, last: int) -> Tensor:
    """The level after so many real pictures: float32, from 0 to `last`.

    Every stage plays `steady` pictures alone, then the next is faded in over `fade`, in a straight line (section 2).
    """
    whole = (shown / (steady + fade)).floor()
    faded = (shown - whole * (steady + fade) - steady) / fade
    return (whole + faded.clamp(min=0)).clamp(max=last).float()


class Growing(nn.Module):
    """A network of as many stages as `ladder` has sides, smallest first; `level` says which are at work.

    The level is the extra state of the network: it goes with it into checkpoints, averages and files.
    """

    def __init__(self, height: int, width: int, stages: int):
        super().__init__()
        self.ladder = sides(height, width, stages)
        self.level = 0.0

    @property
    def top(self) -> int:
        """The largest stage at work, be it faintly."""
        return math.ceil(self.level)

    @property
    def share(self) -> float:
        """How far the top stage is faded in: above 0, and 1 where all is steady."""
        return self.level - self.top + 1

    @property
    def side(self) -> Side:
        """Height and width at work."""
        return self.ladder[self.top]

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.level)

    def set_extra_state(self, state: Tensor) -> None:
        self.level = float(state)


class Generator(Growing):
    """z [n latent] -> pictures [n c h w] of the side at work; linear at the end, unbounded.

    z goes to the hypersphere; a dense layer makes the smallest picture; a stage doubles it (nearest neighbour) and
    plays two 3x3 convolutions, each followed by LeakyReLU 0.2 and pixel norm. `widths` are smallest stage first.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], widths: Sequence[int]):
        channels, height, width = shape
        super().__init__(height, width, len(widths))
        rows, columns = self.ladder[0]
        first, leaky = widths[0], nn.LeakyReLU(0.2)
        dense = [PixelNorm(), EqualLinear(latent, first * rows * columns), Unflatten(first, rows, columns)]
        self.stages = nn.ModuleList([nn.Sequential(*dense, leaky, PixelNorm(), *_normed(first, first))])
        for (i, o), larger in zip(pairwise(widths), self.ladder[1:], strict=True):
            twice = [nn.Upsample(scale_factor=2), Crop(*larger)]
            self.stages.append(nn.Sequential(*twice, *_normed(i, o), *_normed(o, o)))
        self.pictures = nn.ModuleList(EqualConv(w, channels, 1, gain=1) for w in widths)

    def forward(self, z: Tensor) -> Tensor:
        x = before = z
        for stage in self.stages[: self.top + 1]:
            before, x = x, stage(x)
        picture = self.pictures[self.top](x)
        if self.share < 1:
            smaller = enlarge(self.pictures[self.top - 1](before), [self.side])
            picture = torch.lerp(smaller, picture, self.share)
        return picture


def _normed(inputs: int, outputs: int) -> list[nn.Module]:
    return [EqualConv(inputs, outputs, 3), nn.LeakyReLU(0.2), PixelNorm()]


class Discriminator(Growing):
    """Pictures [n c h w] of the side at work, or larger ones of the ladder, which are shrunk -> scores [n].

    The generator's mirror, without a norm. The last stage sees how much the minibatch varies, so that a score depends
    on the whole minibatch. `widths` are smallest stage first.
    """

    def __init__(self, shape: tuple[int, int, int], widths: Sequence[int]):
        channels, height, width = shape
        super().__init__(height, width, len(widths))
        (rows, columns), first, leaky = self.ladder[0], widths[0], nn.LeakyReLU(0.2)
        sight = MinibatchDeviation(first)
        last = [sight, EqualConv(sight.outputs, first, 3), leaky, nn.Flatten()]
        last += [EqualLinear(first * rows * columns, first), leaky, EqualLinear(first, 1, gain=1)]
        self.stages = nn.ModuleList([nn.Sequential(*last)])
        for o, i in pairwise(widths):
            convs = [EqualConv(i, i, 3), leaky, EqualConv(i, o, 3), leaky]
            self.stages.append(nn.Sequential(*convs, nn.AvgPool2d(2, ceil_mode=True)))
        self.pictures = nn.ModuleList(EqualConv(channels, w, 1) for w in widths)

    def forward(self, x: Tensor) -> Tensor:
        x = shrink(x, self.side)
        features = self.features(x, self.top)
        if self.top:
            features = self.stages[self.top](features)
            if self.share < 1:
                smaller = self.features(shrink(x, self.ladder[self.top - 1]), self.top - 1)
                features = torch.lerp(smaller, features, self.share)
            for stage in reversed(self.stages[1 : self.top]):
                features = stage(features)
        return self.stages[0](features).squeeze(1)

    def features(self, x: Tensor, stage: int) -> Tensor:
        """What the layers of a stage begin from, of pictures of its side."""
        return leaky_relu(self.pictures[stage](x), 0.2)

    def seen(self, x: Tensor) -> Tensor:
        """Real pictures [n c H W] of full size as they are at this level: [n c h w] of the side at work.

        During a fade they are mixed with what the stage below would see of them, as fakes are.
        """
        x = shrink(x, self.side)
        if self.share < 1:
            smaller = enlarge(shrink(x, self.ladder[self.top - 1]), [self.side])
            x = torch.lerp(smaller, x, self.share)
        return x
