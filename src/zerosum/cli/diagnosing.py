"""Commands of the doctor: diagnose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from zerosum.cli.options import Debug, say
from zerosum.terminal import console, one_line_errors


def diagnose(
    folder: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; also unfinished ones.")],
    probe: Annotated[
        bool,
        typer.Option("--probe", help="How much could each player still gain alone? From checkpoints."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
    debug: Debug = False,
) -> None:
    """Say whether a run is healthy, and if not, what it has, since when, why, and what helps."""
    with one_line_errors(debug):
        from zerosum import consultation

        found = [consultation.consult(path) for path in folder]
        gains = [_probed(path) if probe else [] for path in folder]
        if as_json:
            reports = [
                each.report() | ({"probe": rows} if probe else {}) for each, rows in zip(found, gains, strict=True)
            ]
            console.print(json.dumps(reports[0] if len(reports) == 1 else reports, indent=1), soft_wrap=True)
            return
        for each, rows in zip(found, gains, strict=True):
            say(consultation.lines(each))
            say(_gained(rows))


def _probed(path: Path) -> list[dict[str, Any]]:
    from zerosum.probe import of_run
    from zerosum.run import Folder

    return of_run(Folder.open(path))


def _gained(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What each player could have gained alone at each checkpoint."""
    for row in rows:
        gain = f"lowers its loss by {row['gain']:.3g} ({row['low']:.3g} to {row['high']:.3g}) by turn {row['best']}"
        found = gain if row["gain"] > 0 else f"found no gain in {row['turns']} turns"
        yield f" Probe     round {row['round']:,}: {row['player']} alone, from {row['before']:.3g}, {found}"
