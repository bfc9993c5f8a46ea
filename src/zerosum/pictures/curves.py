"""Curves of a run's readings: every loss term above, what D believes below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zerosum.pictures.look import FAKE, HAIRLINE, INK, MUTED, PAPER, REAL, SERIES, drawn, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 200  # readings: beyond, a curve is noise unless it is smoothed
BELIEFS = (".D_x", ".D_Gz")  # ends of keys: readings that are probabilities
WATCHED = (".middle",)  # ends of keys: readings that are neither a loss term nor a belief, and are not drawn


def curves(rows: Sequence[Mapping[str, float]], path: str | Path, x: str = "round", title: str = "") -> Path:
    """Draw readings over `x` as a PNG: above every loss term (keys "player.term"), below mean D(x) and D(G(z)).

    Keys may come and go; NaN, infinite and missing readings leave gaps. Rows of one `x` are one (a resumed run: the
    later counts). Beyond 200 readings a curve is faint under its moving mean; a huge range is drawn symlog. A "middle"
    of D's scores, watched but no loss, is left out.
    """
    from matplotlib.figure import Figure

    at, series = _series(rows, x)
    terms = {key: values for key, values in series.items() if not key.endswith((*BELIEFS, *WATCHED))}
    beliefs = {key: values for key, values in series.items() if key.endswith(BELIEFS)}
    figure = Figure(figsize=(9, 5.6), dpi=110, facecolor=PAPER)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    figure.subplots_adjust(left=0.075, right=0.79, top=0.93 if title else 0.97, bottom=0.09, hspace=0.08)
    figure.suptitle(title, x=0.075, y=0.985, ha="left", fontsize=11, color=INK)
    for axes in (above, below):
        plain(axes)
        axes.grid(color=HAIRLINE, linewidth=0.7)
    _draw_terms(above, at, terms)
    _draw_beliefs(below, at, beliefs)
    for axes, name in ((above, "loss"), (below, "D believes real")):
        axes.set_ylabel(name, color=INK, fontsize=9)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=8.5, labelcolor=INK)
    below.set_xlabel(x, color=INK, fontsize=9)
    below.xaxis.get_major_locator().set_params(integer=bool(np.all(at == at.round())))
    below.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == round(value) else f"{value:g}")
    if len(at) == 1:
        below.set_xlim(at[0] - 1, at[0] + 1)
    if len(at) == 0:
        above.set(xticks=(), yticks=())
        above.text(0.5, 0.5, "no readings yet", color=MUTED, ha="center", va="center", transform=above.transAxes)
    return save(drawn(figure), path)


def _series(rows: Sequence[Mapping[str, float]], x: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Rows as columns: x [k] in order, and for every key "player.reading" its values [k], NaN where there is none."""
    merged: dict[float, dict[str, float]] = {}
    for row in rows:
        if x in row:
            merged.setdefault(float(row[x]), {}).update(row)
    at = np.array(sorted(merged))
    keys = dict.fromkeys(key for row in rows for key in row if "." in key)
    columns = {key: np.array([merged[place].get(key, math.nan) for place in at], dtype=float) for key in keys}
    return at, {key: np.where(np.isfinite(values), values, math.nan) for key, values in columns.items()}


def _draw_terms(axes: Axes, at: np.ndarray, terms: Mapping[str, np.ndarray]) -> None:
    """The terms of the losses [k] over `at` [k]; symlog when the largest is beyond 200 times the typical one."""
    for i, (key, values) in enumerate(terms.items()):
        label = key.replace(".", ": ", 1).replace("_", " ")
        _curve(axes, at, values, SERIES[i % len(SERIES)], "-" if i < len(SERIES) else "--", label)
    sizes = np.abs(np.concatenate([at[:0], *terms.values()]))
    sizes = sizes[sizes > 0]  # neither 0 nor NaN
    if len(sizes) and sizes.max() > 200 * np.median(sizes):
        axes.set_yscale("symlog", linthresh=float(np.median(sizes)))


def _draw_beliefs(axes: Axes, at: np.ndarray, beliefs: Mapping[str, np.ndarray]) -> None:
    """Mean D(x) and D(G(z)) [k] over `at` [k]; a line style for each judge, named where there are several."""
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    judges = list(dict.fromkeys(key.rpartition(".")[0] for key in beliefs))
    for key, values in beliefs.items():
        judge, _, reading = key.rpartition(".")
        label = ("" if len(judges) == 1 else f"{judge}: ") + ("D(x)" if reading == "D_x" else "D(G(z))")
        style = ("-", "--", ":", "-.")[judges.index(judge) % 4]
        _curve(axes, at, values, REAL if reading == "D_x" else FAKE, style, label)
    axes.set(ylim=(-0.03, 1.03), yticks=(0, 0.5, 1))


def _curve(axes: Axes, at: np.ndarray, values: np.ndarray, colour: str, style: str, label: str) -> None:
    """One curve: a dot if it has one reading, and faint under its moving mean if it has many."""
    there = np.isfinite(values)
    at, values = at[there], values[there]
    if len(at) > MANY:
        axes.plot(at, values, color=colour, alpha=0.22, linewidth=0.7)
        values = _moving_mean(values, len(values) // 40)
    axes.plot(at, values, style, color=colour, linewidth=1.5, label=label, marker="o" if len(at) == 1 else None)


def _moving_mean(values: np.ndarray, reach: int) -> np.ndarray:
    """The mean of each value [k] and its neighbours up to `reach` on either side; at the ends, of those there are."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    mean: np.ndarray = (sums[last] - sums[first]) / (last - first)
    return mean
