"""Runs of several processes: rank 0 leads and writes the folder, the others follow; all begin again where one is lost.

torchrun says who is who in the environment. Without it there is one rank, which leads.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zerosum import run
from zerosum.folder import Folder
from zerosum.forecast import Forecast, forecast
from zerosum.play.world import joined
from zerosum.seat import Seat, settings_in
from zerosum.session import Session
from zerosum.settings import Settings

Begun = tuple[Session, list[str]]


@contextlib.contextmanager
def led(settings: Settings, begin: Callable[[], Begun]) -> Iterator[Begun | None]:
    """The session that `begin` gives, and what was wrong on the way, to be played; None on ranks that have followed it.

    Raises what `begin` does, and ValueError where the ranks do not find each other.
    """
    with joined(settings.play.device) as world:
        if world.rank:
            heard = world.hear()  # rank 0 has the data: what it had to decode is in the cache
            if heard[0] != "end":
                Seat(run.data_of(settings_in(heard[1]))).follow(heard)
            yield None
            return
        try:
            yield begin()
        finally:
            if world.listens:
                world.tell("end", "failed")


def begin(settings: Settings, out: Path | None) -> Begun:
    """A new run; or, where torchrun has begun these processes anew, the run that they had begun before."""
    before = _begun_before(out)
    if before is None:
        session, troubles = run.begin(settings, out), list[str]()
        if job := os.environ.get("TORCHELASTIC_RUN_ID"):
            session.folder.note(job=job)
        return session, troubles
    if _asked(before.settings()) != _asked(settings):
        raise run.RunError(
            f"this job of torchrun's ({os.environ.get('TORCHELASTIC_RUN_ID')}) has begun {before.path} with other "
            f"settings: give another --rdzv-id for a new run, or go on with that one: zerosum resume {before.path}"
        )
    return run.go_on(before)


def foretold(settings: Settings) -> Forecast | None:
    """What a run of these ranks would be like, found out by the first of them alone."""
    if os.environ.get("RANK", "0") != "0":
        return None
    return forecast(settings, run.data_of(settings), int(os.environ.get("WORLD_SIZE", "1")))


def _asked(settings: Settings) -> dict[str, Any]:
    """What the user asked for: without what a run finds out and writes into its config."""
    found = settings.model_dump(mode="json")
    return found | {"play": {k: v for k, v in found["play"].items() if k not in ("precision", "changes")}}


def _begun_before(out: Path | None) -> Folder | None:
    """The newest folder of this job of torchrun's that has not ended: a rank was lost, or the job was queued again."""
    job, again = os.environ.get("TORCHELASTIC_RUN_ID", "none"), os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    if job == "none" and not again:
        return None
    places = [out] if out is not None else sorted(Path("runs").glob("[0-9]*"), reverse=True)
    found = (Folder(place) for place in places)
    return next((f for f in found if (told := f.facts()).get("job") == job and told.get("ended") != "finished"), None)
