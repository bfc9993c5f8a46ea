"""Lengths of play, as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

UNITS = ("rounds", "images", "kimg", "epochs", "seconds", "minutes", "%")


@dataclass(frozen=True)
class Span:
    """A length of play: '500 rounds', '20 kimg', '1 epoch', '3 minutes', or '5 %' of the whole."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Span:
        """Raises ValueError where the text is not a positive number and a unit."""
        match = re.fullmatch(r"([\d.e+-]+)\s*([a-z%]*)", str(text).strip())
        number, unit = match.groups() if match else ("", "")
        unit = unit if unit in UNITS else f"{unit}s"  # 1 epoch
        try:
            amount = float(number)
        except ValueError:
            amount = 0.0
        if not 0 < amount < float("inf") or unit not in UNITS:
            raise ValueError(f"expected a number above 0 and a unit ({', '.join(UNITS)}), such as '500 rounds'")
        return cls(amount, unit)

    def share(self, progress: Mapping[str, float]) -> float:
        """How many such spans have passed: progress counts each unit since the start."""
        return progress[self.unit] / self.amount

    def progress(self, rounds: int, images: int, epochs: float, seconds: float) -> dict[str, float]:
        """How far a run of this length is, in every unit that a span may be given in."""
        counts: dict[str, float] = {"rounds": rounds, "images": images, "kimg": images / 1000, "epochs": epochs}
        counts |= {"seconds": seconds, "minutes": seconds / 60}
        return counts | {"%": 100 * self.share(counts)}


def duration(seconds: float) -> str:
    """Seconds, as people say them.

    >>> duration(6.3), duration(75), duration(3 * 3600 + 65)
    ('6.3 s', '1 min 15 s', '3 h 1 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
