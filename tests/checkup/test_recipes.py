"""A checkup beside every recipe: it sees numbers, and changes nothing."""

from __future__ import annotations

import json
from math import isfinite

import pytest

from zerosum import run, settings
from zerosum.doctor import Doctor
from zerosum.game import Game
from zerosum.recipes import RECIPES

EVERYWHERE = {
    "maker.step", "maker.gradient", "maker.weight", "samples.gradient", "diversity", "missing", "uneven", "distance",
    "twins", "change", "turnover", "nonfinite", "share", "seconds",
}  # fmt: skip
WHERE_D_IS = {"judge.step", "real.score", "fake.score", "held.score", "score.spread", "auc", "held.auc", "accuracy"}
SHARES = {"auc", "held.auc", "accuracy", "missing", "uneven", "twins", "turnover", "copies", "label"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_that_is_looked_at_is_the_same_run(recipe: str, tmp_path, small, same_run, monkeypatch) -> None:
    monkeypatch.setattr(Doctor, "spent", -1e9)  # every look is affordable
    asked = small(recipe) | {"length": "4 rounds", "checkups": "1 rounds", "pictures": "100 %", "quality_cost": 0}
    asked |= {"sampling_steps": 3} if recipe == "ddpm" else {}
    for name, cost in (("looked", 1), ("alone", 0)):
        chosen = settings.resolve(recipe, None, asked | {"checkup_cost": cost})
        session = run.begin(chosen, tmp_path / name)
        assert run.conduct(session, lambda row, progress: None) == "finished"
    same_run(tmp_path / "looked", tmp_path / "alone")
    assert not (tmp_path / "alone" / "checkups.jsonl").exists()

    rows = [json.loads(line) for line in (tmp_path / "looked" / "checkups.jsonl").read_text().splitlines()]
    assert [row["round"] for row in rows][:4] == [0, 2, 3, 4]
    assert all(isfinite(value) for row in rows for value in row.values())
    assert all(row["nonfinite"] == 0 for row in rows)
    judges = type(session.game).judge is not Game.judge
    needed = EVERYWHERE | (WHERE_D_IS if judges else set())
    if session.held_out is None:
        needed -= {"held.score", "held.auc"}
    assert needed - {"twins"} <= rows[2].keys(), "of 30 examples twins say nothing"
    assert "twins" not in rows[2]
    assert rows[2]["samples.gradient"] > 0
    assert 0 < rows[2]["maker.step"] < 1
    for name in SHARES & rows[2].keys():
        assert 0 <= rows[2][name] <= 1


@pytest.mark.parametrize("n", [1, 2, 3, 20])
@pytest.mark.parametrize("recipe", ["gan", "dcgan", "cgan", "pacgan", "progan"])
def test_few_examples_are_looked_at_as_often_as_it_takes(recipe: str, n: int, small) -> None:
    chosen = settings.resolve(recipe, None, small(recipe) | {"limit": n} | ({"pack": 4} if recipe == "pacgan" else {}))
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=60))
    session.doctor.checkup.begin()
    session.round()
    row, _ = session.doctor.look(0.5)
    assert row["nonfinite"] == 0
    assert row["data.examples"] == n
    assert all(map(isfinite, row.values()))


@pytest.mark.parametrize(("batch", "pack"), [(5, 5), (6, 4), (3, 2)])
def test_a_batch_that_packs_do_not_divide_ends_no_run(batch: int, pack: int, tmp_path, small) -> None:
    """D is shown whole batches only: fewer examples than a pack it cannot judge."""
    asked = small("pacgan") | {"length": "3 rounds", "checkups": "1 rounds", "checkup_cost": 1, "quality_cost": 0}
    chosen = settings.resolve("pacgan", None, asked | {"batch": batch, "pack": pack})
    session = run.begin(chosen, tmp_path / "run")
    assert run.conduct(session, lambda row, progress: None) == "finished"
    assert 0 <= session.doctor.rows[0]["auc"] <= 1
