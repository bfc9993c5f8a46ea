"""The Fréchet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, eq. 6), and how sure it is.

With means m, covariances S_a and S_b, and the singular values s of S_a^(1/2) S_b^(1/2) = U diag(s) V':

    FD = |m_a - m_b|^2 + tr S_a + tr S_b - 2 sum_i s_i

The canonical coordinates z = U' S_a^(-1/2) (x - m_a) and w = V' S_b^(-1/2) (y - m_b) are white, and the optimal map
between the normals takes z to w. In them the estimate, whose noise is dm and dS, is to second order (ours, derived):

    slopes    psi_a(x) = 2 (x - m_a).(m_a - m_b) + |x - m_a|^2 - sum_i s_i z_i^2,  and so for b
    bend      |dm_a - dm_b|^2 + 1/2 sum_ij k_ij (cov(z) - cov(w))_ij^2,            k_ij = s_i s_j / (s_i + s_j)

The slopes give the variance, the bend the bias, and the variance that is left where the distributions are one.
Moments of order four are the features' own: nothing is taken to be normal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.metrics.better import limits, variance
from zerosum.metrics.interval import Z
from zerosum.metrics.number import Number, TooFew, check_features

NAME = "the Fréchet distance"
PAIRS = 5000  # pairs of rows for the variance of the bend: it is then known to a few percent


def frechet(samples: Tensor, reference: Tensor, *, seed: int = 0) -> Number:
    """The Fréchet distance of samples [n f] to reference [m f]: 0 and up, lower is better.

    `floor` is the mean for perfect samples, `unbiased` the value less its bias at these two distributions (so it may be
    just below 0). `seed` draws the pairs of rows that the interval is computed from. Raises TooFew below 2 f rows on a
    side, where covariances are mostly noise.
    """
    check_features(NAME, samples, reference)
    return _number(samples, reference, seed)


def frechet_by_class(
    samples: Tensor,
    labels: Tensor,
    reference: Tensor,
    reference_labels: Tensor,
    classes: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Number | TooFew]:
    """The distance of each class's samples to the same class of the reference, labels [n] and [m] counting from 0.

    A class with too few examples has the TooFew in its place.
    """
    check_features(NAME, samples, reference)
    for x, y in ((samples, labels), (reference, reference_labels)):
        if y.shape != x.shape[:1]:
            raise ValueError(f"{NAME} by class needs one label for each of {len(x):,} rows, got {tuple(y.shape)}")
    found: dict[str, Number | TooFew] = {}
    for label, name in enumerate(classes):
        try:
            found[name] = _number(samples[labels == label], reference[reference_labels == label], seed)
        except TooFew as few:
            found[name] = few
    return found


def frechet_gap(a: Tensor, b: Tensor, reference: Tensor, *, seed: int = 0) -> Number:
    """How much further a [n f] is from reference [m f] than b [l f] is; below 0 where a is better (see `verdict`).

    The difference of the unbiased values, so that n and l may differ. A row of the reference counts in both distances
    at once, so what it adds to both is no noise of the difference: the limit of a paired bootstrap with endless
    resamples (the infinitesimal jackknife, Efron 1981), less what that counts twice where a and b are equally good.
    """
    check_features(NAME, a, reference, b)
    check_features(NAME, b)
    _enough(a, b, reference)
    to_a, to_b = _Comparison(a, reference), _Comparison(b, reference)
    first = to_a.a.noise() + to_b.a.noise() + float((to_a.b.slopes - to_b.b.slopes).var()) / len(reference)
    chance = torch.Generator().manual_seed(seed)
    rows = _pairs(to_a.b, to_a.b, chance)
    shared = to_a.bend(to_a.b, to_a.b, rows) - to_b.bend(to_b.b, to_b.b, rows)
    second = float(shared.square().mean()) / len(reference) ** 2 / 2
    for to in (to_a, to_b):
        second += to.second(to.a, to.a, chance) + 2 * to.second(to.a, to.b, chance)
    gap = to_a.unbiased - to_b.unbiased
    wide = Z * variance(first, second) ** 0.5
    return Number(gap, gap - wide, gap + wide, "lower", unbiased=gap)


def frechet_floor(reference: Tensor, n: int, m: int | None = None) -> float:
    """The mean distance of n perfect samples to m of the reference's kind (as many as it has), from its moments.

    (1/n + 1/m) [tr S + 1/2 sum_ij l_i l_j / (l_i + l_j) var(z_i z_j)], l the eigenvalues of S, z the white coordinates:
    the mean of the bend where both distributions are one. var(z_i z_j) is 1 + d_ij for a normal.
    """
    values, vectors = _spectrum(reference)
    white = (reference.double() - reference.double().mean(0)) @ vectors * _inverse(values.sqrt())
    each = values.sum() + (_together(values, 2 / len(reference)) * _spread(white)).sum() / 2
    return float(each) * (1 / n + 1 / (m or len(reference)))


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """||m_a - m_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of the normals with the moments of a [n f] and b [m f].

    In float64; the trace of the root is the sum of the singular values of S_a^(1/2) S_b^(1/2), which needs no root of a
    matrix that is not symmetric. Raises ValueError for fewer than 2 rows, or values that are not finite.
    """
    for x in (a, b):
        if len(x) < 2 or not x.isfinite().all():
            raise ValueError(f"a Fréchet distance needs 2 rows and more of finite numbers, got {tuple(x.shape)}")
    a, b = a.double(), b.double()
    root_a, root_b = _root(a), _root(b)
    gap = (a.mean(0) - b.mean(0)).square().sum()
    cross = torch.linalg.svdvals(root_a @ root_b).sum()
    return float(gap + root_a.square().sum() + root_b.square().sum() - 2 * cross)


@dataclass(frozen=True)
class _Side:
    """One set of samples, as the comparison sees it."""

    rows: Tensor  # [n f] less their mean
    white: Tensor  # [n f] canonical coordinates z
    slopes: Tensor  # [n] psi

    def noise(self) -> float:
        """What the slopes of these samples add to the variance of the distance."""
        return float(self.slopes.var()) / len(self.rows)


class _Comparison:
    """The distance of a [n f] to b [m f], its bias, and both sides in canonical coordinates."""

    def __init__(self, a: Tensor, b: Tensor):
        gap = a.double().mean(0) - b.double().mean(0)
        a, b = a.double() - a.double().mean(0), b.double() - b.double().mean(0)
        values, vectors = _spectrum(a)
        root = vectors * values.sqrt() @ vectors.T
        squares, turn = torch.linalg.eigh(root @ _covariance(b) @ root)
        s = squares.clamp_min(0).sqrt()
        z = a @ (vectors * _inverse(values.sqrt()) @ vectors.T @ turn)
        w = b @ (root @ turn * _inverse(s))
        self.k = _together(s, 1 / len(a) + 1 / len(b))
        trace_a, trace_b = float(values.sum()), float(b.square().sum()) / (len(b) - 1)
        self.value = max(float(gap.square().sum() - 2 * s.sum()) + trace_a + trace_b, 0.0)
        bend = self.k * (_spread(z) / len(a) + _spread(w) / len(b))
        self.bias = trace_a / len(a) + trace_b / len(b) + float(bend.sum()) / 2
        self.unbiased = self.value - self.bias
        self.a = _Side(a, z, 2 * a @ gap + a.square().sum(1) - z.square() @ s)
        self.b = _Side(b, w, -2 * b @ gap + b.square().sum(1) - w.square() @ s)

    def bend(self, left: _Side, right: _Side, pairs: tuple[Tensor, Tensor]) -> Tensor:
        """The second derivative of the distance in the weights of two rows, up to its sign, for each pair."""
        i, j = pairs
        z, w, own = left.white[i], right.white[j], self.k.diagonal()
        whole = ((z * w) @ self.k * (z * w)).sum(1) - (z.square() + w.square()) @ own + own.sum()
        return 2 * (left.rows[i] * right.rows[j]).sum(1) + whole

    def second(self, left: _Side, right: _Side, chance: torch.Generator) -> float:
        """What the noise of two sides at once adds to the variance of the bend."""
        bends = self.bend(left, right, _pairs(left, right, chance))
        return float(bends.square().mean()) / (2 * len(left.rows) * len(right.rows))


def _number(samples: Tensor, reference: Tensor, seed: int) -> Number:
    """As `frechet`, of features that are checked."""
    _enough(samples, reference)
    found, chance = _Comparison(samples, reference), torch.Generator().manual_seed(seed)
    a, b = found.a, found.b
    second = found.second(a, a, chance) + found.second(b, b, chance) + 2 * found.second(a, b, chance)
    low, high = limits(found.value, a.noise() + b.noise(), second, found.bias, found.value)
    floor = frechet_floor(reference, len(samples), len(reference))
    return Number(found.value, max(low, 0.0), high, "lower", floor, found.unbiased)


def _enough(*sets: Tensor) -> None:
    count, width = min(len(x) for x in sets), sets[0].shape[1]
    if count < 2 * width:
        needs = f"twice as many examples on each side as features (2 x {width:,} = {2 * width:,})"
        raise TooFew(NAME, needs, count, "use KID, or fewer features")


def _pairs(left: _Side, right: _Side, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows of both sides at random; no row with itself."""
    n, m = len(left.rows), len(right.rows)
    i = torch.randint(n, (PAIRS,), generator=chance)
    if left is right:
        return i, (i + torch.randint(1, n, (PAIRS,), generator=chance)) % n
    return i, torch.randint(m, (PAIRS,), generator=chance)


def _spectrum(x: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, none below 0, and eigenvectors of the covariance of x [n f]."""
    values, vectors = torch.linalg.eigh(_covariance(x.double()))
    return values.clamp_min(0), vectors


def _covariance(x: Tensor) -> Tensor:
    return torch.atleast_2d(torch.cov(x.T))


def _inverse(scales: Tensor) -> Tensor:
    """1 / scales, and 0 for directions in which nothing moves."""
    return torch.where(scales > 1e-6 * scales.max(), 1 / scales, 0.0)


def _together(s: Tensor, noise: float) -> Tensor:
    """k_ij = s_i s_j / (s_i + s_j) of estimated s, whose noise is `noise` = 1/n + 1/m.

    Noise spreads the s apart, and k is concave: where all f of them are equal, k comes out too small by
    f (1/n + 1/m) / 4 of it, to leading order, which is put right here. (Seen, normals of 96 features with variances 1,
    e^(-3i/f), 1/i and 1/i^2: the bias is then right within 10 % at n = m = 2 f, within 3 % at 4 f; without, short by up
    to 25 and 13 %.)
    """
    k = s[:, None] * s / (s[:, None] + s).clamp_min(1e-300)
    return k * (1 + int(_inverse(s).count_nonzero()) * noise / 4)


def _spread(z: Tensor) -> Tensor:
    """var(z_i z_j) of white coordinates z [n f]: [f f]."""
    square = z.square()
    return square.T @ square / len(z) - torch.eye(z.shape[1], dtype=z.dtype)


def _root(x: Tensor) -> Tensor:
    """The symmetric square root of the covariance of x [n f]."""
    values, vectors = _spectrum(x)
    return vectors * values.sqrt() @ vectors.T
