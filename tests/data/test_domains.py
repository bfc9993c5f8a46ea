"""Two domains: drawn here with the hidden pairing known, read from folders, zips and labelled sets."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data import styles
from zerosum.data.embedded import DOMAINS
from zerosum.data.glyphs import glyphs
from zerosum.data.sources import DataError, load
from zerosum.data.spec import Domains, Images


def save(path, level=0, size=(8, 8), mode="RGB"):
    """A picture of one level, size (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (level, 10, 20) if mode == "RGB" else level).save(path)


def refused(source, *words, **options):
    with pytest.raises(DataError) as error:
        load(str(source), **{"pairing": "domains", **options})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def levels(images):
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("name", DOMAINS)
def test_the_hidden_pairing_is_true(name):
    """Each of A, dressed again from the same seed, is its partner in B, which lies elsewhere."""
    data = load(name, limit=120, seed=3)
    plain, dressed, _ = DOMAINS[name](120, seed=3)
    partner = data.factors["partner"]
    assert isinstance(data.spec, Domains)
    assert data.labels is None
    assert data.examples.shape[1:] == data.spec.a.shape
    assert data.partners.shape[1:] == data.spec.b.shape
    assert torch.equal(data.examples, plain)
    assert torch.equal(data.partners[partner], dressed)
    assert torch.equal(partner.sort().values, torch.arange(120))
    assert (partner == torch.arange(120)).sum() < 8
    assert all(len(factor) == 120 for factor in data.factors.values())
    test = load(name, limit=60, seed=3, split="test")
    assert test.factors["partner"].tolist() == list(range(60))
    assert torch.equal(test.partners, DOMAINS[name](60, seed=3, stream=1)[1])


@pytest.mark.parametrize("name", DOMAINS)
def test_drawing_is_deterministic_and_splits_are_apart(name):
    before = torch.get_rng_state()
    one = load(name, limit=40)
    again, other, test = load(name, limit=40), load(name, limit=40, seed=1), load(name, limit=40, split="test")
    assert torch.equal(one.examples, again.examples)
    assert torch.equal(one.partners, again.partners)
    assert not torch.equal(one.examples, other.examples)
    assert not (one.examples.flatten(1)[:, None] == test.examples.flatten(1)).all(2).any()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", DOMAINS)
def test_the_first_n_are_the_same_whatever_n(name):
    some, more = DOMAINS[name](7, size=16), DOMAINS[name](1003, size=16)
    assert torch.equal(some[0], more[0][:7])
    assert torch.equal(some[1], more[1][:7])
    assert all(torch.equal(some[2][key], more[2][key][:7]) for key in some[2])


def test_usual_numbers():
    assert len(load("bold", size=8, split="test")) == 1000
    data = load("bold", size=8)
    assert len(data) == len(data.partners) == 10_000


def test_dress_comes_off():
    """The plain digit is in the dressed one: its red plane if striped, its strongest if coloured."""
    ink, _, factors = glyphs(50, size=32)
    striped, coloured = load("striped", limit=50), load("coloured", limit=50)
    for data, bare in ((striped, striped.partners[:, 0]), (coloured, coloured.partners.amax(1))):
        partner = data.factors["partner"]
        assert torch.equal(bare[partner], ink[:, 0])
        assert torch.equal(data.examples, ink.expand(-1, 3, -1, -1))
        assert torch.equal(data.factors["digit"], factors["digit"])
    full = striped.partners[(striped.partners[:, :1] == 255).expand(-1, 3, -1, -1)].reshape(-1)
    assert set(full.tolist()) == {40, 70, 255}  # red and white stripes, nothing between


def test_each_coloured_digit_has_the_colour_of_its_hue():
    data = load("coloured", limit=60, split="test")
    hue = data.factors["hue"]
    assert hue.min() < 0.1
    assert hue.max() > 0.9
    brightest = data.partners.flatten(2).float().amax(2) / 255  # [n 3]
    red = (hue < 0.05) | (hue > 0.95)
    assert red.any()
    assert torch.equal(brightest[red].argmax(1), torch.zeros(int(red.sum()), dtype=torch.int64))
    assert (brightest.amax(1) == 1).all()
    assert brightest.amin(1).tolist() == pytest.approx([0.15] * 60, abs=0.01)


def test_bold_is_wider_by_its_pen():
    data = load("bold", limit=200, split="test")
    a, b = (images.float().mean((1, 2, 3)) for images in (data.examples, data.partners))
    assert (b > 1.2 * a).all()
    assert (data.partners >= data.examples).float().mean() > 0.999
    assert 1.8 < (b.mean() / a.mean()).item() < 2.8  # pens of 0.15 and 0.065
    assert torch.equal(data.examples, glyphs(200, size=32, stream=1, widths=(0.05, 0.08))[0])


def test_turned_round():
    """From B to A the pairing and every factor go with the pictures they describe."""
    one, other = load("coloured", limit=90), load("coloured", limit=90, direction="BtoA")
    assert torch.equal(other.examples, one.partners)
    assert torch.equal(other.partners, one.examples)
    bare = other.examples.amax(1, keepdim=True).expand(-1, 3, -1, -1)
    assert torch.equal(other.partners[other.factors["partner"]], bare)
    assert torch.equal(other.factors["hue"][one.factors["partner"]], one.factors["hue"])


@pytest.mark.parametrize(("size", "shape"), [(17, (17, 17)), ((17, 26), (17, 26)), ((64, 40), (64, 40))])
def test_sizes(size, shape):
    for name in DOMAINS:
        data = load(name, limit=4, size=size)
        assert data.spec.a.shape[1:] == data.spec.b.shape[1:] == shape
        assert data.partners.shape[2:] == shape
        assert data.partners.amax((1, 2, 3)).min() > 200


def test_channels():
    assert load("bold", limit=2, channels=3).spec.b == Images(3, 32, 32)
    assert load("striped", limit=2, channels=4).partners[:, 3].min() == 255
    refused("striped", "channels=1", "lives by its colours", channels=1)
    refused("bold", "labels=x.csv", labels="x.csv")


def test_pairs_serve_as_domains():
    pairs, data = load("cityscape", limit=50), load("cityscape", limit=50, pairing="domains")
    partner = data.factors["partner"]
    assert isinstance(data.spec, Domains)
    assert torch.equal(data.partners[partner], pairs.partners)
    assert not torch.equal(data.partners, pairs.partners)
    back = load("cityscape", limit=50, pairing="domains", direction="BtoA")
    assert torch.equal(back.partners[back.factors["partner"]][partner], pairs.examples)
    assert torch.equal(back.factors["classes"][partner], pairs.factors["classes"])
    test = load("cityscape", limit=50, pairing="domains", split="test")
    assert torch.equal(test.partners, load("cityscape", limit=50, split="test").partners)


@pytest.mark.parametrize("layout", ["{split}{side}/", "{split}/{side}/", "{side}/{split}/", "top/{split}{side}/"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_folders_of_two_domains(tmp_path, layout, zipped, lower):
    for split, side, count in (("train", "A", 3), ("train", "B", 5), ("test", "A", 2), ("test", "B", 2)):
        side_name = side.lower() if lower else side
        for i in range(count):
            level = 10 * i + 100 * (side == "B") + (split == "test")
            save(tmp_path / "own" / layout.format(split=split, side=side_name) / f"{i}.png", level)
    source = tmp_path / "own"
    if zipped:
        with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
            for file in sorted(source.rglob("*.png")):
                archive.write(file, file.relative_to(source))
        source = tmp_path / "own.zip"
    data = load(str(source), pairing="domains")
    assert isinstance(data.spec, Domains)
    assert levels(data.examples) == [0, 10, 20]
    assert levels(data.partners) == [100, 110, 120, 130, 140]
    assert data.labels is None
    assert data.factors is None  # three names have nobody of their own
    test = load(str(source), pairing="domains", split="test")
    assert levels(test.examples) == [1, 11]
    assert levels(test.partners) == [101, 111]
    assert test.factors["partner"].tolist() == [0, 1]
    assert levels(load(str(source), pairing="domains", direction="BtoA").examples) == levels(data.partners)
    few = load(str(source), pairing="domains", limit=2)
    assert len(few) == len(few.partners) == 2


def test_class_folders_are_domains(tmp_path):
    for i in range(3):
        save(tmp_path / "own" / "zebra" / f"{i}.png", 100 + i, (9, 7))
        save(tmp_path / "own" / "horse" / f"{i}.png", i, (5, 5))
    data = load(str(tmp_path / "own"), pairing="domains", size=6)
    assert levels(data.examples) == [0, 1, 2]
    assert levels(data.partners) == [100, 101, 102]
    assert data.spec == Domains(Images(3, 6, 6), Images(3, 6, 6))
    assert data.notes[-1] == "A is horse, B is zebra"
    assert data.factors is None  # equal file names of two classes mean nothing
    assert load(str(tmp_path / "own")).spec.classes == ("horse", "zebra")
    save(tmp_path / "own" / "cow" / "1.png")
    refused(tmp_path / "own", "pictures of 3 classes (cow, horse, zebra)", "folders A/ and B/", "--data striped")


def test_other_folders_beside_a_and_b_are_left(tmp_path):
    for name in ("A", "B", "AB", "notes"):
        save(tmp_path / name / "1.png", {"A": 1, "B": 2}.get(name, 9))
    data = load(str(tmp_path), pairing="domains")
    assert (levels(data.examples), levels(data.partners)) == ([1], [2])
    assert "only the pictures in A/ and B/ were taken" in data.notes


def test_gray_and_colour(tmp_path):
    for i in range(2):
        save(tmp_path / "A" / f"{i}.png", 7 + i, mode="L")
        save(tmp_path / "B" / f"{i}.png", 3 + i)
    data = load(str(tmp_path), pairing="domains")
    assert (data.spec.a.channels, data.spec.b.channels) == (1, 3)
    assert levels(data.examples) == [7, 8]
    both = load(str(tmp_path), pairing="domains", channels=3)
    assert (both.spec.a.channels, both.spec.b.channels) == (3, 3)
    assert both.examples[0, :, 0, 0].tolist() == [7, 7, 7]
    assert load(str(tmp_path), pairing="domains", channels=1).spec.b.channels == 1


def test_any_labelled_set_of_two_classes(tmp_path):
    images = np.arange(6, dtype=np.uint8)[:, None, None].repeat(5, 1).repeat(4, 2)
    np.savez(tmp_path / "two.npz", images=images, labels=np.array([1, 0, 1, 1, 0, 1]))
    data = load(str(tmp_path / "two.npz"), pairing="domains")
    assert (levels(data.examples), levels(data.partners)) == ([1, 4], [0, 2, 3, 5])
    assert data.notes == ("A is 0, B is 1",)
    assert len(load(str(tmp_path / "two.npz"), pairing="domains", limit=1).partners) == 1
    np.savez(tmp_path / "one.npz", images=images, labels=np.array([1] * 6), classes=np.array(["a", "b"]))
    refused(tmp_path / "one.npz", "has not two domains, it is pictures of 1 class (b)")
    np.savez(tmp_path / "none.npz", images=images)
    refused(tmp_path / "none.npz", "one set of pictures without labels", "two classes")
    for i in range(4):
        save(tmp_path / "flat" / f"{i}.png", i)
    (tmp_path / "l.csv").write_text("".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(4)))
    data = load(str(tmp_path / "flat"), pairing="domains", labels=str(tmp_path / "l.csv"))
    assert (levels(data.examples), levels(data.partners)) == ([0, 2], [1, 3])


def test_what_is_not_two_domains(tmp_path):
    refused("glyphs", "'glyphs' has not two domains", "pictures of 10 classes (0, 1, 2, ...)", "--data striped")
    refused("ring", "it is points")
    refused("cifar10", "pictures of 10 classes (airplane, ")  # and nothing is read for it
    for i in range(3):
        save(tmp_path / "A" / f"{i}.png")
    refused(tmp_path, "one set of pictures without labels")
    refused(tmp_path, "has no split 'test'", split="test")
    refused("striped", "has no pairs, it is two domains", "--data cityscape", pairing="pairs")
    refused("striped", "pairing 'domain'", "Did you mean 'domains'?", pairing="domain")
    refused("striped", "direction 'BA'", "expected 'AtoB' or 'BtoA'", direction="BA")
    refused("glyphs", "direction=BtoA", "leave it out", direction="BtoA", pairing=None)


def test_emoji_styles():
    place = Path(os.environ.get("ZEROSUM_DATA", ""), "emoji-styles", "emoji-styles64.zip")
    if not place.is_file():
        pytest.skip("set ZEROSUM_DATA to a folder that holds emoji-styles/emoji-styles64.zip")
    data = load(str(place), pairing="domains", limit=50)
    assert data.spec == Domains(Images(3, 64, 64), Images(3, 64, 64))
    assert len(data) == len(data.partners) == 50
    test = load(str(place), pairing="domains", split="test")
    assert test.factors["partner"].tolist() == list(range(200))
    apart = (test.examples.float() - test.partners.float()).abs().mean().item()
    assert apart == pytest.approx(39, abs=0.5)  # as the set's own page says
    away = (test.examples.float() - test.partners.roll(1, 0).float()).abs().mean().item()
    assert away > 1.3 * apart
    pairs = load(str(place), pairing="pairs", limit=100)
    assert pairs.notes[1].startswith("1,779 pictures without a partner skipped: A/emoji_")  # 3 of A, 1,776 of B
    same = (pairs.examples.float() - pairs.partners.float()).abs().mean()
    assert same < 0.8 * (pairs.examples.float() - pairs.partners.roll(1, 0).float()).abs().mean()


def test_styles_say_what_they_made():
    assert styles.strokes(3)[2].keys() == glyphs(3)[2].keys() | {"hue"}
