"""Usefulness to a classifier: intervals by simulation, and pictures of which the answer is known."""

import pytest
import torch

from zerosum.metrics.interval import mean, mean_over_both, share, t_quantile
from zerosum.metrics.number import TooFew
from zerosum.metrics.utility import classification_accuracy, classification_scores, fit, usefulness

QUICK = {"steps": 30}


def labelled(n, seed, noise=60):
    """Three classes: stripes across, stripes down, checks; at any place, in noise of this deviation."""
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    across, down = ((torch.arange(12) + torch.randint(4, (n, 1), generator=chance)) // 2 % 2 for _ in range(2))
    across, down = across[:, None, :].expand(n, 12, 12), down[:, :, None].expand(n, 12, 12)
    pictures = torch.stack([across, down, across ^ down])[labels, torch.arange(n)] * 100 + 78.0
    pictures += noise * torch.randn(n, 12, 12, generator=chance)
    return pictures.clamp(0, 255).to(torch.uint8)[:, None], labels


def wrongly(data):
    """Every picture of class 0 is called 1."""
    return data[0], data[1].clamp_min(1)


def turned(data):
    """Every label is wrong."""
    return data[0], (data[1] + 1) % 3


def test_the_quantile_of_students_t() -> None:
    """Printed in every table."""
    table = {1: 12.7062, 2: 4.3027, 5: 2.5706, 29: 2.0452, 100: 1.9840, 1000: 1.9623, 1e6: 1.9600}
    assert {freedom: round(t_quantile(freedom), 4) for freedom in table} == table


def test_intervals_of_a_mean_and_of_a_share_hold_95_in_100() -> None:
    chance = torch.Generator().manual_seed(0)
    means = [mean("a mean", torch.randn(5, generator=chance) + 3, "lower") for _ in range(1000)]
    shares = [share("a share", torch.rand(60, generator=chance) < 0.9) for _ in range(1000)]
    for numbers, truth in ((means, 3), (shares, 0.9)):
        assert 0.92 <= sum(x.low <= truth <= x.high for x in numbers) / 1000 <= 0.98


@pytest.mark.parametrize(("by_example", "by_seed"), [(1.0, 0.0), (0.3, 0.05), (0.0, 1.0)])
def test_the_interval_over_seeds_and_examples_holds_95_in_100(by_example, by_seed) -> None:
    """Whichever varies more: with one kind of chance alone the interval would miss the other."""
    chance = torch.Generator().manual_seed(1)
    held, times = 0, 500
    for _ in range(times):
        example, seed, both = (torch.randn(*shape, generator=chance) for shape in ((1, 200), (3, 1), (3, 200)))
        found = mean_over_both(0.9 + by_example * example + by_seed * seed + 0.1 * both, "higher")
        held += found.low <= 0.9 <= found.high
    assert 0.92 <= held / times <= 0.985


def test_values_that_never_vary_have_no_width() -> None:
    found = mean_over_both(torch.full((2, 10), 0.25), "higher")
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)
    with pytest.raises(TooFew, match="2 seeds and 2 examples"):
        mean_over_both(torch.ones(1, 10), "higher")


def test_the_classifier_is_the_same_for_the_same_seed_and_leaves_the_callers_chance_alone() -> None:
    data, before = labelled(40, 0), torch.get_rng_state()
    nets = [fit([data], 3, steps=5, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    outputs = [net(data[0]) for net in nets]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    assert not torch.equal(fit([data], 3, steps=5, shift=0)(data[0]), outputs[0])


def test_accuracy_of_what_can_be_learnt_and_of_what_cannot() -> None:
    train, test = labelled(300, 0), labelled(200, 1)
    assert classification_accuracy(*train, *test, 3, **QUICK).value > 0.99
    shuffled = test[1][torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    guessed = classification_accuracy(*train, test[0], shuffled, 3, **QUICK)
    assert guessed.low < 1 / 3 < guessed.high


def test_scores_of_perfect_samples_and_of_wrongly_labelled_ones() -> None:
    train, test = labelled(300, 0), labelled(200, 1)
    perfect = classification_scores(labelled(400, 2), train, test, 3, **QUICK)
    assert perfect.count == 300
    assert perfect.share.value == pytest.approx(perfect.cas.value / perfect.real.value, abs=1e-12)
    assert perfect.share.low <= 1 <= perfect.share.high
    assert perfect.gan_test.value > 0.99
    assert (perfect.share.floor, perfect.cas.floor) == (1, perfect.real.value)
    wrong = classification_scores(wrongly(labelled(300, 2)), train, test, 3, **QUICK)
    # A third of the samples is called another class: neither direction forgives it.
    assert wrong.cas.value <= 133 / 200  # it never says 0, as 67 of the 200 are
    assert wrong.gan_test.value == pytest.approx(2 / 3, abs=0.02)
    assert wrong.share.value < 0.7


def test_samples_help_harm_or_neither() -> None:
    """Right labels to real ones that are all wrong, wrong ones to right ones, the same to the same."""
    train, samples, test = labelled(300, 0), labelled(400, 2), labelled(200, 1)
    cases = {"yes": (samples, turned(train)), "no": (turned(samples), train), "cannot tell": (train, train)}
    for verdict, (added, real) in cases.items():
        (gain,) = usefulness(added, real, test, 3, shares=(0.2,), seeds=range(5), steps=20)
        assert gain.helps == verdict
        assert (gain.share, gain.labelled) == (0.2, 60)
        assert gain.difference.value == pytest.approx(gain.both.value - gain.real.value, abs=1e-12)
        assert 0 <= gain.both.low <= gain.both.value <= gain.both.high <= 1


def test_what_cannot_be_asked_is_refused() -> None:
    train, test = labelled(300, 0), labelled(60, 1)
    one_class = train[0], torch.zeros(300, dtype=torch.long)
    with pytest.raises(ValueError, match="labels of 2 classes and more, got one"):
        classification_accuracy(*one_class, *test, 3)
    with pytest.raises(ValueError, match="labels of 2 classes and more, got one"):
        usefulness(one_class, train, test, 3)
    with pytest.raises(TooFew, match="needs 30 to 300 real pictures at a share of the labels, got 3: leave out"):
        usefulness(train, train, test, 3)
    with pytest.raises(TooFew, match="needs 2 seeds, got 1"):
        classification_scores(train, train, test, 3, seeds=(0, 0))
    with pytest.raises(ValueError, match=r"one shape, got \(1, 10, 12\) and \(1, 12, 12\)"):
        classification_accuracy(train[0][:, :, 2:], train[1], *test, 3)
    with pytest.raises(ValueError, match=r"needs a label in 0 \.\. 1 for each"):
        classification_accuracy(*train, *test, 2)
    with pytest.raises(ValueError, match=r"needs a label in 0 \.\. 2 for each of 300"):
        classification_accuracy(train[0], train[1][:10], *test, 3)
    with pytest.raises(ValueError, match="needs uint8 pictures"):
        classification_accuracy(train[0].float(), train[1], *test, 3)
