"""Records as rules read them."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.diagnosis.history import History


def history(*values: float | None, name: str = "a") -> History:
    """A look every 100 rounds from 0 on; None where the reading was not taken."""
    return History([{"round": 100.0 * i} | ({} if v is None else {name: v}) for i, v in enumerate(values)])


def test_nothing_is_known_of_no_looks() -> None:
    empty = History([])
    assert (empty.round, empty.share, empty.data("low"), empty.now("a"), empty.series("a")) == (0, 0.0, None, None, [])
    assert empty.fell("a") is None
    assert empty.since(lambda row: True) is None


def test_round_and_share_are_the_last_and_data_the_first_rows() -> None:
    rows = [{"round": 0, "share": 0.0, "data.low": -1.0}, {"round": 50, "share": 0.25, "data.low": 9.0}]
    found = History(rows, failure="it broke")
    assert (found.round, found.share, found.data("low"), found.data("high")) == (50, 0.25, -1.0, None)
    assert found.failure == "it broke"
    assert History(rows, failure="round 57: it broke").round == 57, "the run broke after the last look"
    rows.append({"round": 99})
    assert found.round == 50, "a history is of its moment"


def test_a_series_leaves_out_what_is_missing_or_not_finite() -> None:
    assert history(1.0, None, float("nan"), 2.0, float("inf"), 3.0).series("a") == [1, 2, 3]


def test_now_is_the_median_of_the_last_three() -> None:
    assert history(9.0, 9.0, 1.0, 100.0, 2.0).now("a") == 2, "one odd look does not count"
    assert history(9.0, 9.0, 1.0, 100.0, 2.0).now("a", looks=1) == 2
    assert history(1.0, 2.0, 3.0, 7.0, 8.0, 9.0).now("a", ago=3) == 2
    assert history(1.0, 2.0, 3.0, 7.0, 8.0, 9.0).now("a", looks=2, ago=1) == 7.5


def test_now_of_few_looks_is_of_what_there_is() -> None:
    assert history(4.0).now("a") == 4
    assert history(4.0, 6.0).now("a") == 5
    assert history(4.0, 6.0).now("a", ago=1) == 4
    assert history(4.0, 6.0).now("a", ago=2) is None
    assert history(4.0, 6.0).now("b") is None


finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, max_size=12), st.integers(1, 5), st.integers(0, 6))
def test_now_is_of_the_looks_before_the_last_ago(values: list[float], looks: int, ago: int) -> None:
    known = values[: len(values) - ago] if ago <= len(values) else []
    expected = median(known[-looks:]) if known else None
    assert history(*values).now("a", looks, ago) == expected


def test_fell_is_the_share_lost_of_the_least_until_so_many_looks_ago() -> None:
    falls = history(8.0, 8.0, 8.0, 7.0, 6.0, 5.0, 2.0, 2.0, 2.0)
    assert falls.fell("a") == 0.75
    assert falls.fell("a", over=0) == pytest.approx(1 - 2 / 5)
    assert history(8.0, 8.0, 2.0, *[8.0] * 6, 1.0, 9.0, 1.0).fell("a") == 0.875, "one odd look does not count"


def test_what_rose_or_swings_has_not_fallen() -> None:
    assert history(*[2.0] * 3, 0.0, 0.0, 0.0, *[5.0] * 3).fell("a") == 0
    assert history(*[8.0, 2.0] * 6).fell("a") == 0


def test_fell_is_unknown_after_too_few_looks_and_0_with_nothing_to_lose() -> None:
    assert history(8.0, 8.0, 8.0, 4.0, 3.0, 2.0, 1.0, 1.0).fell("a") is None
    assert history(8.0, 4.0, 2.0, 1.0).fell("a", over=2) is None
    assert history(8.0, 4.0, 2.0, 1.0, 1.0).fell("a", over=2) == 0.875
    assert history(*[0.0] * 3, *[1.0] * 6).fell("a") == 0
    assert history(*[-1.0] * 3, *[1.0] * 6).fell("a") == 0


@given(st.lists(st.floats(0.01, 100), max_size=14), st.integers(0, 7), st.floats(0.1, 10))
def test_what_fell_is_a_share_and_does_not_depend_on_the_unit(values: list[float], over: int, unit: float) -> None:
    found = history(*values).fell("a", over)
    assert (found is None) == (len(values) < over + 3)
    assert found is None or 0 <= found < 1
    assert history(*(unit * v for v in values)).fell("a", over) == pytest.approx(found, abs=1e-9)


def test_having_leaves_out_the_look_before_the_first_round_and_what_lacks_a_reading() -> None:
    rows = [{"share": 0.0, "a": 1.0, "b": 1.0}, {"share": 0.1, "a": 2.0}, {"share": 0.2, "a": 3.0, "b": 3.0}]
    found = History(rows)
    assert found.having("a") == rows[1:]
    assert found.having("a", "b") == rows[2:]
    assert found.having() == rows[1:]


# Since when --------------------------------------------------------------------------------------------------------


def since(holds: str, least: int = 3, odd: int = 0) -> int | None:
    """Of looks that hold (+), do not (-), or have no such reading (.)."""
    values = [{"+": 1.0, "-": 0.0, ".": None}[mark] for mark in holds]
    return history(*values).since(lambda row: row["a"] > 0.5, "a", least=least, odd=odd)


@pytest.mark.parametrize(("holds", "expected"), [
    ("+++", 0), ("-+++", 100), ("++-+++", 300), ("++", None), ("+++-", None), ("", None), ("---", None),
])  # fmt: skip
def test_since_is_the_first_of_the_looks_in_a_row_until_now(holds: str, expected: int | None) -> None:
    assert since(holds) == expected


@pytest.mark.parametrize(("holds", "odd", "expected"), [
    ("++-++", 1, 0), ("+-+-++", 1, 200), ("+-+-++", 2, 0), ("-+++", 1, 100), ("+++-", 3, None), ("+-+", 1, None),
    ("++--++", 1, None), ("++--++", 2, 0),
])  # fmt: skip
def test_odd_looks_are_passed_over_but_never_the_last(holds: str, odd: int, expected: int | None) -> None:
    assert since(holds, odd=odd) == expected


def test_looks_without_the_reading_do_not_count() -> None:
    assert since("+.+.+") == 0
    assert since("+.+.") is None
    assert since("+.+.", least=2) == 0
    assert since("-.+++..") == 200


@given(st.text("+-.", max_size=14), st.integers(1, 5), st.integers(0, 3))
def test_since_is_the_earliest_look_after_which_few_do_not_hold(holds: str, least: int, odd: int) -> None:
    known = [(100 * i, mark == "+") for i, mark in enumerate(holds) if mark != "."]
    tails = [known[i:] for i in range(len(known)) if known[i][1] and known[-1][1]]
    tails = [tail for tail in tails if sum(not held for _, held in tail) <= odd]
    expected = tails[0][0][0] if tails and sum(held for _, held in tails[0]) >= least else None
    assert since(holds, least, odd) == expected


def test_a_run_that_is_given_a_greater_length_stays_as_warm_as_it_was() -> None:
    rows = [{"round": i, "share": i / 10} for i in range(11)] + [{"round": 11, "share": 0.11}]
    assert History(rows).share == 1.0
    assert [row["share"] for row in rows][-1] == 0.11, "the records stay as they are"
