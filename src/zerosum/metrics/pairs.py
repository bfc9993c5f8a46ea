"""How well pictures were translated, where the truth is known: by the picture, or by the classes it shows.

The second follows the FCN score of Isola et al. 2017 (arXiv:1611.07004, section 4.1): a segmenter that was fitted to
real pictures reads the translated ones; if they are good, it finds in them what they were made from.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate


def mean_difference(a: Tensor, b: Tensor) -> float:
    """The mean absolute difference of uint8 pictures, each [n c h w], in 0..255."""
    if a.shape != b.shape or not a.numel():
        raise ValueError(
            f"pictures {tuple(a.shape)} and {tuple(b.shape)} cannot be compared: they must be alike, and some"
        )
    return float((a.float() - b.float()).abs().mean())


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
