"""Densities in one and two dimensions whose truth is known: each can be sampled and evaluated exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor


class Toy(Protocol):
    """A known density: how many numbers a point has, how to draw points, how likely a point is."""

    @property
    def dim(self) -> int: ...

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n points, float32 [n dim]."""
        ...

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) in nats: [n dim] -> [n]."""
        ...


def _log_normal(squares: Tensor, sigma: float, dim: int) -> Tensor:
    """log N(x; mu, sigma^2 I) from |x - mu|^2."""
    return -squares / (2 * sigma**2) - dim * math.log(sigma * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class Mixture:
    """p(x) = 1/K sum_k N(x; centres_k, sigma^2 I)."""

    centres: Tensor  # [k dim]
    sigma: float

    @property
    def dim(self) -> int:
        return self.centres.shape[1]

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        which = torch.randint(len(self.centres), (n,), generator=generator)
        return self.centres[which] + self.sigma * torch.randn(n, self.dim, generator=generator)

    def log_density(self, x: Tensor) -> Tensor:
        squares = (x[:, None] - self.centres.to(x)).square().sum(-1)  # [n k]
        return _log_normal(squares, self.sigma, self.dim).logsumexp(1) - math.log(len(self.centres))


@dataclass(frozen=True)
class Spiral:
    """A point (r cos a, r sin a) on r = a/2pi, a = 2pi turns sqrt(u), u ~ U(0, 1), plus N(0, sigma^2 I).

    sqrt(u) spreads the points evenly along the arm. The density has no closed form: it is the integral along the arm,
    by the midpoint rule at 4,096 places, at most sigma / 8 apart for the default turns and sigma.
    """

    turns: float = 2.0
    sigma: float = 0.05
    dim: int = field(default=2, init=False)

    def curve(self, u: Tensor) -> Tensor:
        """Where the arm is at u: [n] in [0, 1] -> [n 2]."""
        radius = self.turns * u.sqrt()
        angle = 2 * math.pi * radius
        return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        on_curve = self.curve(torch.rand(n, generator=generator))
        return on_curve + self.sigma * torch.randn(n, 2, generator=generator)

    def log_density(self, x: Tensor) -> Tensor:
        places = 4096
        # v = sqrt(u) walks the arm at an even pace near the centre too; du = 2 v dv.
        v = (torch.arange(places, dtype=x.dtype, device=x.device) + 0.5) / places
        on_curve, log_weight = self.curve(v.square()), (2 * v / places).log()
        parts = [
            (_log_normal((part[:, None] - on_curve).square().sum(-1), self.sigma, 2) + log_weight).logsumexp(1)
            for part in torch.split(x, 512)
        ]
        return torch.cat(parts)


@dataclass(frozen=True)
class Parabola:
    """x ~ N(0, spread^2), y = x^2 + N(0, sigma^2): p(x, y) = N(x; 0, spread^2) N(y; x^2, sigma^2)."""

    spread: float = 0.5
    sigma: float = 0.05
    dim: int = field(default=2, init=False)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        x = self.spread * torch.randn(n, generator=generator)
        return torch.stack([x, x.square() + self.sigma * torch.randn(n, generator=generator)], 1)

    def log_density(self, x: Tensor) -> Tensor:
        across, up = x.unbind(1)
        off = up - across.square()
        return _log_normal(across.square(), self.spread, 1) + _log_normal(off.square(), self.sigma, 1)


def ring(modes: int = 8, radius: float = 1.0, sigma: float = 0.01) -> Mixture:
    """Gaussians on a circle, centre k at angle 2 pi k / modes (8 of them: Metz et al. 2017, arXiv:1611.02163)."""
    angle = 2 * math.pi * torch.arange(modes) / modes
    return Mixture(radius * torch.stack([angle.cos(), angle.sin()], 1), sigma)


def grid(side: int = 5, step: float = 2.0, sigma: float = 0.05) -> Mixture:
    """side^2 Gaussians on a square grid around 0 (25 at {-4, -2, 0, 2, 4}^2, as in Dumoulin et al. 2017)."""
    ticks = step * (torch.arange(side) - (side - 1) / 2)
    return Mixture(torch.cartesian_prod(ticks, ticks), sigma)


def gaussian() -> Mixture:
    """N(4, 0.5^2) in one dimension: far enough from 0 that a generator has to learn both numbers."""
    return Mixture(torch.tensor([[4.0]]), 0.5)


TOYS: dict[str, Callable[[], Toy]] = {
    "ring": ring,
    "grid": grid,
    "spiral": Spiral,
    "parabola": Parabola,
    "gaussian-1d": gaussian,
}
