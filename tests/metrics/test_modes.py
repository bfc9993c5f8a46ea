"""Modes with their intervals and floors: perfect samples score the floors, and poor ones what can be counted."""

import math

import pytest
import torch

from zerosum.metrics.modes import count_modes, modes, stacked_modes
from zerosum.metrics.number import TooFew

# How often the digits 0..9 occur among MNIST's 60,000 training pictures.
MNIST = torch.tensor([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])


def ring(n: int, chance: torch.Generator, sigma: float = 0.01) -> tuple[torch.Tensor, torch.Tensor]:
    angles = torch.arange(8) * (2 * math.pi / 8)
    centres = torch.stack([angles.cos(), angles.sin()], 1)
    return centres[torch.randint(8, (n,), generator=chance)] + sigma * torch.randn(n, 2, generator=chance), centres


def test_the_numbers_are_those_of_the_count() -> None:
    samples, centres = ring(2500, torch.Generator().manual_seed(0), sigma=0.014)
    found, counted = modes(samples, centres, 0.01), count_modes(samples, centres, 0.01)
    assert found["modes found"].value == counted.found == 8
    assert found["high quality"].value == pytest.approx(counted.quality)
    assert found["mode divergence"].value == pytest.approx(counted.divergence)
    assert found["high quality"].high < found["high quality"].floor == pytest.approx(1 - math.exp(-4.5), abs=1e-6)


def test_perfect_samples_score_the_floors_and_intervals_hold() -> None:
    chance, repetitions, n = torch.Generator().manual_seed(0), 150, 500
    found = [modes(*ring(n, chance), 0.01) for _ in range(repetitions)]
    for name in ("high quality", "mode divergence"):
        numbers = [one[name] for one in found]
        values = torch.tensor([number.value for number in numbers], dtype=torch.float64)
        floor = sum(number.floor for number in numbers) / repetitions
        assert abs(float(values.mean()) - floor) < 3.5 * float(values.std()) / repetitions**0.5
        assert sum(number.low <= floor <= number.high for number in numbers) / repetitions >= 0.92
    assert found[0]["mode divergence"].floor == pytest.approx(7 / (2 * n), rel=0.03)


def test_the_ceiling_in_one_dimension_is_that_of_three_deviations() -> None:
    centres = torch.tensor([[-1.0], [1.0]])
    found = modes(centres.repeat(50, 1), centres, 0.1)
    assert found["high quality"].floor == pytest.approx(math.erf(3 / math.sqrt(2)), abs=1e-6)


def test_collapsed_and_lost_samples() -> None:
    centres = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    one = modes(torch.tensor([[1.0, 0.0]]).expand(50, 2), centres, 0.05)
    assert (one["modes found"].value, one["modes found"].high) == (1, 4)
    assert one["mode divergence"].value == pytest.approx(math.log(4))
    assert one["mode divergence"].low > 1
    with pytest.raises(TooFew, match="2 samples within 3 sigma of a centre, got 0"):
        modes(torch.full((50, 2), 9.0), centres, 0.05)


def test_stacked_digits_of_the_real_shares_score_the_floor() -> None:
    """0.0237 +- 0.0011 at n = 26,000: 999 / 2n = 0.0192, and 3 x 0.00143 as digits are not equally frequent."""
    chance, n = torch.Generator().manual_seed(0), 26_000
    shares = MNIST / MNIST.sum()
    found = [
        stacked_modes(torch.multinomial(shares, 3 * n, True, generator=chance).reshape(n, 3), MNIST) for _ in range(6)
    ]
    values = torch.tensor([one["mode divergence"].value for one in found])
    floor = found[0]["mode divergence"].floor
    unequal = 3 * float((shares * (10 * shares).log()).sum())
    assert unequal == pytest.approx(3 * 0.00143, abs=3e-5)
    assert floor == pytest.approx(999 / (2 * n) + unequal, rel=0.02)
    assert abs(float(values.mean()) - floor) < 3.5 * 0.0011 / 6**0.5
    assert all(one["mode divergence"].low <= floor <= one["mode divergence"].high for one in found)
    assert {one["modes found"].value for one in found} == {1000}


def test_a_stack_that_flattens_the_classes_is_below_the_floor() -> None:
    even = torch.cartesian_prod(*[torch.arange(10)] * 3).repeat(26, 1)
    found = stacked_modes(even, MNIST)["mode divergence"]
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.high < found.floor


def test_a_stack_of_few_modes() -> None:
    few = torch.tensor([[1, 2, 3], [1, 2, 4]]).repeat(500, 1)
    found = stacked_modes(few, MNIST)
    assert (found["modes found"].value, found["modes found"].high) == (2, pytest.approx(2 + 1.959964**2))
    assert found["mode divergence"].value == pytest.approx(math.log(500))
    with pytest.raises(ValueError, match=r"\[n 3\] in 0 to 9, got \(4, 2\)"):
        stacked_modes(torch.zeros(4, 2, dtype=torch.long), MNIST)
