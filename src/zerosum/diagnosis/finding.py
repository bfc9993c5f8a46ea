"""What the doctor concludes: a disease or health, since when, on what evidence, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SEVERITIES = ("healthy", "mild", "severe", "fatal")
"""healthy: nothing to do; mild: the run may still end well; severe: it will not by itself; fatal: it has ended."""


@dataclass(frozen=True)
class Remedy:
    """One thing to change. `act` names what `--treat auto` does about it, where it can be done without a person."""

    words: str
    source: str
    act: str | None = None


@dataclass(frozen=True)
class Finding:
    """One conclusion, drawn at `round` from all records until then; its evidence begins at round `first`."""

    disease: str
    severity: str
    first: int
    round: int
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    cause: str = ""
    remedies: tuple[Remedy, ...] = ()

    def as_row(self) -> dict[str, Any]:
        """As a line of findings.jsonl."""
        return asdict(self)
