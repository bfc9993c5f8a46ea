"""A trial: one thing is changed, and after a while it is judged whether that helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

CLEARLY, WORSE = 0.7, 1.3  # distance to the data over that of the untreated run: clearly lower, clearly higher
NEAR = 0.02  # a distance below which two are as good as equal
LOOKS = 8  # that a trial takes at least
RIPE = 0.24  # share of the length before which no trial is judged: rules wait for half of it, and for looks after that


@dataclass(frozen=True)
class Trial:
    """One line of treatments.jsonl."""

    disease: str
    round: int
    """Where it was found."""
    act: str
    words: str
    source: str
    changed: dict[str, list[Any]]
    """Settings, each from what to what."""
    back: int
    """The round that the run went back to; 0 is the start."""
    looks: int
    """It is not judged before so many."""
    distance: float | None
    """Of the untreated run's samples to the data, in its last three looks."""
    before: dict[str, dict[str, Any]]
    """`play.changes` without this one."""
    abandoned: str = ""
    """The folder that holds what the run went back over."""
    helped: bool | None = None
    verdict: str | None = None
    """None as long as the trial is on."""
    numbers: dict[str, float] = field(default_factory=dict)

    def changes(self) -> dict[str, dict[str, Any]]:
        """`play.changes` with this one."""
        values = {key: new for key, (_, new) in self.changed.items()}
        return self.before | {str(self.back): self.before.get(str(self.back), {}) | values}

    def as_row(self) -> dict[str, Any]:
        return asdict(self)

    def over(self, rows: Sequence[Mapping[str, float]]) -> bool:
        """Whether it can be judged, from the checkups since: there are enough, and the run is so far that rules speak.

        Silence is no health as long as most diseases cannot be told yet.
        """
        return len(rows) >= self.looks and rows[-1]["share"] >= RIPE

    def judged(self, rows: Sequence[Mapping[str, float]], severe: Sequence[str]) -> Trial:
        """The trial with its verdict, from the checkups since, and what is severely wrong after them.

        It helped if nothing severe is found and samples are not clearly farther from the data than the untreated run's
        were at the same round; or if they are clearly nearer.
        """
        then, now = self.distance, distance([row for row in rows if row["round"] <= self.round] or rows)
        told = f"distance {_number(then)} -> {_number(now)}, {', '.join(severe) or 'nothing severe'} found"
        nearer = then is not None and now is not None and now < CLEARLY * then and then > NEAR
        nearer = nearer and "non-finite" not in severe
        farther = now is None or (then is not None and now > WORSE * max(then, NEAR))
        helped = nearer or not (severe or farther)
        return replace(
            self,
            helped=helped,
            verdict=f"it helped: {told}: kept" if helped else f"it did not help: {told}: undone",
            numbers={name: value for name, value in (("before", then), ("after", now)) if value is not None}
            | {"looks": len(rows), "judged": int(rows[-1]["round"]) if rows else self.back},
        )

    def told(self) -> str:
        """What was found and done, in a line."""
        settings = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in self.changed.items())
        place = f"back to round {self.back:,}" if self.back else "back to the start"
        tried = f"{self.words} ({settings}); on trial for at least {self.looks} looks"
        return f"round {self.round:,}: {self.disease}; {place}: {tried}"


def distance(rows: Sequence[Mapping[str, float]]) -> float | None:
    """The median distance of samples to the data in the last three looks that have one."""
    found = [row["distance"] for row in rows if "distance" in row][-3:]
    return round(median(found), 6) if found else None


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}"
