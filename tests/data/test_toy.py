"""The toys against their closed forms: densities integrate to 1, samples have their moments and entropy."""

import math

import pytest
import torch

from zerosum.data.toy import TOYS, Mixture, Parabola, Spiral, grid, ring


def draw(toy, n=20_000):
    return toy.sample(n, torch.Generator().manual_seed(0))


def integral(toy, low, high, steps):
    """Midpoint rule over a box in one or two dimensions, in float64."""
    axes = [
        a + (torch.arange(k, dtype=torch.float64) + 0.5) * (b - a) / k for a, b, k in zip(low, high, steps, strict=True)
    ]
    points = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    cell = math.prod((b - a) / k for a, b, k in zip(low, high, steps, strict=True))
    return float(torch.cat([toy.log_density(part).exp() for part in points.split(200_000)]).sum() * cell)


@pytest.mark.parametrize(
    ("toy", "low", "high", "steps"),
    [
        (ring(sigma=0.1), (-2, -2), (2, 2), (160, 160)),
        (grid(sigma=0.2), (-6, -6), (6, 6), (120, 120)),
        (Mixture(ring().centres[:1], 0.01), (0.9, -0.1), (1.1, 0.1), (60, 60)),
        (Parabola(), (-3, -0.5), (3, 9), (150, 950)),
        (Spiral(turns=1, sigma=0.15), (-2, -2), (2.2, 2), (56, 54)),
        (TOYS["gaussian-1d"](), (0,), (8,), (400,)),
    ],
    ids=["ring", "grid", "narrow mode", "parabola", "spiral", "gaussian-1d"],
)
def test_density_integrates_to_one(toy, low, high, steps):
    assert integral(toy, low, high, steps) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", TOYS)
def test_shapes_and_determinism(name):
    toy = TOYS[name]()
    x = draw(toy, 100)
    assert x.shape == (100, toy.dim)
    assert x.dtype == torch.float32
    assert torch.equal(x, draw(toy, 100))
    assert toy.log_density(x).shape == (100,)
    assert toy.log_density(x).isfinite().all()


def test_ring_is_where_it_says():
    toy = ring()
    assert toy.centres.norm(dim=1).tolist() == pytest.approx([1] * 8)
    assert toy.centres[2].tolist() == pytest.approx([0, 1], abs=1e-6)
    x = draw(toy)
    nearest = torch.cdist(x, toy.centres).min(1)
    assert nearest.indices.bincount(minlength=8).float().div(len(x)).tolist() == pytest.approx([1 / 8] * 8, abs=0.01)
    assert nearest.values.square().mean().sqrt().item() == pytest.approx(toy.sigma * math.sqrt(2), rel=0.03)


def test_grid_moments():
    x = draw(grid())
    assert x.mean(0).tolist() == pytest.approx([0, 0], abs=0.1)
    assert x.var(0).tolist() == pytest.approx([8 + 0.05**2] * 2, rel=0.03)  # (16 + 4 + 0 + 4 + 16) / 5
    assert sorted({round(v) for v in grid().centres.flatten().tolist()}) == [-4, -2, 0, 2, 4]


def test_gaussian_moments():
    x = draw(TOYS["gaussian-1d"]())
    assert x.mean().item() == pytest.approx(4, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, rel=0.03)


def test_parabola_moments():
    toy = Parabola()
    x, y = draw(toy).unbind(1)
    assert x.std().item() == pytest.approx(toy.spread, rel=0.03)
    assert y.mean().item() == pytest.approx(toy.spread**2, rel=0.05)
    assert (y - x.square()).std().item() == pytest.approx(toy.sigma, rel=0.03)


def test_parabola_entropy_is_its_closed_form():
    toy = Parabola()
    entropy = math.log(2 * math.pi * math.e * toy.spread * toy.sigma)
    assert -toy.log_density(draw(toy)).mean().item() == pytest.approx(entropy, abs=0.03)


def test_mixture_entropy_of_far_modes():
    toy = ring()
    entropy = math.log(2 * math.pi * math.e * toy.sigma**2) + math.log(8)
    assert -toy.log_density(draw(toy)).mean().item() == pytest.approx(entropy, abs=0.03)


def test_spiral_is_even_along_its_arm():
    toy = Spiral(sigma=0.001)
    radius = draw(toy).norm(dim=1)
    # Arm length up to radius r grows as r^2 (for r >> 1/2pi): a share (r/turns)^2 of the points lies within r.
    for share in (0.1, 0.5, 0.9):
        assert radius.quantile(share).item() == pytest.approx(toy.turns * math.sqrt(share), rel=0.02)


def test_spiral_density_matches_a_histogram():
    toy = Spiral(sigma=0.1)
    x = draw(toy, 100_000)
    for place in (0.2, 0.6):
        centre = toy.curve(torch.tensor([place]))
        inside = ((x - centre).abs() < 0.05).all(1).float().mean().item() / 0.01
        assert toy.log_density(centre).exp().item() == pytest.approx(inside, rel=0.1)


def test_spiral_quadrature_has_converged():
    """Against 50 times as many places, in float64."""
    toy = Spiral()
    x = draw(toy, 20).double()
    v = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    squares = (x[:, None] - toy.curve(v.square())).square().sum(-1)
    kernel = (-squares / (2 * toy.sigma**2)).exp() / (2 * math.pi * toy.sigma**2)
    exact = (kernel * 2 * v).mean(1).log()
    torch.testing.assert_close(toy.log_density(x), exact, rtol=0, atol=1e-5)
