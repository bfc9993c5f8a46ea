"""A measured number: what it is, how sure it is, and what a perfect generator would score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Number:
    """A value with its 95 % interval.

    `low` and `high` hold, in 95 of 100 repetitions of the whole measurement, the mean that the value would have over
    many such measurements with the same counts. `floor` is what samples of the true distribution score on average at
    these counts (for a number whose best is high: the ceiling); None where it is not known and is measured on held-out
    data instead. `unbiased` is the value as it would be with endless samples, where that can be said.
    """

    value: float
    low: float
    high: float
    better: Literal["lower", "higher"]
    floor: float | None = None
    unbiased: float | None = None


class TooFew(ValueError):
    """There are too few examples for a number: its name, what it needs, what was got, and what to use instead."""

    def __init__(self, number: str, needs: str, got: int, instead: str):
        super().__init__(f"{number} needs {needs}, got {got:,}: {instead}")


def check_features(name: str, *sets: Tensor) -> None:
    """Raises ValueError where feature sets [n f], [m f] ... cannot be compared: the one line says which and why."""
    for x in sets:
        if x.ndim != 2 or not x.isfinite().all():
            flaw = "numbers that are not finite" if x.ndim == 2 else f"the shape {tuple(x.shape)}"
            raise ValueError(f"{name} needs features [n f] of finite numbers, got {flaw}")
    widths = sorted({x.shape[1] for x in sets})
    if len(widths) > 1:
        raise ValueError(f"{name} compares features of one kind, got widths {widths}: use one extractor for all sets")
    if len(sets[0]) > 1 and all(torch.equal(sets[0][0], row) for row in sets[0][1:10]) and _constant(sets[0]):
        raise ValueError(f"{name}: all {len(sets[0]):,} samples are the same: a number would mean nothing")


def _constant(x: Tensor) -> bool:
    return bool((x == x[0]).all())
