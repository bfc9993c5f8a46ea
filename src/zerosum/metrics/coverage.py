"""Do the samples look real, and are all kinds of real data there? Balls around nearest neighbours answer.

Precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1-2), density and coverage (Naeem et al. 2020,
arXiv:2002.09797, eq. 3-4). A point's ball reaches to its k-th nearest neighbour in its own set, the border included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2, prod
from typing import NamedTuple

import torch
from torch import Tensor

from zerosum.metrics.interval import Z
from zerosum.metrics.number import Number, TooFew, check_features

BLOCK = 100  # rows at once: 40 MB against 50,000 points, in float64
HALVES = 24  # random halves that show how much the balls' chance matters to coverage


@dataclass(frozen=True)
class Coverage:
    """With B(x) the ball of x within its own set, samples X [n f] and reference Y [m f]:

        precision = 1/n sum_i 1[some B(Y_j) holds X_i]      density  = 1/nk sum_ij 1[B(Y_j) holds X_i]
        recall    = 1/m sum_j 1[some B(X_i) holds Y_j]      coverage = 1/m sum_j 1[B(Y_j) holds some X_i]

    Precision, recall and coverage lie in 0..1; density is about 1 for perfect samples, and more for narrow ones.
    `floor` is what samples of the true distribution score: for density 1, for coverage
    1 - prod_{i=1..k} (m - i) / (n + m - i), where all k nearest of n + m - 1 others are of the reference; for precision
    and recall it depends on the distribution, and is to be measured on held-out data.
    """

    precision: Number
    recall: Number
    density: Number
    coverage: Number


def coverage(samples: Tensor, reference: Tensor, k: int = 5, *, seed: int = 0) -> Coverage:
    """Precision, recall, density and coverage of samples [n f], given a reference [m f] of real data.

    k = 5 is Naeem's; Kynkäänniemi et al. take k = 3. Samples and reference count both as random: a number is the mean
    over some points (its own chance: their variance) of what the balls of the other side say of them (chance of the
    balls: the jackknife over the points that draw them; for coverage random halves of the points, which `seed` chooses:
    it moves that interval a little and never a value). A bootstrap would not do: the copies it draws are neighbours at
    distance 0. No interval knows of points that were not drawn: where a few rare ones with huge balls make a number, as
    in the recall of kinds of data that samples lack, the intervals of draws without them are too narrow and too low.
    Raises TooFew below 10 k points on a side, ValueError for features that cannot be compared.
    """
    check_features("coverage", samples, reference)
    for points in (samples, reference):
        if len(points) < 10 * k:
            raise TooFew("coverage", f"{10 * k} points on each side (10 k)", len(points), "give more, or a smaller k")
    n, m = len(samples), len(reference)
    x, y = _on_grid(samples, reference)
    of_x, of_y = _balls(x, k), _balls(y, k)
    held, without_y = _held(x, y, of_y)
    covering, without_x = _held(y, x, of_x)
    perfect = 1 - prod((m - i) / (n + m - i) for i in range(1, k + 1))
    density, deviation = held / k, (held.var() / n + _variance_of_number(x, y, of_y)).sqrt() / k
    return Coverage(
        precision=_share(held > 0, without_y),
        recall=_share(covering > 0, without_x),
        density=_number(density.mean(), Z * deviation, floor=1.0),
        coverage=_share(*_reached(x, y, k, seed), perfect),
    )


class Balls(NamedTuple):
    """Of points [m f]: who their k nearest are [m k], and the squared radii [m] to ..."""

    neighbours: Tensor
    radius: Tensor  # ... the k-th,
    next: Tensor  # the next, which is the k-th when one of the k is left out,
    inner: Tensor  # and, about k apart, a nearer
    outer: Tensor  # and a farther one: between them, how many a ball gains with its rank, without the chance of one gap


def _on_grid(*sets: Tensor) -> list[Tensor]:
    """The sets on one grid of whole numbers, 2^-24 of the largest distance from the middle of the last: float64 [n f].

    Sums and products of these are exact in float64, so distances do not depend on how they are computed: copies are at
    0, ties are ties, and a point on a border is on it. The unit is a power of 2: numbers with few digits stay exact.
    Points 1,000 times as far out as most are drawn in to there, so that one of them does not make the grid coarse.
    """
    middle = sets[-1].median(0).values.double()  # the mean would follow one point that is far out
    norms = torch.cat([(x.double() - middle).norm(dim=1) for x in sets])
    farthest = float(norms.max())
    reach = min(farthest, 1000 * float(norms.median())) or farthest
    unit = 2.0 ** ceil(log2(reach / 2**24))
    middle = (middle / unit).round()
    drawn_in = ((reach / norms).clamp_max(1)[:, None]).split([len(x) for x in sets])
    return [
        torch.where(near < 1, ((x.double() / unit - middle) * near).round(), (x.double() / unit).round() - middle)
        for x, near in zip(sets, drawn_in, strict=True)
    ]


def _squares(queries: Tensor, points: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Squared distances of queries [n f] to points [m f], a block of rows at a time: its first row, and [b m]."""
    lengths = points.square().sum(1)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        yield start, torch.addmm(lengths, block, points.T, alpha=-2).add_(block.square().sum(1, keepdim=True))


def _balls(points: Tensor, k: int) -> Balls:
    ranks = [k, k + 1, k - k // 2, k + (k + 1) // 2]
    found, neighbours = [], []
    for start, squares in _squares(points, points):
        squares[:, start:].fill_diagonal_(torch.inf)
        near, who = squares.topk(max(ranks), largest=False)
        found.append(near[:, [rank - 1 for rank in ranks]])
        neighbours.append(who[:, :k])
    return Balls(torch.cat(neighbours), *torch.cat(found).T.contiguous())


def _held(queries: Tensor, points: Tensor, balls: Balls) -> tuple[Tensor, Tensor]:
    """How many balls hold each query [n]; and the balls' part of the variance of the share that some ball holds.

    Without a point, its ball is gone, and those that had it among their k nearest reach to the next.
    """
    counts, moved = [], torch.zeros(2, len(points), dtype=torch.float64)
    for _, squares in _squares(queries, points):
        inside = squares <= balls.radius
        counts.append(inside.sum(1))
        few = counts[-1] <= 1  # of two balls or more, one is left without any point
        squares, inside, count = squares[few], inside[few], counts[-1][few, None]
        left = (count == 1) & ~inside
        gained = _gained((squares <= balls.next) & ~inside, balls) > 0
        moved += _sums((left | gained).float() - count)
    return torch.cat(counts).double(), _variance(moved, len(queries))


def _variance_of_number(queries: Tensor, points: Tensor, balls: Balls) -> Tensor:
    """The balls' part of the variance of the mean number of balls that hold a query."""
    k, moved = balls.neighbours.shape[1], torch.zeros(2, len(points), dtype=torch.float64)
    for _, squares in _squares(queries, points):
        gained = _gained((squares <= balls.outer) & (squares > balls.inner), balls)  # over k ranks
        moved += _sums(gained.sub_((squares <= balls.radius).float(), alpha=k))
    return _variance(moved, len(queries)) / k**2


def _gained(grown: Tensor, balls: Balls) -> Tensor:
    """Without each point, by how many of the balls that grow a query is gained: [b m] of grown, bool [b m]."""
    query, ball = grown.nonzero(as_tuple=True)
    gained = torch.zeros(grown.shape)
    return gained.index_put_((query[:, None], balls.neighbours[ball]), torch.ones(()), accumulate=True)


def _reached(samples: Tensor, reference: Tensor, k: int, seed: int) -> tuple[Tensor, Tensor]:
    """Whether each ball holds some sample [m]; and what is more in the variance of the share than that of m points.

    The jackknife is far too large here: most balls are lost only with several samples. The variance between random
    halves without replacement is nearer (Politis & Romano 1994), less what m points alone would make of it; and a real
    point's own chance goes together with that of the balls that it moves.
    """
    chance, m = torch.Generator().manual_seed(seed), len(reference)
    of_x, of_y = _parts(len(samples), chance), _parts(m, chance)
    reached = (_kth(reference, samples, of_x, 1) <= _kth(reference, reference, of_y, k, same=True)).double()
    whole, halves = reached[0], reached[1:]
    balls = (halves.mean(1).var() - halves.var(0).mean() / m) * m / (m - 1)
    own = of_y[1:].double() @ (whole - whole.mean()) / (m // 2)
    together = 2 * torch.stack([own, halves.mean(1)]).cov()[0, 1]
    return whole > 0, balls.clamp_min(0) + together.clamp_min(0)


def _parts(n: int, chance: torch.Generator) -> Tensor:
    """Who belongs to the whole (row 0), and to each random half (the other rows): bool [1 + HALVES n]."""
    order = torch.rand(1 + HALVES, n, generator=chance).argsort(1).argsort(1)
    order[0] = 0
    return order < n // 2


def _kth(queries: Tensor, points: Tensor, parts: Tensor, k: int, *, same: bool = False) -> Tensor:
    """The squared distance of each query to its k-th nearest point, of the points in each part: [p n].

    With `same`, queries are the points and none is its own neighbour. A half is looked for in the 6 k + 16 nearest of
    all, of which fewer than k lie in it once in a million times; the farthest then stands in.
    """
    listed = min(6 * k + 16, len(points) - same)
    found = []
    for start, squares in _squares(queries, points):
        if same:
            squares[:, start:].fill_diagonal_(torch.inf)
        near, who = squares.topk(listed, largest=False)
        place = (parts[:, who].cumsum(2) < k).sum(2).clamp_max(listed - 1)  # [p b]
        found.append(near.gather(1, place.T).T)
    return torch.cat(found, 1)


def _sums(moved: Tensor) -> Tensor:
    return torch.stack([moved.sum(0), moved.square().sum(0)])


def _variance(sums: Tensor, n: int) -> Tensor:
    """The variance that the points behind balls give a mean over n queries: the jackknife.

    On the mean it is rather too large than too small (Efron & Stein 1981, doi:10.1214/aos/1176345462). `sums` [2 m]: by
    how much the queries move when each point is left out, and the squares of it; these say how much of the means'
    variance is the queries' own chance, which is taken off.
    """
    means, squares = sums / n
    chance = (squares - means.square()) / (n - 1)
    m = len(means)
    return (means.var() * (m - 1) - chance.sum()).clamp_min(0) * (m - 1) / m


def _share(hits: Tensor, more: Tensor, floor: float | None = None) -> Number:
    """The mean of hits [n] with the interval of Wilson (1927), for as many independent points as vary alike.

    Its variance is that of n independent points, and `more`.

    Near 0 and 1 his end on that side is too near where one or two points differ; with half a point more, the
    correction for continuity, it is close to Poisson's (Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286).
    """
    share, n = hits.double().mean(), len(hits)
    alone = share * (1 - share) / (n - 1)
    z2_n = Z**2 / n * ((1 + more / alone) if alone > 0 else 1)
    outwards = (share + (0.5 if share > 0.5 else -0.5) / n).clamp(0, 1)
    p = torch.stack([share, outwards])
    middle, reach = p + z2_n / 2, (p * (1 - p) * z2_n + z2_n**2 / 4).sqrt()
    low, high = ((middle - reach) / (1 + z2_n)).min(), ((middle + reach) / (1 + z2_n)).max()
    return Number(float(share), float(low), float(high), "higher", floor)


def _number(value: Tensor, reach: Tensor, floor: float) -> Number:
    return Number(float(value), float((value - reach).clamp_min(0)), float(value + reach), "higher", floor)
