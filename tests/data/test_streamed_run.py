"""A run whose pictures stay on disk is, to the last bit, the run that holds them in memory."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zerosum import progress, run, settings
from zerosum.data import cache
from zerosum.data.on_disk import OnDisk


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes of 40 pictures in all, of which a tenth is kept back."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for i in range(40):
        file = tmp_path / "own" / ("rose" if i % 2 else "tulip") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(file)
    return tmp_path / "own"


def played(folder, out, small, rounds=12, **changed):
    wanted = small("dcgan") | {"source": str(folder), "length": f"{rounds} rounds", "held_out": 0.1, "limit": None}
    session = run.begin(settings.resolve("dcgan", None, wanted | changed), out)
    run.conduct(session, lambda *_: None)
    return session


def test_it_plays_the_same(folder, tmp_path, monkeypatch, small, same_run):
    memory = played(folder, tmp_path / "memory", small)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "available", lambda: 0)
        disk = played(folder, tmp_path / "disk", small)
        cut = played(folder, tmp_path / "cut", small, rounds=5)
        resumed, _ = run.go_on(cut.folder, length="12 rounds")
        run.conduct(resumed, lambda *_: None)
    assert not isinstance(memory.dataset.examples, OnDisk)
    for session in (disk, cut, resumed):
        assert isinstance(session.dataset.examples, OnDisk)
        assert isinstance(session.held_out.examples, OnDisk)
    assert disk.deck.stalled > 0
    assert memory.deck.stalled == 0
    same_run(tmp_path / "memory", tmp_path / "disk")
    same_run(tmp_path / "memory", tmp_path / "cut")


def test_a_run_says_how_much_of_its_time_it_waited_for_the_disk(tmp_path, small, monkeypatch):
    session = run.begin(settings.resolve("gan", overrides=small("gan") | {"length": "2 rounds"}), tmp_path / "run")
    run.conduct(session, lambda row, progress: None)
    assert "waiting" not in progress.closing(session)[0]
    monkeypatch.setattr(type(session.deck), "stalled", session.seconds / 4)
    assert progress.closing(session)[0].endswith(", 25% of it waiting for the disk")
