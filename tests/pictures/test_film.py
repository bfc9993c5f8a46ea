"""Films: which frames are kept and played, for how long, and in which colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.pictures import Film, grid


def shot(film: Film, n: int, size: tuple[int, int] = (48, 32)) -> Film:
    """A film of n gray frames, lighter by 2 a frame."""
    for i in range(n):
        film.add(Image.new("RGB", size, (2 * i,) * 3), i * 10)
    return film


def played(path: Path) -> tuple[list[int], list[int]]:
    """The gray of each frame and how many milliseconds it stands."""
    grays, durations = [], []
    with Image.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            film.load()
            durations.append(film.info["duration"])
            grays.append(film.convert("RGB").getpixel((5, 5))[0])
    return grays, durations


def test_frames_are_kept_by_index_whatever_their_order(tmp_path):
    film = Film(tmp_path)
    for index in (30, 1_000_000, 7):
        film.add(Image.new("L", (8, 8), index % 256), index)
    assert [file.name for file in Film(tmp_path).frames()] == ["000007.png", "000030.png", "1000000.png"]
    assert film.folder == tmp_path / "frames"


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_a_film_plays_its_frames_and_holds_the_last(tmp_path, suffix):
    path = shot(Film(tmp_path), 100).write(tmp_path / f"film{suffix}")
    grays, durations = played(path)
    assert grays == pytest.approx(range(0, 200, 2), abs=3)
    assert durations == [70] * 99 + [2070]


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_a_long_film_is_thinned_evenly_and_a_short_one_is_not_slow(tmp_path, suffix):
    film = shot(Film(tmp_path), 101)
    grays, _ = played(film.write(tmp_path / f"thin{suffix}", max_frames=6))
    assert grays == pytest.approx([0, 40, 80, 120, 160, 200], abs=3)
    _, durations = played(film.write(tmp_path / f"thin{suffix}", max_frames=3))
    assert durations == [500, 500, 2500]


def test_gray_frames_lose_nothing(tmp_path):
    rng = np.random.default_rng(0)
    frames = [grid(rng.integers(0, 256, (16, 28, 28, 1), dtype=np.uint8)) for _ in range(4)]
    film = Film(tmp_path)
    for i, frame in enumerate(frames):
        film.add(frame, i)
    for suffix in (".webp", ".gif"):
        with Image.open(film.write(tmp_path / f"film{suffix}")) as written:
            for i, frame in enumerate(frames):
                written.seek(i)
                assert np.array_equal(np.asarray(written.convert("RGB")), np.asarray(frame))


def colour_tables(gif: bytes) -> tuple[bool, int, int]:
    """Whether a GIF has a global colour table, its frames, and how many of them have one of their own."""
    flags, at, frames, tables = gif[10], 13, 0, 0
    at += 3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0
    while gif[at] != 0x3B:
        if gif[at] == 0x21:
            at += 2
        else:
            local = gif[at + 9]
            frames, tables = frames + 1, tables + (local >> 7)
            at += 11 + (3 * 2 ** ((local & 7) + 1) if local & 128 else 0)
        while gif[at]:
            at += gif[at] + 1
        at += 1
    return bool(flags & 128), frames, tables


def test_a_gif_has_one_palette(tmp_path):
    film, rng = Film(tmp_path), np.random.default_rng(0)
    for i in range(12):
        film.add(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)), i)
    assert colour_tables(film.write(tmp_path / "film.gif").read_bytes()) == (True, 12, 0)


def test_a_resumed_run_replaces_its_frames(tmp_path):
    shot(Film(tmp_path), 3)
    film = Film(tmp_path)
    film.add(Image.new("RGB", (48, 32), (200,) * 3), 10)
    (film.folder / ".000020.png.1234.unfinished").write_bytes(b"cut")
    assert played(film.write(tmp_path / "film.webp"))[0] == pytest.approx([0, 200, 4], abs=3)


def test_a_single_frame_is_a_film(tmp_path):
    for suffix in (".webp", ".gif"):
        with Image.open(shot(Film(tmp_path), 1).write(tmp_path / f"one{suffix}")) as film:
            assert film.size == (48, 32)


def test_a_frame_of_another_size_is_named(tmp_path):
    film = shot(Film(tmp_path), 3)
    film.add(Image.new("RGB", (48, 33)), 15)
    with pytest.raises(ValueError, match=r"frame 000015.png is \(48, 33\), expected \(48, 32\)"):
        film.write(tmp_path / "film.webp")


def test_a_caption_is_a_strip_below(tmp_path):
    frame = Image.new("RGB", (300, 40), (9, 9, 9))
    for caption in ("round 1,200", "a caption far too long for its frame " * 3):
        with Image.open(Film(tmp_path).add(frame, 3, caption)) as written:
            pixels = np.asarray(written)
        assert pixels.shape == (64, 300, 3)
        assert (pixels[:40] == 9).all()
        assert (pixels[40:] < 120).any()
        assert pixels[40:43].min() == 255


@pytest.mark.parametrize(("name", "frames", "most"), [("film.mp4", 2, 9), ("film.webp", 2, 1), ("film.gif", 0, 9)])
def test_a_film_that_cannot_be_is_refused(tmp_path, name, frames, most):
    with pytest.raises(ValueError, match=r"expected a \.webp or \.gif of at least 2, and a frame added before"):
        shot(Film(tmp_path), frames).write(tmp_path / name, max_frames=most)
    with pytest.raises(ValueError, match="expected an index of 0 or more"):
        Film(tmp_path).add(Image.new("L", (4, 4)), -1)
