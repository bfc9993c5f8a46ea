"""Objectives of the adversarial game: pure functions of scores, each a pair, each one paper.

`real` and `fake` are the scores C(x) and C(G(z)), any shape, before any sigmoid; every function gives a scalar, the
mean over the batch, for its player to *minimise*. sigma is the logistic function.
Scores are taken in float32 or wider, also under mixed precision.
"""

from torch import Tensor
from torch.nn.functional import logsigmoid


def _wide(scores: Tensor) -> Tensor:
    return scores if scores.itemsize >= 4 else scores.float()


def minimax_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigma(C(x))] - E[log(1 - sigma(C(G(z))))]: the cross entropy (Goodfellow et al. 2014, eq. 1)."""
    return -logsigmoid(_wide(real)).mean() - logsigmoid(-_wide(fake)).mean()


def minimax_generator_loss(fake: Tensor) -> Tensor:
    """E[log(1 - sigma(C(G(z))))]: the same value, which G lowers (Goodfellow et al. 2014, eq. 1).

    Flat where D is sure: its slope in the score is -sigma(C(G(z))), which vanishes as C -> -infinity.
    """
    return logsigmoid(-_wide(fake)).mean()


def non_saturating_generator_loss(fake: Tensor) -> Tensor:
    """-E[log sigma(C(G(z)))]: the same fixed point, a slope where D is sure (Goodfellow et al. 2014, section 3)."""
    return -logsigmoid(_wide(fake)).mean()


def least_squares_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """1/2 E[(C(x) - 1)^2] + 1/2 E[C(G(z))^2] (Mao et al. 2017, arXiv:1611.04076, eq. 9)."""
    return 0.5 * ((_wide(real) - 1).square().mean() + _wide(fake).square().mean())


def least_squares_generator_loss(fake: Tensor) -> Tensor:
    """1/2 E[(C(G(z)) - 1)^2] (Mao et al. 2017, eq. 9)."""
    return 0.5 * (_wide(fake) - 1).square().mean()


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - C(x))] + E[max(0, 1 + C(G(z)))] (Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, eq. 16)."""
    return (1 - _wide(real)).relu().mean() + (1 + _wide(fake)).relu().mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """-E[C(G(z))] (Miyato et al. 2018, arXiv:1802.05957, eq. 17)."""
    return -_wide(fake).mean()


def wasserstein_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[C(G(z))] - E[C(x)]: minus the dual of the Wasserstein-1 distance (Arjovsky et al. 2017, arXiv:1701.07875)."""
    return _wide(fake).mean() - _wide(real).mean()


def wasserstein_generator_loss(fake: Tensor) -> Tensor:
    """-E[C(G(z))] (Arjovsky et al. 2017, algorithm 1)."""
    return -_wide(fake).mean()


def relativistic_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigma(C(x) - C(G(z)))]: a real must beat the fake it is paired with.

    Jolicoeur-Martineau 2018, arXiv:1807.00734; the pairing form of Huang et al. 2024, arXiv:2501.05441, eq. 2.
    Real i is paired with fake i: both need the same length.
    """
    return -logsigmoid(_wide(real) - _wide(fake)).mean()


def relativistic_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigma(C(G(z)) - C(x))]: a fake must beat the real it is paired with (as above, eq. 2)."""
    return -logsigmoid(_wide(fake) - _wide(real)).mean()
