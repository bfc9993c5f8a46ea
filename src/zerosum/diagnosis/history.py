"""The records of a run as rules read them: a row a checkup, oldest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from statistics import median

Row = dict[str, float]


class History:
    """Checkups until now; `failure` where the run broke. The first row also holds what is known of the data."""

    def __init__(self, rows: Sequence[Row], failure: str | None = None):
        self.failure, furthest = failure, 0.0
        self.rows: list[Row] = []
        for row in rows:
            # Of a run that was given a greater length the share falls back, but the run stays as warm as it was.
            furthest = max(furthest, row.get("share", 1.0))
            self.rows.append(row | {"share": furthest})

    @property
    def round(self) -> int:
        """The last round looked at, or that in which the run broke ("round 41: ...")."""
        broke = re.match(r"round (\d+)", self.failure or "")
        last = int(self.rows[-1]["round"]) if self.rows else 0
        return max(last, int(broke[1])) if broke else last

    @property
    def share(self) -> float:
        """How much of its length the run had played by then: 0..1."""
        return self.rows[-1]["share"] if self.rows else 0.0

    def data(self, name: str) -> float | None:
        """What is known of the data, if it is."""
        return self.rows[0].get(f"data.{name}") if self.rows else None

    def series(self, name: str) -> list[float]:
        """All finite values, oldest first."""
        return [row[name] for row in self.rows if name in row and isfinite(row[name])]

    def having(self, *names: str) -> list[Row]:
        """The looks that have all these readings, but for the one before the first round."""
        return [row for row in self.rows if row["share"] > 0 and all(name in row for name in names)]

    def now(self, name: str, looks: int = 3, ago: int = 0) -> float | None:
        """The median of the last values, or of those so many looks ago: one odd look does not count."""
        values = self.series(name)
        values = values[max(0, len(values) - looks - ago) : max(0, len(values) - ago)]
        return median(values) if values else None

    def fell(self, name: str, over: int = 6) -> float | None:
        """The share that a reading has lost of the least it was until so many looks ago; None after too few looks.

        Of the least, by medians of three: what swings up and down does not count as falling.
        """
        values, now = self.series(name), self.now(name)
        before = self.smooth(values)[: max(0, len(values) - over - 2)]
        if not before or now is None:
            return None
        return max(0.0, 1 - now / min(before)) if min(before) > 0 else 0.0

    @staticmethod
    def smooth(values: Sequence[float]) -> list[float]:
        """The median of each value and the two before it."""
        return [median(values[max(0, i - 2) : i + 1]) for i in range(len(values))]

    def since(self, holds: Callable[[Row], bool], *needs: str, least: int = 3, odd: int = 0) -> int | None:
        """The round since which, in every look that has these readings but `odd` of them, the condition holds.

        None if that is so in fewer than `least` looks, or if it does not hold in the last one.
        """
        first, looks, missed = None, 0, 0
        for row in reversed([row for row in self.rows if all(name in row for name in needs)]):
            if holds(row):
                first, looks = int(row["round"]), looks + 1
            elif looks == 0 or missed == odd:
                break
            else:
                missed += 1
        return first if looks >= least else None
