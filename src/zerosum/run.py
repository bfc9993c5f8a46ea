"""A run: begin it, go on with it, play it to its end."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from zerosum import __version__, model, pictures
from zerosum.data import sources
from zerosum.folder import Folder, RunError
from zerosum.play.checkpoint import atomically
from zerosum.play.trainer import NonFinite
from zerosum.session import Session, Show
from zerosum.settings import Settings, resolve

__all__ = ["Folder", "RunError", "Session", "begin", "conduct", "go_on"]


def begin(settings: Settings, out: Path | None = None) -> Session:
    """Load the data, build the game, make the folder; nothing is played yet. Raises DataError, ValueError, RunError."""
    data = settings.data
    dataset = sources.load(
        data.source,
        size=data.size,
        channels=data.channels,
        labels=data.labels,
        limit=data.limit,
        seed=settings.play.seed,
    )
    folder = Folder.create(out, f"{dataset.name}-{settings.recipe}")
    try:
        session = Session(settings, folder, dataset)
    except Exception:
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        raise
    _check_disk(session)
    atomically(folder.config, lambda part: part.write_text(settings.to_yaml()))
    folder.note(
        data={"name": dataset.name, "examples": len(dataset), "notes": list(dataset.notes)}
        | model.describe(dataset.spec),
        parameters={name: sum(p.numel() for p in net.parameters()) for name, net in session.game.named_children()},
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        zerosum=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        device=str(session.game.device),
        machine=f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        ended="running",
    )
    return session


def go_on(folder: Folder, length: str | None = None) -> tuple[Session, list[str]]:
    """The session of an unfinished run, or of a finished one that is given a greater length; what was wrong on the way.

    Raises RunError for a run that has reached its length, DamagedFile where no checkpoint can be read.
    """
    settings = folder.settings()
    if length is not None:
        changed = settings.model_dump(mode="json", exclude={"recipe"})
        settings = resolve(settings.recipe, overrides={"length": length}, base=changed)
    data = settings.data
    dataset = sources.load(
        data.source,
        size=data.size,
        channels=data.channels,
        labels=data.labels,
        limit=data.limit,
        seed=settings.play.seed,
    )
    session = Session(settings, folder, dataset)
    troubles = session.load()
    if session.length.share(session.progress()) >= 1:
        raise RunError(
            f"{folder.path} has reached its length ({settings.play.length}): "
            f"to play on, give a greater one, such as --rounds {2 * session.trainer.rounds}"
        )
    if length is not None:
        atomically(folder.config, lambda part: part.write_text(settings.to_yaml()))
    folder.note(ended="running")
    return session, troubles


def conduct(session: Session, show: Show) -> str:
    """Play a session to its end. Ctrl-C, or a SIGTERM, ends it after the round, saved; a second one at once.

    Raises NonFinite where the game breaks: what was good before is kept, and about.json says what happened.
    """
    with _stopped_by(signal.SIGINT, session), _stopped_by(signal.SIGTERM, session):
        try:
            return session.play(show)
        except NonFinite as error:
            session.folder.note(ended=f"failed: {error}")
            pictures.curves(session.folder.rows(), session.folder.curves)
            session.film.write(session.folder.film)
            raise


@contextlib.contextmanager
def _stopped_by(number: signal.Signals, session: Session) -> Iterator[None]:
    def stop(*_: Any) -> None:
        session.stopped = True
        signal.signal(number, before)

    try:
        before = signal.signal(number, stop)
    except ValueError:  # not the main thread: whoever runs it handles its signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)


def _check_disk(session: Session) -> None:
    """Room for the checkpoints kept, one more being written, the model, and pictures."""
    weights = sum(p.numel() * p.element_size() for p in session.game.parameters())
    needed = 4 * weights * (session.settings.play.keep + 1) + 100 * 2**20
    free = shutil.disk_usage(session.folder.path).free
    if free < needed:
        session.folder.path.rmdir()
        raise RunError(
            f"{session.folder.path} has {free // 2**20:,} MiB of disk left, and this run needs about "
            f"{needed // 2**20:,} MiB: free some, name a folder elsewhere (--out), or --set keep=1"
        )
