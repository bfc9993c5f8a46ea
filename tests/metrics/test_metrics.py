"""Metrics against closed forms."""

import math

import pytest
import torch

from zerosum.metrics.features import LeNet, in_blocks, train_classifier
from zerosum.metrics.frechet import frechet_distance
from zerosum.metrics.modes import count_modes


def exact_moments(n, mean, deviations, seed=0):
    """n points whose sample mean and covariance are exactly these (covariance diagonal)."""
    x = torch.randn(n, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    return x * torch.tensor(deviations, dtype=torch.float64) + torch.tensor(mean, dtype=torch.float64)


def test_frechet_of_normals_is_the_closed_form() -> None:
    """|m - m'|^2 + sum (s - s')^2 for diagonal covariances."""
    a = exact_moments(100, [0, 0, 0], [1, 2, 3])
    b = exact_moments(80, [1, 0, -2], [2, 2, 0.5], seed=1)
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + 1 + 0 + 6.25, rel=1e-10)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-10)


def test_frechet_survives_fewer_points_than_features() -> None:
    a, b = torch.randn(5, 20), torch.randn(6, 20)
    assert math.isfinite(frechet_distance(a, b))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


@pytest.mark.parametrize(("rows", "value"), [(1, 0.0), (0, 0.0), (4, math.nan), (4, -math.inf)])
def test_frechet_of_what_has_no_moments_is_refused(rows, value) -> None:
    good, bad = torch.randn(5, 3), torch.zeros(rows, 3)
    bad[-1:, 1] = value
    for pair in ((bad, good), (good, bad)):
        with pytest.raises(ValueError, match="needs 2 rows and more of finite numbers"):
            frechet_distance(*pair)


def test_perfect_samples_of_a_ring() -> None:
    """The ceiling 1 - e^-4.5 = 98.89 %, the floor (K - 1) / 2n, and spread 1."""
    chance = torch.Generator().manual_seed(0)
    angles = torch.arange(8) * (2 * math.pi / 8)
    centres, sigma, n = torch.stack([angles.cos(), angles.sin()], 1), 0.01, 200_000
    x = centres[torch.randint(8, (n,), generator=chance)] + sigma * torch.randn(n, 2, generator=chance)
    modes = count_modes(x, centres, sigma)
    assert (modes.found, modes.of) == (8, 8)
    assert modes.quality == pytest.approx(1 - math.exp(-4.5), abs=0.001)
    assert modes.divergence < 3 * 7 / (2 * n)
    assert modes.spread == pytest.approx(1, abs=0.005)


def test_collapsed_and_lost_samples() -> None:
    centres = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    one = count_modes(torch.tensor([[1.0, 0.0]]).expand(50, 2), centres, 0.05)
    assert (one.found, one.quality) == (1, 1.0)
    assert one.divergence == pytest.approx(math.log(4))
    assert one.spread == 0
    none = count_modes(torch.full((50, 2), 9.0), centres, 0.05)
    assert (none.found, none.quality, none.divergence) == (0, 0.0, 0.0)


def test_the_classifier_learns_and_leaves_the_callers_chance_alone() -> None:
    chance = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (512,), generator=chance)
    pictures = (torch.rand(512, 1, 16, 16, generator=chance) * 80).to(torch.uint8)
    pictures[:, :, 4:12, 4:12] += (labels * 120).to(torch.uint8)[:, None, None, None]
    before = torch.get_rng_state()
    net = train_classifier(pictures, labels, 2, epochs=4)
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(net, LeNet)
    assert (in_blocks(net, pictures, 100).argmax(1) == labels).float().mean() > 0.99
    assert in_blocks(net.features, pictures, 100).shape == (512, 64)
