"""What is seen of samples, and the numbers made of it: closed forms first."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.checkup import sight
from zerosum.checkup.sight import Cells, Reader, auc, energy, printed, seen, spread, turned


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# What is seen ------------------------------------------------------------------------------------------------------


def test_a_picture_is_seen_as_the_mean_of_each_window_and_the_deviation_within() -> None:
    """16 px: windows of 2 x 2. A left half of 0.5, and a right one that alternates between -1 and 1 in columns."""
    x = torch.full((1, 1, 16, 16), 0.5)
    x[..., 8:] = torch.tensor([-1.0, 1.0]).repeat(4)
    mean, within = seen(x).reshape(2, 8, 8)
    torch.testing.assert_close(mean, torch.tensor([0.5] * 4 + [0.0] * 4).expand(8, 8))
    torch.testing.assert_close(within, torch.tensor([0.0] * 4 + [1.0] * 4).expand(8, 8))


def test_windows_keep_their_place_and_channels_their_order() -> None:
    x = torch.zeros(1, 3, 64, 32)
    x[0, 1, 40:48, 4:8] = 1.0  # the window in row 5, column 1 of the second channel
    mean = seen(x)[0].reshape(2, 3, 8, 8)[0]
    assert mean.nonzero().tolist() == [[1, 5, 1]]
    assert float(mean.sum()) == 1


def test_small_pictures_are_seen_pixel_by_pixel() -> None:
    x = torch.rand(3, 2, 8, 8, generator=chance()) * 2 - 1
    mean, within = seen(x).reshape(3, 2, 128).unbind(1)
    torch.testing.assert_close(mean, x.flatten(1))
    assert within.abs().max() < 1e-3, "one pixel does not deviate"
    assert seen(x[:, :, :5, :6]).shape == (3, 2 * 2 * 5 * 6)
    assert seen(torch.zeros(2, 3, 17, 26)).shape == (2, 2 * 3 * 64)


def test_points_are_seen_as_they_are_in_float32_without_a_graph() -> None:
    x = torch.randn(5, 3, generator=chance()).double().requires_grad_()
    assert torch.equal(seen(x), x.detach().float())
    assert seen(torch.zeros(2, 1, 8, 8, dtype=torch.bfloat16)).dtype == torch.float32


# Distances ---------------------------------------------------------------------------------------------------------


def test_spread_is_the_mean_distance_of_two() -> None:
    assert spread(torch.tensor([[0.0, 0.0], [3.0, 4.0]])) == 5
    assert spread(torch.tensor([[0.0], [1.0], [3.0]])) == 2
    assert spread(torch.ones(4, 2)) == 0


def test_energy_of_one_mass_against_two() -> None:
    """x at 0; y half at 0, half at 1: 2 E|x - y| = 1, E|y - y'| = n / (2(n - 1)), so (1 - own) / own = (n - 2) / n."""
    x = torch.zeros(5, 1)
    for n in (2, 4, 10):
        y = torch.tensor([0.0, 1.0]).repeat(n // 2)[:, None]
        assert energy(x, y) == pytest.approx((n - 2) / n)


def test_energy_is_0_on_average_for_one_distribution_and_not_for_two() -> None:
    draw = chance(1)
    same = torch.tensor(
        [energy(torch.randn(10, 2, generator=draw), torch.randn(15, 2, generator=draw)) for _ in range(400)]
    )
    assert abs(float(same.mean())) < 4 * float(same.std()) / sqrt(len(same))
    assert (same < 0).any(), "unbiased: below 0 at times"
    far = [energy(torch.randn(10, 2, generator=draw) + 1, torch.randn(15, 2, generator=draw)) for _ in range(20)]
    assert sum(far) / 20 > 0.2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.1, 10))
def test_energy_knows_neither_place_nor_unit(seed: int, shift: float, unit: float) -> None:
    draw = chance(seed)
    x, y = torch.randn(6, 3, generator=draw), torch.randn(8, 3, generator=draw)
    found = energy(x, y)
    assert energy(unit * x + shift, unit * y + shift) == pytest.approx(found, abs=1e-3)
    order = torch.randperm(6, generator=draw)
    assert energy(x[order], y) == pytest.approx(found, abs=1e-5)


# Cells -------------------------------------------------------------------------------------------------------------


def modes(of: list[int], each: int = 30, seed: int = 0) -> torch.Tensor:
    """`each` points about each of these corners of a wide square."""
    centres = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [100.0, 100.0]])
    return centres[of].repeat_interleave(each, 0) + torch.randn(each * len(of), 2, generator=chance(seed))


@pytest.mark.parametrize("seed", range(5))
def test_every_mode_gets_cells_of_its_own(seed: int) -> None:
    data = modes([0, 1, 2, 3], seed=seed)
    found = Cells(data, 4, seed)
    assert sorted(found.shares.tolist()) == [0.25] * 4
    for mode in range(4):
        assert sorted(found.of(modes([mode], seed=9)).tolist()) == [0, 0, 0, 1], "fresh ones fall into one cell"


def test_what_is_missing_is_the_share_of_the_data_where_no_sample_falls() -> None:
    data = modes([0, 0, 0, 1, 2, 3, 3, 3])
    found = Cells(data, 12)
    assert found.missing(found.of(data)) == 0
    for made, lacking in (([0, 1, 2], 3 / 8), ([1], 7 / 8), ([2, 3], 4 / 8)):
        few = data[
            torch.cat(
                [torch.arange(30 * i, 30 * i + 30) for i, of in enumerate([0, 0, 0, 1, 2, 3, 3, 3]) if of in made]
            )
        ]
        assert found.missing(found.of(few)) == pytest.approx(lacking)


def test_a_cell_is_missing_below_a_tenth_of_its_share() -> None:
    found = Cells(modes([0, 1, 2, 3]), 4)
    rest = (1 - 0.024) / 3
    assert found.missing(torch.tensor([0.024, rest, rest, rest])) == pytest.approx(0.25)
    assert found.missing(torch.tensor([0.026, rest, rest, rest])) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 25), st.integers(0, 999))
def test_shares_sum_to_1_however_few_there_are(n: int, m: int, cells: int, seed: int) -> None:
    data = torch.randn(n, 2, generator=chance(seed)).round()  # many are the same
    found = Cells(data, cells, seed)
    assert len(found.shares) <= min(cells, n)
    assert float(found.shares.sum()) == pytest.approx(1)
    assert float(found.of(torch.randn(m, 2, generator=chance(seed + 1))).sum()) == pytest.approx(1)
    assert found.missing(found.shares) == 0


def test_data_that_are_one_point_are_one_cell() -> None:
    found = Cells(torch.ones(9, 3), 16)
    assert found.shares.tolist() == [1.0]
    assert found.missing(found.of(torch.zeros(4, 3))) == 0


def test_turned_is_the_total_variation() -> None:
    assert turned(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1
    assert turned(torch.tensor([0.5, 0.5]), torch.tensor([0.75, 0.25])) == 0.25
    assert turned(torch.tensor([0.2, 0.8]), torch.tensor([0.2, 0.8])) == 0


# Scores ------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.lists(st.integers(-3, 3), min_size=1, max_size=12))
def test_auc_is_the_share_of_pairs_in_order_ties_halved(high: list[int], low: list[int]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in high for b in low]
    a, b = torch.tensor(high).float(), torch.tensor(low).float()
    assert auc(a, b) == pytest.approx(sum(pairs) / len(pairs))
    assert auc(a, b) + auc(b, a) == pytest.approx(1)
    assert auc(a.exp(), b.exp()) == pytest.approx(auc(a, b)), "only the order counts"


# The 2 x 2 grid ----------------------------------------------------------------------------------------------------


def lone(height: int, width: int, down: int = 0, right: int = 0) -> torch.Tensor:
    """1 in every second row and column, 0 elsewhere."""
    x = torch.zeros(2, 3, height, width)
    x[:, :, down::2, right::2] = 1
    return x


@pytest.mark.parametrize(("down", "right"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_what_is_nothing_but_a_grid_is_printed_by_1(down: int, right: int) -> None:
    """1/4 of each of three waves, over the deviation of a quarter: sqrt(3)/4 both. Wherever the grid begins."""
    n = 3 * 16 * 12
    assert printed(lone(16, 12, down, right)) == pytest.approx(sqrt((n - 1) / n))
    board = (torch.arange(16)[:, None] + torch.arange(16) + down).remainder(2).float().expand(1, 1, 16, 16)
    assert printed(board) == pytest.approx(sqrt(255 / 256))


@pytest.mark.parametrize("size", [(9, 11), (8, 13), (17, 26)])
def test_of_odd_sizes_the_last_row_and_column_are_left_out(size: tuple[int, int]) -> None:
    even = lone(*size)[:, :, : size[0] // 2 * 2, : size[1] // 2 * 2]
    assert printed(lone(*size)) == pytest.approx(printed(even))


def test_a_grid_on_pictures_counts_by_its_share_and_what_differs_cancels() -> None:
    noise = torch.randn(2000, 1, 16, 16, generator=chance())
    assert printed(noise) < 0.01
    board = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2) * 2.0 - 1
    assert printed(noise + 0.3 * board) == pytest.approx(0.3 / sqrt(1 + 0.3**2), abs=0.01)
    signs = torch.randint(2, (2000, 1, 1, 1), generator=chance()) * 2 - 1
    assert printed(noise + 0.3 * signs * board) < 0.02, "not the same in all of them: drawn, not printed"
    assert printed(torch.full((2, 1, 8, 8), 0.3)) < 1e-2, "blank"


# Labels ------------------------------------------------------------------------------------------------------------


def test_a_reader_reads_what_can_be_read_and_guesses_what_cannot() -> None:
    draw = chance(3)
    y = torch.randint(4, (600,), generator=draw)
    x = torch.randn(600, 20, generator=draw)
    x[:, :4] += 6 * torch.eye(4)[y]
    reader = Reader(x[:300], y[:300], 4)
    assert reader.right(x[300:], y[300:]) > 0.97
    assert reader.right(x[300:], (y[300:] + 1) % 4) < 0.03
    shuffled = y[torch.randperm(600, generator=draw)]
    assert abs(Reader(x[:300], shuffled[:300], 4).right(x[300:], shuffled[300:]) - 0.25) < 0.1


@pytest.mark.parametrize(("examples", "classes"), [(2, 10), (50, 1), (7, 3)])
def test_a_reader_of_few_examples_or_one_class_does_not_break(examples: int, classes: int) -> None:
    x = torch.randn(examples, 128, generator=chance())
    x[:, 5] = 1.0  # a pixel that never changes
    y = torch.arange(examples) % classes
    assert Reader(x, y, classes).right(x, y) == 1


def test_no_more_windows_than_pixels_and_cells_of_both_kinds() -> None:
    assert sight.WINDOWS == 8
    assert set(sight.CELLS) == {"pictures", "points"}
