"""Copies that were planted, and real data that must not be taken for copies."""

from itertools import combinations
from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zerosum.metrics.interval import Z
from zerosum.metrics.memorising import copying, mann_whitney
from zerosum.metrics.number import TooFew


def pictures(n: int, seed: int) -> Tensor:
    """Flat uint8 pictures [n 100] on a surface of 8 dimensions."""
    surface = torch.randn(8, 100, generator=torch.Generator().manual_seed(99))
    z = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))
    return (255 * torch.sigmoid(z @ surface / 2)).round().to(torch.uint8)


TRAIN, REAL, HELD_OUT = pictures(1500, 0), pictures(1000, 1), pictures(1000, 2)


def saved_again(x: Tensor, seed: int = 0) -> Tensor:
    """Each byte off by one at most."""
    change = torch.randint(-1, 2, x.shape, generator=torch.Generator().manual_seed(seed))
    return (x.int() + change).clamp(0, 255).to(torch.uint8)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.lists(st.integers(0, 4), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_mann_whitney_is_u_over_its_deviation_among_all_orders(a: list[int], b: list[int]) -> None:
    """U counts pairs with a > b, ties by half; its mean and deviation are those over all ways to deal the values."""

    def u(chosen: tuple[int, ...]) -> float:
        values = a + b
        rest = [x for i, x in enumerate(values) if i not in chosen]
        return sum((values[i] > y) + (values[i] == y) / 2 for i in chosen for y in rest)

    every = torch.tensor([u(c) for c in combinations(range(len(a + b)), len(a))]).double()
    deviation = float(every.std(correction=0))
    expected = (u(tuple(range(len(a)))) - float(every.mean())) / deviation if deviation > 0 else 0
    assert mann_whitney(torch.tensor(a), torch.tensor(b)) == pytest.approx(expected, abs=1e-9)


def test_mann_whitney_of_what_is_wholly_apart() -> None:
    """-sqrt(3 m n / (m + n + 1)): exact copies of 5,000 against 5,000 score -86.6."""
    near, far = torch.zeros(5000) + torch.arange(5000) / 1e6, torch.ones(5000) + torch.arange(5000) / 1e6
    assert mann_whitney(near, far) == pytest.approx(-sqrt(3 * 5000**2 / 10001), rel=1e-9)
    assert mann_whitney(far, near) == -mann_whitney(near, far)


def test_c_t_is_the_weighted_mean_over_cells() -> None:
    """Two clusters far apart are the cells; the samples are copies in one and real in the other."""
    chance = torch.Generator().manual_seed(0)
    far = torch.tensor([100.0] + [0.0] * 5)
    train, held_out, samples = (torch.randn(n, 6, generator=chance) for n in (400, 149, 120))
    train[::2] += far
    held_out[:50] += far
    samples[:60] = train[:120:2]
    d = torch.cdist(torch.cat([samples, held_out]).double(), train.double()).min(1).values
    d[:60] = 0
    one, other = mann_whitney(d[:60], d[120:170]), mann_whitney(d[60:120], d[170:])
    found = copying(samples, train, held_out)
    assert found.cells == 2
    assert found.c_t == pytest.approx((50 * one + 99 * other) / 149, rel=1e-5)
    assert found.z == pytest.approx((50 * one + 99 * other) / sqrt(50**2 + 99**2), rel=1e-5)


def test_a_cell_with_too_few_is_left_out_and_all_is_one_cell_if_none_is_left() -> None:
    found = copying(REAL[:200], TRAIN, HELD_OUT[:200])
    assert found.cells == 4
    chance = torch.Generator().manual_seed(0)
    far = torch.tensor([100.0] + [0.0] * 5)
    train, held_out, samples = (torch.randn(n, 6, generator=chance) for n in (400, 115, 60))
    train[::2] += far
    held_out[:100] += far  # 15 are left where all the samples are
    found = copying(samples, train, held_out)
    d = torch.cdist(torch.cat([samples, held_out]).double(), train.double()).min(1).values
    assert found.cells == 1
    assert found.c_t == found.z == pytest.approx(mann_whitney(d[:60], d[60:]), rel=1e-5)


def test_authentic_equals_brute_force() -> None:
    samples = torch.cat([REAL[:300], saved_again(TRAIN[:100])]).double()
    own = torch.cdist(TRAIN.double(), TRAIN.double()).fill_diagonal_(torch.inf).min(1).values

    def share(x: Tensor) -> float:
        d, row = torch.cdist(x.double(), TRAIN.double()).min(1)
        return float((d > own[row]).double().mean())

    found = copying(samples, TRAIN, HELD_OUT)
    assert found.authentic.value == pytest.approx(share(samples), abs=1e-12)
    assert found.authentic_real.value == pytest.approx(share(HELD_OUT), abs=1e-12)
    assert found.authentic.high < found.authentic_real.low


def test_intervals_are_wilsons() -> None:
    """For 8 of 64: centre (p + z^2 / 2n) / (1 + z^2 / n)."""
    found = copying(REAL[:64], TRAIN, HELD_OUT).authentic
    n, z, p = 64, Z, found.value
    for end in (found.low, found.high):
        assert abs(p - end) == pytest.approx(z * sqrt(end * (1 - end) / n), rel=1e-9)  # the score test's equation


@pytest.mark.parametrize("change", [lambda x: x, saved_again], ids=["exact", "saved again"])
@pytest.mark.parametrize("share", [0, 1, 5, 10, 20, 100])
def test_planted_copies_are_counted(share: int, change) -> None:
    k = 10 * share
    found = copying(torch.cat([change(TRAIN[:k]), REAL[k:]]), TRAIN, HELD_OUT)
    assert found.copies.value == pytest.approx(share / 100, abs=0.02)
    assert found.copies.low <= share / 100 <= found.copies.high
    assert (found.exact, found.leaks, found.duplicates) == (k, 0, 0)
    assert found.flagged == (share >= 5)
    assert (found.z < -5) == (share >= 20)


def test_copies_are_counted_among_poor_samples_too() -> None:
    """A rest that is far from the data pushes z above 0, and one that is averaged may pull it below."""
    noisy = REAL.float() + 40 * torch.randn(REAL.shape, generator=torch.Generator().manual_seed(0))
    shrunk = REAL.float() / 2 + TRAIN.float().mean(0) / 2
    for rest, side in ((noisy, 1), (shrunk, -1)):
        clean = copying(rest, TRAIN, HELD_OUT)
        assert clean.z * side > 5
        assert not clean.flagged
        assert clean.copies.value < 0.01
        found = copying(torch.cat([TRAIN[:100].float(), rest[100:]]), TRAIN, HELD_OUT)
        assert found.flagged
        assert found.copies.value == pytest.approx(0.1, abs=0.011)
        assert found.copies.low <= 0.1 <= found.copies.high


def test_collapse_is_few_pieces_of_evidence_but_exact_copies_of_one_example_are_many() -> None:
    """The two held-out pictures nearest to a training one, and 18 others, shown again and again."""
    near = torch.tensor([pair.sample for pair in copying(REAL, TRAIN, HELD_OUT).worst[:2]])
    shown = torch.cat([REAL[near], REAL[:18]])[torch.arange(1000) % 20]
    collapsed = copying(saved_again(shown), TRAIN, HELD_OUT)
    assert collapsed.copies.value > 0.05
    assert not collapsed.flagged
    one = copying(torch.cat([saved_again(TRAIN[:1].expand(200, -1)), REAL[200:]]), TRAIN, HELD_OUT)
    assert one.flagged
    assert one.copies.value == pytest.approx(0.2, abs=0.01)
    assert one.copies.low > 0.15


def test_what_real_data_repeats_is_not_held_against_the_samples() -> None:
    """One picture in ten is the same one: in the training set, the held-out data and the samples."""
    sets = [torch.cat([TRAIN[:1].expand(len(x) // 10, -1), x[len(x) // 10 :]]) for x in (REAL, TRAIN, HELD_OUT)]
    found = copying(*sets)
    assert (found.exact, found.leaks, found.duplicates) == (100, 100, 149)
    assert not found.flagged
    assert found.copies.value < 0.01
    assert abs(found.z) < 3
    assert found.authentic.value == pytest.approx(found.authentic_real.value, abs=0.06)
    more = copying(torch.cat([TRAIN[150:250], sets[0][:900]]), *sets[1:])
    assert more.flagged
    assert more.copies.low <= 0.1 <= more.copies.high


def test_the_worst_are_pairs_of_rows_as_given_each_training_example_once() -> None:
    train = torch.cat([TRAIN[:5], TRAIN])  # the first five stand twice
    samples = torch.cat([REAL[:80], TRAIN[3:5], TRAIN[3:5], TRAIN[700:701]])
    worst = copying(samples, train, HELD_OUT).worst
    copies = [(p.sample, p.train, p.distance, p.ratio) for p in worst[:3]]
    assert copies == [(80, 3, 0, 0), (81, 4, 0, 0), (84, 705, 0, 0)]
    assert len(worst) == len({p.train for p in worst}) == 32
    assert [p.ratio for p in worst] == sorted(p.ratio for p in worst)
    for pair in worst[3:]:
        gap = (samples[pair.sample].double() - train[pair.train].double()).norm()
        assert pair.distance == pytest.approx(float(gap), rel=1e-5)


def test_real_data_in_other_halves_is_never_flagged() -> None:
    both = torch.cat([REAL, HELD_OUT])
    for seed in range(10):
        halves = both[torch.randperm(2000, generator=torch.Generator().manual_seed(seed))]
        found = copying(halves[:1000], TRAIN, halves[1000:])
        assert not found.flagged
        assert abs(found.z) < 4
        assert found.copies.value < 0.02


def test_fifty_held_out_examples_are_enough_for_wide_intervals() -> None:
    clean, copied = copying(REAL[:50], TRAIN, HELD_OUT[:50]), copying(TRAIN[:50], TRAIN, HELD_OUT[:50])
    assert not clean.flagged
    assert copied.flagged
    assert clean.cells == copied.cells == 1
    assert clean.authentic.high - clean.authentic.low > 0.2


def test_the_same_digits_and_the_callers_chance_is_left_alone() -> None:
    before = torch.get_rng_state()
    found = copying(REAL, TRAIN, HELD_OUT, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    assert found == copying(REAL, TRAIN, HELD_OUT, seed=3)


@given(st.integers(50, 90), st.integers(50, 90), st.integers(0, 50), st.integers(1, 4), st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_numbers_are_in_order_for_any_sets(m: int, n: int, copied: int, width: int, seed: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    train, samples, held_out = (torch.randn(k, width, generator=chance) for k in (80, m, n))
    samples[:copied] = train[:copied]
    found = copying(samples, train, held_out)
    for number in (found.copies, found.authentic, found.authentic_real):
        assert 0 <= number.low <= number.value <= number.high <= 1
    assert found.exact >= copied


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(TooFew, match="copying needs 50 samples, got 49: give more, or look"):
        copying(REAL[:49], TRAIN, HELD_OUT)
    with pytest.raises(TooFew, match="50 training examples, got 7"):
        copying(REAL, TRAIN[:7], HELD_OUT)
    with pytest.raises(TooFew, match="50 held-out examples, got 0"):
        copying(REAL, TRAIN, HELD_OUT[:0])
    with pytest.raises(TooFew, match="11 different training examples, got 3"):
        copying(REAL, TRAIN[:3].repeat(40, 1), HELD_OUT)
    with pytest.raises(ValueError, match="hold out data that was not trained on"):
        copying(REAL, TRAIN, TRAIN[:200])
    with pytest.raises(ValueError, match="not finite"):
        copying(REAL.float().log() - torch.inf, TRAIN, HELD_OUT)
    with pytest.raises(ValueError, match="widths"):
        copying(REAL[:, :50], TRAIN, HELD_OUT)
    with pytest.raises(ValueError, match="all 1,000 samples are the same"):
        copying(TRAIN[:1].expand(1000, -1), TRAIN, HELD_OUT)
