"""Layers that let a discriminator see its whole minibatch at once, so that it can refuse one without diversity.

With them a score depends on the neighbours of an example: reals and fakes are judged in minibatches of their own.
"""

import torch
from torch import Tensor, nn


class Minibatch(nn.Module):
    """A layer that adds features of the whole minibatch: it gives `outputs` of them."""

    outputs: int


class MinibatchDiscrimination(Minibatch):
    """[n f] -> [n f + kernels]: to each example's features, how close it is to the others (Salimans et al. 2016).

        M_i = f(x_i) T in R^(kernels x numbers),   o(x_i)_b = sum_{j != i} exp(-||M_i,b - M_j,b||_1)

    arXiv:1606.03498, section 3.2, whose sum also counts the example itself: a constant 1.
    """

    def __init__(self, features: int, kernels: int = 16, numbers: int = 4):
        super().__init__()
        self.T = nn.Parameter(torch.randn(features, kernels, numbers) * features**-0.5)
        self.outputs = features + kernels

    def forward(self, f: Tensor) -> Tensor:
        M = torch.tensordot(f, self.T, 1)  # [n f] -> [n kernels numbers]
        distance = (M.unsqueeze(0) - M.unsqueeze(1)).abs().sum(3)  # [n n kernels]
        closeness = (-distance.float()).exp().sum(1) - 1
        return torch.cat([f, closeness.to(f.dtype)], 1)


class MinibatchDeviation(Minibatch):
    """[n f] -> [n f+1], or [n c h w] -> [n c+1 h w]: one more feature, how much the minibatch varies.

    The standard deviation over the minibatch of every feature at every place, averaged to one number, the same for all
    (Karras et al. 2018, arXiv:1710.10196, section 3).
    """

    def __init__(self, features: int = 0):
        super().__init__()
        self.outputs = features + 1

    def forward(self, x: Tensor) -> Tensor:
        # Added to the variance: the slope of a root at 0, where a minibatch has collapsed, is infinite.
        deviation = (x.float().var(0, unbiased=False) + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)
