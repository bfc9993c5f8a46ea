"""The command line as people use it: what it prints, what it leaves, how it refuses."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import resource
import select
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from rich.console import Console
from safetensors import SafetensorError
from typer.testing import CliRunner

import zerosum
from zerosum import progress, settings
from zerosum.cli import app, training
from zerosum.play import checkpoint
from zerosum.recipes import DEFAULT, RECIPES

ZEROSUM = [sys.executable, "-m", "zerosum"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
TINY = ["--set", "width=4", "--set", "latent=4", "--set", "batch=8", "--set", "limit=30", "--set", "tiles=10"]


def zs(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object, code: int = 2) -> str:
    """The one line of a refusal."""
    result = zs(*words)
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert len(line) < 500
    return line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of the default recipe, and what was printed."""
    folder = tmp_path_factory.mktemp("cli") / "my run [1]"
    result = zs("train", "--rounds", 4, "--out", folder, *TINY, "--set", "readings=2 rounds", "--gif")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return folder, result.stdout


def test_train_tells_what_it_found_chose_and_made(trained):
    folder, printed = trained
    assert "glyphs · 30 examples · 28x28 gray · 10 classes (labels are used)" in printed
    assert f"{DEFAULT} ({RECIPES[DEFAULT].paper}) · parameters G " in printed
    assert "4 rounds · batch 8 · alternating · float32 · cpu · seed 0" in printed
    assert str(folder) in printed
    assert re.search(r"^round 2 · 50 % · [\d,]+/s · \d:\d\d left · D adversarial [\d.]+ r1 ", printed, re.M)
    assert "round 4 · 100 %" in printed  # the last one, however soon
    assert "4 rounds, 32 examples in " in printed
    assert "\x1b" not in printed
    assert (folder / "film.gif").stat().st_size > 500


def test_the_next_commands_work_as_they_are_printed(trained, tmp_path, monkeypatch):
    folder, printed = trained
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"(?:next)?\s+zerosum (.*)$", printed, re.M)
    assert [command.split()[0] for command in commands] == ["sample", "evaluate", "sample", "resume"]
    for command in commands:
        result = zs(*shlex.split(command.replace(str(folder), str(copy))))
        assert result.exit_code == 0, (command, result.output)
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["samples-2.png", "samples.png"]
    assert json.loads((copy / "about.json").read_text())["rounds"] == 8


def test_a_config_of_a_run_plays_the_same_run(trained, tmp_path, same_run):
    folder, _ = trained
    result = zs("train", "--config", folder / "config.yaml", "--out", tmp_path / "again")
    assert result.exit_code == 0, result.output
    same_run(folder, tmp_path / "again")
    assert (tmp_path / "again" / "config.yaml").read_text() == (folder / "config.yaml").read_text()


def test_options_reach_the_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        zs("train", "gan", "--data", "ring", "--kimg", "0.02", "--seed", 7, "--preset", "minimax", *TINY[2:]).exit_code
        == 0
    )
    config = yaml.safe_load((tmp_path / "runs" / "0001-ring-gan" / "config.yaml").read_text())
    assert (config["recipe"], config["data"]["source"], config["play"]["length"]) == ("gan", "ring", "0.02 kimg")
    assert (config["play"]["seed"], config["game"]["generator_loss"]) == (7, "minimax")
    assert zs("train", "gan", "--data", "ring", "--rounds", 1, *TINY[2:]).exit_code == 0
    assert sorted(p.name for p in Path("runs").iterdir()) == ["0001-ring-gan", "0002-ring-gan"]


def test_one_is_one(tmp_path):
    assert training._length(1, None, None) == {"length": "1 round"}
    assert training._length(None, None, 1) == {"length": "1 minute"}
    assert training._length(None, 1, None) == {"length": "1 kimg"}
    printed = zs("train", "gan", "--rounds", 1, "--out", tmp_path / "run", *TINY[2:], "--set", "limit=1").stdout
    assert "glyphs · 1 example · " in printed
    assert " Play      1 round · " in printed
    assert "round 1 · 100 % · " in printed
    assert "Done      1 round, 8 examples in " in printed
    assert "has played 1 round and" in refused("resume", tmp_path / "run")
    assert " 1 sample, " in zs("sample", tmp_path / "run", "-n", 1, "--out", tmp_path / "s.png").stdout


def test_before_a_run_plays_ctrl_c_just_ends_it():
    """A KeyboardInterrupt in the midst of imports may be lost, or leave them half done."""
    code = "import signal; from zerosum import cli; cli.app = lambda: signal.raise_signal(signal.SIGINT); cli.main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")


class Clock:
    """A time that goes by as told, for a display of a run that has just begun."""

    def __init__(self, monkeypatch, terminal: bool):
        self.now, self.out = 1000.0, io.StringIO()
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)
        self.console = Console(file=self.out, force_terminal=terminal, width=100)
        trainer, play = SimpleNamespace(dynamics=None, pieces=1), SimpleNamespace(pieces=1, batch=64)
        self.session = SimpleNamespace(
            deck=SimpleNamespace(images=0),
            seconds=0.0,
            doctor=SimpleNamespace(findings=[]),
            trainer=trainer,
            settings=SimpleNamespace(play=play),
        )

    def play(self, show, seconds: int, row: dict[str, float] | None = None) -> str:
        """A round each second; what is shown of it."""
        for _ in range(seconds):
            self.now += 1
            n = self.now - 1000
            show(row or {}, {"rounds": n, "images": 64 * n, "seconds": n, "%": n})
        return self.out.getvalue()


def test_a_slow_run_is_told_before_its_first_reading(monkeypatch):
    clock = Clock(monkeypatch, terminal=False)
    with progress.display(clock.console, clock.session) as show:
        assert clock.play(show, 9) == ""
        assert clock.play(show, 16).splitlines() == [
            "round 10 · 10 % · 64/s · 1:30 left",
            "round 20 · 20 % · 64/s · 1:20 left",
        ]
        assert clock.play(show, 1, {"D.a": 2.0}).splitlines()[2:] == ["round 26 · 26 % · 64/s · 1:14 left · D a 2"]
        assert clock.play(show, 4, {"D.a": 2.0}).count("D a 2") == 1
        assert clock.play(show, 1, {"D.a": 2.0}).count("D a 2") == 2


def test_memory_that_gives_out_is_told_once(monkeypatch):
    clock = Clock(monkeypatch, terminal=False)
    with progress.display(clock.console, clock.session) as show:
        clock.play(show, 1)
        clock.session.trainer.pieces = 4
        told = clock.play(show, 3)
    assert told.count("Memory    gave out: a batch is played in 4 pieces of 16 from now on") == 1


def test_what_is_played_plainly_is_told_once_and_a_run_that_goes_back_has_no_negative_speed(monkeypatch):
    clock = Clock(monkeypatch, terminal=False)
    with progress.display(clock.console, clock.session) as show:
        clock.session.trainer.dynamics = SimpleNamespace(told="rounds are not one CUDA graph: several ranks play")
        told = clock.play(show, 20)
        show({}, {"rounds": 1, "images": 64, "seconds": 21.0, "%": 1.0})
        clock.now += 100
        show({"D.a": 1.0}, {"rounds": 1, "images": 32, "seconds": 22.0, "%": 1.0})
        after = clock.out.getvalue().removeprefix(told)
    assert told.count(" Speed     rounds are not one CUDA graph: several ranks play") == 1
    assert " 0/s " in after
    assert "-" not in after


def test_the_live_bar_goes_on_before_and_between_readings(monkeypatch):
    clock = Clock(monkeypatch, terminal=True)
    told: list[str] = []
    monkeypatch.setattr(progress.Progress, "update", lambda bar, task, **new: told.append(new.get("description", "")))
    with progress.display(clock.console, clock.session) as show:
        for row in ({}, {"D.a": 2.0}, {}):
            clock.play(show, 1, row)
        show({}, {"rounds": 3, "images": 192, "seconds": 3.0, "%": 3.0})  # at once: the bar alone
    assert [line for line in told if line] == [
        "round 1 · 1 % · 64/s · 1:39 left",
        "round 2 · 2 % · 64/s · 1:38 left\nD a 2",
        "round 3 · 3 % · 64/s · 1:37 left\nD a 2",
    ]


def test_a_disk_that_fills_is_one_line_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    real, out = checkpoint.save_file, tmp_path / "run"

    def fills(tensors, part, **more):
        if "00000003" in part.name:
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        real(tensors, part, **more)

    monkeypatch.setattr(checkpoint, "save_file", fills)
    words = ["train", "gan", "--rounds", 9, "--out", out, "--set", "checkpoints=1 round", *TINY[2:]]
    assert "00000003.safetensors cannot be written (I/O error: No space left" in refused(*words, code=1)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["00000001.safetensors", "00000002.safetensors"]
    assert json.loads((out / "about.json").read_text())["ended"].startswith("failed: ")
    monkeypatch.undo()
    assert zs("resume", out).exit_code == 0


def test_large_lengths_are_kept_to_the_last_round():
    _length = training._length

    assert _length(1_234_567, None, None) == {"length": "1234567 rounds"}
    assert _length(None, None, 0.05) == {"length": "0.05 minutes"}


def test_sample_writes_what_is_asked(trained, tmp_path):
    folder, _ = trained
    out = tmp_path / "a.npz"
    result = zs("sample", folder, "-n", 5, "--label", 7, "--seed", 1, "--out", out)
    assert result.stdout == f" 5 samples, seed 1: {out}\n"
    with np.load(out) as arrays:
        assert arrays["labels"].tolist() == [7] * 5
        assert np.array_equal(arrays["images"], zerosum.load(folder).sample(5, label=7, seed=1).numpy())
    again = zs("sample", folder, "-n", 5, "--out", out)
    assert "a-2.npz" in again.stdout
    assert "was there already" in again.stdout
    assert zs("sample", folder / "model.safetensors", "-n", 3, "--out", tmp_path / "f").exit_code == 0
    assert len(list((tmp_path / "f").iterdir())) == 3
    assert zs("sample", folder, "--scores", "--out", tmp_path / "s.png").exit_code == 0


def test_recipes_config_and_version():
    listed = zs("recipes").stdout
    assert all(re.search(rf"^ {name} .*{re.escape(recipe.paper)}", listed, re.M) for name, recipe in RECIPES.items())
    assert all(preset in listed for recipe in RECIPES.values() for preset in recipe.presets)
    assert listed.count("(default)") == 1
    shown = zs("config", "gan", "--set", "batch=3").stdout
    assert re.search(r"^  batch = 3 +int; examples dealt a turn, to all ranks together$", shown, re.M)
    written = zs("config", "gan", "--preset", "fashion", "--yaml").stdout
    assert settings.resolve(base=yaml.safe_load(written)) == settings.resolve("gan", "fashion")
    assert zs("--version").stdout == f"zerosum {zerosum.__version__}\n"


def test_help_is_quick_and_needs_no_torch():
    code = """
import sys, zerosum.cli
for words in (["--help"], ["train", "--help"], ["resume", "--help"], ["sample", "--help"], ["--version"]):
    zerosum.cli.app(words, standalone_mode=False)
print([name for name in ("torch", "numpy", "matplotlib", "PIL") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*ZEROSUM, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.4  # of a core, s; about 0.15


def test_piped_lines_come_as_they_are_made_and_without_colour(tmp_path):
    words = ["train", "gan", "--data", "ring", "--rounds", str(10**6), "--out", str(tmp_path / "r"), *TINY[2:]]
    with subprocess.Popen([*ZEROSUM, *words], stdout=-1, stderr=-1, text=True, env=ENVIRONMENT) as process:
        seen = [process.stdout.readline() for _ in range(6)]
        assert process.poll() is None
        process.kill()
    assert seen[3].startswith(" Forecast  ")
    assert seen[5].startswith("round 50 · 0 % · ")
    assert "\x1b" not in "".join(seen)


def test_a_terminal_shows_a_live_bar(tmp_path):
    words = ["train", "gan", "--data", "ring", "--rounds", "300", "--out", str(tmp_path / "r"), *TINY[2:]]
    words += ["--set", "pictures=50 %"]
    ours, theirs = pty.openpty()
    environment = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([*ZEROSUM, *words], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "\x1b[?25l" in text  # the cursor is hidden
    assert "\x1b[?25h" in text  # and shown again
    assert "━" in text
    assert "round 50 · " in text
    assert text.index("D adversarial") < text.index("Done")


def test_a_broken_game_exits_with_1_and_says_what_to_try(tmp_path):
    out = tmp_path / "run"
    result = zs("train", "gan", "--rounds", 5, "--set", "lr=1e30", *TINY[2:], "--out", out)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert re.match(r"Stopped: round [12]: .* of player [DG] is (nan|-?inf); ", line)
    assert json.loads((out / "about.json").read_text())["ended"].startswith("failed: round ")


def test_training_mistakes_are_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no picture")
    (tmp_path / "bad.yaml").write_text("play: [")
    (tmp_path / "odd.yaml").write_text("play: {lenght: 5 rounds}")
    for words, told in [
        (["--data", "nowhere"], "no folder, file or data set called 'nowhere'"),
        (["--data", "glyps"], "Did you mean 'glyphs'?"),
        (["--data", "empty"], "'empty' holds nothing"),
        (["--data", "notes"], "no pictures, such as 'a.txt'"),
        (["./empty"], "Did you mean --data ./empty?"),
        (["ring"], "Did you mean --data ring?"),
        (["lr=0.01"], "use --set lr=0.01"),
        (["r3gam"], "Did you mean 'r3gan'?"),
        (["gan", "--preset", "papr"], "Did you mean 'paper'?"),
        (["--set", "bach=3"], "Did you mean 'play.batch'?"),
        (["--set", "batch=0"], "greater than or equal to 1"),
        (["--set", "batch=x"], "integer"),
        (["--set", "batch"], "expected key=value"),
        (["--set", "gmae.lr=3"], "no setting 'gmae.lr'"),
        (["--rounds", 3, "--minutes", 2], "got 3 rounds and 2 minutes"),
        (["--minutes", -1], "expected a number above 0"),
        (["--config", "none.yaml"], "none.yaml cannot be read"),
        (["--config", "bad.yaml"], "bad.yaml cannot be read"),
        (["--config", "odd.yaml"], "Did you mean 'play.length'?"),
        (["dcgan", "--data", "ring"], "dcgan needs images"),
        (["dcgan", "--set", "size=6", "--set", "limit=9"], "pictures of 6x6 are too small"),
        (["--set", "device=tpu"], "device = 'tpu' is not usable here"),
        (["--set", "labels=l.csv"], "labels=l.csv"),
        (["--rounds", 1, *TINY, "--out", "notes"], "notes is there already and not empty"),
        (["--rounds", 1, *TINY, "--out", "bad.yaml"], "bad.yaml is there already"),
        (["--rounds", 1, *TINY, "--out", "bad.yaml/run"], "bad.yaml/run cannot be written"),
    ]:
        line = refused("train", *words)
        assert told in line, (words, line)
        assert "[Errno" not in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.yaml", "empty", "notes", "odd.yaml"]
    assert [p.name for p in (tmp_path / "notes").iterdir()] == ["a.txt"]
    assert zs("train", "--rouns", 3).exit_code == 2
    assert zs("train", "--rounds", 0).exit_code == 2


def test_pictures_that_cannot_be_read_are_counted_and_named(tmp_path):
    chance = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(chance.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:90])
    (tmp_path / "notes.txt").write_text("no picture")
    result = zs("train", "gan", "--data", tmp_path, "--rounds", 1, "--out", tmp_path / "run", *TINY[2:])
    assert result.exit_code == 0, result.output
    assert "11 examples · 9x9 colour" in result.stdout
    assert "1 unreadable or oversized picture skipped: 3.png" in result.stdout
    assert "1 file that is no picture skipped: notes.txt" in result.stdout
    labels = tmp_path / "labels.csv"
    labels.write_text("0.png,a\n1.png,b\n")
    line = refused("train", "gan", "--data", tmp_path, "--set", f"labels={labels}", "--out", tmp_path / "other")
    assert "has no label for" in line


def test_sampling_mistakes_are_one_line(trained, tmp_path):
    folder, _ = trained
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes((folder / "model.safetensors").read_bytes()[:999])
    points = zerosum.train("gan", "ring", out=tmp_path / "points", length="1 round", batch=8, limit=20, tiles=4)
    for words, told in [
        ([folder, "--label", "cat"], "no label 'cat'. This model knows 0, 1, 2"),
        ([points, "--label", "7"], "label '7' asked of a model that knows no labels"),
        ([points, "--out", tmp_path / "folder"], "points are written as"),
        ([folder, "--out", tmp_path / "a.jpg"], "change its ending"),
        ([folder, "-n", 20_000], "too many for a picture"),
        ([damaged], "is damaged"),
        ([tmp_path], "is damaged"),
        ([tmp_path / "none"], "no model in"),
    ]:
        assert told in refused("sample", *words), words
    assert zs("sample", folder, "-n", 0).exit_code == 2


def test_resuming_mistakes_are_one_line(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    assert "is not a run folder" in refused("resume", tmp_path)
    assert "no folder" in refused("resume", tmp_path / "none")
    assert "such as --rounds 8" in refused("resume", folder)
    assert "such as --rounds 8" in refused("resume", folder, "--rounds", 2)
    assert "got 9 rounds and 9 minutes" in refused("resume", folder, "--rounds", 9, "--minutes", 9)
    newest = max((folder / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:999])
    result = zs("resume", folder)
    assert result.exit_code == 0, result.output
    assert f"! {newest} is damaged" in result.stdout
    assert "at round 3; plays to 4 rounds" in result.stdout
    for file in (folder / "checkpoints").iterdir():
        file.write_bytes(b"")
    assert "is damaged" in refused("resume", folder, "--rounds", 9)
    (folder / "config.yaml").write_text("recipe: gan\nplay: {lr: 3}")
    assert "no setting 'play.lr'" in refused("resume", folder)
    (folder / "config.yaml").write_bytes(b"\xff\xfe")
    assert "cannot be read as a config" in refused("resume", folder)


def test_a_folder_that_may_not_be_written_is_told(tmp_path, monkeypatch):
    def forbid(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbid)
    for out in (["--out", tmp_path / "a" / "b"], []):
        told = refused("train", "gan", "--rounds", 1, *TINY[2:], *out)
        assert re.search("(b|runs) cannot be written \\(Permission denied\\): name another folder", told)


def test_debug_shows_the_whole_traceback(tmp_path):
    result = zs("train", "--data", "nowhere", "--debug")
    assert isinstance(result.exception, ValueError)
    assert result.stderr == ""


def test_trouble_on_the_way_is_one_line_too(trained, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "samples.png")

    monkeypatch.setattr("zerosum.pictures.save", full)
    assert "No space left on device" in refused("sample", trained[0], "--out", "x.png", code=1)
    monkeypatch.setattr(torch, "cat", lambda *_: (_ for _ in ()).throw(RuntimeError("CUDA out of memory. Tried")))
    assert "out of memory" in refused("sample", trained[0], code=1)
