"""A run: begin it, go on with it, play it to its end."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from zerosum import __version__, forecast, model, prevention, schedule
from zerosum.data import sources
from zerosum.data.dataset import DataError, Dataset
from zerosum.data.held_out import keep_back
from zerosum.data.spec import Domains, Images, Pairs, Points
from zerosum.folder import Folder, RunError
from zerosum.play.trainer import NonFinite
from zerosum.play.world import World
from zerosum.prevention.opening import Opening
from zerosum.session import Session, Show
from zerosum.settings import Settings, SettingsError, recipe_of, resolve
from zerosum.treatment import HELD, TRIES, Treatment, possible

PAIRINGS = {Pairs: "pairs", Domains: "domains"}
__all__ = ["Folder", "NonFinite", "RunError", "Session", "begin", "conduct", "go_on"]


def begin(settings: Settings, out: Path | None = None) -> Session:
    """Load the data, build the game, make the folder; nothing of the run is played yet.

    A precision left to choose is chosen, by a few rounds of a game like it. Raises DataError, ValueError, RunError.
    """
    dataset, held_out = data_and_held_out(settings, most=1000)
    schedule.check(settings, dataset.spec)
    expected = forecast.quickly(settings, dataset, World().size)
    session = Session(forecast.chosen(settings, expected), dataset, held_out)
    session.expected = expected
    settings = session.written
    session.cautions = prevention.check(session.settings, session.game, session.dataset)
    _check_disk(session, out or Path("runs"))
    session.enter(Folder.create(out, f"{session.dataset.name}-{settings.recipe}", settings))
    if expected:
        session.folder.note(forecast=str(expected))
    cautions = {"cautions": [str(caution) for caution in session.cautions]} if session.cautions else {}
    acts = possible(Opening(session.settings, session.game, session.dataset))  # what can be done for it, if need be
    session.folder.note(**_facts(session), **cautions, acts=acts, ended="running")
    return session


def go_on(folder: Folder, length: str | None = None) -> tuple[Session, list[str]]:
    """The session of an unfinished run, or of a finished one that is given a greater length; what was wrong on the way.

    A run that was cut before its first checkpoint begins again. Raises RunError for a run that has reached its length,
    or whose data or settings are others now; DamagedFile where no checkpoint can be read.
    """
    settings = folder.settings()
    if length is not None:
        changed = settings.model_dump(mode="json", exclude={"recipe"})
        settings = resolve(settings.recipe, overrides={"length": length}, base=changed)
    session = Session(settings, *data_and_held_out(settings, most=1000))
    session.enter(folder)
    session.cautions = prevention.check(session.settings, session.game, session.dataset)
    _check_data(session)
    saved = session.checkpoints.paths()
    troubles = session.load() if saved else []
    rounds = session.trainer.rounds
    if session.length.share(session.progress()) >= 1:
        played = "1 round" if rounds == 1 else f"{rounds:,} rounds"
        raise RunError(
            f"{folder.path} has played {played} and so reached its length ({settings.play.length}): "
            f"to play on, give a greater one, such as --rounds {2 * rounds}"
        )
    folder.sweep()
    # A finished run's last row, of a part of an interval, goes too; all do where it begins again.
    folder.cut(*((rounds - bool(session.unwritten), rounds) if saved else (-1, -1)))
    if length is not None:
        folder.keep_settings(settings)
    resumed = {"round": rounds, "length": settings.play.length, "when": _now()}
    folder.note(ended="running", broke=None, resumes=[*folder.facts().get("resumes", []), resumed])
    return session, troubles


def conduct(session: Session, show: Show, tell: Callable[[str], None] = lambda words: None) -> str:
    """Play a session to its end. Ctrl-C, a SIGTERM or SIGHUP ends it after the round, saved; a second one at once.

    With `play.treat` on auto, a run that falls ill goes back and is played otherwise; `tell` hears of it in words.

    Raises NonFinite where the game breaks, OSError where the disk gives out: what was good before is kept, and
    about.json says what happened.
    """
    with contextlib.ExitStack() as handled:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
                handled.enter_context(_stopped_by(number, session))
        play = Treatment(session, tell).play if session.settings.play.treat == "auto" else session.play
        ended: str | None = None
        try:
            while (ended := play(show)) is None:
                pass  # it has gone back, and plays on
            return ended
        except NonFinite as error:
            for finding in session.doctor.conclude(str(error)):
                session.folder.add_finding(finding.as_row())
            session.folder.note(broke=str(error))
            session.close(f"failed: {error}")
            raise
        except OSError as error:
            with contextlib.suppress(OSError):
                session.folder.note(ended=f"failed: {error}")
            raise
        finally:
            if ended:  # else the ranks hear it where the group is left
                session.world.tell("end", ended)


def check_recipe(word: str | None) -> None:
    """Raises ValueError for what is no recipe, but data or a setting in its place."""
    if word is None:
        return
    try:
        recipe_of(word)
    except SettingsError:
        if "=" in word:
            raise SettingsError(f"no recipe called '{word}'. For a setting, use --set {word}") from None
        if word in sources.NAMES or Path(word).exists():
            raise SettingsError(
                f"no recipe called '{word}'. Did you mean --data {word}? All: zerosum recipes"
            ) from None
        raise


def data_of(settings: Settings) -> Dataset:
    """The data that a run is trained on, loaded as its recipe needs it. Raises DataError."""
    return data_and_held_out(settings, most=1)[0]


def data_and_held_out(settings: Settings, most: int = 10_000) -> tuple[Dataset, Dataset | None]:
    """The data of a run, and at most so many examples that it is not trained on, if there are any. Raises DataError.

    These are of the source's test split; where it has none, of a share that is kept from training.
    """
    data = settings.data
    asked: dict[str, Any] = {
        "size": data.size,
        "channels": data.channels,
        "labels": data.labels,
        "seed": settings.play.seed,
        "direction": data.direction,
        "pairing": next((name for kind, name in PAIRINGS.items() if kind in recipe_of(settings.recipe).takes), None),
    }
    dataset = sources.load(data.source, limit=data.limit, cache=data.cache, **asked)
    if isinstance(dataset.spec, Images):
        asked |= {"size": (dataset.spec.height, dataset.spec.width), "channels": dataset.spec.channels}
    with contextlib.suppress(DataError):  # no such split, or not one that fits
        test = sources.load(data.source, limit=most, split="test", **asked)
        if test.spec == dataset.spec or isinstance(test.spec, Points):
            return dataset, test
    return keep_back(dataset, data.held_out)


def _facts(session: Session) -> dict[str, Any]:
    """What about.json tells of a run from its beginning."""
    dataset = session.dataset
    data = {"name": dataset.name, "examples": len(dataset), "fingerprint": session.fingerprint}
    return {
        "data": data | {"notes": list(dataset.notes)} | model.describe(dataset.spec),
        "parameters": {name: sum(p.numel() for p in net.parameters()) for name, net in session.game.named_children()},
        "started": _now(),
        "zerosum": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": str(session.game.device),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _check_data(session: Session) -> None:
    """Whether the data is what the run began with, as about.json has it."""
    began = session.folder.facts().get("data", {})
    if began.get("fingerprint", session.fingerprint) != session.fingerprint:
        raise RunError(
            f"the data '{session.settings.data.source}' has changed since {session.folder.path} began with "
            f"{began['examples']:,} examples of it (now {len(session.dataset):,}): put it back as it was, or begin "
            f"a new run: zerosum train --config {session.folder.config}"
        )


def _check_disk(session: Session, place: Path) -> None:
    """Room for the checkpoints kept, one more being written, the model, and pictures."""
    while not place.exists():
        place = place.parent
    weights = sum(p.numel() * p.element_size() for p in session.game.parameters())
    kept = session.settings.play.keep + 1
    if session.settings.play.treat == "auto":
        kept += (TRIES + 1) * HELD  # the healthy ones, and as many again that a treatment puts away
    needed = 4 * weights * kept + 100 * 2**20
    free = shutil.disk_usage(place).free
    if free < needed:
        raise RunError(
            f"{place.resolve()} has {free // 2**20:,} MiB of disk left, and this run needs about "
            f"{needed // 2**20:,} MiB: free some, name a folder elsewhere (--out), or --set keep=1"
        )


@contextlib.contextmanager
def _stopped_by(number: signal.Signals, session: Session) -> Iterator[None]:
    def stop(*_: Any) -> None:
        session.stopped = True
        if number != getattr(
            signal, "SIGHUP", None
        ):  # a closed terminal says it twice: as the system, and as the shell
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
