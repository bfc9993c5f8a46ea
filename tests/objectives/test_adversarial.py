"""Every objective against its formula, written out again in float64 with numpy; and what theory says of it."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zerosum.objectives import adversarial


def log_sigmoid(t):
    return -np.logaddexp(0, -t)


FORMULAS = {
    "minimax_discriminator_loss": lambda r, f: -log_sigmoid(r).mean() - log_sigmoid(-f).mean(),
    "minimax_generator_loss": lambda f: log_sigmoid(-f).mean(),
    "non_saturating_generator_loss": lambda f: -log_sigmoid(f).mean(),
    "least_squares_discriminator_loss": lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
    "least_squares_generator_loss": lambda f: 0.5 * ((f - 1) ** 2).mean(),
    "hinge_discriminator_loss": lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
    "hinge_generator_loss": lambda f: -f.mean(),
    "wasserstein_critic_loss": lambda r, f: f.mean() - r.mean(),
    "wasserstein_generator_loss": lambda f: -f.mean(),
    "relativistic_discriminator_loss": lambda r, f: -log_sigmoid(r - f).mean(),
    "relativistic_generator_loss": lambda r, f: -log_sigmoid(f - r).mean(),
}
PUBLIC = {n: f for n, f in inspect.getmembers(adversarial, inspect.isfunction) if n.endswith("_loss")}
scores = st.lists(st.floats(-30, 30), min_size=3, max_size=3)


def test_every_objective_has_its_formula() -> None:
    assert set(PUBLIC) == set(FORMULAS)


@pytest.mark.parametrize("name", FORMULAS)
@given(real=scores, fake=scores)
def test_an_objective_is_its_formula(name, real, fake) -> None:
    columns = {"real": np.array(real), "fake": np.array(fake)}
    arguments = inspect.signature(PUBLIC[name]).parameters
    got = PUBLIC[name](**{a: torch.tensor(columns[a]) for a in arguments})
    assert got.dim() == 0
    assert float(got) == pytest.approx(FORMULAS[name](*(columns[a] for a in arguments)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_half_precision_scores_are_taken_in_float32_and_huge_ones_stay_finite(name) -> None:
    arguments = inspect.signature(PUBLIC[name]).parameters
    got = PUBLIC[name](*(torch.tensor([5e4, -5e4, 0.125], dtype=torch.bfloat16) for _ in arguments))
    assert got.dtype == torch.float32
    assert torch.isfinite(got)


def slope(loss, fake):
    fake = torch.tensor([fake], dtype=torch.float64, requires_grad=True)
    loss(fake).backward()
    return float(fake.grad)


def test_minimax_is_flat_where_d_is_sure_and_non_saturating_is_not() -> None:
    """Goodfellow et al. 2014, section 3: slopes -sigma(C) and -(1 - sigma(C)) in the score."""
    for c in (-20.0, -3.0, 0.0, 3.0):
        sigma = 1 / (1 + np.exp(-c))
        assert slope(adversarial.minimax_generator_loss, c) == pytest.approx(-sigma, rel=1e-12)
        assert slope(adversarial.non_saturating_generator_loss, c) == pytest.approx(-(1 - sigma), rel=1e-12)


def test_the_best_value_of_the_game_is_log_4() -> None:
    """Proposition 1: with D = 1/2 everywhere, V = -log 4."""
    zero = torch.zeros(8, dtype=torch.float64)
    assert float(adversarial.minimax_discriminator_loss(zero, zero)) == pytest.approx(np.log(4), rel=1e-15)


def test_a_constant_added_to_every_score_changes_no_relativistic_loss() -> None:
    real, fake = torch.randn(2, 50, dtype=torch.float64)
    for loss in (adversarial.relativistic_discriminator_loss, adversarial.relativistic_generator_loss):
        assert float(loss(real + 7, fake + 7)) == pytest.approx(float(loss(real, fake)), rel=1e-12)


def test_the_relativistic_players_swap_roles() -> None:
    real, fake = torch.randn(2, 50, dtype=torch.float64)
    d = adversarial.relativistic_discriminator_loss(real, fake)
    assert float(d) == float(adversarial.relativistic_generator_loss(fake, real))
