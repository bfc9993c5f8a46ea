"""The one way in which pictures change their size before a network judges them.

Aliasing and rounding on the way move a FID by more than most papers do (Parmar et al. 2022, arXiv:2104.11222). So the
filter is cubic (a = -1/2), as wide as the reduction asks, and what it gives is not rounded to bytes again.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

SMALLEST = 8  # px: below, no network here has anything to see


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """uint8 in 0..255, or float, [n c h w] -> float32 [n c height width] on the same scale, antialiased.

    Bytes stay in 0..255, where a cubic filter would overshoot at edges; floats are left as they come. Pictures that
    have the size already keep their numbers. Raises ValueError for what is no picture, or is smaller than 8 px.
    """
    if pictures.ndim != 4 or min(*pictures.shape[2:], height, width) < SMALLEST:
        raise ValueError(
            f"cannot resize {tuple(pictures.shape)} to {height} x {width}: "
            f"expected pictures [n c h w] with sides of {SMALLEST} px and more, on both ends"
        )
    x = pictures.float()
    if x.shape[2:] == (height, width):
        return x
    x = interpolate(x, size=(height, width), mode="bicubic", antialias=True)
    return x.clamp(0, 255) if pictures.dtype == torch.uint8 else x


def as_rgb(pictures: Tensor) -> Tensor:
    """uint8 with 1, 3 or 4 channels [n c h w] -> three channels: gray thrice; transparency laid on white (float32)."""
    channels = pictures.shape[1]
    if channels in (1, 3):
        return pictures.expand(-1, 3, -1, -1)
    if channels == 4:
        alpha = pictures[:, 3:].float() / 255
        return pictures[:, :3] * alpha + 255 * (1 - alpha)
    raise ValueError(f"got pictures with {channels} channels; expected 1 (gray), 3 (colour) or 4 (with transparency)")
