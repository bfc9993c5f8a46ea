"""Scores of what a classifier reads: against torchmetrics, closed forms, and means over many draws."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zerosum.metrics.number import TooFew
from zerosum.metrics.scores import class_divergence, classes_covered, divergence, inception_score


def drawn(shares: Tensor, n: int, chance: torch.Generator) -> Tensor:
    return torch.multinomial(shares, n, replacement=True, generator=chance)


class Pass(nn.Module):
    """Pictures that are logits already."""

    num_features = 7

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.filterwarnings(r"ignore:std\(\). degrees of freedom:UserWarning")  # theirs, of one split
@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all:UserWarning")
def test_inception_score_is_torchmetrics() -> None:
    from torchmetrics.image.inception import InceptionScore

    logits = 2 * torch.randn(500, 7, generator=torch.Generator().manual_seed(0))
    theirs = InceptionScore(Pass(), splits=1)
    theirs.update(logits)
    assert inception_score(logits.softmax(1)).value == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


def test_inception_score_lies_between_1_and_the_classes() -> None:
    sure = torch.eye(5).repeat(40, 1)
    assert inception_score(sure).value == pytest.approx(5)
    assert inception_score(sure[::5].repeat(3, 1)).value == pytest.approx(1)
    assert inception_score(torch.full((100, 5), 0.2)).value == pytest.approx(1)


def test_the_interval_of_the_inception_score_holds_its_mean_and_the_bias_is_known() -> None:
    chance, repetitions, n = torch.Generator().manual_seed(0), 300, 100
    logits = 2 * torch.randn(100_000, 7, generator=chance)
    endless = inception_score(logits.softmax(1)).value
    found = [inception_score((2 * torch.randn(n, 7, generator=chance)).softmax(1)) for _ in range(repetitions)]
    mean = sum(one.value for one in found) / repetitions
    assert 0.92 <= sum(one.low <= mean <= one.high for one in found) / repetitions <= 0.98
    error = torch.tensor([one.value for one in found]).std() / repetitions**0.5
    assert mean < endless - 4 * error
    assert abs(sum(one.unbiased for one in found) / repetitions - endless) < 3 * error


def test_what_has_no_inception_score_is_refused() -> None:
    for wrong in (torch.ones(5, 3), torch.randn(5), torch.full((5, 2), torch.nan)):
        with pytest.raises(ValueError, match=r"probabilities \[n K\], rows of sum 1, got \("):
            inception_score(wrong)
    with pytest.raises(TooFew, match="the Inception score needs 100 samples, got 1"):
        inception_score(torch.tensor([[0.5, 0.5]]))


def test_classes_are_covered_or_not() -> None:
    all_often = classes_covered(torch.arange(10).repeat(20), 10)
    assert (all_often.value, all_often.high, all_often.floor) == (10, 10, 10)
    assert all_often.low == pytest.approx(10, abs=1e-4)
    nine = classes_covered(torch.arange(9).repeat(20), 10)
    assert (nine.value, nine.low, nine.high) == (9, pytest.approx(9, abs=1e-4), 10)
    one = classes_covered(torch.zeros(50, dtype=torch.long), 10)
    assert (one.value, one.low, one.high) == (1, pytest.approx(1), pytest.approx(1 + 1.959964**2))
    assert classes_covered(torch.tensor([0, 1]), 4, torch.full((4,), 0.25)).floor == pytest.approx(4 * (1 - 0.75**2))


@pytest.mark.parametrize("rare", [0.0005, 0.002, 0.01, 0.05])
def test_the_interval_of_the_classes_covered_is_safe(rare) -> None:
    """40 classes of which 20 are rare: expected 0.2 to 20 times each."""
    chance, n = torch.Generator().manual_seed(0), 400
    shares = torch.cat([torch.full((20,), rare), torch.full((20,), 1 / 20 - rare)]).double()
    found = [classes_covered(drawn(shares, n, chance), 40, shares) for _ in range(200)]
    mean = float((1 - (1 - shares) ** n).sum())
    assert found[0].floor == pytest.approx(mean)
    assert sum(one.low - 1e-6 <= mean <= one.high + 1e-6 for one in found) >= 0.95 * 200
    assert sum(one.value for one in found) / 200 == pytest.approx(mean, abs=0.6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.integers(0, 99))
def test_divergence_is_the_sum(shown, seed) -> None:
    shares = torch.rand(6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.05
    shares /= shares.sum()
    found, n = class_divergence(torch.tensor(shown), shares), len(shown)
    expected = sum(shown.count(k) / n * math.log(shown.count(k) / n / float(shares[k])) for k in set(shown))
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert 0 <= found.low <= max(found.value, found.floor) + 1e-12
    assert found.value <= found.high


@pytest.mark.parametrize("of", [None, 300])
def test_the_floor_is_the_mean_for_the_same_shares(of) -> None:
    chance, repetitions, n = torch.Generator().manual_seed(0), 500, 150
    shares = torch.tensor([0.01, 0.09, 0.2, 0.3, 0.4], dtype=torch.float64)
    counts = [torch.bincount(drawn(shares, of or 1, chance), minlength=5) for _ in range(repetitions)]
    found = [class_divergence(drawn(shares, n, chance), count / of if of else shares, of=of).value for count in counts]
    floor = class_divergence(drawn(shares, n, chance), shares, of=of).floor
    error = torch.tensor(found).std() / repetitions**0.5
    assert abs(sum(found) / repetitions - floor) < 3.5 * error
    assert floor == pytest.approx(2 / n + (2 / of if of else 0), rel=0.15)  # (K - 1) / 2 each


@pytest.mark.parametrize("skew", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("of", [None, 1000])
def test_the_interval_of_the_divergence_holds_its_mean(skew, of) -> None:
    chance, repetitions, n = torch.Generator().manual_seed(1), 150, 500
    reference = torch.full((10,), 0.1, dtype=torch.float64)
    shares = (skew * torch.linspace(-1, 1, 10, dtype=torch.float64)).softmax(0)
    found = []
    for _ in range(repetitions):
        q = torch.bincount(drawn(reference, of, chance), minlength=10) / of if of else reference
        found.append(class_divergence(drawn(shares, n, chance), q, of=of))
    mean = sum(one.value for one in found) / repetitions
    assert sum(one.low <= mean <= one.high for one in found) / repetitions >= 0.92


def test_a_class_that_the_reference_never_shows_counts_as_half_an_example() -> None:
    shown, shares = torch.tensor([0] * 90 + [1] * 10), torch.tensor([1.0, 0.0])
    assert class_divergence(shown, shares).value == pytest.approx(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 0.005))
    counted = class_divergence(shown, shares, of=1000)
    assert counted.value == pytest.approx(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 0.0005))
    assert class_divergence(torch.zeros(100, dtype=torch.long), shares).value == 0


def test_classes_outside_and_too_few_are_refused() -> None:
    for wrong in (torch.tensor([0, 5]), torch.tensor([-1, 0]), torch.zeros(0, dtype=torch.long)):
        with pytest.raises(ValueError, match=r"\[n\] in 0 to 4, got \("):
            classes_covered(wrong, 5)
    with pytest.raises(TooFew, match=r"the class divergence needs 2 samples .*, got 1"):
        divergence(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5]))
