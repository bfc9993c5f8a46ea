"""Do the samples look real, and are all kinds of real data there? Balls around nearest neighbours answer.

Precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1-2), density and coverage (Naeem et al. 2020,
arXiv:2002.09797, eq. 3-4). A point's ball reaches to its k-th nearest neighbour in its own set, the border included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2, prod

import torch
from torch import Tensor

from zerosum.metrics.better import WITHIN
from zerosum.metrics.number import Number, TooFew, check_features

BLOCK = 500  # rows at once: 200 MB against 50,000 points, in float64
HALVES = 24  # random halves that show how much the balls matter
WITNESSES = 2000  # points that are looked up in the balls of every half: enough for a variance


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
    balls: the variance over random halves of what draws them). An ordinary bootstrap would not do: the copies it draws
    are neighbours at distance 0. `seed` chooses the halves: it moves the intervals a little and never the values.
    Raises TooFew below 10 k points on a side, ValueError for features that cannot be compared.
    """
    check_features("coverage", samples, reference)
    for points in (samples, reference):
        if len(points) < 10 * k:
            raise TooFew("coverage", f"{10 * k} points on each side (10 k)", len(points), "give more, or a smaller k")
    n, m = len(samples), len(reference)
    x, y = _on_grid(samples, reference)
    chance = torch.Generator().manual_seed(seed)
    of_x, of_y = _parts(n, chance), _parts(m, chance)
    radius_x, radius_y = _kth(x, x, of_x, k, same=True), _kth(y, y, of_y, k, same=True)

    real = _balls(x, y, of_y, radius_y, chance)
    covering = _balls(y, x, of_x, radius_x, chance)
    reached = (_kth(y, x, of_x, 1) <= radius_y).double()
    own = of_y[1:].double() @ (reached[0] - reached[0].mean()) / (m // 2)
    together = 2 * torch.stack([own, reached[1:].mean(1)]).cov()[0, 1]  # a real point's own chance moves balls, too
    perfect = 1 - prod((m - i) / (n + m - i) for i in range(1, k + 1))

    density, deviation = real[0] / k, _variance(real[0] / k, real[1] / k).sqrt()
    return Coverage(
        precision=_share(real[0].clamp_max(1), real[1].clamp_max(1)),
        recall=_share(covering[0].clamp_max(1), covering[1].clamp_max(1)),
        density=_number(density.mean(), WITHIN * deviation, floor=1.0),
        coverage=_share(reached[0], reached[1:], float(together.clamp_min(0)), perfect),
    )


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


def _parts(n: int, chance: torch.Generator) -> Tensor:
    """Who belongs to the whole (row 0), and to each random half (the other rows): bool [1 + HALVES n]."""
    order = torch.rand(1 + HALVES, n, generator=chance).argsort(1).argsort(1)
    order[0] = 0
    return order < n // 2


def _squares(queries: Tensor, points: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Squared distances of queries [n f] to points [m f], a block of rows at a time: its first row, and [b m]."""
    lengths = points.square().sum(1)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        yield start, torch.addmm(lengths, block, points.T, alpha=-2).add_(block.square().sum(1, keepdim=True))


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


def _balls(
    queries: Tensor, points: Tensor, parts: Tensor, radius: Tensor, chance: torch.Generator
) -> tuple[Tensor, Tensor]:
    """How many balls hold a query: for each, of all balls [n]; for some, of the balls in each half [HALVES q].

    `radius` is squared and stands for each part and point [p m].
    """
    radius = torch.where(parts, radius, -1)
    some = torch.randperm(len(queries), generator=chance)[:WITNESSES]
    found = []
    for x, of in ((queries, radius[:1]), (queries[some], radius[1:])):
        held = [
            torch.stack([(squares <= r).sum(1, dtype=torch.int32) for r in of]) for _, squares in _squares(x, points)
        ]
        found.append(torch.cat(held, 1).double())
    return found[0][0], found[1]


def _variance(whole: Tensor, halves: Tensor) -> Tensor:
    """The variance of the mean of `whole` [n], which balls say of points; `halves` [h q] is what half the balls say.

    By parts: Var E[mean | balls] + E Var[mean | balls]. Of the first, the variance between halves is an estimate
    (half of the points without replacement vary as much as the whole, Politis & Romano 1994), less what q points alone
    would make of it; the second is that of a mean of independent points.
    """
    q = halves.shape[1]
    balls = (halves.mean(1).var() - halves.var(0).mean() / q) * q / (q - 1)
    return balls.clamp_min(0) + whole.var() / len(whole)


def _share(whole: Tensor, halves: Tensor, more: float = 0.0, floor: float | None = None) -> Number:
    """The mean of 0s and 1s with the interval of Wilson (1927), for as many independent points as vary alike.

    Near 0 and 1 his end on that side is too near where one or two points differ; with half a point more, the
    correction for continuity, it is close to Poisson's (Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286).
    """
    share, n = whole.mean(), len(whole)
    alone = share * (1 - share) / (n - 1)
    z2_n = WITHIN**2 / n * (((_variance(whole, halves) + more) / alone) if alone > 0 else 1)
    outwards = (share + (0.5 if share > 0.5 else -0.5) / n).clamp(0, 1)
    p = torch.stack([share, outwards])
    middle, reach = p + z2_n / 2, (p * (1 - p) * z2_n + z2_n**2 / 4).sqrt()
    low, high = ((middle - reach) / (1 + z2_n)).min(), ((middle + reach) / (1 + z2_n)).max()
    return Number(float(share), float(low), float(high), "higher", floor)


def _number(value: Tensor, reach: Tensor, floor: float) -> Number:
    return Number(float(value), float((value - reach).clamp_min(0)), float(value + reach), "higher", floor)
