"""What a code costs, and how well the data is told back from it: the parts of the evidence lower bound, in nats.

    log p(x) >= E_{z ~ q(z|x)}[log p(x|z)] - KL(q(z|x) || p(z))           Kingma & Welling 2014, arXiv:1312.6114, eq. 3

Every function takes float32 or wider and sums over the numbers of an example: [n ...] -> [n].
"""

import math

from torch import Tensor
from torch.nn import functional


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)), a diagonal variance: 1/2 sum(mean^2 + variance - log variance - 1).

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).flatten(1).sum(1)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """sum(x log p + (1 - x) log(1 - p)) with p = sigmoid(logits), x in [0, 1] (Kingma & Welling 2014, appendix C.1).

    The logarithm of a probability where x is 0 or 1. For an x in between it is the mean of that over coins thrown with
    probability x: not the logarithm of any density, and below 0 even for p = x.
    """
    return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def gaussian_log_likelihood(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(x; mean, variance), a diagonal variance (Kingma & Welling 2014, appendix C.2)."""
    squares = (x - mean).square() / log_variance.exp()
    return -0.5 * (squares + log_variance + math.log(2 * math.pi)).flatten(1).sum(1)
