"""Bounds on mutual information against numpy, against what is known of them, and against the information itself."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zerosum.objectives.information import categorical_information, continuous_information


def one_hot(k, kinds):
    return torch.nn.functional.one_hot(torch.tensor(k), kinds).double()


@given(st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=5), st.integers(0, 3))
def test_the_categorical_bound_is_its_formula(logits, first) -> None:
    rows = np.array(logits)
    k = [(first + i) % 4 for i in range(len(rows))]
    softmax = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
    expected = np.mean([np.log(softmax[i, k[i]]) for i in range(len(rows))]) + np.log(4)
    got = categorical_information(torch.tensor(rows), one_hot(k, 4))
    assert float(got) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert float(got) <= math.log(4) + 1e-6


def test_a_guess_is_worth_nothing_and_certainty_the_whole_entropy() -> None:
    code = one_hot([0, 3, 9], 10)
    assert float(categorical_information(torch.zeros(3, 10), code)) == pytest.approx(0, abs=1e-6)
    assert float(categorical_information(100 * code, code)) == pytest.approx(math.log(10))
    assert float(categorical_information(-5 * code, code)) < 0, "worse than a guess"


def test_the_continuous_bound_is_its_formula() -> None:
    chance = np.random.default_rng(0)
    mean, log_deviation, code = chance.normal(size=(3, 7, 2))
    density = (
        np.exp(-(((code - mean) / np.exp(log_deviation)) ** 2) / 2) / np.exp(log_deviation) / math.sqrt(2 * math.pi)
    )
    expected = (np.log(density) + math.log(2)).sum(1).mean()
    got = continuous_information(*map(torch.tensor, (mean, log_deviation, code)))
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_no_continuous_code_holds_nothing() -> None:
    assert float(continuous_information(*[torch.zeros(4, 0)] * 3)) == 0


def test_the_best_blind_normal_loses_what_a_normal_must() -> None:
    """Without looking, Q's best normal has the variance 1/3 of U(-1, 1): ln 2 - 1/2 ln(2 pi e / 3) = -0.176 nats."""
    code = torch.linspace(-1, 1, 20001).unsqueeze(1)
    blind = [
        continuous_information(torch.zeros_like(code), torch.full_like(code, v), code) for v in (-0.65, -0.549, -0.45)
    ]
    assert float(blind[1]) == pytest.approx(math.log(2) - 0.5 * math.log(2 * math.pi * math.e / 3), abs=1e-3)
    assert blind[1] > max(blind[0], blind[2])


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_it_is_a_bound_and_tight_for_the_posterior(noise) -> None:
    """x shows the code k with chance 1 - e, another with chance e: I(k; x) = ln K - H; the posterior attains it."""
    e, kinds, n = 1 - math.exp(-noise), 4, 40000
    chance = torch.Generator().manual_seed(0)
    k = torch.randint(kinds, (n,), generator=chance)
    other = (k + torch.randint(1, kinds, (n,), generator=chance)) % kinds
    x = torch.where(torch.rand(n, generator=chance) < e, other, k)
    information = math.log(kinds) + (1 - e) * math.log(1 - e) + e * math.log(e / (kinds - 1))
    table = torch.full((kinds, kinds), math.log(e / (kinds - 1))) + torch.eye(kinds) * (
        math.log(1 - e) - math.log(e / (kinds - 1))
    )
    code = torch.nn.functional.one_hot(k, kinds)
    assert float(categorical_information(table[x], code)) == pytest.approx(information, abs=0.02)
    assert float(categorical_information(2 * table[x], code)) < information
    assert float(categorical_information(0.5 * table[x], code)) < information


def test_bfloat16_is_read_in_float32() -> None:
    code = one_hot([1], 3).float()
    assert categorical_information(torch.ones(1, 3, dtype=torch.bfloat16), code).dtype == torch.float32
    half = torch.ones(1, 3, dtype=torch.bfloat16)
    assert continuous_information(half, half, code).dtype == torch.float32
