"""Scores of disentanglement against closed forms, brute force and their nulls."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.metrics.factors import (
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)
from zerosum.metrics.number import TooFew

SCORES = (mutual_information_gap, factor_vae_score, separated_attribute_predictability)


def drawn(n, seed=0):
    """Independent factors: two amounts, one class of 5."""
    chance = torch.Generator().manual_seed(seed)
    return {
        "lean": torch.randn(n, generator=chance),
        "width": torch.rand(n, generator=chance),
        "kind": torch.randint(5, (n,), generator=chance),
    }


def columns(*values):
    return torch.stack([v.double() for v in values], 1)


def noise(n, d=1, seed=1):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()


def test_codes_that_are_the_factors_score_1() -> None:
    """In another order, on another scale, with a useless code between them and a dead one behind."""
    v = drawn(2000)
    codes = columns(v["kind"] * 3 - 7, noise(2000)[:, 0], -2 * v["lean"], 1 + 0.1 * v["width"], torch.zeros(2000))
    assert mutual_information_gap(codes, v).value > 0.95
    assert factor_vae_score(codes, v).value == 1
    # Of the class the second best code guesses one in five.
    assert separated_attribute_predictability(codes, v).value == pytest.approx((1 + 1 + 0.8) / 3, abs=0.02)


def test_codes_that_know_nothing_score_the_null() -> None:
    v, codes = drawn(2000), noise(2000, 6)
    for score, null in zip(SCORES, (0, 1 / 3, 0), strict=True):
        found = score(codes, v)
        assert found.floor == pytest.approx(null, abs=0.02)
        assert found.value == pytest.approx(null, abs=0.06)
        assert found.high - found.low < 0.12


def test_the_null_is_the_same_whatever_the_codes_knew() -> None:
    v = drawn(1000)
    for score, chance in zip(SCORES, (0, 1 / 3, 0), strict=True):
        knows = score(columns(v["lean"], v["width"], v["kind"]), v)
        assert knows.floor == pytest.approx(chance, abs=0.02)
        assert knows.low > knows.floor


def test_two_factors_mixed_in_two_codes_are_not_apart() -> None:
    """Turned by 45 degrees, both codes tell as much of both factors; by 20, more of one; by 0, only of one.

    FactorVAE's score asks only which code moves least, and does not mind 20 degrees.
    """
    a, b = noise(2000, seed=2)[:, 0], noise(2000, seed=3)[:, 0]
    factors = {"a": a, "b": b}
    gaps = []
    for degrees in (0, 20, 45):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        codes = columns(c * a - s * b, s * a + c * b)
        gaps.append([score(codes, factors).value for score in SCORES])
    pure, turned, mixed = gaps
    assert pure[0] > turned[0] + 0.3 > mixed[0] + 0.4
    assert pure[1] == turned[1] == 1 > mixed[1] + 0.3
    sap = [row[2] for row in gaps]  # squared correlations are cos^2 and sin^2: the gap is cos(2 angle)
    assert sap == pytest.approx([1, math.cos(math.radians(40)), 0], abs=0.03)


def test_information_is_that_of_a_known_channel() -> None:
    """A fair coin that is read wrongly one time in ten: 1 bit less the entropy of 0.1. Its interval holds that."""
    told, chance, found = 1 + 0.1 * math.log2(0.1) + 0.9 * math.log2(0.9), torch.Generator().manual_seed(0), []
    for _ in range(40):
        coins = torch.randint(2, (1000, 2), generator=chance)
        read = coins ^ (torch.rand(1000, 2, generator=chance) < 0.1).long()
        found.append(mutual_information_gap(read.double(), {"first": coins[:, 0], "second": coins[:, 1]}))
    assert sum(number.value for number in found) / 40 == pytest.approx(told, abs=0.01)
    assert sum(number.low < told < number.high for number in found) >= 34  # of 40: 95 % give 38 +- 1.4


def test_two_codes_that_tell_the_same_leave_no_gap() -> None:
    v = drawn(1000)
    codes = columns(v["lean"], -3 * v["lean"], v["width"], 7 + v["width"], v["kind"], 5 - v["kind"])
    assert mutual_information_gap(codes, v).value == pytest.approx(0, abs=0.01)
    assert separated_attribute_predictability(codes, v).value == pytest.approx(0, abs=0.01)


def test_balanced_accuracy_of_classes_in_closed_form() -> None:
    """Rare class 1 (1 of 5) has code 1 in 60 %, class 0 never: (1 + 0.6) / 2 balanced, though 0.92 of all are right."""
    kind = torch.arange(5000) % 5 == 0
    code = (kind & (torch.arange(5000) // 5 % 5 < 3)).double()
    other = torch.arange(5000) // 25 % 2  # told by the second code, which tells nothing of kind: 1/2
    found = separated_attribute_predictability(columns(code, other), {"kind": kind.long(), "other": other})
    assert found.value == pytest.approx((0.8 - 0.5 + 1 - 0.5) / 2, abs=0.001)


@settings(max_examples=6, deadline=None)
@given(
    order=st.permutations(range(4)),
    scales=st.lists(st.sampled_from([-4.0, -0.5, 0.25, 8.0]), min_size=4, max_size=4),
    seed=st.integers(0, 100),
)
def test_order_and_scale_of_codes_do_not_matter(order, scales, seed) -> None:
    v = drawn(1000, seed)
    codes = columns(v["lean"], v["width"] + v["lean"], v["kind"], noise(1000)[:, 0])
    for score in (mutual_information_gap, separated_attribute_predictability):
        expected = score(codes, v).value
        # Bins of a mirrored code close on the other side: the example on the edge changes place.
        assert score((codes * torch.tensor(scales))[:, order], v).value == pytest.approx(expected, abs=0.01)


def test_the_same_seed_gives_the_same_digits_and_the_callers_chance_is_left_alone() -> None:
    v, codes = drawn(1000), noise(1000, 3)
    before = torch.get_rng_state()
    for score in SCORES:
        found = score(codes, v, seed=3)
        assert found == score(codes, v, seed=3)
        assert found != score(codes, v, seed=4)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("score", SCORES)
def test_what_cannot_be_scored_is_refused(score) -> None:
    v, codes = drawn(1000), noise(1000, 3)
    with pytest.raises(TooFew, match="needs 1,000 examples, got 999"):
        score(codes[:999], {name: values[:999] for name, values in v.items()})
    with pytest.raises(ValueError, match=r"needs codes \[n d\] of finite numbers, two and more each"):
        score(codes[:, :1], v)
    with pytest.raises(ValueError, match=r"needs codes \[n d\] of finite numbers"):
        score(codes / 0, v)
    with pytest.raises(ValueError, match="factor 'shift' must be 1,000 finite numbers"):
        score(codes, v | {"shift": torch.zeros(1000, 2)})
    with pytest.raises(ValueError, match="factor 'style' has one value"):
        score(codes, v | {"style": torch.zeros(1000)})
    with pytest.raises(ValueError, match="needs 2 factors and more, got 1"):
        score(codes, {"kind": v["kind"]})
