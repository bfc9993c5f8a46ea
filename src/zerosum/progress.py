"""What a person sees: the settings; of a run what was found and chosen, how it plays, and what comes next.

While it plays: a live bar in a terminal, a plain line every few seconds elsewhere.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from zerosum.span import duration

if TYPE_CHECKING:
    from zerosum.run import Session
    from zerosum.settings import Settings

Row = dict[str, float]
COLOURS = {1: "gray", 3: "colour", 4: "colour and alpha"}
QUIET_SECONDS, SILENT_SECONDS, LIVE_SECONDS = 5.0, 10.0, 1.0  # between rows; without any; of the live bar


def introduction(session: Session, preset: str | None = None) -> list[str]:
    """What was found, and what was chosen."""
    from zerosum.settings import recipe_of

    dataset, play, name = session.dataset, session.settings.play, session.settings.recipe
    spec = dataset.spec
    found = [dataset.name, count(len(dataset), "example")]
    if len(spec.shape) == 3:
        channels, height, width = spec.shape
        found.append(f"{height}x{width} {COLOURS[channels]}")
    else:
        found.append(f"{spec.size}-d points")
    if dataset.partners is not None:
        paired = len(session.game.directions) == 1
        beside = (
            "each with its partner" if paired else f"and {count(len(dataset.partners), 'example')} of the other domain"
        )
        found.append(f"{beside}, {COLOURS[dataset.partners.shape[1]]}")
    if spec.classes:
        used = "labels are used" if session.game.classes else "labels are not used by this recipe"
        found.append(f"{count(len(spec.classes), 'class', 'classes')} ({used})")
    sizes = [f"{part} {sum(p.numel() for p in net.parameters()):,}" for part, net in session.game.named_children()]
    chosen = f"{name} --preset {preset}" if preset else name
    played = [play.length, f"batch {play.batch}", play.dynamics, play.precision]
    ranks = [f"{session.world.size} ranks"] if session.world.size > 1 else []
    return [
        f" Data      {' · '.join(found)}",
        *(f"           {note}" for note in dataset.notes),
        f" Recipe    {chosen} ({recipe_of(name).paper}) · parameters {' · '.join(sizes)}",
        f" Play      {' · '.join([*played, *ranks])} · {session.game.device} · seed {play.seed}",
        *([f" Forecast  {session.expected}"] if session.expected else []),
        *(f" Caution   {caution}" for caution in session.cautions),
        *([f" Resumed   at round {session.trainer.rounds:,}"] if session.trainer.rounds else []),
        f" Run       {session.folder.path}      Ctrl-C saves and stops",
    ]


def closing(session: Session, gif: bool = False) -> list[str]:
    """What was made, and the commands that come next, ready for a shell."""
    folder, rounds, seconds = session.folder, session.trainer.rounds, duration(session.seconds)
    path = shlex.quote(str(folder.path))
    made = [str(max(folder.grids.iterdir())), folder.film.name]
    made += [*([folder.film.with_suffix(".gif").name] if gif else []), folder.curves.name]
    made += [f"{name}/" for name in ("judged", "reconstructions") if (folder.path / name).is_dir()]
    disk = f", {session.waited:.0%} of it waiting for the disk" if session.waited >= 0.01 else ""
    lines = [
        f" Done      {count(rounds, 'round')}, {count(session.deck.images, 'example')} in {seconds}{disk}",
        f"   pictures  {' · '.join(made)}",
        *_quality(session),
        *verdict(session),
    ]
    first = f"sample {path} -n 64" if session.dataset.partners is None else f"translate {path} PICTURE"
    lines += [f"   next      zerosum {first}", f"             zerosum evaluate {path}"]
    if session.game.classes:
        lines.append(f"             zerosum sample {path} --label {shlex.quote(session.dataset.spec.classes[0])}")
    return [*lines, f"             zerosum resume {path} --rounds {2 * rounds}"]


def _quality(session: Session) -> list[str]:
    """What the looks at quality found, what they cost, and whether they ended the run."""
    watch, best = session.watch, session.watch.best
    troubles = [f"   quality   not measured at {watch.trouble}"] if watch.trouble else []
    if best is None:
        return troubles
    cost = 100 * watch.spent / session.seconds
    lines = [
        f"   quality   best KID {best.kid:.3g} ({best.kid_low:.3g} to {best.kid_high:.3g}) at round {best.round:,}: "
        f"{session.folder.best.name} · {count(len(watch.marks), 'look')}, {cost:.1f} % of the time"
    ]
    return lines + troubles + ([f"   stopped   {session.enough}"] if session.enough else [])


def verdict(session: Session) -> list[str]:
    """What the doctor finds now; of the first disease, what helps."""
    from zerosum.consultation import headline, offered

    findings = session.doctor.findings
    lines = [f"   doctor    {headline(finding)}" for finding in findings]
    helps = offered(findings[0], session.folder.facts().get("acts")) if findings else []
    if helps:
        path = shlex.quote(str(session.folder.path))
        lines.append(f"             what helps: {helps[0].words}; zerosum diagnose {path}")
    return lines


def explained(settings: Settings) -> list[str]:
    """Every setting: its value, its kind, what it means."""
    from zerosum.settings import kind

    lines = [f"recipe: {settings.recipe}"]
    for section in ("data", "game", "play", "speed"):
        part = getattr(settings, section)
        values = {name: getattr(part, name) for name in type(part).model_fields}
        shown = {
            name: "none" if v is None else str(list(v) if isinstance(v, tuple) else v) for name, v in values.items()
        }
        wide = min(max(len(f"{name} = {value}") for name, value in shown.items()), 48)
        lines.append(f"{section}:")
        for name, field in type(part).model_fields.items():
            setting = f"{name} = {shown[name]}"
            lines.append(f"  {setting:<{wide}}  {kind(field.annotation)}; {field.description}")
    return lines


def stopped(session: Session) -> list[str]:
    """What Ctrl-C left, and how to go on."""
    path = shlex.quote(str(session.folder.path))
    return [
        f" Stopped   at round {session.trainer.rounds:,}, saved. To go on:  zerosum resume {path}",
        *verdict(session),
    ]


def failed(session: Session, error: Exception) -> str:
    """How the game broke, what is kept, what to try."""
    kept = session.checkpoints.paths()
    back = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint had been saved yet"
    config = shlex.quote(str(session.folder.config))
    return f"Stopped: {error}; {back}. To try a smaller step: zerosum train --config {config} --set lr=..."


def line(row: Mapping[str, float], progress: Mapping[str, float], speed: float) -> str:
    """round 1,200 · 38 % · 1,450/s · 1:52 left · D adversarial 1.02 r1 .08 · G adversarial .81 · D(x) .62 ..."""
    return " · ".join(_whereabouts(progress, speed) + _readings(row))


def _whereabouts(progress: Mapping[str, float], speed: float) -> list[str]:
    """How far, how fast (examples a second), how long still."""
    left = progress["seconds"] * (100 / progress["%"] - 1) if progress["%"] else 0.0
    share = min(progress["%"], 100)
    return [f"round {int(progress['rounds']):,}", f"{share:.0f} %", f"{speed:,.0f}/s", f"{clock(max(left, 0))} left"]


def _readings(row: Mapping[str, float]) -> list[str]:
    """Each player's terms together, then the means of D(x) and D(G(z))."""
    players: dict[str, list[str]] = {}
    for name, value in row.items():
        player, dot, term = name.partition(".")
        if dot and term not in ("D_x", "D_Gz", "middle"):
            players.setdefault(player, []).append(f"{term} {value:.3g}")
    beliefs = {name.partition(".")[2]: value for name, value in row.items()}
    shown = [f"{label} {beliefs[key]:.2f}" for key, label in (("D_x", "D(x)"), ("D_Gz", "D(G(z))")) if key in beliefs]
    return [f"{player} {' '.join(terms)}" for player, terms in players.items()] + ([" ".join(shown)] if shown else [])


def count(n: int, what: str, many: str | None = None) -> str:
    """
    >>> count(1, "round"), count(1200, "round"), count(2, "class", "classes")
    ('1 round', '1,200 rounds', '2 classes')
    """
    return f"{n:,} {what if n == 1 else many or what + 's'}"


def clock(seconds: float) -> str:
    """
    >>> clock(75), clock(3 * 3600 + 5)
    ('1:15', '3:00:05')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _news(session: Session, known: set[tuple[str, str]]) -> Iterator[str]:
    """Diseases that the doctor has not named before, or not as so grave; and how short memory is."""
    from zerosum.consultation import headline

    told = getattr(session.trainer.dynamics, "told", None)
    if told and ("speed", told) not in known:
        known.add(("speed", told))
        yield f" Speed     {told}"
    pieces = session.trainer.pieces
    if pieces > session.settings.play.pieces and ("pieces", str(pieces)) not in known:
        known.add(("pieces", str(pieces)))
        size = session.settings.play.batch // pieces
        yield f" Memory    gave out: a batch is played in {pieces} pieces of {size} from now on; batch norm sees pieces"
    for finding in session.doctor.findings:
        if finding.severity != "healthy" and (finding.disease, finding.severity) not in known:
            known.add((finding.disease, finding.severity))
            yield f" Doctor    round {finding.round:,}: {headline(finding)}"


@contextmanager
def display(console: Console, session: Session) -> Iterator[Callable[[Row, Row], None]]:
    """A function to be told of each row of readings and of each round, for as long as the run plays."""
    seen = {"images": float(session.deck.images), "seconds": session.seconds}
    told = time.monotonic()
    known: set[tuple[str, str]] = set()

    def speed(progress: Row) -> float:
        images, seconds = progress["images"] - seen["images"], progress["seconds"] - seen["seconds"]
        seen.update(images=progress["images"], seconds=progress["seconds"])
        return max(images / seconds, 0.0) if seconds > 0 else 0.0  # a treatment goes back

    if not console.is_terminal:
        quiet = 0.0  # the first row is shown at once

        def show_plainly(row: Row, progress: Row) -> None:
            nonlocal told, quiet
            for sentence in _news(session, known):
                console.print(sentence)
            waited = time.monotonic() - told
            if waited >= (quiet if row else SILENT_SECONDS) or (row and progress["%"] >= 100):
                told, quiet = time.monotonic(), QUIET_SECONDS
                console.print(line(row, progress, speed(progress)))

        yield show_plainly
        return
    columns = BarColumn(bar_width=24), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console, transient=True) as bar:
        task, readings = bar.add_task("starting", total=100), ""

        def show(row: Row, progress: Row) -> None:
            nonlocal told, readings
            for sentence in _news(session, known):
                bar.console.print(sentence)
            bar.update(task, completed=progress["%"])
            if row or time.monotonic() - told >= LIVE_SECONDS:
                told, readings = time.monotonic(), "\n" + " · ".join(_readings(row)) if row else readings
                bar.update(task, description=" · ".join(_whereabouts(progress, speed(progress))) + readings)

        yield show
