"""The readings that tell: two or three curves of the sick and the cured run, with the moment that the doctor spoke."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zerosum.pictures import save
from zerosum.pictures.look import FAKE, HAIRLINE, INK, MUTED, PAPER, REAL, drawn, plain
from zerosum.ward.cases import Case
from zerosum.ward.side import Side

WORDS = {
    "distance": "samples to data, energy distance",
    "diversity": "diversity, of the data's",
    "missing": "share of the data never made",
    "twins": "share of samples with a twin",
    "turnover": "samples that change kind a look",
    "change": "move of a sample a look",
    "auc": "D ranks a real above a sample",
    "held.auc": "D ranks a known real above a new one",
    "copies": "share of copies",
    "label": "share of labels as asked",
    "leak": "running to batch statistics, distance",
    "checkerboard": "pattern that all samples carry, over contrast",
    "contrast": "contrast within a sample",
    "samples.gradient": "gradient at the samples",
    "score.spread": "spread of D's scores",
    "maker.step": "step of G, over its weight",
    "judge.step": "step of D, over its weight",
    "maker.weight": "weight of G",
    "judge.weight": "weight of D",
}
TELLING = {
    "mode-collapse": ("diversity", "missing", "distance"),
    "partial-collapse": ("missing", "twins", "distance"),
    "mode-hopping": ("turnover", "missing", "distance"),
    "vanishing-gradient": ("samples.gradient", "auc", "distance"),
    "d-overpowers": ("auc", "maker.step", "distance"),
    "g-overpowers": ("auc", "samples.gradient", "distance"),
    "oscillation": ("auc", "change", "distance"),
    "divergence": ("score.spread", "judge.weight", "distance"),
    "non-finite": ("maker.weight", "judge.weight", "distance"),
    "dead-start": ("diversity", "change", "distance"),
    "d-memorises": ("held.auc", "auc", "distance"),
    "g-copies": ("copies", "held.auc", "distance"),
    "batch-statistics-leak": ("leak", "distance"),
    "checkerboard": ("checkerboard", "distance"),
    "label-ignored": ("label", "distance"),
    "learning-rate-too-high": ("maker.weight", "judge.weight", "distance"),
    "learning-rate-too-low": ("maker.step", "judge.step", "distance"),
    "wrong-range": ("contrast", "distance"),
}
"""What shows each disease best, by its name in checkups.jsonl."""
LOOKS = {"sick": (FAKE, "-"), "cured": (REAL, "--")}


def curves(case: Case, sick: Side, cured: Side, path: Path) -> Path:
    """A PNG: a row of axes for each telling reading over rounds, both runs in it.

    Gray from the first sign of the disease to the round in which the doctor named it, if it did.
    """
    from matplotlib.figure import Figure

    names = TELLING[case.disease]
    figure = Figure(figsize=(7, 0.7 + 1.6 * len(names)), dpi=110, facecolor=PAPER)
    rows = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
    figure.subplots_adjust(left=0.1, right=0.97, top=1 - 0.45 / figure.get_figheight(), bottom=0.12, hspace=0.35)
    said = next((row for row in sick.found if row["disease"] in (case.disease, *case.also)), None)
    for axes, name in zip(rows, names, strict=True):
        plain(axes)
        axes.grid(color=HAIRLINE, linewidth=0.7)
        axes.set_title(WORDS[name], loc="left", fontsize=8.5, color=INK)
        if said is not None:
            axes.axvspan(said["first"], said["round"], color=HAIRLINE, linewidth=0)
            axes.axvline(said["round"], color=MUTED, linewidth=1)
        for (kind, (colour, style)), side in zip(LOOKS.items(), (sick, cured), strict=True):
            seen = [row for row in side.rows if name in row]
            rounds, values = [row["round"] for row in seen], [row[name] for row in seen]
            alone = "o" if len(seen) == 1 else None
            axes.plot(rounds, values, style, color=colour, linewidth=1.5, marker=alone, label=kind)
    told = f"{said['disease']}: signs from round {said['first']:,}, named in round {said['round']:,}" if said else ""
    rows[-1].set_xlabel("round" + (f"      (gray: {told})" if told else ""), color=INK, fontsize=8.5)
    figure.legend(*rows[0].get_legend_handles_labels(), loc="upper right", ncols=2, frameon=False, fontsize=8.5)
    return save(drawn(figure), path)
