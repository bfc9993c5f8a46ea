"""Noise that comes step by step, and goes again: the chain of diffusion, in closed form.

    q(x_t | x_0) = N(sqrt(a_t) x_0, (1 - a_t) I),    a_t = prod_{s <= t} (1 - beta_s)          Ho et al. 2020, eq. 4

`a` here is the papers' alpha-bar: the share of the data's variance that is left after t steps; a_0 = 1. All takes and
gives tensors that broadcast: x [n ...] with a [n 1 ...], or a scalar.
"""

import torch
from torch import Tensor


def shares_left(steps: int, first: float, last: float, device: torch.device | None = None) -> Tensor:
    """a_0 ... a_T, float64 [T + 1], where beta rises evenly from `first` to `last` (Ho et al. 2020, section 4)."""
    beta = torch.linspace(first, last, steps, dtype=torch.float64, device=device)
    return torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)])


def diffused(x: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """x_t ~ q(x_t | x_0 = x), from noise ~ N(0, I) (Ho et al. 2020, arXiv:2006.11239, eq. 4)."""
    return a.sqrt().to(x.dtype) * x + (1 - a).sqrt().to(x.dtype) * noise


def without(x: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """The x_0 that x_t = x comes from if this is its noise: `diffused` the other way (Ho et al. 2020, eq. 15)."""
    return (x - (1 - a).sqrt().to(x.dtype) * noise) / a.sqrt().to(x.dtype)


def guided(told: Tensor, not_told: Tensor, weight: float) -> Tensor:
    """Noise predicted with the label, and away from that without (Ho & Salimans 2022, arXiv:2207.12598, eq. 6)."""
    return (1 + weight) * told - weight * not_told


def step_back(x: Tensor, origin: Tensor, fresh: Tensor | None, a: Tensor, before: Tensor, eta: float) -> Tensor:
    """From x_t = x to an earlier time, whose share is `before`, for a believed x_0 = origin and fresh ~ N(0, I).

        sqrt(a') x_0 + sqrt(1 - a' - sigma^2) eps + sigma fresh         Song et al. 2020, arXiv:2010.02502, eqs. 12, 16
        sigma = eta sqrt((1 - a') / (1 - a)) sqrt(1 - a / a')

    where eps is the noise of x_t, given its origin. With eta = 1 this is q(x_{t-1} | x_t, x_0) (Ho et al. 2020, eqs. 6
    and 7): a step of their algorithm 2 with the variance that is best for data at one point. With eta = 0 nothing is
    left to chance, and `fresh` is not needed.
    """
    sigma = eta * ((1 - before) / (1 - a) * (1 - a / before)).sqrt()
    noise = (x - a.sqrt().to(x.dtype) * origin) / (1 - a).sqrt().to(x.dtype)
    back = before.sqrt().to(x.dtype) * origin + (1 - before - sigma**2).clamp(min=0).sqrt().to(x.dtype) * noise
    return back if fresh is None else back + sigma.to(x.dtype) * fresh
