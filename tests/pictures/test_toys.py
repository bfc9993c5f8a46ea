"""Toys: points at their coordinates, D's landscape in its colours, densities that are some."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL.ImageColor import getrgb as rgb

from zerosum.pictures import points_picture
from zerosum.pictures.look import GENERATED, REAL
from zerosum.pictures.toys import _density as density


def near(pixels: np.ndarray, colour: str, within: int = 12) -> int:
    """How many pixels have nearly this colour."""
    return int((np.abs(pixels.astype(int) - rgb(colour)).max(axis=-1) <= within).sum())


def half(points: np.ndarray) -> np.ndarray:
    """A judge that believes what stands on the right."""
    return (points[:, 0] > 0).astype(float)


def test_points_stand_at_their_coordinates():
    picture = np.asarray(points_picture(np.array([[1.0, 2.0]]), limits=(-4, 4), size=400))
    blue = np.abs(picture[:400].astype(int) - rgb(GENERATED)).max(axis=-1) < 90
    y, x = np.argwhere(blue).mean(axis=0)
    assert x == pytest.approx(400 * 5 / 8, abs=2)
    assert y == pytest.approx(400 * 2 / 8, abs=2)


@pytest.mark.parametrize("size", [200, 355, 512, 513])
def test_a_toy_is_as_wide_as_asked(size):
    assert points_picture(np.zeros((3, 2)), size=size).size == (size, size + 28)
    assert points_picture(np.zeros((3, 1)), size=size).width == size


def test_the_landscape_is_red_where_d_says_fake_and_green_where_it_says_real():
    picture = np.asarray(points_picture(np.zeros((1, 2)), judge=half, limits=(-1, 1), size=400)).astype(int)
    left, right = picture[100, 60], picture[100, 340]
    assert left[0] - left[1] > 40
    assert right[1] - right[0] > 20


def test_the_axes_come_from_the_real_points_so_that_frames_agree():
    real = np.random.default_rng(0).normal(size=(200, 2))

    def first(samples):
        return np.asarray(points_picture(samples, real, size=300))

    assert np.array_equal(first(np.full((1, 2), 50.0)), first(np.full((1, 2), -90.0)))  # both out of sight


def test_a_density_is_one_in_all_and_stands_where_the_points_are():
    line = np.linspace(-6, 6, 400)
    height = density(np.random.default_rng(0).normal(size=(20_000, 1)) + 1, line)
    assert height.sum() * (line[1] - line[0]) == pytest.approx(1, abs=0.01)
    assert line[height.argmax()] == pytest.approx(1, abs=0.3)
    assert height.max() == pytest.approx(1 / math.sqrt(2 * math.pi * (1 + 0.2**2)), abs=0.02)
    assert density(np.zeros((0, 1)), line).tolist() == [0] * 400


def test_one_dimension_shows_both_densities_and_d():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(500, 1)) + 1, rng.normal(size=(500, 1)) - 1
    with_judge = np.asarray(points_picture(fake, real, half, limits=(-4, 4)))
    without = np.asarray(points_picture(fake, real, limits=(-4, 4)))
    assert near(without, GENERATED) > 100
    assert near(without, REAL) == 0
    assert near(with_judge, REAL) > 100


def test_samples_that_are_not_finite_are_left_out_and_counted():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(50, 2))
    broken = np.concatenate([samples, np.full((3, 2), np.nan)])
    whole, lost = (np.asarray(points_picture(points, samples, size=400)) for points in (samples, broken))
    assert np.array_equal(whole[:395], lost[:395])
    assert not np.array_equal(whole[402:], lost[402:])  # the legend says how many
    for d in (1, 2):
        points_picture(np.full((4, d), np.inf), judge=half)


@pytest.mark.parametrize("wrong", [(np.zeros((4, 3)),), (np.zeros(4),), (np.zeros((4, 2)), np.zeros((4, 1)))])
def test_a_toy_has_one_or_two_dimensions(wrong):
    with pytest.raises(ValueError, match=r"expected \[n d\] with one d, 1 or 2"):
        points_picture(*wrong)


def test_a_judge_answers_for_each_point():
    with pytest.raises(ValueError, match="expected one for each"):
        points_picture(np.zeros((4, 2)), judge=lambda points: np.zeros(7))
