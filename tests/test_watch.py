"""Quality in the course of a run: looks change nothing, cost little, keep the best model, and know when to stop."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isfinite

import pytest
import torch

from zerosum import model, progress, run, settings, watch
from zerosum.metrics.number import Number
from zerosum.recipes import RECIPES
from zerosum.watch import Mark, Watch


def mark(round_: int, kid: float, *, wide: float = 0.001) -> Mark:
    return Mark(round_, kid, kid - wide, kid + wide, 0.5, 0.4, 0.6, 0.1)


def played(tmp_path, small, monkeypatch, recipe="dcgan", **changes):
    """A short run that can afford every look."""
    monkeypatch.setattr(Watch, "affordable", lambda self, seconds: self.cost > 0)
    asked = small(recipe) | {"length": "6 rounds", "quality": "2 rounds", "checkpoints": "50 %"} | changes
    session = run.begin(settings.resolve(recipe, None, asked), tmp_path)
    ended = run.conduct(session, lambda row, progress: None)
    return session, ended


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_game_can_be_watched(recipe, small, monkeypatch):
    monkeypatch.setattr(watch, "SAMPLES", 60)
    chosen = settings.resolve(recipe, None, small(recipe) | {"limit": 60})
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=60))
    before = {
        name: value.clone() for name, value in session.game.state_dict().items() if isinstance(value, torch.Tensor)
    }
    chance = torch.get_rng_state()
    found = session.watch.look(3)
    assert found.kid_low <= found.kid <= found.kid_high
    assert 0 <= found.coverage_low <= found.coverage <= found.coverage_high <= 1
    assert all(isfinite(value) for value in found.as_row().values())
    assert torch.equal(torch.get_rng_state(), chance), "a look used up chance"
    after = session.game.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    again = session.watch.look(3)
    assert replace(again, seconds=0) == replace(found, seconds=0)


def test_a_watched_run_is_the_same_run(tmp_path, small, monkeypatch, same_run):
    watched, _ = played(tmp_path / "a", small, monkeypatch)
    unwatched, _ = played(tmp_path / "b", small, monkeypatch, quality_cost=0)
    assert [row["round"] for row in watched.folder.marks()] == [2, 4, 6]
    assert not unwatched.folder.quality.exists()
    assert not unwatched.folder.best.exists()
    same_run(tmp_path / "a", tmp_path / "b")


def test_the_best_model_is_kept_and_says_of_which_round_it_is(tmp_path, small, monkeypatch):
    kids = iter([0.3, 0.1, 0.2])
    monkeypatch.setattr(watch, "kid", lambda samples, real: Number(kid := next(kids), kid, kid, "lower"))
    session, _ = played(tmp_path / "run", small, monkeypatch)
    best = model.load(session.folder.best)
    assert best.header["quality"]["round"] == best.header["rounds"] == 4
    assert best.header["quality"]["kid"] == 0.1
    assert best.sample(3, seed=0).shape[0] == 3
    last = model.load(session.folder.model)
    assert last.header["rounds"] == 6
    assert not torch.equal(best.sample(8, seed=0), last.sample(8, seed=0))
    told = json.loads(session.folder.about.read_text())["quality"]
    assert (told["looks"], told["best"]["round"]) == (3, 4)


def test_a_resumed_run_remembers_its_looks(tmp_path, small, monkeypatch):
    whole, _ = played(tmp_path / "whole", small, monkeypatch)
    session, _ = played(tmp_path / "cut", small, monkeypatch, length="5 rounds", checkpoints="2 rounds")
    session.folder.checkpoints.joinpath("00000005.safetensors").unlink()
    again, _ = run.go_on(session.folder, "6 rounds")
    assert [m.round for m in again.watch.marks] == [2, 4]
    run.conduct(again, lambda row, progress: None)

    def values(folder):
        return [{name: value for name, value in row.items() if name != "seconds"} for row in folder.marks()]

    assert values(again.folder) == values(whole.folder)


def test_a_collapsed_or_tiny_game_is_not_ended_by_its_watch(tmp_path, small, monkeypatch):
    monkeypatch.setattr(watch, "FIRST_COST", 0.0)
    asked = small("dcgan") | {"limit": 40, "source": "glyphs", "length": "3 rounds"}
    few = run.begin(settings.resolve("dcgan", None, asked), tmp_path / "few")
    few.watch.real_data = few.dataset  # 40 examples
    assert run.conduct(few, lambda row, progress: None) == "finished"
    assert few.watch.marks == []
    monkeypatch.setattr(Watch, "_drawn", lambda self: torch.zeros(500, 1, 28, 28, dtype=torch.uint8))
    session, ended = played(tmp_path / "collapsed", small, monkeypatch, source="glyphs")
    assert ended == "finished"
    assert session.watch.marks == []
    assert "all 500 samples are the same" in session.folder.facts()["quality"]["trouble"]
    told = "\n".join(progress.closing(session))
    assert "not measured at round 6: KID: all 500 samples are the same" in told


def test_looks_take_their_share_of_the_time_and_no_more(small):
    chosen = settings.resolve("dcgan", None, small("dcgan") | {"limit": 60})
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=60))
    session.watch.cost = 0.05
    assert not session.watch.affordable(watch.FIRST_COST / 0.05 - 0.1)
    assert session.watch.affordable(watch.FIRST_COST / 0.05 + 0.1)
    session.watch.marks = [replace(mark(1, 0.1), seconds=2.0), replace(mark(2, 0.1), seconds=3.0)]
    assert not session.watch.affordable(159)  # 2 + 3 + 3 seconds are 5 % of 160
    assert session.watch.affordable(161)
    session.watch.cost = 0.0
    assert not session.watch.affordable(1e9)


def judge(kids: list[float]) -> str | None:
    """What `reason` says after looks with these KIDs."""
    return judge_marks([mark(100 * i, kid) for i, kid in enumerate(kids, 1)])


def judge_marks(marks: list[Mark]) -> str | None:
    looks = Watch.__new__(Watch)
    looks.marks = marks
    return looks.reason()


def test_the_best_look_is_near_and_covers() -> None:
    looks = Watch.__new__(Watch)
    wide, narrow = mark(1, 0.010), replace(mark(2, 0.009), coverage=0.2, coverage_low=0.1, coverage_high=0.3)
    looks.marks = [wide, narrow]
    assert looks.best is wide, "a little nearer, and half of it gone"


def test_falling_rates_are_not_cut_off():
    with pytest.raises(settings.SettingsError, match="set cooldown to 0, or stop to length"):
        settings.resolve("r1gan", None, {"stop": "auto"})
    assert settings.resolve("r1gan", None, {"stop": "auto", "cooldown": 0}).play.stop == "auto"


def test_a_run_ends_where_it_gets_worse_or_no_better_and_says_so():
    assert judge([]) is None
    assert judge([0.5, 0.4, 0.3, 0.2]) is None
    assert judge([0.5, 0.1, 0.2, 0.3]) is None, "two looks are too few"
    worse = judge([0.5, 0.1, 0.2, 0.3, 0.4])
    assert worse is not None
    assert worse == ("the samples get worse: KID 0.1 (0.099 to 0.101), coverage 0.5 at round 200, and 0.4, 0.5 now")
    shrinking = [
        mark(1, 0.1),
        *(replace(mark(i, 0.1), coverage=0.3, coverage_low=0.2, coverage_high=0.39) for i in (2, 3, 4)),
    ]
    assert "get worse" in str(judge_marks(shrinking)), "fewer of the real pictures are covered, KID or not"
    assert judge([0.5, 0.1, 0.2, 0.3, 0.1015]) is None, "the last one may be as good"
    flat = [0.5, 0.1] + [0.1005] * 8
    assert judge(flat[:-1]) is None
    assert "no better" in str(judge(flat))
    assert judge([*flat, 0.09]) is None


def test_stop_auto_ends_a_run_and_the_default_does_not(tmp_path, small, monkeypatch):
    monkeypatch.setattr(Watch, "reason", lambda self: "because" if len(self.marks) >= 2 else None)
    auto, ended = played(tmp_path / "auto", small, monkeypatch, stop="auto", cooldown=0)
    assert (ended, auto.trainer.rounds) == ("finished", 4)
    facts = auto.folder.facts()
    assert facts["ended"] == "finished"
    assert facts["quality"]["enough"] == "because"
    whole, ended = played(tmp_path / "whole", small, monkeypatch)
    assert (ended, whole.trainer.rounds) == ("finished", 6)
