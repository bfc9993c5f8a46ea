"""The doctor at the table: it looks now and then, within its share of the time, and says what it finds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from zerosum.checkup import Checkup
from zerosum.data.dataset import Dataset
from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.rules import diagnose
from zerosum.play.trainer import Trainer

Row = dict[str, float]


class Doctor:
    """Takes a checkup when it is time, keeps all of them, and what they tell.

    All looks together take at most `cost` of the training time, but for the first, before there is any.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, held_out: Dataset | None, cost: float, batch: int = 64):
        self.trainer, self.dataset, self.held_out, self.cost = trainer, dataset, held_out, cost
        self.batch = batch
        self.rows: list[Row] = []
        self.findings: list[Finding] = []
        self.waits = False
        self._checkup: Checkup | None = None

    @property
    def checkup(self) -> Checkup:
        """Made when it is first needed: it looks through the data."""
        if self._checkup is None:
            self._checkup = Checkup(self.trainer, self.dataset, self.held_out, 0, self.batch)
        return self._checkup

    @property
    def spent(self) -> float:
        """Seconds of all looks."""
        return sum(row["seconds"] for row in self.rows)

    def affordable(self, seconds: float) -> bool:
        """Whether one look more, as long as the longest of late, keeps within the share of these seconds."""
        last = max((row["seconds"] for row in self.rows[-3:]), default=0.0)
        return self.cost > 0 and (not self.rows or self.spent + last <= self.cost * seconds)

    def wanted(self, seconds: float) -> bool:
        """Whether a look is affordable, and these networks were not looked at already."""
        return self.affordable(seconds) and not (self.rows and self.rows[-1]["round"] == self.trainer.rounds)

    def prepare(self, seconds: float) -> None:
        """A look is due: if it is affordable, it waits for the next round."""
        if self.affordable(seconds):
            self.checkup.begin()
            self.waits = True

    def hear(self, rows: Sequence[Mapping[str, float]]) -> None:
        """The readings of rounds that were played."""
        if self.cost:
            self.checkup.hear(rows)

    def look(self, share: float) -> tuple[Row, list[Finding]]:
        """A checkup at this share of the run's length, and what is new: a disease, one that got worse, or its end.

        What is not finite is left out of the row, and counted.
        """
        checkup, first = self.checkup, not self.rows  # made before the clock starts
        start = time.perf_counter()
        row = checkup.look() | {"share": round(share, 6)} | (checkup.reference.facts if first else {})
        row["seconds"] = round(time.perf_counter() - start, 4)
        finite = {name: value for name, value in row.items() if isfinite(value)}
        finite["nonfinite"] = max(row["nonfinite"], 1 - len(finite) / len(row))
        self.rows.append(finite)
        self.waits = False
        return finite, self.conclude()

    def conclude(self, failure: str | None = None) -> list[Finding]:
        """Findings anew from all checkups; returned are those that were not there before, or not of that severity."""
        before = {(finding.disease, finding.severity) for finding in self.findings}
        self.findings = diagnose(self.rows, failure)
        return [finding for finding in self.findings if (finding.disease, finding.severity) not in before]

    def recall(self, rows: list[Row]) -> None:
        """The checkups of the run so far, as they were written."""
        self.rows = rows
        self.findings = diagnose(rows)

    def summary(self) -> dict[str, Any]:
        """What about.json tells: what was found at the end, and what looking cost."""
        if not self.findings:
            return {}
        found = [{"disease": f.disease, "severity": f.severity, "first": f.first} for f in self.findings]
        return {"doctor": {"findings": found, "looks": len(self.rows), "seconds": round(self.spent, 2)}}
