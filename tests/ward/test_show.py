"""`zerosum ward`: both runs of a case, joined to one film; what is told, and what is never overwritten."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pooch
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from zerosum.cli.ward import ward
from zerosum.diagnosis.diseases import DISEASES
from zerosum.folder import Folder
from zerosum.ward import playing, show, telling
from zerosum.ward.cases import CASES

app = typer.Typer()
app.command()(ward)
PAGE = Path(__file__).parents[2] / "docs" / "ward.md"


def zs(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    """The one line of a refusal."""
    result = zs(*words)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line


def frames(path: Path) -> list[Image.Image]:
    shown = []
    with Image.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            shown.append(film.convert("RGB"))
    return shown


@pytest.fixture(scope="module")
def collapse(tmp_path_factory):
    """mode-collapse for 6 rounds, and what was printed."""
    folder = tmp_path_factory.mktemp("ward") / "a case"
    result = zs("mode-collapse", "--rounds", 6, "--seed", 3, "--out", folder, "--gif")
    assert result.exit_code == 0, result.output
    return folder, result.stdout


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """non-finite for 4 rounds: the sick run breaks in its first one."""
    folder = tmp_path_factory.mktemp("ward") / "broken"
    result = zs("non-finite", "--rounds", 4, "--out", folder)
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_both_runs_are_played_as_the_case_says(collapse):
    folder, _ = collapse
    case = CASES["mode-collapse"]
    for side, wanted in (("sick", case.settings), ("cured", {**case.settings, **case.cure})):
        run = Folder.open(folder / side)
        settings = run.settings()
        played = settings.game.model_dump() | settings.play.model_dump()
        assert {name: played[name] for name in wanted} == wanted
        assert (settings.recipe, settings.data.source, settings.play.seed) == ("gan", "glyphs", 3)
        assert (settings.play.length, run.facts()["ended"]) == ("6 rounds", "finished")


def test_the_film_shows_both_sides_at_every_round_that_was_pictured(collapse):
    folder, _ = collapse
    rounds = list(range(7))
    about = json.loads((folder / "ward.json").read_text())
    assert (about["case"], about["rounds"], about["frames"]) == ("mode-collapse", 6, rounds)
    assert [int(file.stem) for file in sorted((folder / "frames").iterdir())] == rounds
    sheets = [Image.open(folder / side / "grids" / "00000006.png").convert("RGB") for side in ("sick", "cured")]
    assert sheets[0].tobytes() != sheets[1].tobytes()
    width, height = sheets[0].size
    for name in ("film.webp", "film.gif"):
        film = frames(folder / name)
        assert 2 <= len(film) <= 7  # equal frames in a row are one
        assert film[-1].size == (2 * width + 16, height + 48)
    still = Image.open(folder / "film.png").convert("RGB")
    assert still.crop((0, 0, width, height)).tobytes() == sheets[0].tobytes()
    assert still.crop((width + 16, 0, 2 * width + 16, height)).tobytes() == sheets[1].tobytes()


def test_the_captions_name_cause_and_cure(collapse):
    folder, printed = collapse
    about = json.loads((folder / "ward.json").read_text())
    assert about["sick"]["title"] == "sick: G learns 20 times as fast as D, with momentum 0.9"
    assert about["cured"]["title"] == "cured: pace = none, beta1 = 0.5, lr = 0.001"
    assert "Case      mode-collapse: gan on glyphs, 6 rounds, sick and cured" in printed
    assert "film.gif · film.png · film.webp · readings.png" in printed
    assert "zerosum explain mode-collapse" in printed


def test_a_run_that_breaks_stands_still_in_the_film(broken):
    folder, printed = broken
    about = json.loads((folder / "ward.json").read_text())
    assert about["frames"] == [0, 1, 2, 3, 4]
    assert about["sick"]["rounds"] == 1
    assert about["sick"]["ended"].startswith("failed: round 1: ")
    assert about["sick"]["findings"] == [{"disease": "non-finite", "severity": "fatal", "first": 1, "round": 1}]
    assert about["sick"]["last"] == ["non-finite"]
    sick = show.Side(folder / "sick", "")
    assert [sick.caption(round_) for round_ in (0, 1, 4)] == ["round 0", *["broke in round 1 · non-finite"] * 2]
    shown = [Image.open(folder / "frames" / f"{i:06d}.png") for i in range(5)]
    middle = shown[0].width // 2 - 8
    left, right = (
        [image.crop(box).tobytes() for image in shown] for box in ((0, 0, middle, 400), (middle, 0, 900, 400))
    )
    assert len(set(left)) == 1
    assert len(set(right)) == 5
    assert "Sick      failed: round 1: " in printed
    assert "named on the way: non-finite in round 1" in printed


def test_a_disease_is_in_the_caption_from_the_look_that_found_it_until_it_has_passed(collapse, tmp_path):
    """Rows that the rules call d-overpowers at four looks, and no longer when samples come near."""
    run = Folder.open(collapse[0] / "sick")
    sick = show.Side(run.path, "")
    ill = {"auc": 1.0, "distance": 1.0, "judge.step": 1e-2, "maker.step": 1e-4, "samples.gradient": 1.0}
    sick.rows = [{"round": i, "share": i / 40} | ill for i in range(12)]
    sick.rows += [{"round": i, "share": i / 40} | ill | {"auc": 0.6, "distance": 0.05} for i in range(12, 20)]
    named = [i for i in range(20) if "d-overpowers" in sick.named(i)]
    assert named == list(range(3, 12)) or named == list(range(3, 13))
    assert sick.caption(5).startswith("round 5 · d-overpowers")


def test_nothing_is_ever_overwritten(collapse, tmp_path, monkeypatch):
    folder, _ = collapse
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    line = refused("mode-collapse", "--rounds", 6, "--out", folder)
    assert line == f"Error: {folder} is there already and not empty: name another folder"
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "0007-ring-gan").mkdir(parents=True)
    assert str(show.place(None, CASES["oscillation"])) == "runs/0008-ward-oscillation"
    assert str(show.place(None, CASES["oscillation"])) == "runs/0009-ward-oscillation"


def test_a_stopped_run_leaves_what_is_there(tmp_path, monkeypatch):
    def stop(case, source, out, seed, display):
        session = playing.sick(replace(case, rounds=1), source, out, seed, display)
        session.folder.note(ended="stopped")
        return session

    monkeypatch.setitem(show.SIDES, "sick", stop)
    result = zs("non-finite", "--out", tmp_path / "cut")
    assert result.exit_code == 130
    assert f"what was played is in {tmp_path / 'cut'}" in result.stdout
    assert [file.name for file in (tmp_path / "cut").iterdir()] == ["sick"]


def test_what_cannot_be_shown_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused("mode-colapse") == (
        "Error: no case called 'mode-colapse'. Did you mean 'mode-collapse'? All: zerosum ward"
    )
    assert refused("oscillation", "--data", "mnist") == (
        "Error: oscillation is shown on ring or grid, and not on 'mnist'"
    )

    def fail(url, known_hash, fname, path):
        raise OSError("no route to the host")

    monkeypatch.setattr(pooch, "retrieve", fail)
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert refused("mode-collapse", "--data", "mnist").startswith("Error: mnist could not be downloaded from ")
    assert not (tmp_path / "runs").exists(), "a folder was made for a case that cannot be played"


def test_names_are_found_however_they_are_written():
    assert show.find("Mode collapse").disease == show.find("mode_collapse").disease == "mode-collapse"
    assert (show.find("divergence").rounds, show.find("divergence", 9).rounds) == (600, 9)
    assert [show.source_of(CASES["oscillation"], asked) for asked in (None, "grid")] == ["ring", "grid"]


def test_the_cases_are_listed_with_cause_data_and_time():
    result = zs()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 2 * len(CASES)
    for (name, case), first, second in zip(CASES.items(), lines[::2], lines[1::2], strict=True):
        assert first.split(maxsplit=1) == [name, case.cause]
        assert second.strip() == (
            f"{case.recipe} on {' or '.join(case.sources)} · {case.rounds:,} rounds, sick and cured: "
            f"about {show.SECONDS[name]} s"
        )


def test_every_case_is_timed_and_has_readings_that_tell(collapse, broken):
    assert set(show.SECONDS) == set(telling.TELLING) == set(CASES)
    assert {name for names in telling.TELLING.values() for name in names} <= set(telling.WORDS)
    written = {name for row in Folder.open(collapse[0] / "cured").checked() for name in row}
    assert set(telling.TELLING["mode-collapse"]) <= written
    for folder in (collapse[0], broken[0]):
        with Image.open(folder / "readings.png") as picture:
            assert picture.size == (770, 605)


def test_the_page_has_every_case_as_it_is():
    rows = re.findall(
        r"^\| `([\w-]+)` \| (.*?) \| (.*?) \| (\w+) \| (.*?) \| ([\d,]+) \| (\d+) s \|$", PAGE.read_text(), re.M
    )
    assert [row[0] for row in rows] == list(CASES)
    for name, cause, cure, recipe, data, rounds, seconds in rows:
        case = CASES[name]
        assert (cause, cure) == (case.cause, show.changed(case))
        assert (recipe, data) == (case.recipe, ", ".join(case.sources))
        assert (rounds, int(seconds)) == (f"{case.rounds:,}", show.SECONDS[name])
        assert name in DISEASES
