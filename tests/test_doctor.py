"""The doctor at the table: when it looks, what it keeps, what it says, and what that costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from zerosum import doctor as module
from zerosum import run, settings
from zerosum.diagnosis.finding import Finding
from zerosum.doctor import Doctor


class Seen:
    """A checkup whose rows are planted."""

    def __init__(self, *rows: dict[str, float], **facts: float):
        self.rows, self.facts, self.reference = list(rows), facts, self
        self.heard: list[Any] = []
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1

    def hear(self, rows) -> None:
        self.heard += rows

    def look(self) -> dict[str, float]:
        return self.rows.pop(0)


def doctor(*rows: dict[str, float], cost: float = 0.05, **facts: float) -> Doctor:
    made = Doctor(None, None, None, cost)  # type: ignore[arg-type]
    made._checkup = Seen(*rows, **facts)  # type: ignore[assignment]
    return made


def after(*seconds: float, cost: float = 0.05) -> Doctor:
    """A doctor whose looks took so long."""
    made = doctor(cost=cost)
    made.rows = [{"round": 100.0 * i, "share": i / 100, "seconds": s} for i, s in enumerate(seconds)]
    return made


def finding(disease: str, severity: str = "mild") -> Finding:
    return Finding(disease, severity, 0, 100, "so it is")


# What looking costs ------------------------------------------------------------------------------------------------


def test_looks_take_their_share_of_the_time_and_no_more() -> None:
    looked = after(1.0, 2.0, 3.0)
    assert looked.spent == 6
    looked.prepare(179)
    assert not looked.waits, "6 seconds and 3 more are 5 % of 180"
    looked.prepare(181)
    assert looked.waits
    assert looked.checkup.begun == 1  # type: ignore[attr-defined]


def test_the_next_look_is_taken_to_be_as_long_as_the_longest_of_the_last_three() -> None:
    looked = after(9.0, 8.0, 1.0, 4.0, 1.0)
    looked.prepare(20 * (23 + 4) - 1)
    assert not looked.waits
    looked.prepare(20 * (23 + 4) + 1)
    assert looked.waits


def test_over_a_run_no_more_is_spent_than_the_share_and_one_look() -> None:
    looked, seconds = doctor(*({"round": float(i), "nonfinite": 0.0} for i in range(200))), 0.0
    looked.look(0.0)
    for i in range(199):
        seconds += 1.0
        looked.prepare(seconds)
        if looked.waits:
            looked.look(0.5)
            looked.rows[-1]["seconds"] = 0.4 if i % 2 else 0.1
    assert looked.spent <= 0.05 * seconds + 0.4
    assert looked.spent >= 0.05 * seconds - 1


def test_without_a_share_nothing_is_looked_at_or_kept() -> None:
    looked = Doctor(None, None, None, 0.0)  # type: ignore[arg-type]
    looked.prepare(1e9)
    looked.hear([{"G.adversarial": 1.0}])
    assert not looked.waits
    assert looked._checkup is None, "the data was not gone through"
    assert looked.summary() == {}


def test_readings_are_passed_on_and_a_look_ends_the_wait() -> None:
    looked = doctor({"round": 5.0, "nonfinite": 0.0})
    looked.prepare(1.0)
    looked.hear([{"D.r1": 1.0}, {"D.r1": 2.0}])
    assert looked.checkup.heard == [{"D.r1": 1.0}, {"D.r1": 2.0}]  # type: ignore[attr-defined]
    looked.look(0.5)
    assert not looked.waits


# Rows --------------------------------------------------------------------------------------------------------------


def test_the_first_row_has_the_facts_of_the_data_and_no_other() -> None:
    looked = doctor(*({"round": float(i), "nonfinite": 0.0} for i in range(2)), **{"data.low": -1.0})
    first, second = looked.look(0.0)[0], looked.look(0.12345678)[0]
    assert first["data.low"] == -1
    assert "data.low" not in second
    assert (first["share"], second["share"]) == (0, 0.123457)
    assert 0 <= first["seconds"] < 1
    assert looked.rows == [first, second]


def test_what_is_not_finite_is_left_out_and_counted() -> None:
    bad = {"auc": float("nan"), "real.score": float("inf"), "fake.score": float("-inf")}
    row, _ = doctor({"round": 7.0, "nonfinite": 0.0, "distance": 1.0} | bad).look(0.5)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert not bad.keys() & row.keys()
    assert row["nonfinite"] == pytest.approx(3 / 8)
    row, _ = doctor({"round": 7.0, "nonfinite": 0.9} | bad).look(0.5)
    assert row["nonfinite"] == 0.9, "the share of samples, where that is more"


def test_a_look_at_a_broken_game_is_strict_json_and_says_so(small) -> None:
    chosen = settings.resolve("r1gan", None, small("r1gan"))
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=100))
    with torch.no_grad():
        next(session.game.G.parameters()).fill_(float("nan"))
    row, news = session.doctor.look(0.0)
    json.dumps(row, allow_nan=False)
    assert row["nonfinite"] == 1
    assert [each.disease for each in news] == ["non-finite"]
    json.dumps([each.as_row() for each in news], allow_nan=False)


# News --------------------------------------------------------------------------------------------------------------


def test_news_are_what_was_not_there_before_or_not_of_that_severity(monkeypatch) -> None:
    mild, severe, other = finding("checkerboard"), finding("checkerboard", "severe"), finding("g-copies")
    told = iter([[mild], [mild], [severe, other], [severe, other], [mild], [], [mild]])
    monkeypatch.setattr(module, "diagnose", lambda rows, failure=None: next(told))
    looked = doctor(*({"round": float(i), "nonfinite": 0.0} for i in range(7)))
    news = [looked.look(0.1)[1] for _ in range(7)]
    assert news == [[mild], [], [severe, other], [], [mild], [], [mild]]


def test_what_was_found_is_remembered_over_a_resume(monkeypatch) -> None:
    rows = [{"round": float(i), "seconds": 1.0} for i in range(3)]
    monkeypatch.setattr(module, "diagnose", lambda rows, failure=None: [finding("g-copies")] if len(rows) > 2 else [])
    looked = doctor({"round": 3.0, "nonfinite": 0.0}, **{"data.low": 0.0})
    looked.recall(rows)
    assert looked.findings == [finding("g-copies")]
    row, news = looked.look(0.9)
    assert news == [], "it was said before"
    assert "data.low" not in row
    assert [each["round"] for each in looked.rows] == [0, 1, 2, 3]


def test_a_run_that_broke_is_told_why() -> None:
    looked = after(1.0, 1.0)
    news = looked.conclude("round 7: adversarial of player G is nan")
    assert [(each.disease, each.severity) for each in news] == [("non-finite", "fatal")]
    assert "round 7" in news[0].sentence
    assert looked.conclude("round 7: adversarial of player G is nan") == []


def test_the_end_tells_what_was_found_and_what_it_cost(monkeypatch) -> None:
    monkeypatch.setattr(module, "diagnose", lambda rows, failure=None: [finding("g-copies", "severe")])
    looked = after(9.0, 0.25, 0.5)
    assert looked.summary() == {}
    looked.conclude()
    found = [{"disease": "g-copies", "severity": "severe", "first": 0}]
    assert looked.summary() == {"doctor": {"findings": found, "looks": 3, "seconds": 9.75}}


# In a run ----------------------------------------------------------------------------------------------------------


def test_a_resumed_run_goes_on_with_its_looks(tmp_path, small, monkeypatch) -> None:
    monkeypatch.setattr(Doctor, "spent", -1e9)  # every look is affordable
    asked = small("gan") | {"checkups": "1 rounds", "checkpoints": "1 rounds", "quality_cost": 0, "checkup_cost": 1}
    chosen = settings.resolve("gan", None, asked | {"length": "3 rounds"})
    session = run.begin(chosen, tmp_path / "run")
    run.conduct(session, lambda row, progress: None)
    before = session.folder.checked()
    again, _ = run.go_on(session.folder, "6 rounds")
    assert again.doctor.rows == before
    run.conduct(again, lambda row, progress: None)
    after = again.folder.checked()
    assert after[: len(before)] == before
    later = after[len(before) :]
    assert [row["round"] for row in later][:2] == [5, 6]
    assert ["data.examples" in row for row in after] == [True] + [False] * (len(after) - 1)
    assert later[0]["D.adversarial~"] >= 0, "readings are heard again"
    assert "change" in later[1]
