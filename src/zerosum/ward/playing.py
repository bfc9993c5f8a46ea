"""Plays a case, sick or cured, as any run is played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zerosum import run
from zerosum.data import sources
from zerosum.play.trainer import NonFinite
from zerosum.session import Show
from zerosum.settings import resolve
from zerosum.ward.cases import Case

WATCHED = {"checkup_cost": 1.0, "quality_cost": 0.0, "checkpoints": "50 %", "keep": 1, "pictures": "2.5 %"}
"""All looks are taken, whatever they cost: the runs are short. And enough are pictured for a film."""

Display = Callable[[run.Session], AbstractContextManager[Show]]
"""Who is told of a session while it plays."""


@contextmanager
def unseen(session: run.Session) -> Iterator[Show]:
    """Nobody looks on."""
    yield lambda row, progress: None


def play(
    recipe: str,
    source: str,
    rounds: int,
    settings: dict[str, Any],
    out: Path,
    seed: int,
    display: Display = unseen,
) -> run.Session:
    """A run of so many rounds in `out`, watched at every look. One that breaks is left as it broke."""
    asked = WATCHED | {"source": source, "length": f"{rounds} rounds", "seed": seed} | settings
    session = run.begin(resolve(recipe, overrides=asked), out)
    try:
        with display(session) as show:
            run.conduct(session, show)
    except NonFinite:
        pass  # about.json says so, and so does the doctor
    return session


def sick(case: Case, source: str, out: Path, seed: int, display: Display = unseen, **settings: Any) -> run.Session:
    """The case as it is, on one of its sources; `settings` change it."""
    data = spoil(case.spoilt, source, out.parent) if case.spoilt else source
    return play(case.recipe, data, case.rounds, dict(case.settings) | settings, out, seed, display)


def cured(case: Case, source: str, out: Path, seed: int, display: Display = unseen, **settings: Any) -> run.Session:
    """The same run without its cause; `settings` change it."""
    changed = dict(case.settings) | dict(case.cure) | settings
    return play(case.recipe, source, case.rounds, changed, out, seed, display)


def spoil(how: str, source: str, folder: Path) -> str:
    """A file with the data spoilt: `shuffled` labels, or `dark` pictures of a sixteenth of the light. Its path."""
    path = folder / f"{source}-{how}.npz"
    if not path.exists():
        data = sources.load(source, limit=10_000)
        assert data.labels is not None
        images, labels = data.examples.permute(0, 2, 3, 1).numpy(), data.labels
        if how == "shuffled":
            labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
        else:
            images = images // 16
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, images=images, labels=labels.numpy())
    return str(path)
