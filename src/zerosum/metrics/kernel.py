"""The kernel distance (KID) between two sets of features (Binkowski et al. 2018, arXiv:1801.01401), and how sure it is.

The squared maximum mean discrepancy under k(x, y) = (x.y / f + 1)^3, as a mean over all pairs of different rows
(a U-statistic: no bias at any count, 0 on average for perfect samples, so often below 0 for good ones):

    KID = mean k(x, x') + mean k(y, y') - 2 mean k(x, y)

Its variance is that of its slopes psi_x(x) = 2 (mean_x' k(x, x') - mean_y k(x, y)), and of k centred in both arguments,
which is what is left where the distributions are one (Hoeffding 1948).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.metrics.better import limits, variance
from zerosum.metrics.interval import Z
from zerosum.metrics.number import Number, TooFew, check_features

NAME = "KID"
LEAST = 20  # rows on each side, below which a variance of slopes says nothing
BLOCK = 1000  # rows and columns at once


def kid(samples: Tensor, reference: Tensor) -> Number:
    """The kernel distance of samples [n f] to reference [m f], over all pairs, in float64; lower is better.

    The floor is 0 and the value is unbiased. Raises TooFew below 20 rows on a side.
    """
    _check(samples, reference)
    n, m = len(samples), len(reference)
    x, y, xy = _within(samples), _within(reference), _kernel(samples, reference)
    value = x.mean + y.mean - 2 * xy.mean
    first = _noise(x.rows - xy.rows) + _noise(y.rows - xy.columns)
    second = 2 * (x.centred / n**2 + y.centred / m**2 + 2 * xy.centred / (n * m))
    squared = value + (_own(samples) - x.mean) / n + (_own(reference) - y.mean) / m  # each row a pair with itself too
    low, high = limits(value, first, second, 0.0, squared)
    return Number(value, low, high, "lower", 0.0, value)


def kid_gap(a: Tensor, b: Tensor, reference: Tensor) -> Number:
    """KID of a [n f] less KID of b [l f] to one reference [m f]; below 0 where a is better (see `verdict`).

    A row of the reference counts in both distances at once: the limit of a paired bootstrap with endless resamples,
    less what that counts twice where a and b are equally good.
    """
    _check(a, b, reference)
    n, l, m = len(a), len(b), len(reference)  # noqa: E741
    x, y, xr, yr = _within(a), _within(b), _kernel(a, reference), _kernel(b, reference)
    gap = x.mean - 2 * xr.mean - y.mean + 2 * yr.mean
    first = _noise(x.rows - xr.rows) + _noise(y.rows - yr.rows) + _noise(xr.columns - yr.columns)
    second = x.centred / n**2 + y.centred / l**2 + 2 * xr.centred / (n * m) + 2 * yr.centred / (l * m)
    wide = Z * variance(first, 2 * second) ** 0.5
    return Number(gap, gap - wide, gap + wide, "lower", unbiased=gap)


def _check(*sets: Tensor) -> None:
    check_features(NAME, *sets)
    count = min(len(x) for x in sets)
    if count < LEAST:
        raise TooFew(NAME, f"at least {LEAST} examples on each side", count, "nothing can be said of so few, get more")


@dataclass(frozen=True)
class _Means:
    """Means of the kernel k(x, y) over pairs of rows."""

    rows: Tensor  # [n] over y
    columns: Tensor  # [m] over x
    mean: float
    centred: float  # mean square of k - row mean - column mean + mean


def _kernel(x: Tensor, y: Tensor) -> _Means:
    """Over all pairs of x [n f] and y [m f]."""
    rows, columns, squares = torch.zeros(len(x)).double(), torch.zeros(len(y)).double(), 0.0
    for i in range(0, len(x), BLOCK):
        for j in range(0, len(y), BLOCK):
            k = _cubes(x[i : i + BLOCK], y[j : j + BLOCK])
            rows[i : i + BLOCK] += k.sum(1)
            columns[j : j + BLOCK] += k.sum(0)
            squares += float(k.square().sum())
    return _means(rows / len(y), columns / len(x), squares / (len(x) * len(y)))


def _within(x: Tensor) -> _Means:
    """Over all pairs of different rows of x [n f]; each pair is computed once."""
    rows, squares = torch.zeros(len(x)).double(), 0.0
    for i in range(0, len(x), BLOCK):
        for j in range(i, len(x), BLOCK):
            k = _cubes(x[i : i + BLOCK], x[j : j + BLOCK])
            if i == j:
                k.fill_diagonal_(0)
            else:
                rows[j : j + BLOCK] += k.sum(0)
            rows[i : i + BLOCK] += k.sum(1)
            squares += float(k.square().sum()) * (1 if i == j else 2)
    rows /= len(x) - 1
    return _means(rows, rows, squares / (len(x) * (len(x) - 1)))


def _means(rows: Tensor, columns: Tensor, square: float) -> _Means:
    mean = float(rows.mean())
    centred = square - float(rows.square().mean() + columns.square().mean()) + mean**2
    return _Means(rows, columns, mean, max(centred, 0.0))


def _cubes(x: Tensor, y: Tensor) -> Tensor:
    """(x.y / f + 1)^3 for all pairs of x [n f] and y [m f]: [n m] in float64."""
    base = (x.double() @ y.double().T).div_(x.shape[1]).add_(1)
    return base.square().mul_(base)


def _own(x: Tensor) -> float:
    """The mean of k(x, x)."""
    return float((x.double().square().sum(1) / x.shape[1] + 1).pow(3).mean())


def _noise(slopes: Tensor) -> float:
    """The variance of a mean of twice these slopes."""
    return 4 * float(slopes.var()) / len(slopes)
