"""Precision, recall, density and coverage: against loops over a matrix of all distances, and against their means."""

import time
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import zerosum.metrics.coverage as module
from zerosum.metrics.coverage import Coverage, coverage
from zerosum.metrics.number import TooFew


def normals(n: int, width: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def matrix(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances from differences, exact for whole numbers."""
    return (a.double()[:, None] - b.double()).square().sum(2)


def by_loops(x: Tensor, y: Tensor, k: int) -> list[float]:
    """Precision, recall, density, coverage, one pair of points after another."""
    radius_x = [sorted(row)[k] for row in matrix(x, x).tolist()]  # the first is the point itself
    radius_y = [sorted(row)[k] for row in matrix(y, y).tolist()]
    n, m, between = len(x), len(y), matrix(x, y).tolist()
    held = [sum(between[i][j] <= radius_y[j] for j in range(m)) for i in range(n)]
    covering = [sum(between[i][j] <= radius_x[i] for i in range(n)) for j in range(m)]
    reached = [any(between[i][j] <= radius_y[j] for i in range(n)) for j in range(m)]
    return [sum(h > 0 for h in held) / n, sum(c > 0 for c in covering) / m, sum(held) / (n * k), sum(reached) / m]


def values(found: Coverage) -> list[float]:
    return [found.precision.value, found.recall.value, found.density.value, found.coverage.value]


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(30, 70)] * 2), st.integers(1, 3), st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_values_are_those_of_loops_even_with_copies_and_ties(counts, k, width, seed, whole) -> None:
    """Whole numbers -1..1 in few dimensions: most points have copies, and most borders points on them."""
    n, m = counts
    x, y = normals(n, width, seed, 1.2) + 0.3, normals(m, width, seed + 100)
    if whole:
        x, y = x.round().clamp(-1, 1), y.round().clamp(-1, 1)
        x[0], x[1] = -1, 1
    assert values(coverage(x, y, k)) == pytest.approx(by_loops(x, y, k), abs=1e-12)


def test_blocks_do_not_change_a_digit(monkeypatch) -> None:
    x, y = normals(120, 8, 0, 0.8), normals(95, 8, 1)
    assert values(coverage(x, y)) == pytest.approx(by_loops(x, y, 5), abs=1e-12)
    once = coverage(x, y)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert coverage(x, y) == once


def test_copies_of_the_reference_are_inside_wherever_it_lies() -> None:
    """Each ball holds its middle and its k neighbours: density (k + 1) / k, all else 1."""
    y = normals(200, 5, 0) + 1000
    found = coverage(y.flip(0), y)
    assert values(found) == pytest.approx([1, 1, 6 / 5, 1], abs=1e-12)
    many = y.repeat_interleave(10, 0)  # more copies than k: every radius is 0
    assert values(coverage(y, many)) == pytest.approx([1, 1, 10 / 5, 1], abs=1e-12)
    assert coverage(y + 1e4, y).coverage.value == coverage(y + 1e4, y).precision.value == 0


def test_one_sample_far_out_does_not_blur_the_others() -> None:
    x, y = normals(300, 8, 0), normals(300, 8, 1)
    before = coverage(x, y)
    x[7] = 1e12
    after = coverage(x, y)
    for one, other in zip(values(before), values(after), strict=True):
        assert one == pytest.approx(other, abs=0.03)
    far = coverage(x + 3, y)
    assert far.precision.value < 0.2


@pytest.mark.parametrize(("n", "m", "k"), [(60, 60, 5), (50, 200, 5), (200, 50, 3), (30, 40, 1)])
def test_density_and_coverage_of_perfect_samples_have_the_floors_as_their_means(n, m, k) -> None:
    """They do not depend on the distribution, so this one has two heavy tails and a cluster."""
    chance, repetitions = torch.Generator().manual_seed(0), 60
    seen = []
    for _ in range(repetitions):
        z = torch.randn(n + m, 3, generator=chance).exp()
        z[::3] *= 0.1
        z = z[torch.randperm(n + m, generator=chance)]
        seen.append(values(coverage(z[:n], z[n:], k))[2:])
    found = coverage(z[:n], z[n:], k)
    assert found.density.floor == 1
    assert found.coverage.floor == pytest.approx(
        1 - prod(range(m - k, m)) / prod(range(n + m - k, n + m)), rel=1e-12
    )  # Naeem et al. 2020, proposition 2, equation 9
    means, errors = torch.tensor(seen).mean(0), torch.tensor(seen).std(0) / repetitions**0.5
    assert abs(float(means[0]) - 1) < 3.5 * float(errors[0])
    assert abs(float(means[1]) - found.coverage.floor) < 3.5 * float(errors[1])


def jackknife(moved: Tensor) -> float:
    """Of what each of m points moves each of n queries by [m n], without the chance that the queries add."""
    m, n = moved.shape
    return float((m - 1) / m * ((m - 1) * moved.mean(1).var() - (moved.var(1) / n).sum()))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_balls_part_of_the_variance_is_a_jackknife(k) -> None:
    """For the share, each point of the reference left out in turn and all balls found anew; for the number, by loops.

    The number's balls do not grow by the one gap to the next neighbour but by the mean of k gaps about it.
    """
    x, y = module._on_grid(normals(300, 2, 0, 0.8) + 2, normals(60, 2, 1))
    near, who = matrix(y, y).sort(1)
    inside = matrix(x, y) <= near[:, k]

    def hits(y: Tensor) -> Tensor:
        return (matrix(x, y) <= matrix(y, y).sort(1).values[:, k]).any(1).double()

    share = torch.stack([hits(torch.cat([y[:out], y[out + 1 :]])) - hits(y) for out in range(60)])
    ring = [(matrix(x, y) <= near[:, rank]).double() for rank in (k - k // 2, k + (k + 1) // 2)]
    grown = (ring[1] - ring[0]) / k
    number = torch.stack(
        [grown[:, (who[:, 1 : k + 1] == out).any(1)].sum(1) - inside[:, out].double() for out in range(60)]
    )
    balls = module._balls(y, k)
    held, of_share = module._held(x, y, balls)
    assert torch.equal(held, inside.sum(1).double())
    assert float(of_share) == pytest.approx(jackknife(share), rel=1e-9)
    assert of_share > 0
    assert float(module._variance_of_number(x, y, balls)) == pytest.approx(jackknife(number), rel=1e-9)


def test_intervals_hold_the_mean_about_as_often_as_they_say() -> None:
    """A small simulation; bench/intervals_coverage.py is the large one."""
    chance, names = torch.Generator().manual_seed(0), ("precision", "recall", "density", "coverage")
    draws = [
        coverage(torch.randn(150, 6, generator=chance) + 0.6, torch.randn(100, 6, generator=chance)) for _ in range(60)
    ]
    for name in names:
        numbers = [getattr(draw, name) for draw in draws]
        mean = sum(number.value for number in numbers) / len(numbers)
        assert sum(number.low <= mean <= number.high for number in numbers) / len(numbers) >= 0.85
        widths = torch.tensor([number.high - number.low for number in numbers]) / 3.92
        assert 0.75 < widths.mean() / torch.tensor([number.value for number in numbers]).std() < 1.4
        assert all(0 <= number.low <= number.value <= number.high for number in numbers)
        assert {number.better for number in numbers} == {"higher"}


def test_intervals_at_the_ends_are_those_of_a_share() -> None:
    """Wilson's: with 0 or n of n, from 0 to z^2 / (n + z^2)."""
    x, y = normals(100, 4, 0) + 50, normals(100, 4, 1)
    found = coverage(x, y)
    z2 = 1.959964**2
    for number in (found.precision, found.recall, found.coverage):
        assert (number.value, number.low) == (0, pytest.approx(0, abs=1e-12))
        assert number.high == pytest.approx(z2 / (100 + z2), rel=1e-6)
    assert (found.density.value, found.density.low, found.density.high) == (0, 0, 0)


def test_same_input_same_digits_and_the_callers_chance_is_left_alone() -> None:
    x, y = normals(200, 6, 0), normals(150, 6, 1)
    before = torch.get_rng_state()
    assert coverage(x, y, seed=3) == coverage(x, y, seed=3)
    assert values(coverage(x, y, seed=3)) == values(coverage(x, y, seed=4))
    assert coverage(x, y, seed=3) != coverage(x, y, seed=4)
    assert torch.equal(before, torch.get_rng_state())


def test_two_thousand_points_take_seconds() -> None:
    x, y = normals(2000, 64, 0), normals(2000, 64, 1)
    start = time.process_time()
    coverage(x, y)
    assert time.process_time() - start < 5


def test_what_cannot_be_compared_is_refused() -> None:
    x = normals(100, 4, 0)
    for pair in ((x[:49], x), (x, x[:49])):
        with pytest.raises(TooFew, match=r"coverage needs 50 points on each side .*, got 49: give more"):
            coverage(*pair)
    with pytest.raises(ValueError, match=r"widths \[3, 4\]"):
        coverage(x, x[:, :3])
    with pytest.raises(ValueError, match="not finite"):
        coverage(torch.full((100, 4), torch.nan), x)
    with pytest.raises(ValueError, match="all 100 samples are the same"):
        coverage(torch.ones(100, 4), x)
