"""Penalties on a critic's slope: pure functions, each one paper, without their weight.

They take scores C(x) and the examples x [n ...] they are of, with `x.requires_grad_()` set before scoring: one forward
pass then serves the adversarial loss and the penalty. The slope is taken in float32 and keeps its graph, so that a
penalty can be a term of a loss (double backward). Each example must be scored on its own: batch statistics in the
critic would mix the slopes of a batch.
"""

import torch
from torch import Tensor


def squared_slope(scores: Tensor, x: Tensor) -> Tensor:
    """||d C(x_i) / d x_i||^2 for each example: scores [n], x [n ...] -> [n]. ValueError if x takes no gradient."""
    if x.itemsize < 4:
        raise ValueError(f"the slope at x is taken in float32 or wider, and x is {x.dtype}: score x.float()")
    if not x.requires_grad:
        raise ValueError("the slope at x needs its gradient: call x.requires_grad_() before scoring it")
    with torch.autocast(x.device.type, enabled=False):
        (slope,) = torch.autograd.grad(scores.sum(dtype=x.dtype), x, create_graph=True)
        return slope.square().flatten(1).sum(1)


def zero_centred_penalty(scores: Tensor, x: Tensor) -> Tensor:
    """1/2 E ||grad C(x)||^2 (Mescheder et al. 2018, arXiv:1801.04406, eqs. 9 and 10, without gamma).

    R1 where x is real, R2 where it is fake (detached from G, which the penalty must not move); at interpolates it is
    the penalty of Thanh-Tung et al. 2019, arXiv:1902.03984. The half is Mescheder's: the loss term is gamma times this.
    """
    return 0.5 * squared_slope(scores, x).mean()


def interpolates(real: Tensor, fake: Tensor) -> Tensor:
    """x_i + t_i (G(z)_i - x_i), t_i ~ U[0, 1]: one point on the line of each pair (Gulrajani et al. 2017, algorithm 1).

    A leaf that takes gradients, ready to be scored.
    """
    t = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
    return torch.lerp(real.detach(), fake.detach().to(real.dtype), t).requires_grad_()


def wgan_gp_penalty(scores: Tensor, x: Tensor) -> Tensor:
    """E[(||grad C(x)||_2 - 1)^2] at interpolates x (Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, without lambda)."""
    # A slope of exactly 0 has no direction: the gradient of its norm is 0 / 0. The smallest normal number keeps it 0.
    slope = (squared_slope(scores, x) + torch.finfo(x.dtype).tiny).sqrt()
    return (slope - 1).square().mean()
