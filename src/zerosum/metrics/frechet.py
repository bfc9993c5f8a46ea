"""The Fréchet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, eq. 6)."""

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """||m_a - m_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of the normals with the moments of a [n f] and b [m f].

    In float64; the trace of the root is the sum of the singular values of S_a^(1/2) S_b^(1/2), which needs no root of a
    matrix that is not symmetric. Raises ValueError for fewer than 2 rows, or values that are not finite.
    """
    for x in (a, b):
        if len(x) < 2 or not x.isfinite().all():
            raise ValueError(f"a Fréchet distance needs 2 rows and more of finite numbers, got {tuple(x.shape)}")
    a, b = a.double(), b.double()
    root_a, root_b = _root(a), _root(b)
    gap = (a.mean(0) - b.mean(0)).square().sum()
    cross = torch.linalg.svdvals(root_a @ root_b).sum()
    return float(gap + root_a.square().sum() + root_b.square().sum() - 2 * cross)


def _root(x: Tensor) -> Tensor:
    """The symmetric square root of the covariance of x [n f]."""
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
