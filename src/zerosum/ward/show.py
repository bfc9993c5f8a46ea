"""Shows a case: the sick run and the cured one are played, and joined to one film, one still, one sheet of readings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from zerosum import pictures
from zerosum.data import sources
from zerosum.folder import RunError, numbered
from zerosum.play.checkpoint import atomically
from zerosum.settings import near
from zerosum.ward import playing
from zerosum.ward.cases import CASES, Case
from zerosum.ward.playing import Display, unseen
from zerosum.ward.side import Side, beside
from zerosum.ward.telling import curves

SIDES = {"sick": playing.sick, "cured": playing.cured}
SECONDS = {
    "mode-collapse": 35,
    "partial-collapse": 50,
    "mode-hopping": 30,
    "vanishing-gradient": 35,
    "d-overpowers": 35,
    "g-overpowers": 30,
    "oscillation": 35,
    "divergence": 55,
    "non-finite": 15,
    "dead-start": 25,
    "d-memorises": 45,
    "g-copies": 45,
    "batch-statistics-leak": 40,
    "checkerboard": 35,
    "label-ignored": 50,
    "learning-rate-too-high": 40,
    "learning-rate-too-low": 35,
    "wrong-range": 35,
}
"""About what both runs and their film take, in processor seconds of one thread of an AMD EPYC, 2026-11-21.

Of mode-collapse and oscillation the whole was measured (37 and 37); of the others it is reckoned from sick runs.
"""


def find(name: str, rounds: int | None = None) -> Case:
    """The case of that name, with another number of rounds if given. Raises ValueError with the nearest name."""
    written = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    if written not in CASES:
        raise ValueError(f"no case called '{name}'. {near(written, CASES)}All: zerosum ward")
    return replace(CASES[written], rounds=rounds or CASES[written].rounds)


def source_of(case: Case, asked: str | None) -> str:
    """The data to show it on: one of the case's own, the first if none is asked for. Raises ValueError, DataError."""
    source = asked or case.sources[0]
    if source not in case.sources:
        raise ValueError(f"{case.disease} is shown on {' or '.join(case.sources)}, and not on '{source}'")
    sources.load(source, limit=1)  # said now, before there is a folder
    return source


def place(out: Path | None, case: Case) -> Path:
    """A new folder for both runs: `out`, or the next runs/NNNN-ward-NAME. Raises RunError if it holds anything."""
    if out is None:
        return numbered(Path("runs"), f"ward-{case.disease}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is there already and not empty: name another folder")
    return out


def play_both(case: Case, source: str, folder: Path, seed: int, display: Display = unseen) -> bool:
    """Play the case, then its cure, each into a run folder in `folder`. False if one was stopped before its end."""
    for name, play in SIDES.items():
        session = play(case, source, folder / name, seed, display)
        if session.folder.facts()["ended"] == "stopped":
            return False
    return True


def changed(case: Case) -> str:
    """What the cure is, in the words of the settings.

    >>> changed(CASES["oscillation"])
    'gamma = 0.1, dynamics = alternating, beta1 = 0.0, lr = 0.002'
    >>> changed(CASES["d-memorises"]), changed(CASES["label-ignored"])
    ('limit = none', 'the data as they are')
    """
    undone = ["the data as they are"] if case.spoilt else []
    values = {name: "none" if value in (None, {}) else value for name, value in case.cure.items()}
    return ", ".join(undone + [f"{name} = {value}" for name, value in values.items()])


def join(case: Case, folder: Path, gif: bool = False) -> dict[str, Any]:
    """film.webp, film.png (its last frame), readings.png and ward.json in `folder`, of the two runs that it holds.

    Both sides show the same rounds; a run that broke stands still where it broke. Returns what ward.json holds.
    """
    sick = Side(folder / "sick", f"sick: {case.cause}")
    cured = Side(folder / "cured", f"cured: {changed(case)}")
    film, rounds = pictures.Film(folder), sorted(sick.sheets.keys() | cured.sheets.keys())
    for round_ in rounds:
        frame = beside(sick.at(round_), cured.at(round_))
        film.add(frame, round_)
    pictures.save(frame, folder / "film.png")
    for suffix in (".webp", ".gif") if gif else (".webp",):
        film.write(folder / f"film{suffix}")
    curves(case, sick, cured, folder / "readings.png")
    about = {
        "case": case.disease,
        "rounds": case.rounds,
        "frames": rounds,
        "sick": sick.about(),
        "cured": cured.about(),
    }
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    atomically(folder / "ward.json", lambda part: part.write_text(text, encoding="utf-8"))
    return about


def listing() -> Iterator[str]:
    """Every case in two lines."""
    wide = max(map(len, CASES))
    for name, case in CASES.items():
        yield f" {name:<{wide}}  {case.cause}"
        yield (
            f" {'':<{wide}}  {case.recipe} on {' or '.join(case.sources)} · {case.rounds:,} rounds, sick and cured: "
            f"about {SECONDS[name]} s"
        )


def opening(case: Case, source: str, folder: Path) -> Iterator[str]:
    """What is played, and where to."""
    yield f" Case      {case.disease}: {case.recipe} on {source}, {case.rounds:,} rounds, sick and cured"
    yield f"   sick    {case.cause}"
    yield f"   cured   {changed(case)}"
    yield f" Runs      {folder}      Ctrl-C saves and stops"


def closing(case: Case, folder: Path, about: dict[str, Any]) -> Iterator[str]:
    """What was made, and what the doctor said of either run."""
    made = sorted(file.name for file in folder.iterdir() if file.suffix in (".webp", ".gif", ".png"))
    yield f" Film      {folder}: {' · '.join(made)}"
    for side in SIDES:
        first = {row["disease"]: row["round"] for row in reversed(about[side]["findings"])}
        in_order = sorted(first.items(), key=lambda item: item[1])
        named = ", ".join(f"{disease} in round {round_:,}" for disease, round_ in in_order) or "no disease"
        last = ", ".join(about[side]["last"]) or "no disease"
        yield f" {side.capitalize():<9} {about[side]['ended']}; at the end: {last}"
        yield f"           named on the way: {named}"
    yield f" More      zerosum explain {case.disease}"
