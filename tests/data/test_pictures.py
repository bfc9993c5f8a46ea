"""Folders and zips of pictures, written here in every layout and mode and read back."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.sources import DataError, load


def save(path, size=(8, 8), colour=(200, 10, 30), mode="RGB", **options):
    """A picture of one colour, size (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def refused(source, *words, **options):
    with pytest.raises(DataError) as error:
        load(str(source), **options)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def pixel(data, index=0):
    return data.examples[index, :, 0, 0].tolist()


def test_a_flat_folder_keeps_its_pixels_in_order(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (5, 6, 9, 3), np.uint8)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    data = load(str(tmp_path))
    assert np.array_equal(data.examples.numpy(), pictures.transpose(0, 3, 1, 2))
    assert data.spec.shape == (3, 6, 9)
    assert data.labels is None
    assert data.notes == ()
    some = load(str(tmp_path), limit=2, seed=1)
    assert len(some.examples) == 2


def test_class_folders(tmp_path):
    for name, level in (("tulip", 20), ("rose", 10)):
        for i in range(3):
            save(tmp_path / name / f"{i}.png", colour=level, mode="L")
    save(tmp_path / ".hidden" / "x.png")
    save(tmp_path / "rose" / ".x.png")
    (tmp_path / "rose" / "readme.txt").write_text("hello")
    data = load(str(tmp_path))
    assert data.spec.classes == ("rose", "tulip")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.spec.channels == 1
    assert torch.equal(data.examples[:, 0, 0, 0], torch.tensor([10] * 3 + [20] * 3, dtype=torch.uint8))
    assert data.notes == ("1 file that is no picture skipped: rose/readme.txt",)


@pytest.mark.parametrize("wrap", ["", "flowers/"])
def test_zips_of_both_layouts(tmp_path, wrap):
    save(tmp_path / "a.png", colour=(1, 2, 3))
    for name, members in (("flat", ("a.png", "b.png")), ("classes", ("rose/a.png", "tulip/a.png"))):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for member in (*(wrap + member for member in members), "__MACOSX/._a.png"):
                archive.write(tmp_path / "a.png", member)
    flat, classes = load(str(tmp_path / "flat.zip")), load(str(tmp_path / "classes.zip"))
    assert flat.name == "flat"
    assert len(flat.examples) == 2
    assert pixel(flat) == [1, 2, 3]
    assert flat.labels is None
    assert classes.spec.classes == ("rose", "tulip")
    assert classes.labels.tolist() == [0, 1]


def test_one_class_folder_is_unlabelled(tmp_path):
    save(tmp_path / "rose" / "a.png")
    data = load(str(tmp_path))
    assert data.labels is None
    assert data.notes == ("only one class folder, 'rose': taken as one set without labels",)
    save(tmp_path / "b.png")
    assert "some pictures lie in folders" in load(str(tmp_path)).notes[0]


def test_train_and_test_folders(tmp_path):
    for split, count in (("train", 3), ("test", 1)):
        for i in range(count):
            save(tmp_path / "plain" / split / f"{i}.png")
            save(tmp_path / "classed" / split / "rose" / f"{i}.png")
            save(tmp_path / "classed" / split / "tulip" / f"{i}.png")
            save(tmp_path / "domains" / f"{split}A" / f"{i}.png")
            save(tmp_path / "domains" / f"{split}B" / f"{i}.png")
    assert len(load(str(tmp_path / "plain")).examples) == 3
    assert len(load(str(tmp_path / "plain"), split="test").examples) == 1
    assert load(str(tmp_path / "classed"), split="test").labels.tolist() == [0, 1]
    domains = load(str(tmp_path / "domains"))
    assert domains.spec.classes == ("A", "B")
    assert domains.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert domains.notes == ("only the pictures in trainA/ and trainB/ were taken",)
    refused(tmp_path / "plain" / "train", "has no split 'test'", split="test")


def test_mixed_sizes_are_cropped_and_resized(tmp_path):
    save(tmp_path / "a.png", (31, 40))
    save(tmp_path / "b.jpg", (90, 60))
    data = load(str(tmp_path))
    assert data.spec.shape == (3, 64, 64)
    assert data.notes == ("mixed sizes (40x31 .. 60x90): cropped and resized to 64x64",)
    data = load(str(tmp_path), size=(60, 90))
    assert data.spec.shape == (3, 60, 90)
    assert data.notes == ("1 of 2 pictures were cropped and resized to 60x90",)
    assert load(str(tmp_path), size=16).spec.shape == (3, 16, 16)


def test_large_pictures_of_one_size_are_reduced(tmp_path):
    save(tmp_path / "a.png", (200, 150))
    assert load(str(tmp_path)).spec.shape == (3, 64, 64)
    assert "all 150x200" in load(str(tmp_path)).notes[0]


def test_cropping_keeps_the_centre(tmp_path):
    picture = np.zeros((8, 24), np.uint8)
    picture[:, 8:16] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert load(str(tmp_path), size=8).examples.min() == 255


def test_resizing_is_antialiased(tmp_path):
    """A one-pixel checkerboard, halved, is even gray."""
    Image.fromarray((np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)).save(tmp_path / "a.png")
    inner = load(str(tmp_path), size=16).examples[..., 3:-3, 3:-3]
    assert ((inner > 120) & (inner < 135)).all()


def test_modes_become_gray_or_colour(tmp_path):
    save(tmp_path / "gray" / "a.png", mode="L", colour=7)
    save(tmp_path / "gray" / "b.png", mode="1", colour=1)
    gray = load(str(tmp_path / "gray"))
    assert gray.spec.channels == 1
    assert [pixel(gray, 0), pixel(gray, 1)] == [[7], [255]]
    assert pixel(load(str(tmp_path / "gray"), channels=3)) == [7, 7, 7]
    save(tmp_path / "ink" / "a.jpg", mode="CMYK", colour=(0, 255, 255, 0), quality=95)
    red, green, blue = pixel(load(str(tmp_path / "ink")))
    assert red > 240
    assert max(green, blue) < 15
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    (tmp_path / "p").mkdir()
    palette.save(tmp_path / "p" / "a.png")
    assert pixel(load(str(tmp_path / "p"))) == [9, 8, 7]
    palette.save(tmp_path / "p" / "a.png", transparency=1)
    assert pixel(load(str(tmp_path / "p"))) == [255, 255, 255]


def test_alpha_is_laid_on_white_or_kept(tmp_path):
    save(tmp_path / "a.png", mode="RGBA", colour=(0, 0, 100, 51))
    data = load(str(tmp_path))
    assert pixel(data) == [204, 204, 224]  # 0.2 of the colour, 0.8 of white
    assert data.notes == ("1 picture was transparent and laid on white",)
    kept = load(str(tmp_path), channels=4)
    assert pixel(kept) == [0, 0, 100, 51]
    assert kept.notes == ()
    assert pixel(load(str(tmp_path), channels=1)) == [round(0.299 * 204 + 0.587 * 204 + 0.114 * 224)]


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    levels = np.array([[0, 257, 32896, 65535]], np.uint16).repeat(4, 0)
    Image.fromarray(levels).save(tmp_path / "a.png")
    data = load(str(tmp_path))
    assert data.examples[0, 0, 0].tolist() == [0, 1, 128, 255]
    assert data.notes == ("1 picture was scaled from 16 to 8 bits",)


def test_orientation_is_respected(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    picture = np.zeros((8, 16), np.uint8)
    picture[:, :8] = 255  # bright on the left: on top once turned
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif, quality=95)
    data = load(str(tmp_path))
    assert data.spec.shape == (1, 16, 8)
    assert data.examples[0, 0, :7].min() > 200
    assert data.examples[0, 0, 9:].max() < 50


def test_damaged_files_are_skipped_and_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for name in ("rose", "tulip"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(noise).save(tmp_path / name / f"{i}.png")
    whole = (tmp_path / "rose" / "0.png").read_bytes()
    (tmp_path / "rose" / "0.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "rose" / "1.png").write_text("this is no picture")
    (tmp_path / "tulip" / "1.png").write_bytes(b"")
    (tmp_path / "tulip" / "x.jpg").write_bytes(whole[:20])
    data = load(str(tmp_path))
    assert data.labels.tolist() == [0, 1, 1]
    assert data.notes == ("4 unreadable or oversized pictures skipped: rose/0.png, rose/1.png, tulip/1.png, ...",)


@pytest.mark.parametrize("limit", [50, 120])  # Pillow warns above the limit and refuses above twice the limit
def test_decompression_bombs_are_skipped(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    save(tmp_path / "a.png", (5, 5))
    save(tmp_path / "b.png", (13, 13))
    data = load(str(tmp_path))
    assert len(data.examples) == 1
    assert data.notes == ("1 unreadable or oversized picture skipped: b.png",)


def test_labels_by_file_name(tmp_path):
    for name in "abc":
        save(tmp_path / "own" / f"{name}.png")
    (tmp_path / "own" / "b.png").write_text("damaged")
    (tmp_path / "l.csv").write_text("filename,label\nc.png,cat\na.png,ant\nb.png,bee\n")
    data = load(str(tmp_path / "own"), labels=str(tmp_path / "l.csv"))
    assert data.spec.classes == ("ant", "bee", "cat")
    assert data.labels.tolist() == [0, 2]
    (tmp_path / "l.csv").write_text("c.png,1\na.png,0\n")
    refused(tmp_path / "own", "no label for 1 of 3 images, such as 'b.png'", labels=str(tmp_path / "l.csv"))


def test_folders_without_pictures(tmp_path):
    refused(tmp_path, "holds nothing")
    (tmp_path / "readme.txt").write_text("hello")
    refused(tmp_path, "1 files but no pictures, such as 'readme.txt'")
    (tmp_path / "a.png").write_text("hello")
    refused(tmp_path, "none of the 1 pictures", "a.png")
    (tmp_path / "a.zip").write_text("hello")
    refused(tmp_path / "a.zip", "damaged or not a zip")
