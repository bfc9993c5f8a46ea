"""A run that was cut and resumed equals one that was not, to the last bit: for every recipe, and at any moment."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import zerosum
from zerosum import run
from zerosum.data.spec import Points
from zerosum.play import checkpoint
from zerosum.recipes import RECIPES
from zerosum.settings import resolve

COMMAND = [sys.executable, "-m", "zerosum"]
GAN = {
    "generator_widths": (8,),
    "discriminator_widths": (8,),
    "latent": 2,
    "batch": 8,
    "limit": 100,
    "pictures": "50 %",
    "cooldown": 0.0,  # else a run that is extended has cooled at another time than one that was never cut
}


def command(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    settings = [part for key, value in GAN.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    words = [str(a) for a in arguments] + (settings if arguments[0] == "train" else [])
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*COMMAND, *words], stdout=-1, stderr=-1, text=True, env=environment, **options)


def wait_for(condition: Any, process: subprocess.Popen[str]) -> None:
    for _ in range(3000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()  # or it would play on after the tests
    raise AssertionError("waited 30 s in vain")


def play_cut(settings: dict[str, Any], recipe: str, out: Path, cut: int) -> None:
    """Begin a run, and stop it after round `cut`."""
    session = run.begin(resolve(recipe, overrides=settings), out)

    def show(row: dict[str, float], progress: dict[str, float]) -> None:
        session.stopped = session.trainer.rounds >= cut

    assert run.conduct(session, show) == "stopped"
    assert session.trainer.rounds == cut


VARIANTS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in RECIPES]
VARIANTS += [(name, {"source": "ring"}) for name, recipe in RECIPES.items() if Points in recipe.takes]
VARIANTS += [("gan", {"dynamics": "extragradient"}), ("gan", {"dynamics": "simultaneous"})]
VARIANTS += [("r1gan", {"precision": "bfloat16"}), ("gan", {"average": 0.0})]


@pytest.mark.parametrize(("recipe", "changes"), VARIANTS, ids=lambda value: str(value))
def test_resumed_equals_straight(recipe, changes, small, same_run, tmp_path, monkeypatch):
    monkeypatch.setattr("zerosum.pictures.curves", lambda rows, path: None)  # 0.3 s each, and no part of the state
    settings = small(recipe) | {"length": "8 rounds", "readings": "3 rounds", "keep": 20} | changes
    straight = zerosum.train(recipe, out=tmp_path / "straight", **settings)
    play_cut(settings, recipe, tmp_path / "cut", 4)
    torch.manual_seed(12345)  # whatever chance was used in between
    torch.rand(7)
    resumed = zerosum.resume(tmp_path / "cut")
    same_run(straight, resumed)
    assert len((straight / "readings.jsonl").read_text().splitlines()) == 3
    weights = checkpoint.load(resumed / "checkpoints" / "00000004.safetensors")["trainer"]["game"]
    ends = checkpoint.load(resumed / "checkpoints" / "00000008.safetensors")["trainer"]["game"]
    assert any(not torch.equal(weights[name], ends[name]) for name in weights)  # something was played


def test_finished_run_played_further_equals_a_longer_one(small, same_run, tmp_path):
    settings = small("gan") | {"readings": "3 rounds"}
    straight = zerosum.train("gan", out=tmp_path / "straight", length="10 rounds", **settings)
    run_ = zerosum.train("gan", out=tmp_path / "run", length="5 rounds", **settings)
    assert zerosum.resume(run_, "10 rounds") == run_
    same_run(straight, run_)
    assert "length: 10 rounds" in (run_ / "config.yaml").read_text()
    assert len(list((run_ / "grids").iterdir())) > 3  # pictures go on, though their share of the length has changed


def test_kill_9_and_resume_by_command(same_run, tmp_path):
    """A real kill of a real command; what it left half written does not disturb."""
    out = tmp_path / "run"
    process = command(
        "train", "gan", "--data", "ring", "--rounds", 10**6, "--out", out, "--set", "checkpoints=20 rounds"
    )
    wait_for(lambda: len(list((out / "checkpoints").glob("0*.safetensors"))) == 2, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert json.loads((out / "about.json").read_text())["ended"] == "running"
    reached = int(max((out / "checkpoints").glob("0*.safetensors")).stem)
    leftovers = [out / "checkpoints" / ".00000999.safetensors.part", out / "grids" / ".00000001.png.77.unfinished"]
    for left in leftovers:
        left.write_bytes(b"half")
    resumed = command("resume", out, "--rounds", reached + 30)
    printed, trouble = resumed.communicate()
    assert (resumed.returncode, trouble) == (0, "")
    assert f"at round {reached:,}" in printed
    assert not any(left.exists() for left in leftovers)
    settings = GAN | {"checkpoints": "20 rounds", "length": f"{reached + 30} rounds"}
    same_run(zerosum.train("gan", "ring", out=tmp_path / "straight", **settings), out)


def test_killed_at_ten_random_moments(same_run, tmp_path):
    """At every moment there is no checkpoint, or only whole ones; and the end is that of the run nobody killed."""
    processes = multiprocessing.get_context("forkserver")  # torch is imported once
    processes.set_forkserver_preload(
        ["zerosum.run", "torch._dynamo", "matplotlib.figure", "matplotlib.backends.backend_agg"]
    )
    settings = GAN | {"length": "1000000 rounds", "checkpoints": "3 rounds", "readings": "10 rounds"}
    out, chance, reached = tmp_path / "run", random.Random(0), [0]
    for attempt in range(10):
        if (out / "config.yaml").is_file():
            process = processes.Process(target=zerosum.resume, args=(out,))
        else:
            shutil.rmtree(out, ignore_errors=True)
            process = processes.Process(target=zerosum.train, args=("gan", "ring"), kwargs={"out": out} | settings)
        process.start()
        while attempt % 4 and process.is_alive() and newest(out) == reached[-1]:
            time.sleep(0.002)  # mostly, the time counts from when the run has gone on
        process.join(chance.uniform(0, 0.25))
        process.kill()
        process.join()
        for file in (out / "checkpoints").glob("0*.safetensors"):
            assert checkpoint.load(file)["trainer"]["rounds"] == int(file.stem)
        reached.append(newest(out))
    assert reached == sorted(reached)
    assert len(set(reached)) >= 8, reached  # kills fell on different moments of one run
    settings |= {"length": f"{reached[-1] + 30} rounds", "checkpoints": "50 %"}
    zerosum.resume(out, settings["length"])
    same_run(zerosum.train("gan", "ring", out=tmp_path / "straight", **settings), out)


def newest(out: Path) -> int:
    """The round of the newest checkpoint, 0 without any."""
    return max((int(file.stem) for file in (out / "checkpoints").glob("0*.safetensors")), default=0)


def test_ctrl_c_saves_and_says_how_to_go_on(same_run, tmp_path):
    out = tmp_path / "run"
    process = command("train", "gan", "--data", "ring", "--rounds", 10**6, "--out", out, "--gif")
    wait_for(lambda: (out / "readings.jsonl").is_file(), process)
    process.send_signal(signal.SIGINT)
    printed, trouble = process.communicate()
    assert (process.returncode, trouble) == (130, "")
    about = json.loads((out / "about.json").read_text())
    assert about["ended"] == "stopped"
    assert f"zerosum resume {out}" in printed
    for name in ("film.webp", "film.gif", "curves.png", "model.safetensors"):
        assert (out / name).stat().st_size > 500, name
    zerosum.resume(out, f"{about['rounds'] + 20} rounds")
    straight = zerosum.train("gan", "ring", out=tmp_path / "s", **GAN, length=f"{about['rounds'] + 20} rounds")
    same_run(straight, out)


def test_a_closed_terminal_saves_and_stops(tmp_path):
    out = tmp_path / "run"
    process = command("train", "gan", "--data", "ring", "--rounds", 10**6, "--out", out)
    wait_for(lambda: (out / "readings.jsonl").is_file(), process)
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: list((out / "checkpoints").glob("0*.safetensors")), process)
    process.send_signal(signal.SIGHUP)  # the system tells it, and so does the shell
    _, trouble = process.communicate()
    assert (process.returncode, trouble) == (130, "")
    assert json.loads((out / "about.json").read_text())["ended"] == "stopped"


def test_a_reader_that_leaves_does_not_end_the_run(tmp_path):
    out = tmp_path / "run"
    process = command("train", "gan", "--data", "ring", "--rounds", 300, "--out", out)
    assert process.stdout.readline()
    process.stdout.close()
    trouble = process.stderr.read()
    assert (process.wait(), trouble) == (0, "")
    process.stderr.close()
    about = json.loads((out / "about.json").read_text())
    assert (about["ended"], about["rounds"]) == ("finished", 300)


def test_a_second_ctrl_c_quits_at_once(tmp_path):
    out = tmp_path / "run"
    endless = ["--set", "steps=100000", "--rounds", 2]  # the first Ctrl-C would wait for the end of a round of minutes
    process = command("train", "gan", "--data", "ring", *endless, "--out", out)
    wait_for(lambda: (out / "grids" / "00000000.png").is_file(), process)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None, "the first Ctrl-C lets the round end"
    process.send_signal(signal.SIGINT)
    _, trouble = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in trouble
    assert json.loads((out / "about.json").read_text())["ended"] == "running"
    assert not (out / "film.webp").exists()


def test_without_a_checkpoint_a_run_begins_again(small, same_run, tmp_path):
    settings = small("gan") | {"length": "6 rounds", "readings": "2 rounds"}
    straight = zerosum.train("gan", out=tmp_path / "straight", **settings)
    session = run.begin(resolve("gan", overrides=settings), tmp_path / "cut")
    session.look()
    session.trainer.round()
    session.trainer.round()
    session.record(session.trainer.collect(), lambda row, progress: None)
    assert session.folder.rows()
    same_run(straight, zerosum.resume(tmp_path / "cut"))


def test_a_damaged_checkpoint_gives_way_to_the_older_one(small, same_run, tmp_path):
    settings = small("r1gan") | {"length": "6 rounds", "readings": "2 rounds", "checkpoints": "2 rounds"}
    straight = zerosum.train("r1gan", out=tmp_path / "straight", **settings)
    play_cut(settings, "r1gan", tmp_path / "cut", 5)
    newest = max((tmp_path / "cut" / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    session, troubles = run.go_on(run.Folder.open(tmp_path / "cut"))
    assert session.trainer.rounds == 4
    assert len(troubles) == 1
    assert newest.name in troubles[0]
    run.conduct(session, lambda row, progress: None)
    same_run(straight, tmp_path / "cut")


def test_a_memory_layout_survives_a_checkpoint(tmp_path):
    """Fused optimisers walk weights and moments by address: both must lie in memory as they did."""
    tensor = torch.rand(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "a.safetensors", {"x": tensor, "y": tensor.contiguous()})
    loaded = checkpoint.load(tmp_path / "a.safetensors")
    assert torch.equal(loaded["x"], tensor)
    assert loaded["x"].stride() == tensor.stride()
    assert loaded["y"].stride() == tensor.contiguous().stride()
