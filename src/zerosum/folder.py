"""The run folder, which every face reads.

config.yaml       the whole settings; `train --config` accepts them again
about.json        what was found, on which machine, with which versions; how far it came and how it ended
readings.jsonl    one line per interval: round, images, epochs, seconds, and the mean of every reading
grids/ judged/    fixed noise at each look; the same with the discriminator's score on each tile
film.webp         the grids, moving          curves.png    losses and scores
checkpoints/      everything to go on from   model.safetensors   everything to sample with
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from zerosum.play.checkpoint import atomically
from zerosum.settings import Settings, load, resolve


class RunError(RuntimeError):
    """A run cannot begin or go on: what is in the way, and what to do."""


class Folder:
    """A run folder: where things are, and what is written there."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config, self.about = self.path / "config.yaml", self.path / "about.json"
        self.readings, self.curves = self.path / "readings.jsonl", self.path / "curves.png"
        self.grids, self.judged, self.film = self.path / "grids", self.path / "judged", self.path / "film.webp"
        self.model = self.path / "model.safetensors"

    @classmethod
    def create(cls, path: Path | None, name: str) -> Folder:
        """A new folder, `path` or runs/NNNN-name; one that holds anything is never written to."""
        if path is None:
            runs = Path("runs")
            runs.mkdir(exist_ok=True)
            taken = [int(p.name[:4]) for p in runs.iterdir() if p.name[:4].isdigit()]
            path = runs / f"{max(taken, default=0) + 1:04d}-{name}"
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path} is there already and not empty: name another folder, or zerosum resume {path}")
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> Folder:
        folder = cls(path)
        if not folder.config.is_file():
            raise RunError(f"{path} is not a run folder: expected a config.yaml in it (runs are made by zerosum train)")
        return folder

    def settings(self) -> Settings:
        return resolve(base=load(self.config))

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.about.read_text()) if self.about.is_file() else {}
        return facts

    def note(self, **facts: Any) -> None:
        """Add facts to about.json."""
        text = json.dumps(self.facts() | facts, indent=2, ensure_ascii=False)
        atomically(self.about, lambda part: part.write_text(text))

    def rows(self) -> list[dict[str, float]]:
        """The readings; a last line that a kill cut short is left out."""
        rows = []
        if self.readings.is_file():
            for line in self.readings.read_text().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    rows.append(json.loads(line))
        return rows

    def cut_readings(self, after: int) -> None:
        """Drop the lines of rounds after `after`: a resumed run plays them again."""
        lines = [json.dumps(row) + "\n" for row in self.rows() if row["round"] <= after]
        atomically(self.readings, lambda part: part.write_text("".join(lines)))
