"""Shards: the samples of `draw`, as WebDataset reads them; whoever makes them, and however often that is cut."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum import model, shards
from zerosum.data.spec import Images, Points
from zerosum.play.checkpoint import atomically
from zerosum.recipes import RECIPES

ASK = {"label": None, "seed": 5}


def untrained(recipe: str, spec: Images | Points, **config: object) -> model.Model:
    torch.manual_seed(0)
    return model.Model(model.build(recipe, RECIPES[recipe].config(**config), spec), spec, {"recipe": recipe})


@pytest.fixture(scope="module")
def digits() -> model.Model:
    return untrained("cgan", Images(1, 8, 8, tuple("abcde")), latent=4, hidden=(16,))


@pytest.fixture(scope="module")
def run(tmp_path_factory, small) -> Path:
    return zerosum.train("cgan", out=tmp_path_factory.mktemp("run") / "run", length="2 rounds", **small("cgan"))


def read(folder: Path) -> list[dict[str, bytes]]:
    """Every sample of a folder of shards, as WebDataset has it: neighbours in a tar that share a name up to its dot."""
    samples = []
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as tar:
            files = [(member.name.partition("."), tar.extractfile(member).read()) for member in tar]
        for key, group in groupby(files, key=lambda file: file[0][0]):
            samples.append({"__key__": key} | {name[2]: content for name, content in group})
    return samples


def contents(folder: Path) -> dict[str, bytes]:
    """Nothing but shards and what they are of: no part of a file is left."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def command(folder: Path, out: Path, *more: object, rank: int = 0, ranks: int = 1) -> subprocess.Popen[str]:
    words = ["sample", folder, "-n", 6000, "--seed", 5, "--per-shard", 300, "--device", "cpu", "--out", out, *more]
    env = os.environ | {"RANK": str(rank), "WORLD_SIZE": str(ranks), "OMP_NUM_THREADS": "1"}
    asked = [sys.executable, "-m", "zerosum", *map(str, words)]
    return subprocess.Popen(asked, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_shards_hold_what_draw_draws(digits, tmp_path):
    told = []
    made = shards.write(digits, 500, **ASK, out=tmp_path / "s", per_shard=150, tell=lambda *at: told.append(at))
    assert (made.shards, made.new, made.samples) == (4, 4, 500)
    assert told == [(i, 500) for i in range(1, 501)]
    assert sorted(contents(tmp_path / "s")) == [*(f"samples-{i:06d}.tar" for i in range(4)), "shards.json"]
    x, y, _ = digits.draw(500, seed=5)
    samples = read(tmp_path / "s")
    assert [sample["__key__"] for sample in samples] == [f"{i:09d}" for i in range(500)]
    for i, sample in enumerate(samples):
        assert sample.keys() == {"__key__", "png", "cls"}
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(sample["png"]))), x[i, ..., 0])
        assert int(sample["cls"]) == y[i]
    about = json.loads((tmp_path / "s" / "shards.json").read_text())
    assert (about["samples"], about["per_shard"], about["seed"], about["classes"]) == (500, 150, 5, list("abcde"))


@pytest.mark.parametrize(("first", "n"), [(0, 1), (60, 8), (64, 64), (130, 70)])
def test_a_part_is_what_the_whole_has_there(digits, first, n):
    x, y, scores = digits.draw(300, seed=2, scored=True)
    whole = x[first : first + n], y[first : first + n], scores[first : first + n]
    part = digits.draw(n, seed=2, scored=True, first=first)
    assert all(torch.equal(here, there) for here, there in zip(part, whole, strict=True))
    asked = torch.arange(300) % 5
    asked_for = digits.draw(n, asked[first : first + n], seed=2, first=first)
    assert torch.equal(asked_for[1], asked[first : first + n])
    assert torch.equal(asked_for[0], digits.draw(300, asked, seed=2)[0][first : first + n])


def test_one_class_and_points(digits, tmp_path):
    shards.write(digits, 70, label="c", seed=1, out=tmp_path / "c", per_shard=64)
    samples = read(tmp_path / "c")
    assert {sample["cls"] for sample in samples} == {b"2"}
    x = digits.sample(70, label="c", seed=1)
    assert all(
        np.array_equal(np.asarray(Image.open(io.BytesIO(s["png"]))), x[i, ..., 0]) for i, s in enumerate(samples)
    )
    points = untrained("gan", Points(2, scale=3.0), latent=4, generator_widths=(8,))
    shards.write(points, 70, **ASK, out=tmp_path / "points", per_shard=64)
    samples = read(tmp_path / "points")
    assert all(sample.keys() == {"__key__", "npy"} for sample in samples)
    there = np.stack([np.load(io.BytesIO(sample["npy"])) for sample in samples])
    assert np.array_equal(there, points.sample(70, seed=5).numpy())


def test_who_draws_noise_at_every_step_is_passed_over_rightly():
    ancestral = untrained("ddpm", Points(2), hidden=(8,), diffusion_steps=10, sampling_steps=5, eta=1.0)
    many = ancestral.sample(200, seed=3)
    assert torch.equal(ancestral.draw(60, seed=3, first=140)[0], many[140:])


def test_a_killed_command_goes_on_where_it_stopped(run, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    shards.write(zerosum.load(run), 6000, **ASK, out=whole, per_shard=300)
    process = command(run, cut)
    while not (there := list(cut.glob("*.tar"))) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    times = {path: path.stat().st_mtime_ns for path in sorted(cut.glob("*.tar"))}
    assert there
    assert len(times) < 20, "it was over before it could be killed: ask for more"
    (cut / ".samples-000017.tar.part").write_bytes(b"a part, as a kill leaves it")
    again = command(run, cut)
    assert f"20 shards: {20 - len(times)} made now" in again.communicate(timeout=100)[0]
    assert contents(cut) == contents(whole)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert "20 shards: there already" in command(run, cut).communicate(timeout=100)[0]


def test_two_ranks_make_what_one_makes(run, tmp_path):
    both = [command(run, tmp_path / "two", rank=rank, ranks=2) for rank in range(2)]
    told = [process.communicate(timeout=100) for process in both]
    for rank, (out, trouble) in enumerate(told):
        assert f"20 shards: 10 made now by rank {rank} of 2, " in out, trouble
    shards.write(zerosum.load(run), 6000, **ASK, out=tmp_path / "one", per_shard=300)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"seed": 6}, "seed 5, not 6"),
        ({"label": "a"}, "label None, not a"),
        ({"n": 71}, "samples 70, not 71"),
        ({"per_shard": 40}, "per_shard 30, not 40"),
    ],
)
def test_a_folder_holds_the_shards_of_one_request(digits, tmp_path, other, told):
    asked = {"n": 70, "per_shard": 30, "out": tmp_path} | ASK
    shards.write(digits, **asked)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=told):
        shards.write(digits, **(asked | other))
    assert contents(tmp_path) == before


def test_a_folder_holds_the_shards_of_one_model(tmp_path):
    slow, fast = (
        untrained("ddpm", Points(2), hidden=(8,), diffusion_steps=10, sampling_steps=steps) for steps in (5, 2)
    )
    shards.write(slow, 30, **ASK, out=tmp_path, per_shard=30)
    with pytest.raises(ValueError, match="sampling_steps 5, not 2"):
        shards.write(fast, 30, **ASK, out=tmp_path, per_shard=30)
    with torch.no_grad():
        next(slow.game.parameters()).add_(1)
    with pytest.raises(ValueError, match=r"model .*, not "):
        shards.write(slow, 30, **ASK, out=tmp_path, per_shard=30)


def test_nothing_of_anybody_else_is_touched(digits, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds mine\.txt, and no shards"):
        shards.write(digits, 30, **ASK, out=tmp_path)
    with pytest.raises(ValueError, match="cannot be a folder"):
        shards.write(digits, 30, **ASK, out=tmp_path / "mine.txt")
    for text in ("{", "[1]"):
        (tmp_path / "shards.json").write_text(text)
        with pytest.raises(ValueError, match="not written by zerosum sample"):
            shards.write(digits, 30, **ASK, out=tmp_path)
    with pytest.raises(ValueError, match="no label 'z'"):
        shards.write(digits, 30, label="z", seed=0, out=tmp_path / "z")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "shards.json"]


def test_a_shard_that_cannot_be_written_leaves_none(digits, tmp_path, monkeypatch):
    def full(path: Path, write) -> None:
        if path.name == "samples-000001.tar":
            raise OSError(28, "No space left on device")
        atomically(path, write)

    monkeypatch.setattr(shards, "atomically", full)
    with pytest.raises(OSError, match="No space left"):
        shards.write(digits, 90, **ASK, out=tmp_path, per_shard=30)
    assert sorted(contents(tmp_path)) == ["samples-000000.tar", "shards.json"]
    monkeypatch.undo()
    assert shards.write(digits, 90, **ASK, out=tmp_path, per_shard=30).new == 2
    assert len(read(tmp_path)) == 90


def test_when_shards_are_meant(monkeypatch):
    folder = Path("shards")
    assert shards.meant(1_000_000, folder, None)
    assert shards.meant(10_001, folder, None)
    assert not shards.meant(10_000, folder, None)
    assert shards.meant(5, folder, 100)
    assert not shards.meant(1_000_000, Path("many.npz"), None)
    with pytest.raises(ValueError, match=r"into a folder, got a\.npz"):
        shards.meant(5, Path("a.npz"), 100)
    with pytest.raises(ValueError, match="leave --scores out"):
        shards.meant(20_000, folder, None, scored=True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert shards.meant(5, folder, 100)
    with pytest.raises(ValueError, match=r"ranks share shards, and samples\.png is none"):
        shards.meant(5, Path("samples.png"), None)


def test_each_rank_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(shards, "choose_device", lambda name: torch.device("cpu" if name == "cpu" else "cuda"))
    assert (shards.device("auto"), shards.device("cpu")) == ("cuda", "cpu")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert (shards.device("auto"), shards.device("cpu")) == ("cuda:3", "cpu")
