"""What is kept from training to judge by: never dealt, always the same, and said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum import run, settings
from zerosum.data import sources
from zerosum.data.held_out import keep_back


def rows_of(dataset):
    return {bytes(x.numpy()) for x in dataset.examples}


@pytest.fixture
def flat_folder(tmp_path):
    """600 pictures without a test split, no two alike."""
    for i in range(600):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i:03d}.png")
    return tmp_path


def test_a_share_is_kept_whole_and_apart():
    data = sources.load("glyphs", limit=600)
    train, kept = keep_back(data)
    assert (len(train), len(kept)) == (540, 60)
    assert rows_of(train) | rows_of(kept) == rows_of(data)
    assert not rows_of(train) & rows_of(kept)
    place = {bytes(x.numpy()): i for i, x in enumerate(data.examples)}
    for part in (train, kept):
        rows = torch.tensor([place[bytes(x.numpy())] for x in part.examples])
        assert torch.equal(part.labels, data.labels[rows])
        assert torch.equal(part.factors["slant"], data.factors["slant"][rows])
    assert train.notes[-1].startswith("60 of 600 were kept back")


def test_small_sets_keep_all_unless_asked_and_pairs_stay_together():
    small = sources.load("glyphs", limit=499)
    assert keep_back(small) == (small, None)
    assert [len(part) for part in keep_back(small, 0.2)] == [399, 100]
    pairs = sources.load("strokes", limit=40)
    train, kept = keep_back(pairs, 0.25)
    assert len(kept) == len(kept.partners) == 10
    beside = {bytes(a.numpy()): bytes(b.numpy()) for a, b in zip(pairs.examples, pairs.partners, strict=True)}
    for part in (train, kept):
        for a, b in zip(part.examples, part.partners, strict=True):
            assert beside[bytes(a.numpy())] == bytes(b.numpy())
    domains = sources.load("striped", limit=40)
    assert keep_back(domains, 0.25) == (domains, None)


def test_a_folder_without_a_test_split_keeps_a_tenth_whatever_the_seed(flat_folder):
    found = [
        run.data_and_held_out(settings.resolve(None, None, {"source": str(flat_folder), "seed": seed}))
        for seed in (0, 1)
    ]
    for train, kept in found:
        assert (len(train), len(kept)) == (540, 60)
    assert rows_of(found[0][1]) == rows_of(found[1][1])
    all_of_it = settings.resolve(None, None, {"source": str(flat_folder), "held_out": 0})
    train, kept = run.data_and_held_out(all_of_it)
    assert len(train) == 600
    assert kept is None


def test_a_test_split_is_used_where_there_is_one_and_nothing_is_kept():
    train, kept = run.data_and_held_out(settings.resolve(None, None, {"source": "glyphs", "limit": 700}), most=50)
    assert len(train) == 700
    assert len(kept) == 50
    assert not rows_of(train) & rows_of(kept)
    assert not any("kept back" in note for note in train.notes)


def test_a_folder_with_a_test_split_is_fitted_alike(tmp_path):
    for split, side, n in (("train", 16, 6), ("test", 24, 3)):
        (tmp_path / split).mkdir()
        for i in range(n):
            Image.new("L", (side, side), 10 * i).save(tmp_path / split / f"{i}.png")
    train, kept = run.data_and_held_out(settings.resolve(None, None, {"source": str(tmp_path)}))
    assert train.examples.shape == (6, 1, 16, 16)
    assert kept.examples.shape == (3, 1, 16, 16)


@pytest.mark.parametrize("share", [-0.1, 0.6, "all"])
def test_a_share_that_cannot_be_is_refused(share):
    with pytest.raises(settings.SettingsError, match="held_out"):
        settings.resolve(None, None, {"held_out": share})
