"""The run folder, which every face reads.

config.yaml       the whole settings; `train --config` accepts them again
about.json        what was found, on which machine, with which versions; how far it came and how it ended
readings.jsonl    one line per interval: round, images, epochs, seconds, and the mean of every reading
grids/ judged/    fixed noise (or translations: before, after) at each look; the same with D's score on each tile
reconstructions/  pictures and how an autoencoder gives them back, where there is one
frames/           the frames of the film        film.webp          the grids, moving
checkpoints/      everything to go on from      curves.png         losses and scores
quality.jsonl     KID and coverage of few        model.safetensors  everything to sample with
                  samples, in the course        best.safetensors   the same, when KID was least
evaluations/      what zerosum evaluate found
checkups.jsonl    what the doctor read of           findings.jsonl     and what it said of it
                  players, scores and samples
treatments.jsonl  what --treat auto changed, one try a line, and whether it helped
abandoned/NN/     what a treatment went back over: its lines, pictures and checkpoints, under the same names
"""

from __future__ import annotations

import contextlib
import json
import shutil
from functools import partial
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
        self.model, self.checkpoints = self.path / "model.safetensors", self.path / "checkpoints"
        self.best, self.quality = self.path / "best.safetensors", self.path / "quality.jsonl"
        self.checkups, self.findings = self.path / "checkups.jsonl", self.path / "findings.jsonl"
        self.evaluations, self.treatments = self.path / "evaluations", self.path / "treatments.jsonl"

    @classmethod
    def create(cls, path: Path | None, name: str, settings: Settings) -> Folder:
        """A new folder with its config, `path` or the next runs/NNNN-name; one that holds anything is never written to.

        Two runs that begin at once get two folders: what does not exist yet is made by one of them only.
        """
        try:
            folder = cls(numbered(Path("runs"), name) if path is None else path)
            if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
                raise FileExistsError
            folder.checkpoints.mkdir(parents=True)  # where two try, one succeeds
            folder.keep_settings(settings)
        except FileExistsError:
            going_on = f", or go on with it: zerosum resume {path}" if cls(path or "").config.is_file() else ""
            raise RunError(f"{path} is there already and not empty: name another folder{going_on}") from None
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{path or 'runs'} cannot be written ({reason}): name another folder (--out)") from None
        return folder

    @classmethod
    def open(cls, path: str | Path) -> Folder:
        """A folder that `create` made. Raises RunError for any other."""
        folder = cls(path)
        if not folder.path.exists():
            raise RunError(f"no folder {path}: expected a run folder (runs are made by zerosum train)")
        if not folder.config.is_file():
            raise RunError(f"{path} is not a run folder: expected a config.yaml in it (runs are made by zerosum train)")
        return folder

    def settings(self) -> Settings:
        return resolve(base=load(self.config))

    def keep_settings(self, settings: Settings) -> None:
        """Write config.yaml, in place of the one there is."""
        text = settings.to_yaml()
        atomically(self.config, lambda part: part.write_text(text, encoding="utf-8"))

    def facts(self) -> dict[str, Any]:
        """What about.json holds; nothing where it is not there, or damaged."""
        with contextlib.suppress(OSError, ValueError):
            facts = json.loads(self.about.read_text(encoding="utf-8"))
            return facts if isinstance(facts, dict) else {}
        return {}

    def note(self, **facts: Any) -> None:
        """Add facts to about.json."""
        text = json.dumps(self.facts() | facts, indent=2, ensure_ascii=False) + "\n"
        atomically(self.about, lambda part: part.write_text(text, encoding="utf-8"))

    def rows(self) -> list[dict[str, float]]:
        """The readings; a last line that a kill cut short is left out."""
        return _lines(self.readings)

    def marks(self) -> list[dict[str, float]]:
        """The looks at quality."""
        return _lines(self.quality)

    def checked(self) -> list[dict[str, float]]:
        """What the checkups found."""
        return _lines(self.checkups)

    def found(self) -> list[dict[str, Any]]:
        """What the doctor said, as it said it."""
        return _lines(self.findings)

    def add_row(self, row: dict[str, float]) -> None:
        _append(self.readings, row)

    def add_mark(self, row: dict[str, float]) -> None:
        _append(self.quality, row)

    def add_checkup(self, row: dict[str, float]) -> None:
        _append(self.checkups, row)

    def add_finding(self, row: dict[str, Any]) -> None:
        _append(self.findings, row)

    def tries(self) -> list[dict[str, Any]]:
        """What `--treat auto` tried, and how it went."""
        return _lines(self.treatments)

    def keep_tries(self, tries: list[dict[str, Any]]) -> None:
        """Write treatments.jsonl, in place of the one there is."""
        atomically(self.treatments, partial(_fill, text=_text(tries)))

    def abandon(self, back: int) -> Path:
        """Put away in abandoned/NN what was written after round `back`, beside the settings as they are; returns NN.

        Lines are safe there before they go here; pictures and checkpoints, which have their round as a name, are moved.
        """
        kept = self.path / "abandoned"
        taken = [int(path.name) for path in kept.glob("*") if path.name.isdecimal()]  # some may have been deleted
        place = kept / f"{max(taken, default=0) + 1:02d}"
        place.mkdir(parents=True)
        shutil.copy(self.config, place)
        for path in (self.readings, self.quality, self.checkups, self.findings):
            if rows := [row for row in _lines(path) if row["round"] > back or not back]:
                atomically(place / path.name, partial(_fill, text=_text(rows)))
        self.cut(back or -1, back or -1)  # from the start, round 0 is looked at anew
        for file in self.path.glob("*/*"):
            if file.is_file() and file.stem.isdecimal() and int(file.stem) > back:
                (place / file.parent.name).mkdir(exist_ok=True)
                file.rename(place / file.parent.name / file.name)
        return place

    def cut(self, readings: int, marks: int) -> None:
        """Drop the lines of later rounds than these: a resumed run plays them again. Of -1, all are dropped."""
        for path in (self.readings, self.quality, self.checkups, self.findings):
            after = readings if path == self.readings else marks
            if path.is_file():
                rows = [row for row in _lines(path) if row["round"] <= after]
                atomically(path, partial(_fill, text=_text(rows)))

    def sweep(self) -> None:
        """Remove the unfinished files that a kill left behind."""
        for pattern in (".*.part", ".*.unfinished", ".tmp*"):  # the last are safetensors' own
            for left in self.path.rglob(pattern):
                left.unlink(missing_ok=True)


def numbered(runs: Path, name: str) -> Path:
    """A folder NNNN-name in `runs`, made just now and by nobody else, numbered after the last one there."""
    runs.mkdir(exist_ok=True)
    taken = [int(p.name[:4]) for p in runs.iterdir() if p.name[:4].isdecimal()]
    number = max(taken, default=0)
    while True:
        number += 1
        path = runs / f"{number:04d}-{name}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path


def check_same(state: dict[str, Any], mine: dict[str, Any], folder: Folder) -> None:
    """Whether a checkpoint belongs to a run with this recipe, game and data. Raises RunError with what differs."""
    mended_by = {"recipe": "config.yaml", "game": "config.yaml", "data": "the data"}
    for what, value in mine.items():
        if state.get(what) != value:
            raise RunError(
                f"the newest checkpoint in {folder.checkpoints} has another {what} than this run "
                f"({_differing(state.get(what), value)}): take it away, or put {mended_by[what]} back as it was"
            )


def _differing(theirs: Any, mine: Any) -> str:
    """The first thing that differs, in words."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        key = next(key for key in theirs | mine if theirs.get(key) != mine.get(key))
        theirs, mine = f"{key} = {theirs.get(key)}", mine.get(key)
    return f"{str(theirs)[:40]}, not {str(mine)[:40]}"


def _lines(path: Path) -> list[dict[str, float]]:
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
    return rows


def _text(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _append(path: Path, row: dict[str, float]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _fill(part: Path, text: str) -> None:
    part.write_text(text, encoding="utf-8")
