"""Does a generator copy? Its samples lie nearer to the training examples than held-out real data does.

Three answers, all set against held-out data: C_T (Meehan et al. 2020, arXiv:2004.05675), the share of authentic samples
(Alaa et al. 2022, arXiv:2102.08921), and an estimate of the share of copies. Only the last gives the verdict: the first
two cannot tell copies from blur, which is near to everything, and copies among noise stay unseen by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from zerosum.metrics.interval import Z, share, wilson
from zerosum.metrics.neighbours import nearest
from zerosum.metrics.number import Number, TooFew, check_features

FEWEST = 50  # examples in each set
NEIGHBOURS = 10  # whose mean distance is the scale of what is near
CELLS, CELL_FEWEST = 5, 20  # of C_T: at most so many cells, and examples of either kind in a cell that counts
SURE = 5.0  # standard deviations above 0 from which copies are flagged
SHOWN = 32


@dataclass(frozen=True)
class Pair:
    """A sample and its nearest training example: their rows, the distance, and that over the sample's local scale."""

    sample: int
    train: int
    distance: float
    ratio: float


@dataclass(frozen=True)
class Copying:
    """How far samples repeat the training set, beyond what held-out real data does.

    A sample x is at distance d(x) from its nearest training example; r(x) is d(x) over the mean distance of its 10
    nearest: near 0 for what belongs to one training example, near 1 for what is blurred or noisy. A sample is within
    reach of its training example if r(x) is at most the 1 % quantile of held-out data, and exact, but for the rounding
    of saved pictures, if it is at most a twentieth of their median.

    `copies` is (p - q) / (1 - q), at least 0, for the shares p of samples and q of held-out examples that are within
    reach or, where that is more, exact. Its high end supposes that no other sample comes within reach. Its low end
    supposes that as many do as of real data, and that samples with one nearest training example are one event, since a
    collapsed generator hits or misses with all its samples at once; exact copies are an event each.
    """

    copies: Number
    flagged: bool  # the low end is above 0 by 5 standard deviations, not 1.96
    exact: int  # samples that are training examples
    leaks: int  # held-out examples that are; in two or three dimensions some are by chance
    duplicates: int  # training examples equal to an earlier one: every number looks at the different ones only
    c_t: float  # the mean over cells of the z of d(x): << 0 near to the training set, >> 0 far from it
    z: float  # C_T over its standard deviation: a standard normal for samples of the true distribution
    cells: int  # how many C_T is the mean of
    authentic: Number  # share of samples farther from their training example than its nearest neighbour is
    authentic_real: Number  # the same of held-out data: what a perfect generator scores
    worst: tuple[Pair, ...]  # the 32 with the least r(x), each of another training example


def copying(samples: Tensor, train: Tensor, held_out: Tensor, *, seed: int = 0) -> Copying:
    """Whether samples [m f] are copies of train [l f], set against real data that was not trained on [n f].

    Flat pixels find exact, noisy and darkened copies, shifted ones not. Held-out data must come from where the training
    data does, shuffled before it is split: the two halves of MNIST's test set differ by z = -5. The seed is the cells'.
    Raises TooFew for fewer than 50 rows; ValueError for what cannot be compared, samples that are all the same, and
    held-out data that was trained on.
    """
    for name, x in (("samples", samples), ("training examples", train), ("held-out examples", held_out)):
        if len(x) < FEWEST:
            raise TooFew("copying", f"{FEWEST} {name}", len(x), "give more, or look at each sample's nearest by eye")
    check_features("copying", samples, train, held_out)
    first = _first_of_each(train)
    distinct = train[first]
    if len(distinct) <= NEIGHBOURS:
        raise TooFew("copying", f"{NEIGHBOURS + 1} different training examples", len(distinct), "give more")
    near, real = _Nearness.of(samples, distinct), _Nearness.of(held_out, distinct)
    if not real.r.median() > 0:
        raise ValueError("copying: most held-out examples are training examples: hold out data that was not trained on")
    exact, leaks = (x.r <= real.r.median() / 20 for x in (near, real))
    reach = real.r[~leaks].quantile(0.01, interpolation="lower")
    each = torch.arange(len(samples), device=samples.device)
    evidence = [_Excess(near.r <= reach, real.r <= reach, near.row), _Excess(exact, leaks, each)]
    c_t, z, cells = _c_t(near.d, real.d, *_cells(distinct, samples, held_out, seed))
    own = _own_distance(distinct, torch.cat([near.row, real.row]))
    value, low = max(0.0, *(e.share() for e in evidence)), max(0.0, *(e.least(Z) for e in evidence))
    return Copying(
        copies=Number(value, low, wilson(_mean(near.r <= reach), len(near.r))[1], better="lower", floor=0.0),
        flagged=any(e.least(SURE) > 0 for e in evidence),
        exact=int(exact.sum()),
        leaks=int(leaks.sum()),
        duplicates=len(train) - len(distinct),
        c_t=c_t,
        z=z,
        cells=cells,
        authentic=share("the authentic share", near.d > own[: len(samples)]),
        authentic_real=share("the authentic share", real.d > own[len(samples) :]),
        worst=_worst(near, first),
    )


@dataclass(frozen=True)
class _Nearness:
    """Of each example [n]: the distance d of its nearest training example, that one's row, and the ratio r."""

    d: Tensor
    row: Tensor
    r: Tensor

    @classmethod
    def of(cls, x: Tensor, train: Tensor) -> _Nearness:
        d, rows = nearest(x, train, NEIGHBOURS)
        return cls(d[:, 0], rows[:, 0], d[:, 0].double() / d.double().mean(1).clamp_min(1e-300))


@dataclass(frozen=True)
class _Excess:
    """Samples hit beyond the rate of real data: the hits [m], those of real data [n], the samples' events [m]."""

    hits: Tensor
    hits_real: Tensor
    events: Tensor

    def share(self) -> float:
        """(p - q) / (1 - q): the share of copies if the other samples are hit as real data is."""
        p, q = _mean(self.hits), _mean(self.hits_real)
        return (p - q) / (1 - q)

    def least(self, z: float) -> float:
        """Its low end at z standard deviations, from the intervals of p and q (Newcombe 1998, doi:10.1002/sim.779)."""
        p, q = _mean(self.hits), _mean(self.hits_real)
        low, high = wilson(p, self._independent(), z)[0], wilson(q, len(self.hits_real), z)[1]
        return (p - q - sqrt((p - low) ** 2 + (high - q) ** 2)) / (1 - q)

    def _independent(self) -> float:
        """How many independent samples would give p the variance that it has between events."""
        m, p, sizes = len(self.hits), _mean(self.hits), torch.bincount(self.events).double()
        if p in (0, 1):
            return m**2 / float(sizes.square().sum())
        surplus = torch.bincount(self.events, weights=self.hits.double()) - p * sizes
        return min(m, p * (1 - p) * m**2 / max(float(surplus.square().sum()), 1e-300))


def _mean(hits: Tensor) -> float:
    return float(hits.double().mean())


def _first_of_each(x: Tensor) -> Tensor:
    """The rows of x that are equal to no earlier one, ascending."""
    values, group = torch.unique(x, dim=0, return_inverse=True)
    rows = torch.arange(len(x), device=x.device)
    return torch.full((len(values),), len(x), device=x.device).scatter_reduce(0, group, rows, "amin").sort().values


def _own_distance(train: Tensor, rows: Tensor) -> Tensor:
    """The distance of train[rows] to the nearest other one of train: [n]."""
    asked, place = rows.unique(return_inverse=True)
    return nearest(train[asked], train, 2)[0][place, 1]  # the first neighbour is the example itself


def _worst(near: _Nearness, first: Tensor) -> tuple[Pair, ...]:
    pairs: dict[int, Pair] = {}
    for i in near.r.argsort(stable=True).tolist():
        row = int(first[near.row[i]])
        pairs.setdefault(row, Pair(i, row, float(near.d[i]), float(near.r[i])))
        if len(pairs) == SHOWN:
            break
    return tuple(pairs.values())


def _cells(train: Tensor, samples: Tensor, held_out: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The k-means cell of each sample [m] and each held-out example [n], with the centres of 5,000 of train.

    Started by k-means++ (Arthur & Vassilvitskii 2007), 20 rounds of Lloyd's algorithm.
    """
    chance = torch.Generator().manual_seed(seed)
    x = train[torch.randperm(len(train), generator=chance)[:5000].to(train.device)].float()
    centres = x[:1]
    for _ in range(min(CELLS, len(held_out) // FEWEST, len(x)) - 1):
        far = nearest(x, centres)[0][:, 0].square().cpu()
        centres = torch.cat([centres, x[torch.multinomial(far, 1, generator=chance).to(x.device)]])
    for _ in range(20):
        cell = nearest(x, centres)[1][:, 0]
        sums = torch.zeros_like(centres).index_add_(0, cell, x)
        counts = torch.bincount(cell, minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
    return nearest(samples, centres)[1][:, 0], nearest(held_out, centres)[1][:, 0]


def _c_t(d: Tensor, d_real: Tensor, cell: Tensor, cell_real: Tensor) -> tuple[float, float, int]:
    """C_T = sum_c w_c z_c with w_c the held-out share of cell c, its z = C_T / sqrt(sum_c w_c^2), and how many cells.

    Distances are to the nearest of all training examples, the paper's to those of the cell. Cells with fewer than 20
    held-out examples are left out, as there, and with fewer than 20 samples; where none is left, all is one cell.
    """
    cells = int(max(cell.max(), cell_real.max())) + 1
    counts = torch.bincount(cell, minlength=cells).minimum(torch.bincount(cell_real, minlength=cells))
    used = [c for c in range(cells) if counts[c] >= CELL_FEWEST]
    if not used:
        return (z := mann_whitney(d, d_real)), z, 1
    weights = torch.tensor([float((cell_real == c).sum()) for c in used])
    weights /= weights.sum()
    scores = torch.tensor([mann_whitney(d[cell == c], d_real[cell_real == c]) for c in used])
    c_t = float((weights * scores).sum())
    return c_t, c_t / float(weights.norm()), len(used)


def mann_whitney(a: Tensor, b: Tensor) -> float:
    """z of the statistic U of Mann and Whitney 1947: below 0 if a [m] tends to be less than b [n].

    (U - mn/2) / sigma with sigma^2 = mn/12 (N + 1 - sum (t^3 - t) / (N (N - 1))), N = m + n, over the counts t of equal
    values. 0 if all values are equal.
    """
    m, n = len(a), len(b)
    _, place, ties = torch.unique(torch.cat([a, b]), return_inverse=True, return_counts=True)
    ties = ties.double()
    ranks = ties.cumsum(0) - (ties - 1) / 2
    u = float(ranks[place[:m]].sum()) - m * (m + 1) / 2
    variance = m * n / 12 * (m + n + 1 - float((ties**3 - ties).sum()) / ((m + n) * (m + n - 1)))
    return (u - m * n / 2) / sqrt(variance) if variance > 0 else 0.0
