"""The best one-to-one matching against all permutations."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.metrics.matching import assign, match


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_no_permutation_costs_less(n, seed, ties) -> None:
    chance = np.random.default_rng(seed)
    cost = chance.integers(0, 4, (n, n)).astype(float) if ties else chance.normal(size=(n, n))
    columns = assign(cost)
    assert sorted(columns) == list(range(n))
    best = min(sum(cost[row, column] for row, column in enumerate(order)) for order in permutations(range(n)))
    assert sum(cost[row, column] for row, column in enumerate(columns)) == pytest.approx(best, abs=1e-9)


def test_a_permutation_of_a_hundred_is_found_again() -> None:
    order = np.random.default_rng(0).permutation(100)
    assert (assign(-np.eye(100)[order]) == order).all()


@pytest.mark.parametrize("cost", [np.zeros((2, 3)), np.array([[np.nan]]), np.zeros(4)])
def test_a_cost_that_is_none_is_refused(cost) -> None:
    with pytest.raises(ValueError, match="a square of finite numbers"):
        assign(cost)


def test_groups_stand_for_the_labels_they_agree_with_most() -> None:
    labels = torch.arange(1000) % 10
    groups = (3 * labels + 4) % 10
    stands_for = match(groups, labels, 10)
    assert torch.equal(stands_for[groups], labels)
    wrong = torch.where(torch.arange(1000) % 20 == 0, (groups + 1) % 10, groups)
    assert torch.equal(match(wrong, labels, 10), stands_for)


def test_one_to_one_means_that_two_groups_share_no_label() -> None:
    groups, labels = torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor([0, 0, 0, 0, 0, 1])
    stands_for = match(groups, labels, 3)
    assert stands_for.tolist() == [0, 2, 1]
    assert float((stands_for[groups] == labels).float().mean()) == pytest.approx(4 / 6)


def test_numbers_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 to 2"):
        match(torch.tensor([0, 3]), torch.tensor([0, 1]), 3)
