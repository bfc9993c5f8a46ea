"""PatchGAN: a discriminator that judges every patch of a picture by itself (Isola et al. 2017, arXiv:1611.07004).

Section 3.2.2 and appendix 6.1.2: only the structure of patches is judged; low frequencies are for an L1 term to hold.
"""

from torch import nn

from zerosum.networks.padding import instance_norm

FIELDS = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""The side of a patch in pixels (receptive field), and the halvings that give it; 1, 16, 70 and 286 are the paper's."""

WIDEST = 8  # times the outermost width


def largest_field(wanted: int, height: int, width: int) -> int:
    """The largest field of at most `wanted` whose network leaves at least one score of a picture of this size."""
    fits = [field for field, halvings in FIELDS.items() if field <= wanted and min(height, width) >> halvings >= 3]
    return max(fits, default=1)


class PatchGAN(nn.Sequential):
    """[n inputs h w] -> a score for each patch [n 1 h' w'], before any sigmoid. `field` is one of FIELDS.

    4x4 convolutions with LeakyReLU: one of stride 2 a halving, one of stride 1, one to the score; normed by picture but
    for the first and the last. A field of 1 has 1x1 convolutions throughout: each pixel is judged for its colour.
    """

    def __init__(self, inputs: int, field: int, channels: int):
        if field not in FIELDS:
            raise ValueError(f"a patch of {field} px cannot be: give one of {', '.join(map(str, FIELDS))}")
        halvings = FIELDS[field]
        kernel, padding = (4, 1) if halvings else (1, 0)
        strides = [2] * halvings + [1] if halvings else [1, 1]
        widths = [channels * min(2**i, WIDEST) for i in range(len(strides))]
        layers: list[nn.Module] = []
        for before, after, stride in zip([inputs, *widths], widths, strides, strict=False):
            layers += [nn.Conv2d(before, after, kernel, stride, padding), instance_norm(after), nn.LeakyReLU(0.2)]
        del layers[1]  # no norm on the first
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, kernel, 1, padding))
