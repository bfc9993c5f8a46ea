"""Modes of a mixture of normals with known centres: how many are found, and how well (Lin et al. 2018, section 4.1)."""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor


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
    distance, nearest = torch.cdist(samples.double(), centres.double()).min(1)
    good = distance < 3 * sigma
    counts = torch.bincount(nearest[good], minlength=len(centres)).double()
    shares = counts / counts.sum().clamp_min(1)
    divergence = sum(p * log(p * len(centres)) for p in shares.tolist() if p > 0)
    # Within radius 3 sigma the mean square of a 2-d normal is 2 sigma^2 (1 - 5.5 e^-4.5) / (1 - e^-4.5).
    expected = 2 * sigma**2 * (1 - 5.5 * torch.tensor(-4.5).exp()) / (1 - torch.tensor(-4.5).exp())
    squares = torch.zeros_like(counts).index_add_(0, nearest[good], distance[good].square())
    spread = (squares[counts > 0] / counts[counts > 0] / expected).sqrt().mean()
    return Modes(int((counts > 0).sum()), len(centres), float(good.double().mean()), divergence, float(spread))
