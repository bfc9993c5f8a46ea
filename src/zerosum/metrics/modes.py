"""Modes that are known: of a mixture of normals, and of stacked digits. How many are found, and how well?

Both after Lin et al. 2018 (PacGAN, arXiv:1712.04086, sections 4.1 and 4.2).
"""

from dataclasses import dataclass, replace
from math import log

import torch
from torch import Tensor

from zerosum.metrics.interval import share
from zerosum.metrics.number import Number, TooFew
from zerosum.metrics.scores import classes_covered, divergence


@dataclass(frozen=True)
class Modes:
    """What n samples show of a mixture with K equal modes.

    A sample is of high quality within 3 sigma of its nearest centre; a mode is found if it has one such sample. The
    divergence is sum_k p(k) ln(K p(k)) over the high-quality samples' histogram p, in nats.

    Perfect samples score: quality 1 - e^-4.5 = 98.89 % in two dimensions; divergence about (K - 1) / 2n; spread 1.
    """

    found: int
    of: int
    quality: float
    divergence: float
    spread: float  # mean over modes of the deviation within 3 sigma, over that of perfect samples; NaN if none is found


def count_modes(samples: Tensor, centres: Tensor, sigma: float) -> Modes:
    """The modes in samples [n 2] of the mixture with these centres [K 2]."""
    distance, nearest, good = _nearest_centre(samples, centres, sigma)
    counts = torch.bincount(nearest[good], minlength=len(centres)).double()
    shares = counts / counts.sum().clamp_min(1)
    divergence = sum(p * log(p * len(centres)) for p in shares.tolist() if p > 0)
    # Within radius 3 sigma the mean square of a 2-d normal is 2 sigma^2 (1 - 5.5 e^-4.5) / (1 - e^-4.5).
    expected = 2 * sigma**2 * (1 - 5.5 * torch.tensor(-4.5).exp()) / (1 - torch.tensor(-4.5).exp())
    squares = torch.zeros_like(counts).index_add_(0, nearest[good], distance[good].square())
    spread = (squares[counts > 0] / counts[counts > 0] / expected).sqrt().mean()
    return Modes(int((counts > 0).sum()), len(centres), float(good.double().mean()), divergence, float(spread))


def modes(samples: Tensor, centres: Tensor, sigma: float) -> dict[str, Number]:
    """What samples [n d] show of the mixture with K equal modes at centres [K d], each with its interval.

    - modes found: centres that are nearest to a sample of high quality (see `classes_covered` for the interval).
    - high quality: the share of samples within 3 sigma of a centre. Its floor is a ceiling with two sides: samples of
      the mixture score P(d/2, 9/2), in two dimensions 1 - e^-4.5 = 98.89 %, and more means modes that are too narrow.
    - mode divergence: KL(modes || uniform) among the h samples of high quality, in nats; its floor is about (K-1) / 2h.

    Raises TooFew where fewer than 2 samples are of high quality, for then nothing is said of modes.
    """
    _, nearest, good = _nearest_centre(samples, centres, sigma)
    if good.sum() < 2:
        raise TooFew("the mode count", "2 samples within 3 sigma of a centre", int(good.sum()), "look at the samples")
    K, equal = len(centres), torch.full((len(centres),), 1 / len(centres), dtype=torch.float64)
    ceiling = torch.special.gammainc(torch.tensor(centres.shape[1] / 2.0), torch.tensor(4.5))
    return {
        "modes found": classes_covered(nearest[good], K, equal),
        "high quality": replace(share("high quality", good), floor=float(ceiling)),
        "mode divergence": divergence(torch.bincount(nearest[good], minlength=K), equal, equal),
    }


def stacked_modes(digits: Tensor, shares: Tensor) -> dict[str, Number]:
    """What pictures that stack three digits each, [n 3] in 0..9, show of the 1,000 modes.

    The divergence is KL(modes || uniform) in nats, as in the papers. Real digits are not equally frequent: its floor is
    the mean for n triples drawn with the real digits' shares [10], 0.0237 for MNIST and n = 26,000. Below is no better:
    there the generator flattens the classes.
    """
    if digits.ndim != 2 or digits.shape[1] != 3 or not 0 <= int(digits.min()) <= int(digits.max()) <= 9:
        raise ValueError(f"expected the digits that pictures stack, [n 3] in 0 to 9, got {tuple(digits.shape)}")
    triples = digits.long() @ torch.tensor([100, 10, 1], device=digits.device)
    q = shares.double() / shares.double().sum()
    true = torch.einsum("a,b,c->abc", q, q, q).flatten()
    uniform = torch.full((1000,), 1e-3, dtype=torch.float64)
    return {
        "modes found": classes_covered(triples, 1000, true),
        "mode divergence": divergence(torch.bincount(triples, minlength=1000), uniform, true),
    }


def _nearest_centre(samples: Tensor, centres: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of each sample: the distance to its nearest centre, which it is, and whether that is within 3 sigma."""
    distance, nearest = torch.cdist(samples.double(), centres.double()).min(1)
    return distance, nearest, distance < 3 * sigma
