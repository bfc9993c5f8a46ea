"""How sure a distance between samples is, and whether one set of samples is better than another."""

from typing import Literal

from zerosum.metrics.interval import Z
from zerosum.metrics.number import Number

Verdict = Literal["yes", "no", "cannot tell"]


def verdict(gap: Number) -> Verdict:
    """Is A better than B? From the Number A - B: yes or no where its interval leaves 0 out, else nobody can tell.

    >>> verdict(Number(-0.3, -0.5, -0.1, "lower")), verdict(Number(-0.3, -0.7, 0.1, "lower"))
    ('yes', 'cannot tell')
    """
    if gap.low <= 0 <= gap.high:
        return "cannot tell"
    return "yes" if (gap.high < 0) == (gap.better == "lower") else "no"


def variance(first: float, second: float) -> float:
    """The variance of F = F_0 + g.e + e'He/2 for small noise e ~ N(0, C), from what can be measured.

    `second` is that of the second order, tr(HCHC)/2. `first` is that of the first order with the slope g + He, where
    the noise has led, as the delta method, jackknife and bootstrap take it: on average g'Cg + tr(HCHC), too much by
    twice `second`. Far from a perfect generator this is nothing; for a perfect one, where g = 0, it is everything.
    """
    return max(first - 2 * second, 0.0) + second


def limits(value: float, first: float, second: float, least: float, squared: float) -> tuple[float, float]:
    """The 95 % interval of the mean of a squared distance, which is `least` if both distributions are one, else more.

    `squared` is the distance of the samples themselves, whose noise grows with it: of |d + e|^2 the first order of the
    variance is in proportion to |d|^2. So an interval that tests each mean by its own variance leans upwards.
    At `least` only the second order is left, so that a value too far above `least` for that alone has a `low` above it;
    by no more than an eighth of that interval, for `least` is an estimate.
    """
    lean = Z**2 * first / (4 * squared) if squared > 0 else 0.0
    wide = (lean**2 + Z**2 * variance(first, second)) ** 0.5
    narrow = Z * second**0.5
    return max(min(value + lean - wide, value - narrow), min(least + narrow / 4, value - narrow)), value + lean + wide
