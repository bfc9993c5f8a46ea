"""How well pictures were translated: by the picture, where the truth is known, or by the classes it shows.

The second follows the FCN score of Isola et al. 2017 (arXiv:1611.07004, section 4.1): a segmenter that was fitted to
real pictures reads the translated ones; if they are good, it finds in them what they were made from. Where no truth is
known (Zhu et al. 2017, arXiv:1703.10593), pictures are compared with their way there and back, and by class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy, interpolate, normalize

from zerosum.metrics import interval
from zerosum.metrics.number import Number

_BLOCK = 100  # pictures compared at once
_SIDE = 11  # of the window of SSIM; its deviation is 1.5 pixels


def mean_difference(a: Tensor, b: Tensor) -> float:
    """The mean absolute difference of uint8 pictures, each [n c h w], in 0..255."""
    _check_alike(a, b)
    return float((a.float() - b.float()).abs().mean())


def translation_error(pictures: Tensor, again: Tensor) -> Number:
    """The mean absolute difference of uint8 pictures [n c h w], 0..255, with its interval over the pictures.

    Of pictures x and F(G(x)), there and back, it is the cycle error; of pictures y that are in G's target domain
    already and G(y), the identity error (Zhu et al. 2017, eq. 2 and section 5.2).
    """
    _check_alike(pictures, again)
    errors = _each(lambda a, b: (a - b).abs().mean((1, 2, 3)), pictures, again)
    return interval.mean("the translation error", errors, "lower")


def content_kept(before: Tensor, after: Tensor) -> Number:
    """The share of pictures that show after translation the class they showed before: whole numbers [n] and [n].

    Both as a classifier reads them, or `before` as labelled; its own errors on real pictures bound what can be kept.
    """
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(f"content kept needs a class before and after, [n] each, got {before.shape} and {after.shape}")
    return interval.share("content kept", before == after)


def psnr(made: Tensor, truth: Tensor) -> Number:
    """The peak signal-to-noise ratio 10 log10(255^2 / mean (made - truth)^2) of uint8 [n c h w]: dB, mean of pictures.

    A picture that is the truth would have an infinite one. As bytes are rounded, nothing is known better than to a mean
    square of 1/12: no picture counts for more than 58.92 dB.
    """
    _check_alike(made, truth)
    squares = _each(lambda a, b: (a - b).square().mean((1, 2, 3)), made, truth)
    return interval.mean("PSNR", 10 * (255**2 / squares.clamp_min(1 / 12)).log10(), "higher")


def ssim(made: Tensor, truth: Tensor) -> Number:
    """The structural similarity of uint8 [n c h w], mean over places, channels and pictures; 1 is the truth itself.

        (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)),    C1 = 2.55^2, C2 = 7.65^2

    of the means m, variances s^2 and covariance s_ab in each window of 11 x 11 pixels, weighted by a normal of 1.5
    pixels (Wang et al. 2004, doi:10.1109/TIP.2003.819861, eq. 13). Windows lie within the picture, as the authors' do;
    torchmetrics mirrors the edges outwards instead, which weighs them more. Raises ValueError for smaller pictures.
    """
    _check_alike(made, truth)
    if min(made.shape[2:]) < _SIDE:
        size = "x".join(map(str, made.shape[2:]))
        raise ValueError(f"SSIM looks at windows of {_SIDE}x{_SIDE} pixels, got pictures of {size}: use PSNR")
    return interval.mean("SSIM", _each(_similarity, made, truth), "higher")


def lpips(made: Sequence[Tensor], truth: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The learned distance of Zhang et al. 2018 (arXiv:1801.03924), from a network's layers: [n], 0 is the truth.

        sum_l mean_hw sum_c w_lc (y_a - y_b)^2,    y = a layer's features, of length 1 at each place

    Layers are [n c_l h_l w_l] of both sets of pictures, the weights of each [c_l]: all from the user's own files.
    """
    shapes = [(tuple(a.shape), tuple(b.shape), len(w)) for a, b, w in zip(made, truth, weights, strict=True)]
    if not shapes or any(a != b or len(a) != 4 or a[1] != w for a, b, w in shapes):
        raise ValueError(f"LPIPS needs layers [n c h w] that are alike, with c weights each, got {shapes}")
    distances = torch.zeros(len(made[0]), dtype=torch.float64)
    for layer_a, layer_b, w in zip(made, truth, weights, strict=True):
        squares = _each(lambda a, b: (normalize(a) - normalize(b)).square().mean((2, 3)), layer_a, layer_b)  # [n c]
        distances += squares @ w.double()
    return distances


@dataclass(frozen=True)
class Agreement:
    """How far two class maps agree (Long et al. 2015, arXiv:1411.4038, section 5), each 0..1.

    With n_ij pixels of class i read as j, t_i = sum_j n_ij, over the classes i that are there:
    pixel = sum_i n_ii / sum_i t_i;  by_class = mean_i n_ii / t_i;  iou = mean_i n_ii / (t_i + sum_j n_ji - n_ii).
    """

    pixel: float
    by_class: float
    iou: float


def agreement(read: Tensor, truth: Tensor, classes: int) -> Agreement:
    """The agreement of class maps `read` with the `truth`, whole numbers [n h w] in 0..classes-1."""
    if read.shape != truth.shape or not truth.numel():
        raise ValueError(f"class maps {tuple(read.shape)} and {tuple(truth.shape)}: they must be alike, and some")
    counts = (
        torch.bincount((truth.long() * classes + read.long()).flatten(), minlength=classes**2)
        .reshape(classes, classes)
        .double()
    )
    right, there, seen = counts.diag(), counts.sum(1), counts.sum(0)
    real = there > 0
    return Agreement(
        float(right.sum() / there.sum()),
        float((right / there)[real].mean()),
        float((right / (there + seen - right))[real].mean()),
    )


class Segmenter(nn.Module):
    """uint8 [n c h w] -> logits [n classes h w]: convolutions at full, half and quarter size, read together."""

    def __init__(self, channels: int, classes: int, width: int = 16):
        super().__init__()
        sizes = zip((channels, width, 2 * width), (width, 2 * width, 4 * width), strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in sizes
        )
        self.read = nn.Conv2d(7 * width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        x, size = pictures.float() / 127.5 - 1, pictures.shape[2:]
        seen: list[Tensor] = []
        for stage in self.stages:
            if seen:
                x = nn.functional.max_pool2d(x, 2)
            x = stage(x)
            seen.append(interpolate(x, size=size, mode="bilinear"))
        return self.read(torch.cat(seen, 1))


def train_segmenter(
    pictures: Tensor, maps: Tensor, classes: int, *, epochs: int = 3, batch: int = 32, seed: int = 0
) -> Segmenter:
    """A segmenter fitted to uint8 pictures [n c h w] and class maps [n h w]: Adam, one cycle up to 4e-3.

    The caller's generators are left as they were. Raises ValueError for fewer pictures than one batch, or other maps.
    """
    if len(pictures) < batch or maps.shape != (len(pictures), *pictures.shape[2:]):
        raise ValueError(
            f"got pictures {tuple(pictures.shape)} and class maps {tuple(maps.shape)}; "
            f"expected at least {batch}, and a map [h w] for each"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Segmenter(pictures.shape[1], classes)
        optimizer = torch.optim.Adam(net.parameters(), 1e-3)
        rounds = epochs * (len(pictures) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=rounds)
        for _ in range(epochs):
            for rows in torch.randperm(len(pictures)).split(batch)[: len(pictures) // batch]:
                optimizer.zero_grad()
                cross_entropy(net(pictures[rows]), maps[rows].long()).backward()
                optimizer.step()
                schedule.step()
    return net.eval().requires_grad_(False)


def _check_alike(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape or not a.numel():
        raise ValueError(
            f"pictures {tuple(a.shape)} and {tuple(b.shape)} cannot be compared: they must be alike, and some"
        )


def _each(measure: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> Tensor:
    """What is measured of each pair, in float64, a block at a time."""
    blocks = zip(a.split(_BLOCK), b.split(_BLOCK), strict=True)
    return torch.cat([measure(part.double(), other.double()) for part, other in blocks])


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    """SSIM of each of some pictures [n c h w]: [n]."""
    offset = torch.arange(_SIDE, dtype=torch.float64) - _SIDE // 2
    window = (-offset.square() / (2 * 1.5**2)).exp()
    window = window / window.sum()

    def smooth(x: Tensor) -> Tensor:
        return conv2d(conv2d(x.flatten(0, 1)[:, None], window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))

    mean_a, mean_b = smooth(a), smooth(b)
    square_a, square_b, product = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2, smooth(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * product + c2)
    return (likeness / ((mean_a**2 + mean_b**2 + c1) * (square_a + square_b + c2))).view(len(a), -1).mean(1)
