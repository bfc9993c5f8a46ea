"""The Fréchet distance with its interval, floor and bias: closed forms, torchmetrics, numerical derivatives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zerosum.metrics.better import limits, variance, verdict
from zerosum.metrics.frechet import (
    _Comparison,
    frechet,
    frechet_by_class,
    frechet_distance,
    frechet_floor,
    frechet_gap,
)
from zerosum.metrics.number import Number, TooFew


def normals(n: int, width: int, chance: torch.Generator, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    """Rows with deviations from 1 to 1/2 times the scale."""
    deviations = torch.linspace(1, 0.5, width, dtype=torch.float64) * scale
    return torch.randn(n, width, generator=chance, dtype=torch.float64) * deviations + shift


def distance(width: int, scale: float, shift: float) -> float:
    """The closed form for two such normals."""
    deviations = torch.linspace(1, 0.5, width, dtype=torch.float64)
    return width * shift**2 + float((deviations * (scale - 1)).square().sum())


class Pass(nn.Module):
    """Pictures that are features already."""

    num_features = 12

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_the_value_is_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    chance = torch.Generator().manual_seed(0)
    a, b = normals(300, 12, chance, 1.2, 0.1).float(), normals(250, 12, chance).float()
    a[:, 3:6] += a[:, :3]
    theirs = FrechetInceptionDistance(Pass())
    theirs.update(b, real=True)
    theirs.update(a, real=False)
    ours = frechet(a, b)
    assert ours.value == pytest.approx(float(theirs.compute()), rel=1e-4)
    assert ours.value == pytest.approx(frechet_distance(a, b), rel=1e-9)


def weighted(a: Tensor, b: Tensor, u: Tensor, v: Tensor) -> float:
    """The distance of two weighted sets, in a form of its own: the root of S_a S_b by its eigenvalues."""
    moments = []
    for x, w in ((a, u), (b, v)):
        mean = (w[:, None] * x).sum(0) / w.sum()
        centred = x - mean
        moments.append((mean, (w[:, None] * centred).T @ centred / w.sum()))
    (mean_a, S_a), (mean_b, S_b) = moments
    roots = torch.linalg.eigvals(S_a @ S_b).real.clamp_min(0).sqrt()
    return float((mean_a - mean_b).square().sum() + S_a.trace() + S_b.trace() - 2 * roots.sum())


def test_slopes_and_bends_are_the_derivatives_in_the_weights_of_rows() -> None:
    """By central differences; to 1 %, for covariances are taken by n - 1 here and by n there."""
    chance, n, h = torch.Generator().manual_seed(0), 400, 1e-4
    a, b = normals(n, 3, chance, 1.5, 0.3), normals(n, 3, chance)
    a[:, 2] += 0.5 * a[:, 0]
    found = _Comparison(a, b)

    def at(i: int, share_a: float, share_b: float) -> float:
        """With row i of either side a share heavier."""
        row = n * (torch.arange(n) == i).double()
        return weighted(a, b, 1 + share_a * row, 1 + share_b * row)

    rows = torch.arange(20)
    slope_a = torch.tensor([(at(i, h, 0) - at(i, -h, 0)) / (2 * h) for i in range(20)])
    slope_b = torch.tensor([(at(i, 0, h) - at(i, 0, -h)) / (2 * h) for i in range(20)])
    mixed = torch.tensor([(at(i, h, h) - at(i, h, -h) - at(i, -h, h) + at(i, -h, -h)) / (4 * h * h) for i in range(20)])
    for numeric, ours in (
        (slope_a, found.a.slopes[:20] - found.a.slopes.mean()),
        (slope_b, found.b.slopes[:20] - found.b.slopes.mean()),
        (mixed, -found.bend(found.a, found.b, (rows, rows))),
    ):
        assert torch.allclose(numeric, ours.float(), rtol=0.01, atol=0.01 * float(ours.abs().mean()))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.05, 0.02), (1.3, 0.2)])
def test_less_its_bias_the_value_is_the_closed_form(scale, shift) -> None:
    chance = torch.Generator().manual_seed(0)
    found = [frechet(normals(300, 8, chance, scale, shift), normals(700, 8, chance)) for _ in range(100)]
    unbiased = torch.tensor([x.unbiased for x in found])
    error = float(unbiased.mean()) - distance(8, scale, shift)
    assert abs(error) < 3 * float(unbiased.std()) / 10
    bias = torch.tensor([x.value - x.unbiased for x in found]).mean()
    assert float(bias) > 5 * abs(error)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.05, 0.02), (1.5, 0.4)])
def test_the_interval_holds_the_mean_value(scale, shift) -> None:
    """95 of 100 on average; 89 and fewer has a chance of 1 %. The long simulation is bench/intervals.py."""
    chance = torch.Generator().manual_seed(1)
    found = [frechet(normals(300, 8, chance, scale, shift), normals(500, 8, chance)) for _ in range(100)]
    mean = sum(x.value for x in found) / 100
    assert all(0 <= x.low <= x.value <= x.high for x in found)
    assert sum(x.low <= mean <= x.high for x in found) >= 90


def test_the_floor_of_normals_is_the_closed_form() -> None:
    """(1/n + 1/m) [tr S + 1/2 sum l_i l_j (1 + d_ij) / (l_i + l_j)]"""
    reference = normals(40_000, 6, torch.Generator().manual_seed(0))
    values = torch.linspace(1, 0.5, 6, dtype=torch.float64).square()
    pairs = values[:, None] * values / (values[:, None] + values) * (1 + torch.eye(6))
    exact = (1 / 100 + 1 / 400) * (values.sum() + pairs.sum() / 2)
    assert frechet_floor(reference, 100, 400) == pytest.approx(float(exact), rel=0.02)
    assert frechet_floor(reference, 40_000) == pytest.approx(frechet_floor(reference, 20_000, 40_000) * 2 / 3)


def test_the_floor_is_what_heavy_tails_score() -> None:
    """Moments of order four are the features' own: a formula for normals would give less than half."""
    chance = torch.Generator().manual_seed(0)
    draw = lambda n: torch.randn(n, 3, generator=chance).sinh().double()  # noqa: E731
    seen = torch.tensor([frechet_distance(draw(2000), draw(2000)) for _ in range(150)])
    population = draw(300_000)
    assert frechet_floor(population, 2000, 2000) == pytest.approx(float(seen.mean()), rel=0.15)
    S = torch.cov(population.T)
    assert float(seen.mean()) > 2 * float(S.trace()) * 2 / 2000 * (1 + 4 / 4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_turning_moving_and_scaling_both_sets(seed, factor) -> None:
    chance = torch.Generator().manual_seed(seed)
    a, b = normals(40, 4, chance, 1.2), normals(60, 4, chance)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=chance, dtype=torch.float64)).Q
    before, after = frechet(a, b), frechet(factor * (a @ turn) + 3, factor * (b @ turn) + 3)
    for name in ("value", "low", "high", "floor", "unbiased"):
        expected = factor**2 * getattr(before, name)
        assert getattr(after, name) == pytest.approx(expected, rel=1e-5, abs=1e-7 * factor**2)


def test_the_same_digits_twice_and_the_callers_chance_is_left_alone() -> None:
    chance = torch.Generator().manual_seed(0)
    a, b = normals(50, 4, chance), normals(60, 4, chance)
    before = torch.get_rng_state()
    assert frechet(a, b) == frechet(a, b)
    assert frechet_gap(a, a + 1, b) == frechet_gap(a, a + 1, b)
    assert torch.equal(before, torch.get_rng_state())
    assert frechet(a, b, seed=1).value == frechet(a, b).value
    assert frechet(a, b, seed=1).high == pytest.approx(frechet(a, b).high, rel=0.05)


def test_features_that_never_move_and_a_collapsed_set_still_have_a_number() -> None:
    chance = torch.Generator().manual_seed(0)
    a, b = normals(200, 4, chance), normals(300, 4, chance)
    dead = torch.zeros(1, 3, dtype=torch.float64)
    for name in ("value", "low", "high", "floor", "unbiased"):
        padded = frechet(torch.cat([a, dead.expand(200, 3)], 1), torch.cat([b, dead.expand(300, 3)], 1))
        assert getattr(padded, name) == pytest.approx(getattr(frechet(a, b), name), rel=1e-6)
    one = frechet(a[:, :1], b[:, :1])
    assert one.value == pytest.approx(
        float((a[:, 0].mean() - b[:, 0].mean()) ** 2 + (a[:, 0].std() - b[:, 0].std()) ** 2)
    )
    line = a[:, :1].expand(200, 4)
    assert frechet(line, b).low > frechet(a, b).high
    assert frechet(a, a).value == pytest.approx(0, abs=1e-12)


def test_by_class_with_too_few_of_one() -> None:
    chance = torch.Generator().manual_seed(0)
    a, b = normals(120, 4, chance), normals(150, 4, chance)
    y, z = torch.arange(120) % 2, torch.arange(150) % 2
    y[:3] = 2
    z[:50] = 2
    found = frechet_by_class(a, y, b, z, ["cat", "dog", "owl", "yak"])
    assert list(found) == ["cat", "dog", "owl", "yak"]
    assert found["dog"] == frechet(a[y == 1], b[z == 1])
    assert str(found["owl"]) == (
        "the Fréchet distance needs twice as many examples on each side as features (2 x 4 = 8), got 3: "
        "use KID, or fewer features"
    )
    assert isinstance(found["yak"], TooFew)
    with pytest.raises(ValueError, match="one label for each of 120 rows"):
        frechet_by_class(a, y[:-1], b, z, ["cat"])


def test_a_class_that_collapsed_has_its_number() -> None:
    chance = torch.Generator().manual_seed(0)
    a, b = normals(100, 4, chance), normals(100, 4, chance)
    y = torch.arange(100) % 2
    a[y == 1] = 0.0
    one = frechet_by_class(a, y, b, y, ["moves", "collapsed"])["collapsed"]
    assert isinstance(one, Number)
    assert one.value == pytest.approx(frechet_distance(a[y == 1], b[y == 1]), rel=1e-9)


def test_bad_input_is_refused() -> None:
    good = normals(40, 4, torch.Generator().manual_seed(0))
    for few in ((good[:7], good), (good, good[:7])):
        with pytest.raises(TooFew, match=r"2 x 4 = 8\), got 7: use KID"):
            frechet(*few)
    for bad in (good[:, :3], good / 0, good[:, 0], good[:1].expand(40, 4)):
        with pytest.raises(ValueError, match="the Fréchet distance"):
            frechet(bad, good)
        with pytest.raises(ValueError, match="the Fréchet distance"):
            frechet_gap(good, bad, good)
    with pytest.raises(TooFew):
        frechet_gap(good, good[:7], good)


def test_a_against_b() -> None:
    chance = torch.Generator().manual_seed(0)
    good, bad, reference = normals(900, 8, chance), normals(300, 8, chance, 1.2), normals(700, 8, chance)
    gap, back = frechet_gap(good, bad, reference), frechet_gap(bad, good, reference)
    assert gap.value == pytest.approx(frechet(good, reference).unbiased - frechet(bad, reference).unbiased)
    assert gap.low < -distance(8, 1.2, 0) < gap.high < 0
    assert (verdict(gap), verdict(back)) == ("yes", "no")
    assert back.value == -gap.value
    assert back.high == pytest.approx(-gap.low, rel=0.05)
    assert verdict(frechet_gap(good, normals(300, 8, chance), reference)) == "cannot tell"


def test_equally_good_ones_are_told_apart_one_time_in_twenty() -> None:
    """8 and more of 60 have a chance of 1 %. The long simulation is bench/intervals.py."""
    chance = torch.Generator().manual_seed(0)
    for scale in (1.0, 1.2):
        a, b, r = ([normals(300, 6, chance, s) for _ in range(60)] for s in (scale, scale, 1.0))
        told = [verdict(frechet_gap(*three)) for three in zip(a, b, r, strict=True)]
        assert 60 - told.count("cannot tell") < 8


def test_verdict_and_limits() -> None:
    assert verdict(Number(0.2, 0.1, 0.3, "higher")) == "yes"
    assert verdict(Number(0.2, 0.1, 0.3, "lower")) == "no"
    assert verdict(Number(-0.2, -0.3, -0.1, "higher")) == "no"
    assert verdict(Number(0.0, 0.0, 0.1, "higher")) == "cannot tell"
    assert (variance(5.0, 1.0), variance(1.0, 1.0)) == (4.0, 1.0)
    assert limits(10.0, 1.0, 0.0, 2.0, 1e9) == pytest.approx((10 - 1.96, 10 + 1.96), abs=1e-3)
    assert limits(3.0, 6.0, 1.0, 2.0, 1e9)[0] == pytest.approx(3 - 1.96, abs=1e-3)  # may be a perfect one
    assert limits(5.0, 6.0, 1.0, 2.0, 1e9) == pytest.approx((2 + 1.96 / 4, 5 + 1.96 * 5**0.5), abs=1e-3)  # is none


def test_limits_of_a_square_are_the_squares_of_limits() -> None:
    """|d + e|^2 far from 0, e of variance 1: d is within 1.96 of its estimate, so d^2 within (d -+ 1.96)^2."""
    d = 30.0
    low, high = limits(d**2, 4 * d**2, 2.0, 1.0, d**2)
    assert (low, high) == pytest.approx(((d - 1.96) ** 2, (d + 1.96) ** 2), abs=0.1)
