"""Every rule on records that show its disease, on records that nearly do, and on anything at all."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.diagnosis import rules
from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.finding import SEVERITIES
from zerosum.diagnosis.rules import RULES, diagnose

Row = dict[str, float]
Planted = Callable[[int, float], Row]  # what look i, at a share of the length, shows that a healthy one does not
LOOKS, EVERY = 50, 20


def healthy(i: int) -> Row:
    """Look i of a run that learns: samples come nearer to the data, D stays a little ahead, nobody is thrown about."""
    share = i / LOOKS
    row = {
        "round": EVERY * i,
        "share": share,
        "nonfinite": 0.0,
        "maker.weight": 20.0 + share,
        "judge.weight": 10.0 + share,
        "samples.gradient": 0.1 if i == 0 else 0.3,
        "real.score": 1.0,
        "fake.score": -1.0,
        "score.spread": 1.0,
        "auc": 0.5 if i == 0 else max(0.7, 0.98 - share),
        "held.auc": 0.51,
        "diversity": min(0.95, 0.2 + 6 * share),
        "missing": max(0.0, 0.9 - 9 * share),
        "distance": max(0.005, 2.0 * 0.75**i),
        "twins": 0.0,
        "contrast": 0.6,
        "checkerboard": 0.01,
        "leak": 3.0 if i == 0 else 0.0,
        "label": 0.8,
        "copies": 0.01,
        "moved": 0.6,
        "translated": 0.9,
    }
    if i:
        row |= {"maker.step": 0.01, "judge.step": 0.01, "change": 0.3, "turnover": 0.15}
    else:
        row |= {"data.low": -1.0, "data.high": 1.0, "data.contrast": 0.6, "data.checkerboard": 0.002}
        row |= {"data.label": 0.85, "data.chance": 0.1, "data.examples": 60_000.0}
    return row


def run(planted: Planted = lambda i, share: {}, looks: int = LOOKS) -> list[Row]:
    return [healthy(i) | planted(i, i / LOOKS) for i in range(looks)]


def swing(i: int, low: float, high: float) -> float:
    return high if i % 2 else low


SICK: dict[str, Planted] = {
    "wrong-range": lambda i, share: {"data.low": -1.0, "data.high": -0.88, "data.contrast": 0.04} if i == 0 else {},
    "dead-start": lambda i, share: {"diversity": 1e-7, "change": 1e-9, "distance": 1.5} if i else {},
    "divergence": lambda i, share: {
        "real.score": 50 * 1.5**i,
        "samples.gradient": 1.5**i,
        "judge.weight": 10.0 + i,
        "distance": 0.5,
    },
    "learning-rate-too-high": lambda i, share: {
        "maker.weight": 20.0 * min(5, 1 + i),
        "judge.weight": 10.0 * min(5, 1 + i),
        "distance": 0.8,
    },
    "learning-rate-too-low": lambda i, share: (
        {
            "maker.step": 1e-5,
            "judge.step": 1e-5,
            "distance": 2.0,
            "change": 1e-3,
            "samples.gradient": 0.1,
        }
        if i
        else {}
    ),
    "vanishing-gradient": lambda i, share: (
        {
            "auc": 1.0,
            "samples.gradient": 1e-4,
            "change": 1e-3,
            "distance": 2.0,
        }
        if i
        else {}
    ),
    "d-overpowers": lambda i, share: (
        {
            "auc": 1.0,
            "judge.step": 0.02,
            "maker.step": 0.0004,
            "distance": 2.0 - share / 5,
            "change": 0.2,
        }
        if i
        else {}
    ),
    "g-overpowers": lambda i, share: (
        {
            "auc": swing(i, 0.1, 0.7),
            "samples.gradient": 0.05,
            "distance": 1.5,
            "change": 0.2,
        }
        if i
        else {}
    ),
    "oscillation": lambda i, share: (
        {
            "auc": swing(i, 0.2, 0.9),
            "change": 1.2,
            "distance": swing(i, 0.5, 0.8),
            "missing": 0.3,
            "turnover": 0.9,
        }
        if i
        else {}
    ),
    "mode-hopping": lambda i, share: {"turnover": 0.9, "missing": 0.6, "change": 0.8, "distance": 0.5} if i else {},
    "mode-collapse": lambda i, share: {"diversity": 0.02, "twins": 1.0, "missing": 0.9, "distance": 1.0},
    "partial-collapse": lambda i, share: {"missing": 0.5, "diversity": 0.7, "distance": 0.4},
    "batch-statistics-leak": lambda i, share: {"leak": 1.2},
    "checkerboard": lambda i, share: {"checkerboard": 0.2},
    "g-copies": lambda i, share: {"copies": min(1.0, 2 * share)},
    "d-memorises": lambda i, share: {"held.auc": 0.5 + share / 2},
    "label-ignored": lambda i, share: {"label": 0.1},
    "identity-shortcut": lambda i, share: {"moved": 0.02, "translated": 0.05},
}


def names(rows: list[Row], failure: str | None = None) -> list[str]:
    return [finding.disease for finding in diagnose(rows, failure)]


def test_a_run_that_learns_is_healthy_at_every_look() -> None:
    rows = run()
    for looks in range(5, LOOKS + 1):
        assert names(rows[:looks]) == ["healthy"], looks
    (last,) = diagnose(rows)
    assert "50 %" in last.sentence, "D is near a coin, and that is said to be good"
    assert names(rows[:3]) == [], "of three looks nothing is said"
    assert names([]) == []


@pytest.mark.parametrize("disease", SICK)
def test_each_disease_is_named_first_within_a_quarter(disease: str) -> None:
    rows = run(SICK[disease])
    late = {"label-ignored": 0.7, "d-memorises": 0.5, "checkerboard": 0.55, "partial-collapse": 0.35}.get(
        disease, 0.25
    )  # what takes time to show itself
    found = diagnose(rows[: int(late * LOOKS) + 1])
    assert found[0].disease == disease, found
    assert found[0].severity in SEVERITIES[1:]
    assert found[0].cause == DISEASES[disease].cause
    assert found[0].remedies == DISEASES[disease].remedies
    json.dumps(found[0].as_row(), allow_nan=False)


FROM_THE_START = ("wrong-range", "dead-start", "learning-rate-too-high", "divergence", "label-ignored")


@pytest.mark.parametrize("disease", [name for name in SICK if name not in FROM_THE_START])
def test_evidence_begins_when_the_disease_does(disease: str) -> None:
    """A run that falls ill at look 25 is called healthy until then; the finding says that look, not an earlier one."""
    onset = 25

    def later(i: int, share: float) -> Row:
        return SICK[disease](i, share) if i >= onset else {}

    rows = run(later)
    assert names(rows[:onset]) == ["healthy"]
    found = {finding.disease: finding for finding in diagnose(rows)}
    assert disease in found, found.keys()
    assert onset * EVERY <= found[disease].first <= (onset + 12) * EVERY


def test_a_run_that_broke_says_why() -> None:
    found = diagnose(run(looks=3), "round 41: adversarial of player D is nan")[0]
    assert (found.disease, found.severity) == ("non-finite", "fatal")
    assert "round 41" in found.sentence
    assert names(run(lambda i, share: {"nonfinite": 0.2} if i >= 40 else {}))[0] == "non-finite"
    assert names(run(lambda i, share: {"nonfinite": 0.2} if i == 10 else {})) == ["healthy"], "it has passed"


def test_what_nearly_looks_sick_is_not() -> None:
    """A D that is never wrong, as DCGAN's: samples get nearer all the same. Few kinds at first, as every G makes."""
    assert names(run(lambda i, share: {"auc": 1.0} if i else {})) == ["healthy"]
    slow = run(lambda i, share: {"missing": max(0.0, 0.9 - 1.5 * share), "distance": 2.0 * 0.9**i})
    assert {name for looks in range(5, LOOKS) for name in names(slow[:looks])} <= {"healthy"}
    inverted = run(lambda i, share: {"auc": 0.02} if i else {})
    assert names(inverted) == ["healthy"], "an autoencoder as D ranks them the other way round, and surely"
    rests = run(lambda i, share: {"maker.step": 1e-6, "judge.step": 1e-6} if share > 0.9 else {})
    assert names(rests) == ["healthy"], "learning rates that fall to 0 at the end"
    leaks = run(lambda i, share: {"leak": 2.0} if i < 4 else {})
    assert names(leaks) == ["healthy"], "running statistics need their time"


def test_partial_collapse_is_not_said_beside_a_whole_one() -> None:
    found = names(run(SICK["mode-collapse"]))
    assert "mode-collapse" in found
    assert "partial-collapse" not in found


def test_the_gravest_comes_first() -> None:
    rows = run(
        lambda i, share: {"checkerboard": 0.2, "nonfinite": 0.5 * (i == LOOKS - 1)} | SICK["mode-collapse"](i, share)
    )
    grave = [SEVERITIES.index(finding.severity) for finding in diagnose(rows)]
    assert grave == sorted(grave, reverse=True)
    assert grave[0] == SEVERITIES.index("fatal")


READINGS = sorted(set(healthy(0)) | set(healthy(1)))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_that_can_be_read_breaks_a_rule(data: Any) -> None:
    """Rows with any finite numbers, any of them missing, give findings that are whole."""
    number = st.floats(-1e30, 1e30) | st.sampled_from([0.0, 1.0, -1.0])
    rows = []
    for i in range(data.draw(st.integers(1, 14))):
        kept = data.draw(st.lists(st.sampled_from(READINGS), unique=True))
        row = {name: data.draw(number) for name in kept}
        rows.append(row | {"round": EVERY * i, "share": i / 14, "nonfinite": 0.0})
    for finding in diagnose(rows):
        assert finding.disease in DISEASES
        assert 0 <= finding.first <= finding.round == rows[-1]["round"]
        assert finding.sentence.endswith(".") or ")" in finding.sentence
        json.dumps(finding.as_row(), allow_nan=False)


def test_every_disease_has_its_rule_and_no_rule_a_recipe() -> None:
    told = set(SICK) | {"non-finite", "healthy"}
    assert told == set(DISEASES)
    assert len(RULES) == len(DISEASES) - 1, "health is what is left"
    from zerosum.recipes import RECIPES

    for module in (rules, rules.broken, rules.duel, rules.samples, rules.health):
        words = set(inspect.getsource(module).replace('"', " ").replace("'", " ").split())
        assert not words & set(RECIPES), f"{module.__name__} names a recipe"
