"""Treatment: a sick run goes back, is played with one thing changed, and keeps what helped; nothing is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import zerosum
from zerosum import model, run, schedule
from zerosum.cli import app
from zerosum.data import sources
from zerosum.diagnosis import diseases
from zerosum.diagnosis.diseases import Disease
from zerosum.diagnosis.finding import Finding, Remedy
from zerosum.doctor import Doctor
from zerosum.networks.augment import DiffAugment
from zerosum.play import checkpoint
from zerosum.prevention.opening import Opening
from zerosum.recipes import RECIPES
from zerosum.run import data_of
from zerosum.settings import SettingsError, resolve
from zerosum.treatment import ACTS, TRIES
from zerosum.treatment.acts import changes
from zerosum.treatment.trial import Trial

# Steps of 0.05 throw the weights of both players about: the ward's learning-rate-too-high, on points.
SICK = {"source": "ring", "lr": 0.05, "hidden": (64, 64), "batch": 64, "cooldown": 0.0, "length": "400 rounds"}
TINY = {"source": "ring", "generator_widths": (8,), "discriminator_widths": (8,), "batch": 8, "length": "100 rounds"}
TINY |= {"steps": 1, "pictures": "50 %", "quality_cost": 0.0}
SICK |= {"pictures": "50 %", "quality_cost": 0.0}


@pytest.fixture(autouse=True, scope="module")
def plain():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Doctor, "affordable", lambda doctor, seconds: doctor.cost > 0)  # on a slow machine too
        patch.setattr("zerosum.pictures.curves", lambda rows, path: None)  # 0.3 s each
        yield


def play(out: Path, recipe: str = "r1gan", stop: int | None = None, **settings: Any) -> tuple[run.Session, list[str]]:
    """A run in `out`, stopped after round `stop` once something was tried; and what was told of it."""
    session, told = run.begin(resolve(recipe, overrides=settings), out), []

    def show(row: dict[str, float], progress: dict[str, float]) -> None:
        session.stopped = stop is not None and bool(told) and session.trainer.rounds >= stop

    run.conduct(session, show, told.append)
    return session, told


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def distance(session: run.Session) -> float:
    return median(row["distance"] for row in session.doctor.rows[-5:])


def far(rows: list[dict[str, float]], failure: str | None = None) -> list[Finding]:
    """A rule of these tests: in three looks in a row, but not at first, samples have been far from the data."""
    sick = len(rows) >= 9 and min(row["distance"] for row in rows[-3:]) > 0.12
    name, first = "learning-rate-too-high", int(rows[-3]["round"]) if sick else 0
    return [Finding(name, "severe", first, int(rows[-1]["round"]), "")] if sick else []


def only(patch: pytest.MonkeyPatch, disease: str, act: str) -> None:
    """Against this disease nothing is known but this act, whichever remedy measurements put first."""
    known = Disease(disease, "", "", (Remedy(act, "these tests", act),))
    patch.setitem(diseases.DISEASES, disease, known)


def rule(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("zerosum.doctor.diagnose", far)
    only(patch, "learning-rate-too-high", "slow-both")


@pytest.fixture
def ruled(monkeypatch):
    rule(monkeypatch)


@pytest.fixture(scope="module")
def pair(plain, tmp_path_factory) -> dict[str, Any]:
    """The sick run as it is, and treated."""
    place = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        rule(patch)
        advised, _ = play(place / "advise", **SICK)
        treated, told = play(place / "auto", treat="auto", **SICK)
    return {"advise": advised, "auto": treated, "told": told}


def test_the_doctors_own_findings_are_treated(pair, tmp_path):
    """Whatever it finds in the sick run, and tries: each trial is judged, and what is kept is no worse than nothing."""
    treated, _ = play(tmp_path / "auto", treat="auto", **SICK)
    tried = lines(treated.folder.treatments)
    assert 1 <= len(tried) <= TRIES
    assert all(line["verdict"] and line["changed"] for line in tried)
    assert any(line["helped"] for line in tried)
    assert distance(treated) < 0.8 * distance(pair["advise"])


def test_no_trial_is_judged_before_rules_speak(tmp_path, monkeypatch):
    """Found sick at the seventh look of a run, but the trial from the start is not over at its eighth."""

    def diagnose(rows: list[dict[str, float]], failure: str | None = None) -> list[Finding]:
        sick = len(rows) >= 7 and not (tmp_path / "run" / "treatments.jsonl").exists()
        return [Finding("mode-collapse", "severe", 1, int(rows[-1]["round"]), "")] if sick else []

    monkeypatch.setattr("zerosum.doctor.diagnose", diagnose)
    only(monkeypatch, "mode-collapse", "minibatch")
    play(tmp_path / "run", "gan", treat="auto", checkups="1 %", **TINY)
    (line,) = lines(tmp_path / "run" / "treatments.jsonl")
    assert (line["back"], line["looks"], line["helped"]) == (0, 8, True)
    assert line["numbers"]["judged"] == 24
    assert line["numbers"]["looks"] > 8


def test_what_is_put_away_is_numbered_after_the_last(tmp_path):
    folder = run.Folder.create(tmp_path / "run", "run", resolve("gan"))
    assert [folder.abandon(0).name for _ in range(2)] == ["01", "02"]
    shutil.rmtree(tmp_path / "run" / "abandoned" / "01")
    (tmp_path / "run" / "abandoned" / "notes.txt").touch()
    assert folder.abandon(0).name == "03"


def test_a_treated_run_ends_nearer_to_the_data(pair):
    assert distance(pair["auto"]) < 0.5 * distance(pair["advise"])
    assert "learning-rate-too-high; back to round 40" in pair["told"][0]
    assert "it helped" in pair["told"][1]


def test_what_was_done_is_written_down(pair):
    folder = pair["auto"].folder
    (line,) = lines(folder.treatments)
    assert (line["disease"], line["act"], line["back"]) == ("learning-rate-too-high", "slow-both", 40)
    assert line["changed"] == {"play.pace": [{}, {"D": 0.25, "G": 0.25}]}
    assert line["before"] == {}
    assert line["helped"]
    assert line["numbers"]["after"] < 0.7 * line["numbers"]["before"] == 0.7 * line["distance"]
    assert line["numbers"]["looks"] == line["looks"] >= 8
    assert folder.settings().play.changes == {40: {"play.pace": {"D": 0.25, "G": 0.25}}}
    assert folder.settings().play.pace == {}
    assert pair["auto"].settings.play.pace == {"D": 0.25, "G": 0.25}


def test_nothing_is_lost_of_what_a_treatment_goes_back_over(pair):
    folder = pair["auto"].folder
    left = folder.path / "abandoned" / "01"
    (line,) = lines(folder.treatments)
    assert {row["round"] for row in lines(left / "checkups.jsonl")} == set(range(41, line["round"] + 1, 8))
    assert [row["disease"] for row in lines(left / "findings.jsonl")] == ["learning-rate-too-high"]
    assert run.Folder(left).settings().play.changes == {}
    assert line["abandoned"] == "01"
    for path in (folder.readings, folder.checkups):
        rounds = [row["round"] for row in lines(path)]
        assert rounds == sorted(set(rounds))
        assert rounds[-1] == 400


def test_a_treated_run_is_reproduced_from_its_config(pair, ruled, same_run, tmp_path):
    settings = pair["auto"].folder.settings().model_dump(mode="json", exclude={"recipe"})
    again = run.begin(resolve("r1gan", overrides={"treat": "advise"}, base=settings), tmp_path / "again")
    assert run.conduct(again, lambda row, progress: None) == "finished"
    same_run(pair["auto"].folder.path, again.folder.path)


def test_a_treated_run_that_was_cut_plays_on_in_its_trial(pair, ruled, same_run, tmp_path):
    cut, _ = play(tmp_path / "cut", stop=60, treat="auto", **SICK)
    assert cut.trainer.rounds == 60
    assert lines(cut.folder.treatments)[0]["verdict"] is None
    session, _ = run.go_on(cut.folder)
    assert session.settings.play.pace == {"D": 0.25, "G": 0.25}
    told: list[str] = []
    assert run.conduct(session, lambda row, progress: None, told.append) == "finished"
    assert len(lines(cut.folder.treatments)) == len(told) == 1
    assert "it helped" in told[0]
    same_run(pair["auto"].folder.path, cut.folder.path)


def test_what_does_not_help_is_undone_and_three_are_tried_at_most(same_run, tmp_path, monkeypatch):
    """Found sick from the sixth look on, whatever is tried: the end is that of the run which nobody treated."""

    def diagnose(rows: list[dict[str, float]], failure: str | None = None) -> list[Finding]:
        sick = len(rows) >= 6
        return [Finding("oscillation", "severe", int(rows[5]["round"]), int(rows[-1]["round"]), "")] if sick else []

    monkeypatch.setattr("zerosum.doctor.diagnose", diagnose)
    idle = [f"idle-{i}" for i in range(5)]
    for i, act in enumerate(idle):  # each changes a setting, and nothing of the game
        monkeypatch.setitem(ACTS, act, lambda at, i=i: {"play.tiles": 10 + i})
    remedies = tuple(Remedy(f"do nothing ({act})", "nobody", act) for act in idle)
    monkeypatch.setitem(diseases.DISEASES, "oscillation", Disease("oscillation", "", "", remedies))
    play(tmp_path / "advise", "gan", **TINY)
    session, told = play(tmp_path / "idle", "gan", treat="auto", **TINY)
    tried = lines(session.folder.treatments)
    assert [line["act"] for line in tried] == idle[:3]
    assert TRIES == 3
    assert [line["helped"] for line in tried] == [False] * 3
    assert [line["back"] for line in tried] == [10] * 3
    assert tried[0]["round"] == 11
    assert [line["numbers"]["after"] for line in tried] == pytest.approx([tried[0]["distance"]] * 3, rel=0.25)
    assert session.folder.settings().play.changes == {}
    assert "nothing is left to try" in told[-1]
    left = session.folder.path / "abandoned"
    assert sorted(place.name for place in left.iterdir()) == ["01", "02", "03", "04"]
    assert [run.Folder(place).settings().play.changes for place in sorted(left.iterdir())] == [
        {},
        *({10: {"play.tiles": 10 + i}} for i in range(3)),
    ]
    same_run(tmp_path / "advise", session.folder.path)


def test_a_game_that_breaks_is_treated_and_ends_as_broken_where_nothing_helps(tmp_path):
    session = run.begin(
        resolve("r1gan", overrides=SICK | {"lr": 1e12, "treat": "auto", "precision": "bfloat16"}), tmp_path / "run"
    )
    with pytest.raises(run.NonFinite):
        run.conduct(session, lambda row, progress: None)
    (line,) = lines(session.folder.treatments)
    assert (line["disease"], line["act"], line["helped"]) == ("non-finite", "full-precision", False)
    assert session.folder.facts()["ended"].startswith("failed")
    assert session.settings.play.precision == "bfloat16"


def test_advice_changes_nothing(same_run, tmp_path):
    zerosum.train("gan", out=tmp_path / "advised", checkup_cost=1.0, **TINY)
    zerosum.train("gan", out=tmp_path / "alone", checkup_cost=0.0, **TINY)
    same_run(tmp_path / "advised", tmp_path / "alone")
    assert not (tmp_path / "advised" / "treatments.jsonl").exists()


def test_networks_that_change_begin_again(tmp_path, monkeypatch):
    """Found sick from the sixth look on, as long as nothing was tried."""

    def diagnose(rows: list[dict[str, float]], failure: str | None = None) -> list[Finding]:
        tried = (tmp_path / "run" / "treatments.jsonl").exists()
        if len(rows) < 6 or tried:
            return []
        return [Finding("mode-collapse", "severe", int(rows[-1]["round"]), int(rows[-1]["round"]), "stub")]

    monkeypatch.setattr("zerosum.doctor.diagnose", diagnose)
    only(monkeypatch, "mode-collapse", "minibatch")
    session, _ = play(tmp_path / "run", "gan", treat="auto", **TINY)
    (line,) = lines(session.folder.treatments)
    assert (line["act"], line["back"], line["helped"]) == ("minibatch", 0, True)
    assert line["changed"] == {"game.minibatch": ["none", "deviation"]}
    assert (session.folder.path / "abandoned" / "01" / "checkpoints" / "00000010.safetensors").exists()
    state = checkpoint.load(session.checkpoints.paths()[-1])
    assert state["game"]["minibatch"] == "deviation"
    assert state["trainer"]["rounds"] == 100
    straight = zerosum.train("gan", out=tmp_path / "straight", minibatch="deviation", **TINY)
    other = checkpoint.load(straight / "checkpoints" / "00000100.safetensors")
    assert all(value.equal(other["trainer"]["game"][name]) for name, value in state["trainer"]["game"].items())


def test_a_healthy_checkpoint_is_held(tmp_path):
    checkpoints = checkpoint.Checkpoints(tmp_path, keep=1)
    checkpoints.held = {2}
    for round_ in range(1, 5):
        checkpoints.save(round_, {"round": round_})
    assert [int(path.stem) for path in checkpoints.paths()] == [2, 4]


def trial(**more: Any) -> Trial:
    about = {"words": "", "source": "", "changed": {}, "back": 0, "looks": 8, "before": {}}
    return Trial(disease="oscillation", round=50, act="slow-both", distance=0.5, **about, **more)


@pytest.mark.parametrize(
    ("now", "severe", "helped"),
    [
        (0.45, [], True),  # no longer found
        (0.45, ["oscillation"], False),
        (0.45, ["mode-collapse"], False),  # nor anything else
        (0.3, ["oscillation"], True),  # clearly nearer
        (0.8, [], False),  # a cure worse than the disease
        (0.1, ["non-finite"], False),
    ],
)
def test_a_trial_is_judged_by_findings_and_distance(now, severe, helped):
    rows = [{"round": 10 * i, "distance": now if i < 6 else 9.0} for i in range(1, 9)]  # later rounds do not count
    judged = trial().judged(rows, severe)
    assert judged.helped is helped
    assert judged.numbers["after"] == now
    assert judged.numbers["judged"] == 80
    assert ("kept" in judged.verdict) is helped


def test_every_act_is_known():
    named = {remedy.act for disease in diseases.DISEASES.values() for remedy in disease.remedies} - {None}
    assert named == set(ACTS)


@pytest.mark.parametrize(
    ("act", "recipe", "settings", "expected"),
    [
        ("slow-maker", "gan", {"pace": {"D": 2.0}}, {"play.pace": {"D": 2.0, "G": 0.25}}),
        ("fast-judge", "infogan", {}, {"play.pace": {"D": 4.0, "Q": 4.0}}),
        ("stronger-penalty", "r1gan", {"gamma": 0.5}, {"game.gamma": 5.0}),
        ("stronger-penalty", "wgan_gp", {"weight": 0.0}, {"game.weight": 10.0}),
        ("stronger-penalty", "infogan", {}, {}),  # its weight is of another term
        ("stronger-penalty", "began", {"source": "glyphs"}, {}),  # and its gamma no penalty's
        ("non-saturating", "gan", {"generator_loss": "minimax"}, {"game.generator_loss": "non_saturating"}),
        ("non-saturating", "gan", {}, {}),
        ("non-saturating", "r1gan", {}, {}),
        ("minibatch", "gan", {}, {"game.minibatch": "deviation"}),
        ("minibatch", "r1gan", {}, {}),  # which refuses it
        ("minibatch", "gan", {"minibatch": "discrimination"}, {}),
        ("augment", "dcgan", {"source": "glyphs"}, {"play.augment": 0.5}),
        ("augment", "cyclegan", {"source": "striped"}, {"play.augment": 0.5}),
        ("augment", "dcgan", {"source": "glyphs", "augment": 0.2}, {}),
        ("augment", "gan", {}, {}),  # points are not pictures
        ("augment", "began", {"source": "glyphs"}, {}),
        ("augment", "infogan", {"source": "glyphs"}, {}),
        ("augment", "vae", {"source": "glyphs"}, {}),
        ("full-precision", "gan", {"precision": "bfloat16"}, {"play.precision": "float32"}),
        ("full-precision", "gan", {}, {}),
        ("alternating", "gan", {"dynamics": "simultaneous", "steps": 1}, {"play.dynamics": "alternating"}),
        ("alternating", "gan", {}, {}),
    ],
)
def test_an_act_changes_one_thing_or_does_not_apply(act, recipe, settings, expected, small):
    asked = small(recipe) | {"source": "ring", "limit": 200, "pace": {}} | settings
    chosen = resolve(recipe, overrides=asked)
    data = data_of(chosen)
    opening = Opening(chosen, model.build(recipe, chosen.game, data.spec), data)
    assert changes(act, opening) == expected


def test_settings_change_at_their_round(tmp_path, small):
    """As when the run is stopped there, its config edited, and it goes on."""
    asked = small("gan") | {"length": "8 rounds", "readings": "3 rounds"}
    planned = zerosum.train("gan", out=tmp_path / "planned", changes={4: {"lr": 1e-2, "batch": 12}}, **asked)
    session = run.begin(resolve("gan", overrides=asked), tmp_path / "edited")

    def show(row: dict[str, float], progress: dict[str, float]) -> None:
        session.stopped = session.trainer.rounds == 4

    run.conduct(session, show)
    folder = session.folder
    folder.keep_settings(resolve("gan", overrides=asked | {"changes": {4: {"lr": 1e-2, "batch": 12}}}))
    end = run.go_on(folder)[0]
    assert end.trainer.movers[0].optimizer.param_groups[0]["lr"] == 1e-2
    run.conduct(end, lambda row, progress: None)
    assert end.deck.images == 4 * 8 + 4 * 12
    one, other = (checkpoint.load(f / "checkpoints" / "00000008.safetensors") for f in (planned, folder.path))
    for name, value in one["trainer"]["game"].items():
        assert value.equal(other["trainer"]["game"][name]), name
    same = zerosum.train("gan", out=tmp_path / "same", **asked)
    unchanged = checkpoint.load(same / "checkpoints" / "00000008.safetensors")["trainer"]["game"]
    assert not all(value.equal(unchanged[name]) for name, value in one["trainer"]["game"].items())


def test_an_optimisers_numbers_change_at_their_round(tmp_path, small):
    asked = small("r3gan") | {"length": "8 rounds", "source": "ring", "checkup_cost": 0.0, "quality_cost": 0.0}
    assert resolve("r3gan", overrides=asked).game.beta1 != 0.7
    session = run.begin(resolve("r3gan", overrides=asked | {"changes": {4: {"beta1": 0.7}}}), tmp_path / "changed")
    seen: dict[int, float] = {}

    def show(row: dict[str, float], progress: dict[str, float]) -> None:
        seen[session.trainer.rounds] = session.trainer.movers[0].optimizer.param_groups[0]["betas"][0]

    run.conduct(session, show)
    assert seen[4] == resolve("r3gan", overrides=asked).game.beta1
    assert seen[5] == seen[8] == 0.7
    same = zerosum.train("r3gan", out=tmp_path / "same", **asked)
    weights = [
        checkpoint.load(f / "checkpoints" / "00000008.safetensors")["trainer"]["game"]
        for f in (same, session.folder.path)
    ]
    assert not all(value.equal(weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({5: {"latent": 3}}, "at round 5 changes what networks are made of"),
        ({5: {"source": "grid"}}, "at round 5: a run has one set of data"),
        ({5: {"latnet": 3}}, "at round 5: gan has no setting 'latnet'"),
        ({3: {"lr": 0.1}, 6: {"pace": {"X": 2}}}, r"at round 6: play.pace = {X: 2}: expected players of this game"),
        ({6: {"dynamics": "simultaneous"}}, "at round 6: simultaneous dynamics moves each player once"),
        ({6: {"augment": 0.5}}, "at round 6: play.augment = 0.5 .* the data are points: set it to 0"),
        ({6: {"changes": {8: {"lr": 0.1}}}}, "at round 6: changes is of the whole run: set play.changes itself"),
        ({6: {"seed": 1}}, "seed is of the whole run"),
        ({6: {"treat": "auto"}}, "treat is of the whole run"),
        ({6: {"device": "cuda"}}, "device is of the whole run"),
        ({0: {"length": "9 rounds"}}, "at round 0: length is of the whole run: set play.length itself; of play may"),
    ],
)
def test_a_change_that_cannot_be_is_refused(changes, words):
    data = sources.load("ring", limit=50)
    sick = resolve("gan", overrides={"source": "ring", "steps": 3, "changes": changes})
    with pytest.raises(SettingsError, match=words) as refused:
        schedule.check(sick, data.spec)
    assert "\n" not in str(refused.value)


def test_a_change_that_can_be_is_not_refused_and_uses_up_no_chance():
    data, before = sources.load("ring", limit=50), torch.get_rng_state()
    more = {"batch": 9, "pace": {"D": 2.0}, "dynamics": "simultaneous", "average": 0.5, "cooldown": 0.1, "lr": 0.1}
    changes = {0: {"latent": 3}, 5: more | {"precision": "bfloat16", "seed": 0}}
    schedule.check(resolve("gan", overrides={"source": "ring", "steps": 1, "changes": changes}), data.spec)
    assert torch.get_rng_state().equal(before)


def test_the_command_takes_treat(tmp_path):
    words = ["train", "gan", "--data", "ring", "--rounds", "3", "--treat", "auto", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert run.Folder(tmp_path / "run").settings().play.treat == "auto"
    assert CliRunner().invoke(app, [*words, "--treat", "never"]).exit_code == 2


def test_augmented_runs_resume_exactly(tmp_path, small, same_run):
    asked = small("dcgan") | {"length": "6 rounds", "augment": 0.5, "checkup_cost": 0.0, "quality_cost": 0.0}
    straight = zerosum.train("dcgan", out=tmp_path / "straight", **asked)
    session = run.begin(resolve("dcgan", overrides=asked), tmp_path / "cut")

    def show(row: dict[str, float], progress: dict[str, float]) -> None:
        session.stopped = session.trainer.rounds == 3

    assert run.conduct(session, show) == "stopped"
    zerosum.resume(session.folder.path)
    same_run(straight, session.folder.path)
    plain = zerosum.train("dcgan", out=tmp_path / "plain", **asked | {"augment": 0.0})
    with pytest.raises(AssertionError):
        same_run(straight, plain)
    with pytest.raises(SettingsError, match="no network of this game only judges"):
        zerosum.train("vae", out=tmp_path / "vae", **small("vae") | {"augment": 0.5})
    with pytest.raises(SettingsError, match=r"play.augment = 0.5 moves, cuts and recolours pictures, .*: set it to 0"):
        zerosum.train("gan", out=tmp_path / "points", **small("gan") | {"source": "ring", "augment": 0.5})


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name not in ("vae", "ddpm", "began", "infogan")])
def test_what_is_judged_is_augmented(recipe, small, monkeypatch):
    """Reals and fakes, packs and pairs: whatever the networks see that are named, in losses with penalties too."""
    chosen = resolve(recipe, overrides=small(recipe) | {"augment": 1.0, "source": RECIPES[recipe].example})
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(DiffAugment, "forward", lambda self, x: seen.append(tuple(x.shape)) or x * 1.0)
    session = run.Session(chosen, data_of(chosen))
    session.trainer.round()
    session.trainer.collect()
    assert len(seen) >= 3  # D's reals and fakes, G's fakes
    assert {shape[2:] for shape in seen} <= {session.dataset.spec.shape[1:], (4, 4)}  # a growing D begins small
