"""Pairs: drawn here with every truth known, read from two folders or from pictures of two side by side."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.embedded import PAIRS
from zerosum.data.glyphs import glyphs
from zerosum.data.scenes import CAR, CLASSES, PALETTE, ROAD, SKY, cityscape, paint_map
from zerosum.data.sources import DataError, load
from zerosum.data.spec import Images, Pairs


def save(path, level=0, size=(8, 8), mode="RGB"):
    """A picture of one level, size (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (level, 10, 20) if mode == "RGB" else level).save(path)


def save_two(path, left, right, size=(16, 8)):
    """Two side by side, each of one level, with no seam between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((size[1], size[0], 3), 50, np.uint8)
    picture[:, : size[0] // 2, 0], picture[:, size[0] // 2 :, 0] = left, right
    Image.fromarray(picture).save(path)


def packed(folder):
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return folder.with_suffix(".zip")


def refused(source, *words, **options):
    with pytest.raises(DataError) as error:
        load(str(source), **{"pairing": "pairs", **options})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def levels(images):
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("name", PAIRS)
def test_the_first_n_are_the_same_whatever_n(name):
    data = load(name, limit=230, size=16)
    assert isinstance(data.spec, Pairs)
    assert data.labels is None
    assert data.spec.a.shape == data.spec.shape == data.examples.shape[1:]
    assert data.spec.b.shape == data.partners.shape[1:]
    before = torch.get_rng_state()
    for n in (1, 99, 101):
        some = load(name, limit=n, size=16)
        assert torch.equal(some.examples, data.examples[:n])
        assert torch.equal(some.partners, data.partners[:n])
        assert all(torch.equal(some.factors[key], data.factors[key][:n]) for key in data.factors)
    assert torch.equal(before, torch.get_rng_state())
    for other in (load(name, limit=99, size=16, seed=1), load(name, limit=99, size=16, split="test")):
        assert not (data.partners[:99].flatten(1)[:, None] == other.partners.flatten(1)).all(2).any()


def test_large_scenes_are_drawn_in_pieces_that_do_not_matter():
    whole, some = cityscape(7, size=256), cityscape(3, size=256)  # eight at once
    assert torch.equal(whole[1][:3], some[1])
    assert len(cityscape(11, size=256)[1].flatten(1).unique(dim=0)) == 11


def test_usual_numbers():
    assert len(load("cityscape", split="test", size=8)) == 1000
    assert len(load("cityscape", size=8)) == 10_000


def test_turned_round():
    one, other = load("strokes", limit=9), load("strokes", limit=9, direction="BtoA")
    assert torch.equal(one.examples, other.partners)
    assert torch.equal(one.partners, other.examples)
    assert (one.spec.a, one.spec.b) == (other.spec.b, other.spec.a)
    assert one.spec.a.channels != one.spec.b.channels
    assert torch.equal(one.factors["digit"], other.factors["digit"])


def test_skeletons_are_thin_and_lie_in_their_digits():
    data = load("strokes", limit=300)
    ink, digits, factors = glyphs(300, size=32)
    assert torch.equal(data.factors["digit"], digits)
    assert torch.equal(data.factors["width"], factors["width"])
    assert torch.equal(data.partners.amax(1, keepdim=True), ink)  # the strongest part of the rainbow is the ink
    bone, flesh = data.examples.float() / 255, ink.float() / 255
    assert (bone * flesh).sum() > 0.97 * bone.sum()
    # As long as a digit is drawn, its area is length x width: the pen of the skeleton is 1.3 pixels.
    width = 32 * factors["width"] * bone.sum((1, 2, 3)) / flesh.sum((1, 2, 3))
    assert width.median().item() == pytest.approx(1.3, abs=0.25)
    assert bone.amax((1, 2, 3)).min() > 0.8  # every one can be seen


def test_the_rainbow_begins_at_its_hue():
    """The same stroke in another hue: the ink changes from digit to digit, the skeleton does not tell how."""
    data = load("strokes", limit=500)
    colour = data.partners.float().sum((2, 3))
    for third, channel in ((0.0, 0), (1 / 3, 1), (2 / 3, 2)):
        near = (data.factors["hue"] - third + 0.5).remainder(1).sub(0.5).abs() < 0.03
        assert near.sum() > 10
        assert (colour[near].argmax(1) == channel).float().mean() > 0.9


def test_maps_are_exact():
    """Painting the classes gives A; the nearest colour of the palette to each pixel of A gives the classes."""
    data = load("cityscape", limit=150)
    classes = data.factors["classes"]
    assert classes.dtype == torch.uint8
    assert classes.shape == (150, 32, 32)
    assert torch.equal(paint_map(classes), data.examples)
    away = (data.examples[:, None].int() - PALETTE[:, :, None, None].int()).square().sum(2)  # [n k h w]
    assert torch.equal(away.argmin(1), classes.long())
    gaps = torch.cdist(PALETTE.float(), PALETTE.float()) + 1000 * torch.eye(len(CLASSES))
    assert gaps.min() > 60  # colours can be told apart after a network's errors, too


def test_scenes_are_streets():
    classes = load("cityscape", limit=400).factors["classes"]
    shares = classes.flatten().bincount(minlength=len(CLASSES)) / classes.numel()
    assert (shares > 0.03).all()
    assert (classes[:, 0] == SKY).float().mean() > 0.8
    assert (classes[:, 16:] == SKY).float().mean() < 0.01
    assert (classes[:, -1] == ROAD).float().mean() > 0.5
    assert len(classes.flatten(1).unique(dim=0)) == 400
    empty = 1 - (classes == CAR).flatten(1).any(1).float().mean()
    assert 0.03 < empty < 0.1  # each of two cars is away one time in four


def test_scenes_keep_their_shape_at_any_size():
    small, large = (cityscape(20, size=size)[2]["classes"] for size in (32, 96))
    assert (large[:, 1::3, 1::3] == small).float().mean() > 0.999  # the same pixels' centres
    assert cityscape(3, size=(17, 26))[0].shape == (3, 3, 17, 26)


def test_classes_can_be_read_off_scenes_but_scenes_not_off_maps():
    """One map, two scenes: each class's own mean colour says most; within a class half of the variance is chance."""
    data = load("cityscape", limit=400)
    scenes, classes = data.partners.float().permute(0, 2, 3, 1) / 255, data.factors["classes"].long()
    means = torch.stack([scenes[classes == k].mean(0) for k in range(len(CLASSES))])
    within = (scenes - means[classes]).square().mean()
    assert 0.3 < (within / scenes.var((0, 1, 2), unbiased=False).mean()).item() < 0.8
    guess = torch.cdist(scenes.reshape(-1, 3), means).argmin(1)
    assert (guess == classes.flatten()).float().mean() > 0.55  # by the colour of a single pixel; 0.25 by chance


@pytest.mark.parametrize(("size", "shape"), [(17, (17, 17)), ((17, 26), (17, 26)), ((40, 24), (40, 24))])
@pytest.mark.parametrize("name", PAIRS)
def test_sizes(name, size, shape):
    data = load(name, limit=4, size=size)
    assert data.spec.a.shape[1:] == data.spec.b.shape[1:] == data.partners.shape[2:] == shape


def test_channels():
    data = load("strokes", limit=5)
    assert (data.spec.a.channels, data.spec.b.channels) == (1, 3)
    colour = load("strokes", limit=5, channels=3)
    assert torch.equal(colour.examples, data.examples.expand(-1, 3, -1, -1))
    gray = load("strokes", limit=5, channels=1)
    r, g, b = data.partners.float().unbind(1)
    assert (gray.partners[:, 0] - (0.299 * r + 0.587 * g + 0.114 * b)).abs().max() <= 0.5
    assert load("cityscape", limit=2, channels=4).spec.a.channels == 4
    refused("cityscape", "channels=1", "lives by its colours", channels=1)
    refused("strokes", "labels=x.csv", labels="x.csv")


@pytest.mark.parametrize(
    "layout", ["{side}/", "{split}{side}/", "{split}/{side}/", "{side}/{split}/", "top/{side}/", "{side}/{split}/sub/"]
)
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_two_folders(tmp_path, layout, zipped, lower):
    splits = ("train", "test") if "split" in layout else ("train",)
    for split in splits:
        for side in "AB":
            folder = tmp_path / "own" / layout.format(split=split, side=side.lower() if lower else side)
            for i in range(4):
                level = 10 * i + 100 * (side == "B") + (split == "test")
                save(folder / f"{i}.{'png' if side == 'A' else 'bmp'}", level)
    source = str(packed(tmp_path / "own") if zipped else tmp_path / "own")
    data = load(source, pairing="pairs")
    assert data.spec == Pairs(Images(3, 8, 8), Images(3, 8, 8))
    assert data.factors is None
    assert levels(data.examples) == [0, 10, 20, 30]
    assert levels(data.partners) == [100, 110, 120, 130]
    back = load(source, pairing="pairs", direction="BtoA")
    assert levels(back.examples) == levels(data.partners)
    some = load(source, pairing="pairs", limit=2, seed=3)
    assert [b - a for a, b in zip(levels(some.examples), levels(some.partners), strict=True)] == [100, 100]
    if "split" in layout:
        test = load(source, pairing="pairs", split="test")
        assert (levels(test.examples), levels(test.partners)) == ([1, 11, 21, 31], [101, 111, 121, 131])
    else:
        refused(source, "has no split 'test'", split="test")


def test_who_has_no_partner_is_skipped_and_named(tmp_path):
    for name in ("A/1.png", "A/2.png", "A/only.png", "B/1.png", "B/2.png", "B/x.png", "B/y.png", "B/z.png"):
        save(tmp_path / name, 1)
    (tmp_path / "B" / "2.png").write_text("damaged")
    data = load(str(tmp_path), pairing="pairs")
    assert len(data) == len(data.partners) == 1
    assert data.notes == (
        "4 pictures without a partner skipped: A/only.png, B/x.png, B/y.png, ...",
        "1 unreadable or oversized picture skipped: B/2.png",
    )
    (tmp_path / "B" / "1.png").write_text("damaged")
    refused(tmp_path, "none of the 2 pairs", "can be read")


def test_no_names_in_common(tmp_path):
    for i in range(5):
        save(tmp_path / "A" / f"a{i}.png")
        save(tmp_path / "B" / f"b{i}.png")
    refused(tmp_path, "A/ holds a0.png, a1.png, a2.png, ... and B/ holds b0.png", "the same name")


def test_sides_of_different_sizes_and_kinds(tmp_path):
    for i in range(2):
        save(tmp_path / "A" / f"{i}.png", 7, (9, 9), "L")
        save(tmp_path / "B" / f"{i}.png", 8, (40, 20))
    data = load(str(tmp_path), pairing="pairs", size=(6, 10))
    assert data.spec == Pairs(Images(1, 6, 10), Images(3, 6, 10))
    assert (levels(data.examples), levels(data.partners)) == ([7, 7], [8, 8])
    assert load(str(tmp_path), pairing="pairs").spec.a.shape == (1, 64, 64)
    assert load(str(tmp_path), pairing="pairs", channels=3).spec.a.channels == 3
    assert load(str(tmp_path), pairing="pairs", channels=1).spec.b.channels == 1


@pytest.mark.parametrize("layout", ["", "{split}/", "AB/{split}/"])
@pytest.mark.parametrize("zipped", [False, True])
def test_two_side_by_side(tmp_path, layout, zipped):
    for split in ("train", "test") if layout else ("train",):
        for i in range(3):
            path = tmp_path / "own" / layout.format(split=split) / f"{i}.png"
            save_two(path, 10 * i + (split == "test"), 100 + i)
    source = str(packed(tmp_path / "own") if zipped else tmp_path / "own")
    data = load(source, pairing="pairs")
    assert data.spec == Pairs(Images(3, 8, 8), Images(3, 8, 8))
    assert levels(data.examples) == [0, 10, 20]
    assert levels(data.partners) == [100, 101, 102]
    assert data.examples[0, 0].unique().tolist() == [0]  # nothing of the one half in the other
    assert "every picture is two side by side: A is its left half, B its right" in data.notes
    smaller = load(source, pairing="pairs", size=5, direction="BtoA")
    assert levels(smaller.examples) == [100, 101, 102]
    assert smaller.partners[2, 0].unique().tolist() == [20]
    domains = load(source, pairing="domains")
    assert [levels(domains.partners)[i] for i in domains.factors["partner"]] == [100, 101, 102]
    if layout:
        assert levels(load(source, pairing="pairs", split="test").examples) == [1, 11, 21]


def test_odd_and_narrow_ones(tmp_path):
    for i in range(3):
        save_two(tmp_path / f"{i}.png", 1, 2, (27, 13))
    save(tmp_path / "square.png")
    data = load(str(tmp_path), pairing="pairs", size=(13, 9))
    assert data.examples.shape == (3, 3, 13, 9)
    assert (levels(data.examples), levels(data.partners)) == ([1] * 3, [2] * 3)
    assert "1 picture not twice as wide as high skipped: square.png" in data.notes


def test_large_jpegs_side_by_side_keep_their_seam(tmp_path):
    save_two(tmp_path / "1.jpg", 0, 200, (1024, 512))
    data = load(str(tmp_path), pairing="pairs", size=32)
    assert data.examples[:, 0].max() < 12
    assert data.partners[:, 0].min() > 188


def test_what_is_no_pairs(tmp_path):
    needs = ("folders A/ and B/ with the same file names", "side by side", "--data cityscape")
    for name, held in (("mnist", "pictures of 10 classes"), ("glyphs", "pictures of 10 classes"), ("ring", "points")):
        refused(name, f"'{name}' has no pairs", held, *needs)
    for i in range(3):
        save(tmp_path / "flat" / f"{i}.png", size=(28, 30))
    refused(tmp_path / "flat", "pictures of 30x28 (height x width)", *needs)
    np.savez(tmp_path / "own.npz", images=np.zeros((4, 8, 16), np.uint8))
    refused(tmp_path / "own.npz", "one set of pictures without labels", *needs)
    refused(tmp_path / "flat", "labels=l.csv", "leave it out", labels="l.csv")
    (tmp_path / "flat" / "0.png").write_text("damaged")
    refused(tmp_path / "nowhere", "no folder, file or data set")
    refused("cityscap", "Did you mean 'cityscape'?")


def test_camvid():
    place = Path(os.environ.get("ZEROSUM_DATA", ""), "camvid-pairs")
    if not place.is_dir():
        pytest.skip("set ZEROSUM_DATA to a folder that holds camvid-pairs/")
    data = load(str(place), pairing="pairs", split="test", limit=3, size=256, direction="BtoA")
    assert data.spec == Pairs(Images(3, 256, 256), Images(3, 256, 256))
    truth = np.load(place / "labels.npz")
    maps, palette = torch.from_numpy(truth["test_labels"]), torch.from_numpy(truth["palette"]).int()
    away = (data.examples[:, None].int() - palette[:, :, None, None]).square().sum(2).argmin(1)
    same = [(maps == found).float().mean((1, 2)).max().item() for found in away]
    assert min(same) > 0.999  # the nearest colour gives a class map of the set back
    assert len(load(str(place), pairing="pairs", size=8)) == 367


def test_a_and_b_are_told_apart_whatever_their_case(tmp_path):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", 10)
        save(tmp_path / "B" / f"{i}.png", 200)
    found = load(str(tmp_path), pairing="pairs")
    assert (levels(found.examples)[0], levels(found.partners)[0]) == (10, 200)
