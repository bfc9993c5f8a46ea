"""Decoded pictures on disk: the same bytes as in memory, made once, whole or not at all, in little memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import tracemalloc
import zipfile
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data import albums, cache, pictures
from zerosum.data.held_out import keep_back
from zerosum.data.on_disk import OnDisk
from zerosum.data.sources import DataError, load
from zerosum.model import fingerprint


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Where decoded pictures go in these tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "zerosum" / "decoded"


def as_file(rng, size=(8, 8), mode="RGB"):
    """The bytes of a PNG of noise, size (width, height)."""
    picture, file = rng.integers(0, 256, (size[1], size[0], len(mode)), np.uint8).squeeze(), BytesIO()
    Image.fromarray(picture).save(file, "png")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Two classes, 30 pictures of several sizes, one damaged behind its header, one no picture at all."""
    rng = np.random.default_rng(0)
    for i in range(30):
        file = tmp_path / "own" / ("rose" if i % 3 else "tulip") / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = as_file(rng, (20 + i % 2, 16))
        file.write_bytes({7: whole[: len(whole) // 2], 11: b"text"}.get(i, whole))
    (tmp_path / "own" / "rose" / "readme.txt").write_text("hello")
    return tmp_path / "own"


def zipped(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def flat(folder):
    """The same pictures without classes."""
    (folder.parent / "flat").mkdir()
    for file in folder.rglob("*.png"):
        file.rename(folder.parent / "flat" / file.name)
    return folder.parent / "flat"


def files(kept):
    return sorted(kept.iterdir()) if kept.exists() else []


@pytest.mark.parametrize("layout", [lambda folder: folder, zipped, flat])
@pytest.mark.parametrize("asked", [{}, {"size": (12, 10), "channels": 1}, {"limit": 20, "seed": 3}])
def test_the_same_bytes_as_in_memory(folder, kept, layout, asked):
    source = str(layout(folder))
    memory = load(source, cache="memory", **asked)
    for turn in ("made", "found"):
        disk = load(source, cache="disk", **asked)
        assert isinstance(disk.examples, OnDisk), turn
        assert disk.examples.shape == memory.examples.shape
        assert torch.equal(disk.examples, memory.examples)
        assert torch.equal(disk.labels, memory.labels) if memory.labels is not None else disk.labels is None
        assert disk.spec == memory.spec
        assert disk.notes[:-1] == memory.notes
        (file,) = files(kept)
        assert str(file) in disk.notes[-1]
        assert fingerprint(disk) == fingerprint(memory)
    assert torch.equal(load(source, split="train", cache="disk", **asked).examples[:3], memory.examples[:3])


def test_made_once(folder, kept, monkeypatch):
    first = load(str(folder), cache="disk")
    (file,) = files(kept)
    before = file.stat().st_mtime_ns
    assert file.stat().st_size > first.examples.nbytes
    monkeypatch.setattr(albums, "look_all", None)  # nobody looks, nobody decodes
    assert torch.equal(load(str(folder), cache="disk").examples, first.examples)
    assert file.stat().st_mtime_ns == before


def test_another_source_is_another_file(folder, kept):
    old = load(str(folder), cache="disk").examples[:]
    picture = folder / "rose" / "01.png"
    picture.write_bytes(as_file(np.random.default_rng(9), (21, 16)))
    os.utime(picture, ns=(1, 1))
    new = load(str(folder), cache="disk")
    assert len(files(kept)) == 2
    assert torch.equal(new.examples, load(str(folder), cache="memory").examples)
    assert not torch.equal(new.examples, old)
    load(str(folder), cache="disk", size=8)
    (folder / "rose" / "more.txt").write_text("")
    assert "2 files that are no pictures" in " ".join(load(str(folder), cache="disk").notes)
    assert len(files(kept)) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b[:-3],
        lambda b: b[100:],
        lambda b: b + b"\0",
        lambda b: b"",
        lambda b: b"x",
    ],
)
def test_a_damaged_file_is_made_anew(folder, kept, damage):
    whole = load(str(folder), cache="memory").examples
    load(str(folder), cache="disk")
    (file,) = files(kept)
    good = file.read_bytes()
    file.write_bytes(damage(good))
    assert cache.find(file) is None
    assert torch.equal(load(str(folder), cache="disk").examples, whole)
    assert file.read_bytes() == good
    assert files(kept) == [file]


def test_an_interruption_leaves_nothing(folder, kept, monkeypatch):
    def cut(*args):
        yield np.zeros((64, 64, 3), np.uint8)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(albums, "decode_all", cut)
        with pytest.raises(KeyboardInterrupt):
            load(str(folder), cache="disk")
    assert files(kept) == []
    assert torch.equal(load(str(folder), cache="disk").examples, load(str(folder), cache="memory").examples)


def test_what_a_killed_process_left_is_swept(folder, kept):
    load(str(folder), cache="disk")
    (file,) = files(kept)
    file.unlink()
    old, young = (file.with_name(f"{file.name}{name}.part") for name in ("old", "young"))
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    load(str(folder), cache="disk")
    assert files(kept) == sorted([file, young])


PROGRAM = """
import sys, hashlib
from zerosum.data.sources import load
data = load(sys.argv[1], cache="disk")
print(hashlib.sha256(data.examples[:].numpy().tobytes()).hexdigest(), len(data))
"""


def test_two_processes_at_once(folder, kept):
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    expected = load(str(folder), cache="memory").examples
    assert said == [f"{hashlib.sha256(expected.numpy().tobytes()).hexdigest()} {len(expected)}\n"] * 2
    assert len(files(kept)) == 1


def peak(source, **options):
    """Bytes of Python and NumPy, at most at one time, that it took to load."""
    tracemalloc.start()
    try:
        data = load(source, **options)
        return tracemalloc.get_traced_memory()[1], data
    finally:
        tracemalloc.stop()


def test_decoding_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "_AT_ONCE", 1 << 20)
    (tmp_path / "many").mkdir()
    one = as_file(np.random.default_rng(0), (128, 128))
    for i in range(400):
        (tmp_path / "many" / f"{i}.png").write_bytes(one)
    disk, data = peak(str(tmp_path / "many"), cache="disk")
    memory, _ = peak(str(tmp_path / "many"), cache="memory")
    whole = 400 * 128 * 128 * 3
    assert data.examples.nbytes == whole
    assert disk < whole / 5  # a block of 1 MB, what is being decoded, names
    assert memory > whole


def test_memory_decides(folder, kept, monkeypatch):
    size = load(str(folder)).examples.nbytes  # 28 of 64x64, as sizes differ
    assert size == 28 * 64 * 64 * 3
    assert files(kept) == []
    held = 29 * 64 * 64 * 3  # by the headers, 29 can be read
    for available, on_disk in ((4 * held, False), (4 * held - 1, True), (10**9, False)):
        monkeypatch.setattr(cache, "available", lambda available=available: available)
        assert isinstance(load(str(folder)).examples, OnDisk) == on_disk
        assert bool(files(kept)) == (available != 4 * held)
    monkeypatch.setattr(cache, "available", lambda: 0)
    assert not isinstance(load(str(folder), cache="memory").examples, OnDisk)
    assert not isinstance(load("glyphs", limit=10).examples, OnDisk)


def test_available_memory(tmp_path, monkeypatch):
    system = cache.available()
    assert 10**8 < system < 10**14
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(cache, "_CONTAINER", (str(limit), str(tmp_path / "none")))
    limit.write_text("123456789\n")
    assert cache.available() == 123456789
    limit.write_text("max\n")
    assert cache.available() == pytest.approx(system, rel=0.2)
    assert cache.fits(0)
    assert not cache.fits(system)


def test_what_cannot_be_kept_is_said(folder, tmp_path, monkeypatch):
    for source, more in (("glyphs", {}), (str(folder), {"pairing": "domains"})):
        with pytest.raises(DataError, match="cache=disk"):
            load(source, cache="disk", limit=8, **more)
    with pytest.raises(DataError, match=r"expected 'auto', 'memory' or 'disk'\. Did you mean 'disk'"):
        load("glyphs", cache="disc")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match=r"cannot be kept in .*XDG_CACHE_HOME"):
        load(str(folder), cache="disk")
    for file in folder.rglob("*.png"):
        file.write_bytes(b"text")
    with pytest.raises(DataError, match="none of the 30 pictures"):
        load(str(folder), cache="disk")


def test_what_is_kept_back_stays_on_disk(folder):
    both = [keep_back(load(str(folder), cache=where), 0.25) for where in ("memory", "disk")]
    for memory, disk in zip(*both, strict=True):
        assert isinstance(disk.examples, OnDisk)
        assert torch.equal(memory.examples, disk.examples)
        assert torch.equal(memory.labels, disk.labels)
        assert fingerprint(memory) == fingerprint(disk)
    assert both[1][0].examples.mapped is both[1][1].examples.mapped  # one mapping serves both
