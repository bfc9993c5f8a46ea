"""Glyphs: the same bytes for a seed whatever n, and factors that mean what they say."""

import itertools
import math

import pytest
import torch

from zerosum.data.glyphs import glyphs
from zerosum.data.strokes import STYLES, pen, spline


@pytest.fixture(scope="module")
def drawn():
    return glyphs(2000, seed=7)


def pearson(a, b):
    return torch.corrcoef(torch.stack([a.float().flatten(), b.float().flatten()]))[0, 1].item()


def moments(images):
    """Ink, centroid (x, y) and the slope of x on y of each image, in pixels from the centre."""
    ink = images[:, 0].float() / 255
    h, w = ink.shape[1:]
    total = ink.sum((1, 2))
    x, y = torch.arange(w) - (w - 1) / 2, torch.arange(h) - (h - 1) / 2
    cx, cy = (ink.sum(1) @ x) / total, (ink.sum(2) @ y) / total
    xx, yy = x - cx[:, None], y - cy[:, None]
    slope = torch.einsum("nhw,nh,nw->n", ink, yy, xx) / torch.einsum("nhw,nh->n", ink, yy.square())
    return total, torch.stack([cx, cy], 1), slope


def test_shapes_and_ranges(drawn):
    images, labels, factors = drawn
    assert images.shape == (2000, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert torch.equal(labels, factors["digit"])
    assert all(len(factor) == 2000 for factor in factors.values())
    assert images.flatten(1).max(1).values.min() > 200  # every glyph is drawn
    assert images[:, :, [0, -1], :].float().mean() < 1  # and lies within the picture
    assert 0.1 < images.float().mean() / 255 < 0.17  # MNIST: 0.1307


def test_classes_and_styles_are_even(drawn):
    _, labels, factors = drawn
    assert labels.bincount(minlength=10).float().tolist() == pytest.approx([200] * 10, abs=50)
    for digit, styles in enumerate(STYLES):
        shares = factors["style"][labels == digit].bincount(minlength=len(styles)).float()
        assert len(shares) == len(styles)
        assert (shares / shares.sum()).tolist() == pytest.approx([1 / len(styles)] * len(styles), abs=0.15)


@pytest.mark.parametrize("n", [1, 51, 1001])
def test_the_first_n_are_the_same_whatever_n(drawn, n):
    images, labels, factors = glyphs(n, seed=7)
    assert torch.equal(images, drawn[0][:n])
    assert torch.equal(labels, drawn[1][:n])
    assert all(torch.equal(factors[name], drawn[2][name][:n]) for name in factors)


def test_seeds_and_streams_differ_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    one, other, stream = glyphs(50, seed=0)[0], glyphs(50, seed=1)[0], glyphs(50, seed=0, stream=1)[0]
    assert not torch.equal(one, other)
    assert not torch.equal(one, stream)
    assert torch.equal(before, torch.get_rng_state())


def test_width_is_ink(drawn):
    ink, _, _ = moments(drawn[0])
    assert pearson(ink, drawn[2]["width"]) > 0.65
    quarters = ink[drawn[2]["width"].argsort()].reshape(4, -1).mean(1)
    assert (quarters.diff() > 5).all()


def test_width_is_measured_in_fractions_of_the_side():
    """Across the middle of a plain, nearly upright 1 the ink is as wide as the pen."""
    images, labels, factors = glyphs(1000, size=56)
    upright = (factors["slant"] + factors["rotation"]).abs() < 0.15
    plain = (labels == 1) & (factors["style"] == 0) & upright
    across = images[plain, 0, 27].float().sum(1) / 255 / 56
    assert plain.sum() > 5
    assert (across / factors["width"][plain]).tolist() == pytest.approx([1] * int(plain.sum()), abs=0.12)


def test_shift_moves_the_centroid(drawn):
    images, labels, factors = drawn
    _, centroid, _ = moments(images)
    for digit in range(10):
        for axis in (0, 1):
            moved, shift = centroid[labels == digit, axis], 28 * factors["shift"][labels == digit, axis]
            slope = torch.cov(torch.stack([moved, shift]))[0, 1] / shift.var()
            assert slope.item() == pytest.approx(1, abs=0.3)


def test_slant_and_rotation_lean_the_stem(drawn):
    images, labels, factors = drawn
    _, _, slope = moments(images)
    stem = (labels == 1) & (factors["style"] == 0)
    lean = factors["slant"] + factors["rotation"]  # x = -lean y, to first order
    assert pearson(-slope[stem], lean[stem]) > 0.95


def test_scale_is_extent(drawn):
    images, labels, factors = drawn
    rows = (images[:, 0] > 100).any(2).sum(1)
    columns = (images[:, 0] > 100).any(1).sum(1)
    zero = (labels == 0) & (factors["style"] == 0)
    assert pearson(rows[zero], factors["scale"][zero, 1]) > 0.6
    assert pearson(columns[zero], factors["scale"][zero, 0]) > 0.5


def test_jitter_is_zero_beyond_a_styles_points(drawn):
    _, labels, factors = drawn
    for digit, styles in enumerate(STYLES):
        for style in range(len(styles)):
            which = (labels == digit) & (factors["style"] == style)
            used = 2 * len(pen(digit, style, 64).controls)
            assert (factors["jitter"][which, :used] != 0).all()
            assert (factors["jitter"][which, used:] == 0).all()


def test_classes_are_told_apart_by_the_nearest_neighbour(drawn):
    """Recognisable: 1-nearest-neighbour on raw pixels, 1,700 known, 300 asked (MNIST at that size: about 0.9)."""
    pixels = drawn[0].flatten(1).float() / 255
    nearest = torch.cdist(pixels[1700:], pixels[:1700]).argmin(1)
    accuracy = (drawn[1][nearest] == drawn[1][1700:]).float().mean()
    assert accuracy > 0.88


@pytest.mark.parametrize("size", [8, 16, (20, 40), (48, 32), 64])
def test_any_size(size):
    h, w = (size, size) if isinstance(size, int) else size
    images, _, factors = glyphs(50, size=size)
    assert images.shape == (50, 1, h, w)
    ink = images.float().mean((1, 2, 3)) / 255 * h * w / min(h, w) ** 2
    assert 0.08 < ink.mean() < 0.2
    assert torch.equal(factors["digit"], glyphs(50)[1])


def test_edges_are_soft():
    images = glyphs(200)[0]
    soft = ((images > 0) & (images < 255)).float().mean() / (images > 0).float().mean()
    assert 0.2 < soft < 0.8


def test_spline_runs_through_its_points_and_keeps_lines_straight():
    points = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [3.5, -1.0]], dtype=torch.float64).numpy()
    gaps = [math.dist(a, b) for a, b in itertools.pairwise(points)]
    knots = torch.tensor([0.0, *gaps], dtype=torch.float64).cumsum(0).div(sum(gaps)).numpy()
    torch.testing.assert_close(torch.tensor(spline(points, knots) @ points), torch.tensor(points))
    line = points[:, :1] * [1.0, 2.0]
    at = torch.linspace(0, 1, 11, dtype=torch.float64).numpy()
    torch.testing.assert_close(torch.tensor(spline(line, at) @ line), torch.tensor(at[:, None] * line[-1]))


def test_joined_strokes_stay_joined():
    """Strokes that name the same point share one control point."""
    own = pen(7, 0, 64)
    assert len(own.controls) == 5
    ends = own.middle + own.along / 2
    corner = own.controls.tolist().index(pytest.approx([0.28, -0.46]))
    assert (ends[:, corner] > 0.999).any()
