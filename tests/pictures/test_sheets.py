"""Sheets: which byte and which tile stands where, and how long the bar of D's belief is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ImageColor import getrgb as rgb

from zerosum.pictures import grid, scored_grid, to_uint8
from zerosum.pictures.look import FAKE, REAL


def flat(*values: int, side: int = 28, channels: int = 1) -> np.ndarray:
    """Images of one gray each."""
    return np.stack([np.full((side, side, channels), value, np.uint8) for value in values])


def test_the_range_maps_to_bytes_to_the_nearest_and_is_clamped():
    values = torch.tensor([-7.0, -1.0, -1 + 2.9 / 255, 0.0, 1 - 2.9 / 255, 1.0, 7.0, float("nan"), float("inf")])
    assert to_uint8(values.reshape(1, 1, 1, -1)).ravel().tolist() == [0, 0, 1, 128, 254, 255, 255, 128, 255]


def test_every_byte_survives_the_round_trip():
    every = torch.arange(256, dtype=torch.float32).reshape(1, 1, 16, 16) / 127.5 - 1
    assert to_uint8(every).ravel().tolist() == list(range(256))


def test_channels_move_last_and_the_graph_is_left():
    images = torch.zeros(2, 3, 4, 5, requires_grad=True, dtype=torch.bfloat16) + torch.tensor([-1.0, 0, 1]).view(
        3, 1, 1
    )
    pixels = to_uint8(images)
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels[1, 3, 4].tolist() == [0, 128, 255]


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4, 5), torch.zeros(1, 3, 4, 5, dtype=torch.uint8)])
def test_bytes_are_made_from_floats_of_four_axes_only(wrong):
    with pytest.raises(ValueError, match=r"expected floats \[n c h w\] in \[-1, 1\]"):
        to_uint8(wrong)


def test_each_tile_stands_at_its_place():
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
    sheet = np.asarray(grid(images, columns=3, zoom=2, padding=4))
    assert sheet.shape == (2 * (10 + 4) + 4, 3 * (14 + 4) + 4, 3)
    for i in range(6):
        y, x = 4 + i // 3 * 14, 4 + i % 3 * 18
        assert np.array_equal(sheet[y : y + 10 : 2, x : x + 14 : 2], images[i])
        assert np.array_equal(sheet[y + 1 : y + 10 : 2, x + 1 : x + 14 : 2], images[i])
    assert (sheet[:4] == 255).all()
    assert (sheet[:, 18:22] == 255).all()


@pytest.mark.parametrize(
    ("n", "side", "size"),
    [(64, 28, 8 * 58 + 2), (64, 64, 8 * 66 + 2), (1, 28, 60), (1024, 28, 32 * 30 + 2), (4, 8, 2 * 66 + 2)],
)
def test_small_images_are_enlarged_and_large_sheets_are_not(n, side, size):
    assert grid(flat(*[0] * n, side=side)).size == (size, size)


def test_a_sheet_has_no_gaps_where_that_is_possible_and_fits_a_screen():
    assert grid(flat(*[0] * 32), padding=0).size == (8 * 56, 4 * 56)
    assert grid(flat(*[0] * 7), padding=0).size == (3 * 56, 3 * 56)
    assert grid(flat(*[0] * 64, side=256)).width <= 1200
    assert grid(flat(*[0] * 100), columns=30).width <= 1200
    assert grid(flat(0, side=1500)).width == 1504


def test_gray_colour_and_transparent_images():
    assert grid(flat(100), padding=0).getpixel((5, 5)) == (100, 100, 100)
    image = np.array([[[[10, 20, 30, 255], [10, 20, 30, 0]]], [[[0, 0, 0, 51], [0, 0, 0, 128]]]], np.uint8)
    sheet = grid(image, columns=1, zoom=1, padding=0)
    pixels = [[sheet.getpixel((x, y)) for x in range(2)] for y in range(2)]
    assert pixels == [[(10, 20, 30), (255, 255, 255)], [(204, 204, 204), (127, 127, 127)]]


@pytest.mark.parametrize(
    "wrong", [flat(0)[0], flat(0, channels=2), flat(0).astype(float), np.zeros((0, 8, 8, 1), np.uint8)]
)
def test_a_sheet_is_of_bytes(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 \[n h w c\]"):
        grid(wrong)


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"zoom": -1}, {"padding": -1}])
def test_a_sheet_needs_room(wrong):
    with pytest.raises(ValueError, match="expected at least 1, 1 and 0"):
        grid(flat(1, 2, 3), **wrong)


def tile_and_bar(sheet: Image.Image, i: int, columns: int, width: int = 56) -> tuple[int, int, tuple[int, ...]]:
    """Of tile i: its gray, the length of its bar, the colour of the bar's first pixel."""
    x, y = 6 + i % columns * (width + 6), 6 + i // columns * (width + 22 + 6)
    pixels = np.asarray(sheet)
    bar = pixels[y + width + 4, x : x + width]
    return int(pixels[y, x, 0]), int((bar != bar[-1]).any(axis=-1).sum()), tuple(bar[0].tolist())


def test_bars_are_as_long_as_d_believes():
    sheet = scored_grid(flat(10, 20, 30, 40), [0.0, 0.25, 0.5, 0.75], columns=2)
    assert sheet.size == (2 * 62 + 6, 2 * 84 + 6)
    assert [tile_and_bar(sheet, i, 2)[:2] for i in range(4)] == [(10, 0), (20, 14), (30, 28), (40, 42)]


def test_the_bar_runs_from_red_to_green():
    assert tile_and_bar(scored_grid(flat(0), [1.0]), 0, 1)[2] == rgb(REAL)
    near_red = tile_and_bar(scored_grid(flat(0), [0.001]), 0, 1)
    assert near_red[1] == 1  # a little is still seen
    assert max(abs(a - b) for a, b in zip(near_red[2], rgb(FAKE), strict=True)) <= 1


def test_the_most_believed_come_first():
    scores = np.array([0.2, np.nan, 0.9, 0.5, 0.9])
    sheet = scored_grid(flat(20, 1, 90, 50, 91), scores, columns=5, sort=True)
    assert [tile_and_bar(sheet, i, 5)[0] for i in range(5)] == [90, 91, 50, 20, 1]
    unsorted = scored_grid(flat(20, 1, 90, 50, 91), scores, columns=5)
    assert [tile_and_bar(unsorted, i, 5)[0] for i in range(5)] == [20, 1, 90, 50, 91]


def test_a_number_is_written_under_each_tile():
    numbers = np.asarray(scored_grid(flat(0, 0, 0), [0.0, 1.0, math.nan], columns=3))[6 + 56 + 8 :]
    dark = [(numbers[:, 6 + i * 62 : 62 + i * 62] < 120).all(axis=-1) for i in range(3)]
    assert all(ink.sum() > 25 for ink in dark)
    assert not np.array_equal(dark[0], dark[1])
    columns = [np.flatnonzero(ink.any(axis=0)) for ink in dark]
    assert all(abs(places.mean() - 27.5) < 5 for places in columns)  # in the middle


def test_tiny_tiles_leave_room_for_the_number():
    assert scored_grid(flat(0, 0, side=8), [0.1, 1.0], columns=2, zoom=1).width == 2 * (36 + 6) + 6


@pytest.mark.parametrize("scores", [[0.5], [0.5, 1.2], [-0.1, 0.5]])
def test_scores_are_probabilities_one_for_each(scores):
    with pytest.raises(ValueError, match="apply sigmoid to logits"):
        scored_grid(flat(0, 0), scores)
