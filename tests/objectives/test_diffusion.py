"""The chain of noise against its closed forms: forth, back, and Gaussian data, for which the best guess is known."""

import math

import pytest
import torch

from zerosum.objectives.diffusion import diffused, guided, shares_left, step_back, without


def test_shares_of_the_papers_schedule() -> None:
    """beta from 1e-4 to 0.02 in 1,000 steps; at the end next to nothing of the data is left."""
    a = shares_left(1000, 1e-4, 0.02)
    assert a.shape == (1001,)
    assert a[0] == 1
    assert float(a[1]) == pytest.approx(1 - 1e-4, rel=1e-12)
    assert (a.diff() < 0).all()
    betas = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
    assert float(a[-1]) == pytest.approx(math.prod(1 - b for b in betas), rel=1e-10)
    # Section 4 of the paper: what is left in x_T of data in [-1, 1] is about 1e-5 bits a dimension.
    left = float(a[-1])
    kl_of_a_one = 0.5 * (left + (1 - left) - 1 - math.log(1 - left))  # x_0^2 = 1, the most there is
    assert 1e-6 < kl_of_a_one / math.log(2) < 1e-4


def test_one_jump_is_the_chain_of_steps() -> None:
    """x_t = sqrt(1 - beta) x_{t-1} + sqrt(beta) eps, repeated, has the mean and variance of eq. 4."""
    a = shares_left(50, 1e-3, 0.1)
    mean, variance = 1.7, 0.0
    for t in range(1, 51):
        beta = 1 - float(a[t] / a[t - 1])
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        x = torch.full((1,), 1.7, dtype=torch.float64)
        assert float(diffused(x, torch.zeros(1), a[t])) == pytest.approx(mean, rel=1e-9)
        assert float(diffused(torch.zeros_like(x), torch.ones(1), a[t])) ** 2 == pytest.approx(variance, rel=1e-6)


def test_without_takes_off_what_was_put_on() -> None:
    x, noise = torch.randn(2, 5, 3, dtype=torch.float64)
    a = torch.tensor([0.9, 0.5, 0.1, 1e-3, 1.0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(without(diffused(x, noise, a), noise, a), x)


def test_guidance_goes_past_the_told_guess() -> None:
    told, untold = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 3.0])
    assert torch.equal(guided(told, untold, 0.0), told)
    torch.testing.assert_close(guided(told, untold, 2.0), told + 2 * (told - untold))


@pytest.mark.parametrize("t", [1, 2, 7, 500, 1000])
def test_full_chance_is_the_posterior_of_the_papers_step(t: int) -> None:
    """eta = 1, one step: mean and variance of q(x_{t-1} | x_t, x_0), Ho et al. 2020, eqs. 6 and 7."""
    a = shares_left(1000, 1e-4, 0.02)
    beta = 1 - a[t] / a[t - 1]
    x, origin, fresh = torch.randn(3, 4, dtype=torch.float64)
    mean = a[t - 1].sqrt() * beta / (1 - a[t]) * origin + (1 - beta).sqrt() * (1 - a[t - 1]) / (1 - a[t]) * x
    variance = (1 - a[t - 1]) / (1 - a[t]) * beta
    torch.testing.assert_close(step_back(x, origin, fresh, a[t], a[t - 1], 1.0), mean + variance.sqrt() * fresh)
    # Algorithm 2 says the mean by the guessed noise: 1 / sqrt(alpha) (x - beta / sqrt(1 - a) eps).
    noise = (x - a[t].sqrt() * origin) / (1 - a[t]).sqrt()
    torch.testing.assert_close(mean, (x - beta / (1 - a[t]).sqrt() * noise) / (1 - beta).sqrt())


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("t", "before"), [(1000, 980), (500, 20), (20, 0)])
def test_any_chance_keeps_the_marginals(eta: float, t: int, before: int) -> None:
    """With the true x_0, x_t ~ q(x_t | x_0) goes to x_s ~ q(x_s | x_0) for every eta (Song et al. 2020, eq. 7).

    The step is linear in (x_0, eps, fresh): the three coefficients are read off, and no sample is drawn.
    """
    a = shares_left(1000, 1e-4, 0.02)

    def stepped(origin: float, noise: float, fresh: float) -> float:
        x = torch.tensor([origin], dtype=torch.float64)
        noisy = diffused(x, torch.tensor([noise], dtype=torch.float64), a[t])
        return float(step_back(noisy, x, torch.tensor([fresh], dtype=torch.float64), a[t], a[before], eta))

    assert stepped(1, 0, 0) == pytest.approx(math.sqrt(a[before]), rel=1e-9)
    assert stepped(0, 1, 0) ** 2 + stepped(0, 0, 1) ** 2 == pytest.approx(1 - float(a[before]), abs=1e-12)
    assert (stepped(0, 0, 1) > 0) == (eta > 0 and before > 0)
