"""What a person sees while a run plays: a live bar in a terminal, one plain line per interval elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

Row = dict[str, float]
QUIET_SECONDS = 5.0


def line(row: Mapping[str, float], progress: Mapping[str, float], images_per_second: float) -> str:
    """round 1,200 · 38 % · 1,450 images/s · 1:52 left · D adversarial 1.02 r1 .08 · G adversarial .81 · D(x) .62 ..."""
    left = progress["seconds"] * (100 / progress["%"] - 1) if progress["%"] else 0.0
    parts = [
        f"round {int(row['round']):,}",
        f"{min(progress['%'], 100):.0f} %",
        f"{images_per_second:,.0f} images/s",
        f"{_clock(max(left, 0))} left",
    ]
    return " · ".join(parts + _readings(row))


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


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


@contextmanager
def display(console: Console, session: Any) -> Iterator[Callable[[Row, Row], None]]:
    """A function to be told of each row of readings, for as long as the run plays."""
    seen = {"images": float(session.deck.images), "seconds": session.seconds}

    def speed(row: Row) -> float:
        images, seconds = row["images"] - seen["images"], row["seconds"] - seen["seconds"]
        seen.update(images=row["images"], seconds=row["seconds"])
        return images / seconds if seconds > 0 else 0.0

    if not console.is_terminal:
        last = [0.0]

        def show_plainly(row: Row, progress: Row) -> None:
            if time.monotonic() - last[0] >= QUIET_SECONDS:
                last[0] = time.monotonic()
                console.print(line(row, progress, speed(row)), markup=False, soft_wrap=True)

        yield show_plainly
        return
    columns = BarColumn(bar_width=24), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=100)

        def show(row: Row, progress: Row) -> None:
            bar.update(task, completed=progress["%"], description=line(row, progress, speed(row)))

        yield show
