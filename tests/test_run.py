"""A run: its folder, its readings, and what stands in its way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum import model, run
from zerosum.data import sources
from zerosum.folder import Folder, RunError
from zerosum.game import Loss
from zerosum.play.checkpoint import DamagedFile
from zerosum.play.trainer import NonFinite
from zerosum.recipes import gan
from zerosum.settings import resolve


@pytest.fixture
def settings(small):
    return small("gan") | {"length": "4 rounds", "readings": "2 rounds"}


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "readings.jsonl").read_text().splitlines()]


def about(folder: Path) -> dict:
    return json.loads((folder / "about.json").read_text())


def album(folder: Path, n: int = 20, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    for i in range(n):
        Image.fromarray(chance.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{i:03d}.png")
    return folder


def test_the_folder_holds_everything(small, tmp_path):
    folder = zerosum.train("r1gan", out=tmp_path / "run", **small("r1gan") | {"length": "4 rounds"})
    held = {path.name for path in folder.iterdir()}
    assert held == {
        *("config.yaml", "about.json", "grids", "judged", "frames", "film.webp", "curves.png"),
        *("checkpoints", "model.safetensors", "readings.jsonl", "checkups.jsonl"),
    }
    assert [row["round"] for row in rows(folder)] == [4]  # no interval of 50 rounds was whole
    for pictured in ("grids", "judged"):
        assert sorted(p.name for p in (folder / pictured).iterdir()) == [f"{r:08d}.png" for r in (0, 2, 4)]
    with Image.open(folder / "film.webp") as film:
        assert film.n_frames == 3
    facts = about(folder)
    assert (facts["ended"], facts["rounds"], facts["images"]) == ("finished", 4, 32)
    assert facts["data"]["examples"] == 30
    assert len(facts["data"]["fingerprint"]) == 64
    assert facts["parameters"]["G"] > 0
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.suffix in (".safetensors", ".yaml")}
    (tmp_path / "any").touch()
    assert modes == {(tmp_path / "any").stat().st_mode & 0o777}


def test_the_last_row_of_a_part_of_an_interval_goes_when_the_run_goes_on(settings, tmp_path):
    folder = zerosum.train("gan", out=tmp_path / "run", **settings | {"readings": "3 rounds"})
    each = rows(zerosum.train("gan", out=tmp_path / "each", **settings | {"readings": "1 round"}))
    assert [row["round"] for row in rows(folder)] == [3, 4]
    assert rows(folder)[1]["D.adversarial"] == each[3]["D.adversarial"]
    zerosum.resume(folder, "5 rounds")
    assert [row["round"] for row in rows(folder)] == [3, 5]
    zerosum.resume(folder, "7 rounds")
    assert [row["round"] for row in rows(folder)] == [3, 6, 7]
    resumes = about(folder)["resumes"]
    assert [(once["round"], once["length"]) for once in resumes] == [(4, "5 rounds"), (5, "7 rounds")]
    assert all(once["when"] >= about(folder)["started"] for once in resumes)


def test_what_draws_is_imported_before_anything_is_played(tmp_path):
    code = """
import sys, zerosum, zerosum.session
zerosum.session.Session.look = lambda self: sys.exit("matplotlib.figure" not in sys.modules)
zerosum.train("gan", limit=20, batch=4, out=sys.argv[1])
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=True)


def test_a_line_of_readings_is_the_mean_of_its_interval(settings, tmp_path):
    each = rows(zerosum.train("gan", out=tmp_path / "a", **settings | {"readings": "1 rounds"}))
    pairs = rows(zerosum.train("gan", out=tmp_path / "b", **settings))
    assert [row["round"] for row in each] == [1, 2, 3, 4]
    assert [(row["round"], row["images"], row["epochs"]) for row in pairs] == [(2, 16, 0.5333), (4, 32, 1.0667)]
    for pair, first, second in zip(pairs, each[::2], each[1::2], strict=True):
        for name in ("D.adversarial", "G.adversarial", "D.D_x", "D.D_Gz"):
            assert pair[name] == (first[name] + second[name]) / 2


def test_the_same_seed_plays_the_same_and_another_does_not(settings, tmp_path, same_run):
    one, other = (zerosum.train("gan", out=tmp_path / name, **settings) for name in "ab")
    same_run(one, other)
    different = zerosum.train("gan", out=tmp_path / "c", **settings | {"seed": 1})
    assert rows(one)[0]["D.adversarial"] != rows(different)[0]["D.adversarial"]


@pytest.mark.parametrize(("length", "counted"), [("0.2 kimg", 25), ("20 images", 3), ("1 epoch", 4), ("50 rounds", 50)])
def test_a_length_in_every_unit(settings, tmp_path, length, counted):
    folder = zerosum.train("gan", out=tmp_path / "run", **settings | {"length": length})
    assert about(folder)["rounds"] == counted  # batch 8, 30 examples


def test_a_length_in_time_ends_with_a_result(settings, tmp_path):
    folder = zerosum.train("gan", out=tmp_path / "run", **settings | {"length": "0.01 minutes"})
    assert 0.6 <= about(folder)["seconds"] < 5
    assert about(folder)["ended"] == "finished"
    assert zerosum.load(folder).sample(2, seed=0).shape == (2, 28, 28, 1)


def test_a_game_that_breaks_stops_at_its_round_and_goes_on_when_mended(settings, tmp_path, monkeypatch, same_run):
    settings |= {"length": "9 rounds", "checkpoints": "2 rounds"}
    straight = zerosum.train("gan", out=tmp_path / "straight", **settings)
    played, sound = [], gan.GAN.discriminator_loss

    def breaks(self, batch):
        played.append(1)
        loss = sound(self, batch)
        return Loss(adversarial=loss.total * (float("nan") if len(played) == 7 else 1)).read(**loss.watched)

    monkeypatch.setattr(gan.GAN, "discriminator_loss", breaks)
    with pytest.raises(NonFinite, match="round 7: adversarial of player D is nan"):
        zerosum.train("gan", out=tmp_path / "run", **settings)
    monkeypatch.undo()
    facts = about(tmp_path / "run")
    assert facts["ended"] == "failed: round 7: adversarial of player D is nan"
    assert (tmp_path / "run" / "film.webp").is_file()
    assert max((tmp_path / "run" / "checkpoints").iterdir()).stem == "00000006"
    same_run(straight, zerosum.resume(tmp_path / "run"))
    assert about(tmp_path / "run")["ended"] == "finished"


def test_no_checkpoint_holds_a_weight_that_is_no_number(settings, tmp_path):
    """A step can break the weights where every reading of its round was still a number."""
    begun = run.begin(resolve("gan", overrides=settings), tmp_path / "run")
    begun.trainer.round()
    with torch.no_grad():
        next(begun.game.G.parameters())[0] = float("inf")
    with pytest.raises(NonFinite, match="round 1: a weight of player G"):
        begun.save()
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []


def test_a_huge_step_is_told_in_its_round(settings, tmp_path):
    with pytest.raises(NonFinite, match=r"round [12]: .* of player [DG] is"):
        zerosum.train("gan", out=tmp_path / "run", **settings | {"lr": 1e30})


def test_runs_begun_at_once_get_a_folder_each(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resolved = resolve("gan", overrides=settings)

    def create(path: Path | None) -> Path | None:
        try:
            return Folder.create(path, "x", resolved).path
        except RunError:
            return None

    with ThreadPoolExecutor(8) as pool:
        numbered = list(pool.map(create, [None] * 16))
        named = list(pool.map(create, [Path("same")] * 16))
    assert sorted(map(str, numbered)) == [f"runs/{i:04d}-x" for i in range(1, 17)]
    assert len([path for path in named if path is not None]) == 1
    assert Folder.create(None, "y", resolved).path == Path("runs/0017-y")


def test_a_folder_that_holds_anything_is_not_touched(settings, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("years")
    for name, out in (("mine", tmp_path / "mine"), ("file", tmp_path / "file"), ("file", tmp_path / "file" / "run")):
        with pytest.raises(RunError, match=name):
            zerosum.train("gan", out=out, **settings)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert (tmp_path / "file").read_text() == "years"
    (tmp_path / "empty").mkdir()
    assert zerosum.train("gan", out=tmp_path / "empty", **settings) == tmp_path / "empty"


def test_what_cannot_be_leaves_no_folder(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for wrong in (
        {"recipe": "dcgan", "data": "ring"},
        {"recipe": "dcgan", "size": 4},
        {"recipe": "gan", "device": "x"},
        {"recipe": "gan", "steps": 2, "dynamics": "extragradient"},
    ):
        with pytest.raises(ValueError, match=r"points|too small|device|asks for more turns"):
            zerosum.train(**{"limit": 10} | wrong)
    assert list(tmp_path.iterdir()) == []


def test_too_little_disk_is_told_before_anything_is_made(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2**30, 2**30 - 2**20, 2**20))
    with pytest.raises(RunError, match=r"has 1 MiB of disk left, and this run needs about 10\d MiB"):
        zerosum.train("gan", out=tmp_path / "deep" / "run", **settings)
    assert list(tmp_path.iterdir()) == []


def test_data_that_changed_or_vanished_is_refused(settings, tmp_path, same_run):
    data = album(tmp_path / "album")
    settings = {key: value for key, value in settings.items() if key not in ("source", "limit")}
    folder = zerosum.train("gan", data=data, out=tmp_path / "run", **settings)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    album(data, seed=1)
    with pytest.raises(RunError, match=r"has changed since .* began with 20 examples of it \(now 20\)"):
        zerosum.resume(folder, "8 rounds")
    album(data, n=21)
    with pytest.raises(RunError, match=r"now 21"):
        zerosum.resume(folder, "8 rounds")
    (folder / "about.json").write_text("{")  # the checkpoint knows its data, too
    with pytest.raises(RunError, match="another data than this run"):
        zerosum.resume(folder, "8 rounds")
    (folder / "about.json").write_bytes(before[folder / "about.json"])
    shutil.rmtree(data)
    with pytest.raises(sources.DataError, match="no folder, file or data set called"):
        zerosum.resume(folder, "8 rounds")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    album(data)
    straight = zerosum.train("gan", data=data, out=tmp_path / "straight", **settings | {"length": "8 rounds"})
    same_run(straight, zerosum.resume(folder, "8 rounds"))


def test_a_fingerprint_knows_examples_and_labels(monkeypatch):
    fingerprint = model.fingerprint
    found = sources.load("glyphs", limit=40)
    same = fingerprint(sources.load("glyphs", limit=40))
    assert fingerprint(found) == same
    found.examples[7, 0, 3, 3] += 1
    assert fingerprint(found) != same
    found.examples[7, 0, 3, 3] -= 1
    found.labels[7] += 1
    assert fingerprint(found) != same
    found.labels[7] -= 1
    assert fingerprint(found) == same
    monkeypatch.setattr(model, "READ_BYTES", found.examples.nbytes // 3)  # a large set is read in strides
    assert fingerprint(found) != same


def test_a_fingerprint_knows_partners():
    found = sources.load("strokes", limit=4)
    same = model.fingerprint(sources.load("strokes", limit=4))
    assert model.fingerprint(found) == same
    found.partners[3, 0, 5, 5] ^= 255
    assert model.fingerprint(found) != same


def test_a_checkpoint_of_another_run_is_refused(settings, small, tmp_path):
    folder = zerosum.train("gan", out=tmp_path / "run", **settings)
    other = zerosum.train("r1gan", out=tmp_path / "other", **small("r1gan") | {"length": "6 rounds"})
    copied = folder / "checkpoints" / "00000099.safetensors"
    shutil.copy(max((other / "checkpoints").iterdir()), copied)
    with pytest.raises(RunError, match=r"another recipe than this run \(r1gan, not gan\)"):
        zerosum.resume(folder, "8 rounds")
    copied.unlink()
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("latent: 4", "latent: 5"))
    with pytest.raises(RunError, match=r"another game than this run \(latent = 4, not 5\)"):
        zerosum.resume(folder, "8 rounds")


def test_a_run_without_a_sound_checkpoint_cannot_go_on(settings, tmp_path):
    folder = zerosum.train("gan", out=tmp_path / "run", **settings)
    for file in (folder / "checkpoints").iterdir():
        file.write_bytes(b"damaged")
    with pytest.raises(DamagedFile, match=r"00000004.*00000003"):
        zerosum.resume(folder, "8 rounds")


def test_a_finished_run_says_how_to_go_further(settings, tmp_path):
    folder = zerosum.train("gan", out=tmp_path / "run", **settings)
    for length in (None, "3 rounds"):
        with pytest.raises(RunError, match=r"has played 4 rounds .* such as --rounds 8"):
            zerosum.resume(folder, length)
    assert about(folder)["ended"] == "finished"
    with pytest.raises(RunError, match="not a run folder"):
        zerosum.resume(tmp_path)
    with pytest.raises(RunError, match="no folder"):
        zerosum.resume(tmp_path / "nowhere")
