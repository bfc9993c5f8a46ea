"""How much a code can still be read in what was made from it: bounds on mutual information, in nats, to be raised.

    L_I = E_{c ~ P(c), x ~ G(z, c)}[log Q(c|x)] + H(c)  <=  I(c; x)

(Chen et al. 2016, arXiv:1606.03657, eqs. 4 and 5, after Barber & Agakov 2003). The gap is the mean divergence of Q(c|x)
from the true posterior: the bound is tight where Q reads as well as can be read. Everything is taken in float32.
"""

from math import log, pi

from torch import Tensor
from torch.nn.functional import log_softmax


def categorical_information(logits: Tensor, code: Tensor) -> Tensor:
    """L_I of a code with K equal chances: E[log softmax(logits)_c] + ln K, at most ln K.

    `logits` are Q's [n K]; `code` is the one that was dealt, one-hot [n K]. At 0 Q does no better than to guess.
    """
    return (log_softmax(logits.float(), 1) * code).sum(1).mean() + log(code.shape[1])


def continuous_information(mean: Tensor, log_deviation: Tensor, code: Tensor) -> Tensor:
    """L_I of codes c_j ~ U(-1, 1), summed over j: E[log N(c_j; mean_j, deviation_j^2)] + ln 2 each.

    Q is a normal with independent parts (section 5): all three are [n k]. It has no upper limit: a code that can be
    read exactly holds infinitely many nats. Below 0 Q does worse than to guess.
    """
    log_deviation = log_deviation.float()
    error = (code - mean.float()) * (-log_deviation).exp()
    log_likelihood = -0.5 * error.square() - log_deviation - 0.5 * log(2 * pi)
    return (log_likelihood + log(2)).sum(1).mean()
