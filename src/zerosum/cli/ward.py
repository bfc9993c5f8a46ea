"""The command that shows diseases and their cures: ward."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.options import Debug, say
from zerosum.terminal import INTERRUPTED, console, one_line_errors


def ward(
    case: Annotated[str | None, typer.Argument(help="A disease, such as mode-collapse; none: list the cases.")] = None,
    data: Annotated[str | None, typer.Option(help="Which of the case's data; none: the first.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Every draw of both runs follows from it.")] = 0,
    rounds: Annotated[int | None, typer.Option(min=1, help="Play so many rounds, not the case's own.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for both runs; none: runs/NNNN-ward-CASE.")] = None,
    gif: Annotated[bool, typer.Option("--gif", help="Write the film as a GIF too.")] = False,
    debug: Debug = False,
) -> None:
    """Play a run that is made sick by a known cause, then its cure, and film them side by side."""
    with one_line_errors(debug):
        from zerosum import progress
        from zerosum.ward import show

        if case is None:
            say(show.listing())
            return
        found = show.find(case, rounds)
        source = show.source_of(found, data)
        folder = show.place(out, found)
        say(show.opening(found, source, folder))
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C, too, gives the cursor back
        if not show.play_both(found, source, folder, seed, lambda session: progress.display(console, session)):
            console.print(f" Stopped   what was played is in {folder}")
            raise typer.Exit(INTERRUPTED)
        say(show.closing(found, folder, show.join(found, folder, gif)))
