"""Runs of several processes, as torchrun begins them: one folder, the run that one process plays, and a lost rank."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import zerosum
from zerosum import model, ranks, run
from zerosum.play.checkpoint import load
from zerosum.settings import resolve

GAME = ["gan", "--data", "ring", "--set", "batch=64", "--set", "latent=4", "--set", "limit=512"]
GAME += ["--set", "generator_widths=[16]", "--set", "discriminator_widths=[16]", "--set", "cooldown=0"]
WATCHED = [f"--set={name}" for name in ("checkup_cost=0", "quality_cost=0", "pictures=50 %", "readings=10 rounds")]


def begin(size: int, *command: str, restarts: int = 0) -> subprocess.Popen[str]:
    launched = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORCHELASTIC")}
    return subprocess.Popen(
        [sys.executable, *launched, "--max-restarts", str(restarts), "-m", "zerosum", *command],
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def told(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it said, at its end."""
    try:
        out, errors = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == code, out + errors
    return out


def train(size: int, folder: Path, rounds: int, *more: str) -> str:
    return told(begin(size, "train", *GAME, *WATCHED, f"--rounds={rounds}", f"--out={folder}", *more))


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "readings.jsonl").read_text().splitlines()]


def weights(folder: Path) -> torch.Tensor:
    return torch.cat([p.flatten() for p in model.load(folder).game.state_dict().values()])


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    settings = {"batch": 64, "latent": 4, "generator_widths": (16,), "discriminator_widths": (16,), "limit": 512}
    settings |= {"cooldown": 0, "checkup_cost": 0, "quality_cost": 0, "pictures": "50 %"}
    return zerosum.train("gan", "ring", out=folder, length="40 rounds", readings="10 rounds", **settings)


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> tuple[Path, str]:
    """The run of two, and what they said."""
    folder = tmp_path_factory.mktemp("together") / "run"
    return folder, train(2, folder, 40)


def test_two_ranks_write_one_folder_and_say_things_once(alone, together) -> None:
    folder, said = together
    assert said.count("2 ranks") == 1
    assert said.count(" Done ") == 1
    assert (folder / "model.safetensors").is_file()
    about, one = (json.loads((place / "about.json").read_text()) for place in (folder, alone))
    assert (about["ended"], about["rounds"]) == ("finished", 40)
    assert about["images"] == one["images"] > 0, "counted over all ranks"


def test_two_ranks_play_what_one_process_plays(alone, together) -> None:
    for one, two in zip(rows(alone), rows(together[0]), strict=True):
        assert one.keys() == two.keys()
        assert {k: v for k, v in one.items() if k != "seconds"} == pytest.approx(
            {k: v for k, v in two.items() if k != "seconds"}, rel=1e-3, abs=1e-4
        )
    torch.testing.assert_close(weights(alone), weights(together[0]), rtol=1e-3, atol=1e-3)


def test_a_run_of_two_is_gone_on_with_by_one_and_the_other_way_round(alone, together, tmp_path) -> None:
    """The deck, the chance and the optimisers are of the whole table, not of a rank."""
    both = tmp_path / "both"
    train(2, both, 20)
    zerosum.resume(both, "40 rounds")
    torch.testing.assert_close(weights(both), weights(together[0]), rtol=1e-3, atol=1e-3)
    one = zerosum.train("gan", "ring", out=tmp_path / "one", **_of(alone), length="20 rounds")
    told(begin(2, "resume", str(one), "--rounds", "40"))
    torch.testing.assert_close(weights(one), weights(alone), rtol=1e-3, atol=1e-3)
    assert rows(one)[-1]["round"] == 40


def _of(folder: Path) -> dict[str, object]:
    settings = run.Folder.open(folder).settings()
    return {k: v for k, v in (settings.play.model_dump() | settings.game.model_dump()).items() if k != "length"} | {
        "limit": 512
    }


def test_ranks_share_a_batch_evenly(tmp_path) -> None:
    process = begin(2, "train", *GAME, "--rounds", "2", "--out", str(tmp_path / "run"), "--set", "batch=63")
    _, errors = process.communicate(timeout=240)
    assert process.returncode
    assert "play.batch = 63 does not divide among 2 ranks" in errors
    assert "set it to 64" in errors
    assert not (tmp_path / "run").exists()


def children(of: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(of)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


LONG = ["--set=checkpoints=5 %", "--set=keep=9"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The run of two that nobody kills."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(2, folder, 1200, *LONG)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="processes are found with ps")
@pytest.mark.parametrize("lost", [0, 1], ids=["the one that leads", "the one that follows"])
def test_a_killed_rank_begins_again_from_the_last_checkpoint(tmp_path, whole, lost: int) -> None:
    """Killed like a machine that is gone: torchrun begins both anew, and they play to the end, bit for bit."""
    folder = tmp_path / "run"
    process = begin(2, "train", *GAME, *WATCHED, *LONG, "--rounds=1200", f"--out={folder}", restarts=1)
    limit = time.monotonic() + 200
    while len(list(folder.glob("checkpoints/0*.safetensors"))) < 2:
        assert time.monotonic() < limit
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    ranks = sorted(children(process.pid))
    assert len(ranks) == 2
    os.kill(ranks[lost], signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        told(process)
    about = json.loads((folder / "about.json").read_text())
    assert (about["ended"], about["rounds"]) == ("finished", 1200)
    (resumed,) = about["resumes"]
    assert 0 < resumed["round"] < 1200
    assert torch.equal(weights(whole), weights(folder))
    state, same = (load(place / "checkpoints" / "00001200.safetensors")["trainer"] for place in (whole, folder))
    assert torch.equal(state["chance"]["cpu"], same["chance"]["cpu"])


def test_a_python_program_of_two_ranks_gets_one_folder(tmp_path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import zerosum\n"
        f"run = zerosum.train('gan', 'ring', out={str(tmp_path / 'run')!r}, length='4 rounds', limit=128, batch=16)\n"
        "print('trained', run.name)\n"
    )
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    found = subprocess.run(launched, capture_output=True, text=True, timeout=240, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("trained run") == 1


def test_a_job_that_is_queued_again_goes_on_with_its_run(tmp_path, monkeypatch) -> None:
    """Of the same id; another job finds the folder taken, and a run that has ended is not touched."""
    monkeypatch.chdir(tmp_path)
    settings = resolve("gan", None, {"source": "ring", "limit": 128, "batch": 16, "length": "4 rounds"})
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "flowers")
    first, _ = ranks.begin(settings, None)
    first.stopped = True
    run.conduct(first, lambda row, progress: None)
    again, _ = ranks.begin(settings, None)
    assert again.folder.path == first.folder.path
    other = resolve("gan", None, {"source": "ring", "limit": 128, "batch": 32, "length": "4 rounds"})
    with pytest.raises(run.RunError, match=r"\(flowers\) has begun .* with other settings: give another --rdzv-id"):
        ranks.begin(other, None)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "others")
    assert ranks.begin(settings, None)[0].folder.path != first.folder.path
    with pytest.raises(run.RunError, match="is there already"):
        ranks.begin(settings, first.folder.path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "flowers")
    run.conduct(again, lambda row, progress: None)
    assert ranks.begin(settings, None)[0].folder.path != first.folder.path, "that one is finished"
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert ranks.begin(settings, None)[0].folder.path != first.folder.path


BROKEN = """
import sys, torch, zerosum
from zerosum.play.dynamics import Mover
rank, whole = int(sys.argv[1]), Mover._evaluate
turns = []
def evaluate(self, *given):
    turns.append(1)
    if len(turns) == 7 and self.world.rank == rank:
        raise MemoryError("no more")
    return whole(self, *given)
Mover._evaluate = evaluate
zerosum.train("gan", "ring", out=sys.argv[2], length="20 rounds", limit=128, batch=16, generator_widths=(8,))
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_fails_in_a_round_ends_them_all_with_its_words(tmp_path, rank: int) -> None:
    """The others are in a message that will not come: nobody waits for ever."""
    program = tmp_path / "program.py"
    program.write_text(BROKEN)
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    found = subprocess.run(
        [*launched, str(rank), str(tmp_path / "run")], capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode
    assert f"rank {rank} ran out of memory: play a batch in pieces, --set pieces=2" in found.stderr
