"""Toy games in one and two dimensions: the points, and what D believes everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zerosum.pictures.look import GENERATED, HAIRLINE, INK, MUTED, PAPER, REAL, drawn, legend_below, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Judge = Callable[[np.ndarray], np.ndarray]  # points [k d] -> probability of being real [k]


def points_picture(
    samples: np.ndarray,
    real: np.ndarray | None = None,
    judge: Judge | None = None,
    limits: tuple[float, float] | None = None,
    size: int = 512,
) -> Image.Image:
    """A toy game: samples [n d] and real points [m d], d = 1 or 2, with D's probability of real where `judge` is given.

    d = 2: the points over D's landscape. d = 1: both densities and the curve D(x), as figure 1 of Goodfellow et al.
    2014 (arXiv:1406.2661). `limits` hold for each axis; by default they come from `real`, so that the frames of a film
    agree. `size` is the width in pixels.
    """
    sets = [samples] if real is None else [samples, real]
    sets = [np.asarray(points, dtype=float) for points in sets]
    if any(points.ndim != 2 or points.shape[1] not in (1, 2) for points in sets) or len({p.shape[1] for p in sets}) > 1:
        raise ValueError(f"got points of shapes {[p.shape for p in sets]}, expected [n d] with one d, 1 or 2")
    finite = [points[np.isfinite(points).all(axis=1)] for points in sets]
    low, high = limits or _limits(finite[-1])
    lost = len(sets[0]) - len(finite[0])
    name = f"generated ({lost:,} of {len(sets[0]):,} not finite)" if lost else "generated"
    paint = _densities if sets[0].shape[1] == 1 else _landscape
    return paint(finite[0], finite[1] if real is not None else None, judge, (low, high), size, name)


def _limits(points: np.ndarray) -> tuple[float, float]:
    """The range of all coordinates, a fifth wider on each side; (-1, 1) where there are no points."""
    if not points.size:
        return -1.0, 1.0
    low, high = float(points.min()), float(points.max())
    margin = (high - low) / 5 or 1.0
    return low - margin, high + margin


def _believed(judge: Judge, points: np.ndarray) -> np.ndarray:
    """D's probabilities [k] at points [k d]."""
    probabilities = np.asarray(judge(points), dtype=float).reshape(-1)
    if len(probabilities) != len(points):
        raise ValueError(f"judge gave {probabilities.size} numbers for {len(points)} points, expected one for each")
    return probabilities


def _landscape(
    samples: np.ndarray, real: np.ndarray | None, judge: Judge | None, limits: tuple[float, float], size: int, name: str
) -> Image.Image:
    """Points [n 2] over D's probability of real, with the line where D cannot tell."""
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = _toy_axes(size, size - 2, 30, 1, limits)
    axes.set(ylim=limits, xticks=(), yticks=())
    if judge is not None:
        tints = LinearSegmentedColormap.from_list("belief", ["#efb3a6", "#fcf6e8", "#a3d4bd"])
        line = np.linspace(*limits, 96)
        points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        surface = _believed(judge, points).reshape(96, 96)
        extent = (*limits, *limits)
        axes.imshow(
            surface, tints, origin="lower", extent=extent, vmin=0, vmax=1, aspect="auto", interpolation="bilinear"
        )
        if surface.min() < 0.5 < surface.max():
            axes.contour(line, line, surface, [0.5], colors=MUTED, linewidths=0.8, linestyles="dashed")
        ramp = axes.inset_axes((0.76, -0.042, 0.15, 0.02))
        ramp.imshow(np.linspace(0, 1, 64)[None], tints, aspect="auto")
        ramp.set_axis_off()
        ramp.text(-0.06, 0.5, "D: fake", color=INK, fontsize=8, ha="right", va="center", transform=ramp.transAxes)
        ramp.text(1.06, 0.5, "real", color=INK, fontsize=8, va="center", transform=ramp.transAxes)
    for cloud, colour, opacity, label in ((real, MUTED, 0.45, "real"), (samples, GENERATED, 0.8, name)):
        if cloud is not None:
            axes.plot(*cloud.T, "o", color=colour, alpha=opacity, markersize=2.6, markeredgewidth=0, label=label)
    legend_below(axes, 15 / size)
    return drawn(figure)


def _densities(
    samples: np.ndarray, real: np.ndarray | None, judge: Judge | None, limits: tuple[float, float], size: int, name: str
) -> Image.Image:
    """The densities of points [n 1] and the curve D(x), on one axis from 0 to 1 for D and to the peak for densities."""
    figure, axes = _toy_axes(size, round(0.6 * size), 50, 26, limits)
    line = np.linspace(*limits, 400)
    shapes = {"real": (real, MUTED), name: (samples, GENERATED)}
    heights = {label: _density(points, line) for label, (points, _) in shapes.items() if points is not None}
    peak = float(heights["real" if real is not None else name].max()) or 1.0
    for label, height in heights.items():
        colour = shapes[label][1]
        axes.fill_between(line, height, color=colour, alpha=0.22, linewidth=0)
        axes.plot(line, height, color=colour, linewidth=1.6, label=label)
    axes.set(ylim=(0, 1.6 * peak), yticks=())
    if judge is not None:
        scale = axes.twinx()
        scale.axhline(0.5, color=HAIRLINE, linewidth=1)
        scale.plot(line, _believed(judge, line[:, None]), color=REAL, linewidth=1.6, linestyle=(0, (4, 2)))
        scale.set(ylim=(0, 1.02), yticks=(0, 0.5, 1))
        plain(scale)
        axes.plot([], [], color=REAL, linewidth=1.6, linestyle=(0, (4, 2)), label="D(x)")
    plain(axes)
    axes.spines["left"].set_visible(False)
    legend_below(axes, 36 / (0.6 * size))
    return drawn(figure)


def _density(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """A kernel density of points [n 1] on an even `line` [k]: a histogram blurred by a Gaussian.

    Its width is a sixtieth of the line for everybody: one that follows the spread would hide a collapse.
    """
    step, width = line[1] - line[0], len(line) / 60
    reach = math.ceil(4 * width)  # points outside the line reach into it
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    outside = (reach + 0.5) * step
    counts, _ = np.histogram(points, bins=len(line) + 2 * reach, range=(line[0] - outside, line[-1] + outside))
    density: np.ndarray = np.convolve(counts, kernel / kernel.sum(), mode="valid") / (max(len(points), 1) * step)
    return density


def _toy_axes(size: int, height: int, strip: int, side: int, limits: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure of `size` pixels width with axes of `height`, `side` pixels from its edges, above a strip for names."""
    from matplotlib.figure import Figure

    tall = height + strip
    figure = Figure(figsize=((size + 0.1) / 100, (tall + 0.1) / 100), dpi=100, facecolor=PAPER)  # cut to whole pixels
    box = (side / size, (strip - 1) / tall, 1 - 2 * side / size, height / tall)
    axes = figure.add_axes(box, xlim=limits)
    axes.spines[:].set_color(HAIRLINE)
    return figure, axes
