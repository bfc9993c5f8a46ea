"""What a classifier reads in samples: how surely and how variedly, which classes, and in which shares."""

from math import log, sqrt

import torch
from torch import Tensor

from zerosum.metrics.interval import Z
from zerosum.metrics.number import Number, TooFew

FEWEST = 100


def inception_score(probabilities: Tensor) -> Number:
    """exp E KL(p(y|x) || p(y)) of class probabilities [n K], 1 to K (Salimans et al. 2016, arXiv:1606.03498).

    Of all n at once, not by tenths. The interval is that of the delta method: on the logarithm's scale, where a sample
    counts with its own divergence. With few samples p(y) follows them and the score is too low; `unbiased` adds
    sum_k Var p(k|x) / (2 n p(k)) to the logarithm. It has no floor: the same score of held-out data tells.
    Raises TooFew below 100 samples, ValueError for rows that are not probabilities.
    """
    if probabilities.ndim != 2 or not bool(((probabilities.sum(1) - 1).abs() < 1e-4).all()):
        raise ValueError(f"an Inception score needs probabilities [n K], rows of sum 1, got {_what(probabilities)}")
    n = len(probabilities)
    if n < FEWEST:  # of 20, 90 % of the intervals hold, of 100, 94 %
        raise TooFew("the Inception score", f"{FEWEST} samples", n, "give more, or look at the classes covered")
    p = probabilities.double()
    mean = p.mean(0)
    divergences = (torch.xlogy(p, p) - torch.xlogy(p, mean)).sum(1)
    score, reach = divergences.mean(), Z * divergences.std() / sqrt(n)
    bias = (p.var(0) / mean.clamp_min(1e-300)).sum() / (2 * n)
    value, low, high, unbiased = torch.stack([score, score - reach, score + reach, score + bias]).exp().tolist()
    return Number(value, low, high, "higher", unbiased=unbiased)


def classes_covered(shown: Tensor, classes: int, shares: Tensor | None = None) -> Number:
    """How many of the classes 0 .. classes - 1 are shown by one sample or more, given what each shows, [n].

    The interval is about the mean of this count over sets of n samples. With l samples of a class expected and N shown,
    the variance of the count is about the sum of e^-l (1 - e^-l) over classes. The sum of 2^(1 - N) over those that are
    shown is on average 2 (e^-l/2 - e^-l) each, which is more; Poisson's score interval for it is laid around the count.
    So the interval is on the safe side. `floor` is what samples with these `shares` [K] show on average, without them
    all classes.
    """
    counts = _counts(shown, classes)
    seen, n = counts[counts > 0], len(shown)
    found, spread = len(seen), float((0.5 ** (seen.double() - 1)).sum())
    reach = Z * sqrt(spread + Z**2 / 4)
    low, high = found + Z**2 / 2 - reach, min(found + Z**2 / 2 + reach, classes)
    perfect = classes if shares is None else float((1 - (1 - shares.double()) ** n).sum())
    return Number(float(found), max(low, 1.0), float(high), "higher", float(perfect))


def class_divergence(shown: Tensor, shares: Tensor, *, of: int | None = None) -> Number:
    """KL(samples || reference) between the classes that samples show, [n], and shares [K] of the reference, in nats.

    sum_k p_k ln(p_k / q_k). Shares that were counted in examples are random themselves: `of` says how many these were;
    None means that they are exact. A class that the reference never shows counts as half an example there (of the n,
    where shares are exact): it costs much and not everything. `floor` is the exact mean for samples with these shares,
    about (K - 1) / 2n, and (K - 1) / 2 `of` more. Raises TooFew below 2 samples, ValueError for classes outside.
    """
    return divergence(_counts(shown, len(shares)), shares, shares, of=of)


def divergence(counts: Tensor, shares: Tensor, true: Tensor, *, of: int | None = None) -> Number:
    """As `class_divergence`, of counts [K]; `floor` is for samples of the shares `true` [K], which may be others."""
    n, m = int(counts.sum()), of or int(counts.sum())
    if n < 2:
        raise TooFew("the class divergence", "2 samples that show a class", n, "give more")
    p, q = counts.double() / n, torch.where(shares > 0, shares.double(), 0.5 / m)
    ratio = torch.where(p > 0, p / q, 1).log()
    value = float((p * ratio).sum())
    first = float((p * (ratio - value).square()).sum()) / n
    noise = 1 / n
    if of:
        first += float((q * (p / q - 1).square()).sum()) / of
        noise += 1 / of
    second = (int((shares > 0).sum()) - 1) / 2 * noise**2
    # Where p is nearly q, the slope that `first` takes is itself noise: on average it is too much by twice `second`.
    reach = Z * sqrt(max(first - second, second))
    return Number(value, max(value - reach, 0.0), value + reach, "lower", _expected(true.double(), q, n, of))


def _expected(true: Tensor, q: Tensor, n: int, of: int | None) -> float:
    """The mean of sum_k p_k ln(p_k / q_k) where n p_k, and `of` q_k if given, are binomial: summed over all counts."""
    total = 0.0
    for share, against, times in zip(*_alike(torch.stack([true, q], 1)), strict=True):
        seen, chance = _binomial(n, share)
        total += times * float(chance @ torch.xlogy(seen / n, seen / n))
        log_q = log(against)
        if of:
            counted, chance = _binomial(of, against)
            log_q = float(chance @ (counted.clamp_min(0.5) / of).log())
        total -= times * share * log_q
    return total


def _alike(pairs: Tensor) -> tuple[list[float], list[float], list[int]]:
    """The different rows of pairs [K 2], and how often each is there."""
    rows, times = pairs.unique(dim=0, return_counts=True)
    return rows[:, 0].tolist(), rows[:, 1].tolist(), times.tolist()


def _binomial(n: int, share: float) -> tuple[Tensor, Tensor]:
    """How often n draws may show what has this share, and with which probability: 1e-20 and less is left out."""
    middle, reach = n * share, 12 * sqrt(n * share * (1 - share)) + 40
    k = torch.arange(max(0, int(middle - reach)), min(n, int(middle + reach)) + 1, dtype=torch.float64)
    ways = torch.lgamma(k.new_tensor(n + 1.0)) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    p = k.new_tensor(share)
    return k, (ways + torch.xlogy(k, p) + torch.xlogy(n - k, 1 - p)).exp()


def _counts(shown: Tensor, classes: int) -> Tensor:
    """How many samples show each class. Raises ValueError for classes outside."""
    if shown.ndim != 1 or not len(shown) or not 0 <= int(shown.min()) <= int(shown.max()) < classes:
        raise ValueError(f"expected the classes that samples show, [n] in 0 to {classes - 1}, got {_what(shown)}")
    return torch.bincount(shown.long(), minlength=classes)


def _what(x: Tensor) -> str:
    around = f", {float(x.min()):g} to {float(x.max()):g}" if x.numel() else ""
    return f"{tuple(x.shape)}{around}"
