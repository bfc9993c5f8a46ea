"""What the doctor sees of samples: few numbers of each, in which sets of samples are compared with the data.

A picture is seen through at most 8 x 8 windows: the mean of each and the deviation within it, so that layout, contrast
and noise all count, and looking takes no longer than drawing. A point is seen as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from zerosum.metrics.neighbours import nearest

WINDOWS = 8  # a side
CELLS = {"pictures": 16, "points": 25}


def seen(x: Tensor) -> Tensor:
    """Pictures float [n c h w] -> [n 2 c 64] flattened; points [n d] -> [n d]; float32 on the CPU."""
    x = x.detach().float()
    if x.ndim == 4:
        side = min(WINDOWS, x.shape[2]), min(WINDOWS, x.shape[3])
        mean = functional.adaptive_avg_pool2d(x, side)
        within = functional.adaptive_avg_pool2d(x.square(), side) - mean.square()
        x = torch.cat([mean, within.clamp_min(0).sqrt()], 1)
    return x.flatten(1).cpu()


def spread(x: Tensor) -> float:
    """The mean distance of two of x [n f]."""
    return float(torch.pdist(x).mean())


def energy(x: Tensor, y: Tensor, unit: float | None = None) -> float:
    """The energy distance 2 E|x - y| - E|x - x'| - E|y - y'| (Székely & Rizzo 2013) in a unit, else E|y - y'|.

    Unbiased: of two sets of one distribution it is 0 on average, and may be below.
    """
    own = spread(y)
    return (2 * float(torch.cdist(x, y).mean()) - spread(x) - own) / max(own, 1e-12)


class Cells:
    """The data, parted into cells by k-means: which of them samples fall into, and how often.

    (Richardson & Weiss 2018, arXiv:1805.12462, count bins in the same way.)
    """

    def __init__(self, x: Tensor, cells: int, seed: int = 0):
        chance = torch.Generator().manual_seed(seed)
        centres = x[:1]
        for _ in range(min(cells, len(x)) - 1):  # k-means++ (Arthur & Vassilvitskii 2007)
            far = nearest(x, centres)[0][:, 0].square()
            if not float(far.sum()) > 0:
                break
            centres = torch.cat([centres, x[torch.multinomial(far, 1, generator=chance)]])
        for _ in range(10):
            cell = nearest(x, centres)[1][:, 0]
            counts = torch.bincount(cell, minlength=len(centres))[:, None]
            sums = torch.zeros_like(centres).index_add_(0, cell, x)
            centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
        self.centres = centres
        self.shares = self.of(x)

    def of(self, x: Tensor) -> Tensor:
        """The share of x [n f] in each cell: [k]."""
        cell = nearest(x, self.centres)[1][:, 0]
        return torch.bincount(cell, minlength=len(self.centres)).float() / len(x)

    def missing(self, shares: Tensor) -> float:
        """The share of the data in cells that hold under a tenth of the samples they should."""
        return float(self.shares[shares < 0.1 * self.shares].sum())


def turned(a: Tensor, b: Tensor) -> float:
    """The total variation 1/2 sum |a - b| of two lists of shares: the least share of samples that changed cells."""
    return float((a - b).abs().sum() / 2)


def auc(high: Tensor, low: Tensor) -> float:
    """P(a > b) + P(a = b)/2 for a of `high` [m] and b of `low` [n]: 1/2 if scores do not tell them apart."""
    order = (high[:, None] - low[None]).sign()
    return float(order.double().mean()) / 2 + 0.5


def printed(x: Tensor) -> float:
    """How strongly pictures [n c h w] carry one checkerboard: amplitude in their mean picture, over their contrast.

    sqrt(a_10^2 + a_01^2 + a_11^2) for the means a_uv of (-1)^(u row + v column) times the mean picture: what is drawn
    differs from picture to picture and cancels; what a transposed convolution whose kernel is no multiple of its stride
    prints is in all of them (Odena et al. 2016, doi:10.23915/distill.00003).
    """
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    x = x[:, :, :height, :width].detach().float()
    rows, columns = (1 - 2 * (torch.arange(side, device=x.device) % 2) for side in (height, width))
    waves = rows[:, None].expand(height, width), columns.expand(height, width), rows[:, None] * columns
    found = torch.stack([(x.mean((0, 1)) * wave).mean() for wave in waves])
    return float(found.norm() / x.flatten(1).std(1).mean().clamp_min(1e-6))


class Reader:
    """Reads labels off what is seen: ridge regression on it and its squares, fitted to real examples [n f], labels [n].

    With squares it reads labels that are steps of one thing, too: a line through three steps never picks the middle.
    """

    def __init__(self, x: Tensor, y: Tensor, classes: int, ridge: float = 0.1):
        self.middle, self.scale = x.mean(0), x.std(0).clamp_min(1e-3)
        a = self._inputs(x)
        targets = functional.one_hot(y.cpu(), classes).float()
        penalty = ridge * len(a) / 10 * torch.eye(a.shape[1])
        self.weights = torch.linalg.solve(a.T @ a + penalty, a.T @ targets)

    def right(self, x: Tensor, y: Tensor) -> float:
        """The share of x [n f] in which the label y [n] is read."""
        return float((self._inputs(x) @ self.weights).argmax(1).eq(y.cpu()).float().mean())

    def _inputs(self, x: Tensor) -> Tensor:
        x = (x - self.middle) / self.scale
        return functional.pad(torch.cat([x, x.square()], 1), (0, 1), value=1.0)
