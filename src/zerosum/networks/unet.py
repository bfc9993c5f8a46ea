"""The generator of pix2pix: an encoder and a decoder with a way around every resolution.

U-Net (Ronneberger et al. 2015, arXiv:1505.04597) as in Isola et al. 2017, arXiv:1611.07004, section 3.2.1 and 6.1.
"""

from typing import Self

import torch
from torch import Tensor, nn

from zerosum.networks.blocks import Dropout, doublings
from zerosum.networks.padding import Padded, instance_norm

DEEPEST = 8  # halvings: a picture of 256 px down to 1 (appendix 6.1.1)
WIDEST = 8  # times the outermost width (appendix 6.1.1: C64 up to C512)


class Noise(Dropout):
    """Dropout that is on outside of training too: it is all the noise that the generator has (section 3.1)."""

    def train(self, mode: bool = True) -> Self:
        return super().train(True)


class Around(nn.Module):
    """What a smaller resolution makes of the features, beside the features as they are: [n c h w] -> [n 2c h w]."""

    def __init__(self, below: nn.Module):
        super().__init__()
        self.below = below

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.below(x)], 1)


class UNet(Padded):
    """[n inputs h w] -> [n outputs h w] in (-1, 1); built for pictures of `height` x `width`, but takes any size.

    A picture is halved down to about 1 px, at most 8 times. Stride-2 convolutions with LeakyReLU on the way down,
    transposed ones with ReLU on the way up; each normed by picture, but for the first, the innermost and the last.
    Noise in the innermost three eighths of the way up (three of the paper's eight layers).
    """

    def __init__(self, inputs: int, outputs: int, height: int, width: int, channels: int, noise: float):
        halvings = min(doublings(height, width, smallest=1), DEEPEST)
        widths = [channels * min(2**i, WIDEST) for i in range(halvings)]
        noisy = -(-3 * halvings // 8)
        inside: nn.Module = nn.Identity()
        for depth in range(halvings - 1, 0, -1):
            outer, inner = widths[depth - 1], widths[depth]
            innermost = depth == halvings - 1
            inside = Around(
                nn.Sequential(
                    nn.Conv2d(outer, inner, 4, 2, 1),
                    nn.Identity() if innermost else instance_norm(inner),  # a norm of one pixel leaves nothing
                    nn.LeakyReLU(0.2),
                    inside,
                    nn.ConvTranspose2d(inner if innermost else 2 * inner, outer, 4, 2, 1),
                    instance_norm(outer),
                    Noise(noise) if depth >= halvings - noisy else nn.Identity(),
                    nn.ReLU(),
                )
            )
        network = nn.Sequential(
            nn.Conv2d(inputs, widths[0], 4, 2, 1),
            nn.LeakyReLU(0.2),
            inside,
            nn.ConvTranspose2d(2 * widths[0], outputs, 4, 2, 1),
            nn.Tanh(),
        )
        super().__init__(network, 2**halvings)
