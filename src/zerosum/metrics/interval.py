"""95 % intervals of the commonest kinds of number: a mean, a share, and a mean over examples and seeds at once."""

from __future__ import annotations

from math import pi, sqrt
from typing import Literal

import numpy as np
from torch import Tensor

from zerosum.metrics.number import Number, TooFew

Z = 1.959964  # 97.5 % of a normal law lie below


def t_quantile(freedom: float) -> float:
    """The point below which 97.5 % of Student's t lie, for `freedom` >= 1; a normal's beyond 10,000.

    With t = sqrt(freedom) tan(angle) the density becomes cos(angle)^(freedom - 1) on (-pi/2, pi/2), up to a constant.

    >>> [round(t_quantile(freedom), 3) for freedom in (1, 2, 10, 1000)]
    [12.706, 4.303, 2.228, 1.962]
    """
    if freedom > 10_000:
        return Z
    angle = np.linspace(0, pi / 2, 20_001)
    below = np.cumsum(np.cos((angle[1:] + angle[:-1]) / 2) ** (freedom - 1))
    return sqrt(freedom) * float(np.tan(np.interp(0.95 * below[-1], below, angle[1:])))


def mean(name: str, values: Tensor, better: Literal["lower", "higher"]) -> Number:
    """The mean of independent values [n], with Student's interval. Raises TooFew for fewer than 2."""
    if len(values) < 2:
        raise TooFew(name, "2 examples", len(values), "give more, for one alone has no spread")
    values = values.double()
    middle, margin = float(values.mean()), float(values.std()) / sqrt(len(values)) * t_quantile(len(values) - 1)
    return Number(middle, middle - margin, middle + margin, better)


def share(name: str, right: Tensor) -> Number:
    """The share of true values among [n], with Wilson's interval (1927), which is right near 0 and 1 too."""
    if not len(right):
        raise TooFew(name, "1 example", 0, "give some")
    p = float(right.double().mean())
    return Number(p, *wilson(p, len(right)), "higher")


def wilson(p: float, n: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share p that was seen in n independent examples, at z deviations (doi:10.2307/2276774)."""
    centre, half = p + z**2 / (2 * n), z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return min(p, max(0.0, (centre - half) / (1 + z**2 / n))), max(p, min(1.0, (centre + half) / (1 + z**2 / n)))


def mean_over_both(values: Tensor, better: Literal["lower", "higher"]) -> Number:
    """The mean of values [seeds n] that vary with the seed and with the example, both drawn by chance.

    Its variance is the sum of two: of the examples' means over n, and of the seeds' means over the seeds (what varies
    with both at once is counted twice: the interval is a little wide). Degrees of freedom after Satterthwaite 1946.
    Values that are paired (both arms of a comparison on the same seeds and examples) are subtracted first.
    """
    seeds, n = values.shape
    if seeds < 2 or n < 2:
        raise TooFew("a mean over seeds and examples", "2 seeds and 2 examples", min(seeds, n), "give more of them")
    values = values.double()
    by_example, by_seed = float(values.mean(0).var()) / n, float(values.mean(1).var()) / seeds
    variance = by_example + by_seed
    freedom = variance**2 / (by_example**2 / (n - 1) + by_seed**2 / (seeds - 1)) if variance else 1.0
    middle, margin = float(values.mean()), sqrt(variance) * t_quantile(freedom)
    return Number(middle, middle - margin, middle + margin, better)
