"""Curves: readings that come and go, beliefs at their height, and runs of any length."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from PIL.ImageColor import getrgb as rgb

from zerosum.pictures import curves
from zerosum.pictures.curves import _moving_mean as moving_mean
from zerosum.pictures.curves import _series as series
from zerosum.pictures.look import FAKE, REAL


def near(pixels: np.ndarray, colour: str, within: int = 12) -> int:
    """How many pixels have nearly this colour."""
    return int((np.abs(pixels.astype(int) - rgb(colour)).max(axis=-1) <= within).sum())


def readings(n: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        row = {"round": 50.0 * i, "images": 3200.0 * i, "seconds": 0.3 * i, "D.D_x": 0.7, "D.D_Gz": 0.3}
        rows.append(row | {"D.adversarial": 1.2 + 0.1 * rng.normal(), "G.adversarial": 0.8 + 0.1 * rng.normal()})
        if i % 16 == 0:
            rows[-1]["D.r1"] = 0.02
    return rows


@pytest.mark.parametrize("n", [0, 1, 2, 40, 600])
@pytest.mark.parametrize("x", ["round", "seconds"])
def test_curves_of_any_number_of_rows(tmp_path, n, x):
    with Image.open(curves(readings(n), tmp_path / "curves.png", x=x, title="a run")) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] == 990
    assert (near(pixels, REAL) > 20) == (near(pixels, FAKE) > 20) == (n > 0)


def test_belief_stands_at_its_height(tmp_path):
    with Image.open(curves(readings(40), tmp_path / "curves.png")) as picture:
        inside = np.asarray(picture)[:, 100:750].astype(int)  # left of the legend
    rows = {colour: np.argwhere(np.abs(inside - rgb(colour)).max(axis=-1) < 12)[:, 0].mean() for colour in (REAL, FAKE)}
    middle = (rows[REAL] + rows[FAKE]) / 2  # 0.5
    dashes = [y for y in range(round(middle) - 4, round(middle) + 5) if (inside[y] < 180).all(axis=-1).mean() > 0.3]
    assert rows[REAL] < middle < rows[FAKE]
    assert dashes


def test_readings_come_and_go(tmp_path):
    rows = [
        {"round": 2, "D.adversarial": 3.0},
        {"round": 1, "D.adversarial": math.nan, "G.cycle": math.inf},
        {"seconds": 9.0, "D.adversarial": 8.0},  # of no round
        {"round": 2, "D.adversarial": 4.0},  # played again, after a cut
        {"round": 2, "G.cycle": 5},
    ]
    at, columns = series(rows, "round")
    assert at.tolist() == [1, 2]
    assert np.array_equal(columns["D.adversarial"], [math.nan, 4], equal_nan=True)
    assert np.array_equal(columns["G.cycle"], [math.nan, 5], equal_nan=True)
    curves(rows, tmp_path / "curves.png")
    curves([{"round": 1, "D.adversarial": math.nan, "D.D_x": math.nan}], tmp_path / "curves.png")


def test_a_watched_reading_is_no_curve(tmp_path):
    rows = readings(40)
    watched = [row | {"D.middle": 30.0 + i, "D.middleman": 1.0} for i, row in enumerate(rows)]
    unwatched = [row | {"D.middleman": 1.0} for row in rows]
    drawn = [curves(each, tmp_path / f"{len(each[0])}.png").read_bytes() for each in (watched, unwatched, rows)]
    assert drawn[0] == drawn[1]
    assert drawn[1] != drawn[2]  # a term of another name is drawn


def test_a_divergence_leaves_the_early_curve_readable(tmp_path):
    rows = readings(60)
    rows[-1]["G.adversarial"] = 1e6
    with Image.open(curves(rows, tmp_path / "curves.png")) as picture:
        blue = np.argwhere(np.abs(np.asarray(picture)[:320, 80:700].astype(int) - rgb("#3f6fd1")).max(axis=-1) < 12)
    assert np.ptp(blue[:, 0]) > 5  # on a linear axis it would be a flat line of 2 pixels


def test_the_moving_mean():
    assert moving_mean(np.array([0.0, 3, 6, 3, 0]), 1).tolist() == [1.5, 3, 4, 3, 1.5]
    assert moving_mean(np.arange(5.0), 0).tolist() == [0, 1, 2, 3, 4]
