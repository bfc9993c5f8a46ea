"""The kernel distance with its interval: against loops, torchmetrics and the truth of known distributions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zerosum.metrics.better import limits, verdict
from zerosum.metrics.kernel import kid, kid_gap
from zerosum.metrics.number import TooFew


def normals(n: int, width: int, chance: torch.Generator, scale: float = 1.0) -> Tensor:
    return torch.randn(n, width, generator=chance, dtype=torch.float64) * scale + 0.5


class Pass(nn.Module):
    """Pictures that are features already."""

    num_features = 12

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all extracted features")
def test_one_subset_of_all_is_torchmetrics() -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    chance = torch.Generator().manual_seed(0)
    for scale in (1.0, 1.3):
        a, b = normals(400, 12, chance, scale), normals(400, 12, chance)
        theirs = KernelInceptionDistance(Pass(), subsets=1, subset_size=400)
        theirs.update(b, real=True)
        theirs.update(a, real=False)
        assert kid(a, b).value == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


def cube(x: Tensor, y: Tensor) -> float:
    return (float(x @ y) / len(x) + 1) ** 3


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_value_and_interval_are_those_of_plain_loops() -> None:
    """Its parts by loops over pairs; how `limits` puts them together has a test of its own."""
    chance = torch.Generator().manual_seed(0)
    a, b = list(normals(60, 3, chance, 2.0)), list(normals(70, 3, chance))
    n, m = len(a), len(b)
    within_a = [mean([cube(x, y) for j, y in enumerate(a) if i != j]) for i, x in enumerate(a)]
    within_b = [mean([cube(x, y) for j, y in enumerate(b) if i != j]) for i, x in enumerate(b)]
    across_a = [mean([cube(x, y) for y in b]) for x in a]
    across_b = [mean([cube(x, y) for x in a]) for y in b]
    value = mean(within_a) + mean(within_b) - 2 * mean(across_a)
    slopes_a = torch.tensor([2 * (p - q) for p, q in zip(within_a, across_a, strict=True)])
    slopes_b = torch.tensor([2 * (p - q) for p, q in zip(within_b, across_b, strict=True)])
    first = float(slopes_a.var() / n + slopes_b.var() / m)

    def centred(x: list[Tensor], y: list[Tensor], rows: list[float], columns: list[float]) -> float:
        squares = [
            (cube(p, q) - rows[i] - columns[j] + mean(rows)) ** 2
            for i, p in enumerate(x)
            for j, q in enumerate(y)
            if p is not q
        ]
        return mean(squares)

    second = 2 * (
        centred(a, a, within_a, within_a) / n**2
        + centred(b, b, within_b, within_b) / m**2
        + 2 * centred(a, b, across_a, across_b) / (n * m)
    )
    found = kid(torch.stack(a), torch.stack(b))
    assert found.value == pytest.approx(value, rel=1e-9)
    of_samples = mean([cube(x, y) for x in a for y in a]) + mean([cube(x, y) for x in b for y in b])
    low, high = limits(value, first, second, 0.0, of_samples - 2 * mean(across_a))
    # that the mean of the kernel's squares was centred by means over different rows is an error of 1 of n
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.005 * (high - low))


def test_blocks_do_not_show() -> None:
    """1,500 and 1,200 rows are two blocks each; the kernel at once is the reference."""
    chance = torch.Generator().manual_seed(0)
    a, b = normals(1500, 4, chance, 1.1), normals(1200, 4, chance)
    aa, bb, ab = ((x @ y.T / 4 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    expected = (
        (aa.sum() - aa.trace()) / (1500 * 1499) + (bb.sum() - bb.trace()) / (1200 * 1199) - 2 * ab.sum() / (1500 * 1200)
    )
    assert kid(a, b).value == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1.05, 1.4])
def test_the_interval_holds_the_mean_value(scale) -> None:
    """95 of 100 on average; 89 and fewer has a chance of 1 %. The long simulation is bench/intervals.py."""
    chance = torch.Generator().manual_seed(2)
    found = [kid(normals(200, 8, chance, scale), normals(300, 8, chance)) for _ in range(100)]
    average = mean([x.value for x in found])
    assert sum(x.low <= average <= x.high for x in found) >= 90
    if scale == 1:
        spread = torch.tensor([x.value for x in found]).std()
        assert abs(average) < 3 * float(spread) / 10
        assert {x.floor for x in found} == {0.0}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_order_and_turning_do_not_count(seed) -> None:
    chance = torch.Generator().manual_seed(seed)
    a, b = normals(30, 4, chance, 1.2), normals(25, 4, chance)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=chance, dtype=torch.float64)).Q
    before, after = kid(a, b), kid(a[torch.randperm(30, generator=chance)] @ turn, b @ turn)
    for name in ("value", "low", "high"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-6, abs=1e-9)
    assert kid(b, a).value == pytest.approx(before.value, abs=1e-9)


def test_a_against_b() -> None:
    chance = torch.Generator().manual_seed(0)
    good, bad, reference = normals(900, 8, chance), normals(300, 8, chance, 1.3), normals(700, 8, chance)
    gap, back = kid_gap(good, bad, reference), kid_gap(bad, good, reference)
    assert gap.value == pytest.approx(kid(good, reference).value - kid(bad, reference).value)
    assert (back.value, back.low, back.high) == pytest.approx((-gap.value, -gap.high, -gap.low))
    assert (verdict(gap), verdict(back)) == ("yes", "no")
    assert verdict(kid_gap(good, normals(300, 8, chance), reference)) == "cannot tell"


def test_equally_good_ones_are_told_apart_one_time_in_twenty() -> None:
    """8 and more of 60 have a chance of 1 %. The long simulation is bench/intervals.py."""
    chance = torch.Generator().manual_seed(0)
    for scale in (1.0, 1.2):
        a, b, r = ([normals(200, 6, chance, s) for _ in range(60)] for s in (scale, scale, 1.0))
        told = [verdict(kid_gap(*three)) for three in zip(a, b, r, strict=True)]
        assert 60 - told.count("cannot tell") < 8


def test_bad_input_is_refused() -> None:
    good = normals(40, 4, torch.Generator().manual_seed(0))
    for few in ((good[:19], good), (good, good[:19])):
        with pytest.raises(TooFew, match="KID needs at least 20 examples on each side, got 19"):
            kid(*few)
    for bad in (good[:, :3], good / 0, good[:, 0], good[:1].expand(40, 4)):
        with pytest.raises(ValueError, match="KID"):
            kid(bad, good)
    with pytest.raises(TooFew):
        kid_gap(good, good[:5], good)
