"""The parts of the bound against torch.distributions, and against what is known by hand."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from zerosum.objectives.reconstruction import bernoulli_log_likelihood, gaussian_kl, gaussian_log_likelihood


@pytest.fixture
def chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_gaussian_kl_is_that_of_torch(chance) -> None:
    mean, log_variance = torch.randn(2, 7, 5, generator=chance, dtype=torch.float64)
    ours = gaussian_kl(mean, log_variance)
    prior, q = Normal(torch.zeros_like(mean), 1.0), Normal(mean, (log_variance / 2).exp())
    torch.testing.assert_close(ours, kl_divergence(q, prior).sum(1))
    assert ours.min() > 0
    assert torch.equal(gaussian_kl(torch.zeros(3, 4), torch.zeros(3, 4)), torch.zeros(3))


def test_gaussian_kl_by_hand() -> None:
    """N(2, e^2): 1/2 (4 + e^2 - 2 - 1), once a number."""
    found = gaussian_kl(torch.full((1, 3), 2.0), torch.full((1, 3), 2.0))
    assert float(found) == pytest.approx(1.5 * (1 + math.e**2), rel=1e-6)


def test_bernoulli_log_likelihood_is_that_of_torch(chance) -> None:
    logits = 3 * torch.randn(4, 2, 3, 5, generator=chance, dtype=torch.float64)
    bits = torch.bernoulli(torch.full_like(logits, 0.3), generator=chance)
    torch.testing.assert_close(
        bernoulli_log_likelihood(bits, logits), Independent(Bernoulli(logits=logits), 3).log_prob(bits)
    )


def test_grays_are_the_mean_over_thrown_coins() -> None:
    """x = (0.25, 0.5): the four outcomes, each with its probability."""
    x, logits = torch.tensor([[0.25, 0.5]]), torch.tensor([[0.7, -1.3]])
    outcomes = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    weights = torch.tensor([0.75 * 0.5, 0.75 * 0.5, 0.25 * 0.5, 0.25 * 0.5])
    mean = (weights * bernoulli_log_likelihood(outcomes, logits.expand(4, 2))).sum()
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits).squeeze(), mean)


def test_bernoulli_stays_finite_where_it_is_sure() -> None:
    x, logits = torch.tensor([[0.0], [1.0]]), torch.tensor([[200.0], [-200.0]])
    assert bernoulli_log_likelihood(x, logits).tolist() == [-200.0, -200.0]


def test_gaussian_log_likelihood_is_that_of_torch(chance) -> None:
    x, mean, log_variance = torch.randn(3, 6, 4, generator=chance, dtype=torch.float64)
    torch.testing.assert_close(
        gaussian_log_likelihood(x, mean, log_variance), Normal(mean, (log_variance / 2).exp()).log_prob(x).sum(1)
    )
