"""The command that measures: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.options import Debug, say
from zerosum.terminal import console, errors, one_line_errors


def bench(
    recipe: Annotated[list[str] | None, typer.Argument(metavar="[RECIPE ...]", help="Which; none: all.")] = None,
    data: Annotated[str | None, typer.Option(help="What they play on; none: an embedded set that fits.")] = None,
    seconds: Annotated[float, typer.Option(help="Of playing, for each comparison.")] = 10.0,
    explain: Annotated[bool, typer.Option("--explain", help="What does each switch bring here?")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU; none: as torch has it.")] = None,
    json: Annotated[Path, typer.Option(help="Keep it there too; where that is taken, in FILE-2, FILE-3 ...")] = Path(
        "bench.json"
    ),
    debug: Debug = False,
) -> None:
    """Measure how fast this machine plays, beside a plain PyTorch loop of the same networks."""
    with one_line_errors(debug):
        from zerosum.benchmark import measuring
        from zerosum.settings import recipe_of

        for name in recipe or []:
            recipe_of(name)
        if not json.resolve().parent.is_dir():
            raise ValueError(f"{json.parent} is no folder: name a file in one that is there (--json)")
        benchmark = measuring.Benchmark(seconds, threads, json)
        say(measuring.heading(benchmark.kept))
        for row in measuring.bench(recipe or [], data, benchmark, _tell, explain=explain):
            say(measuring.lines(row))
        if benchmark.kept["recipes"]:
            console.print(f" Kept      {benchmark.out}")


def _tell(line: str) -> None:
    errors.print(f" {line}")
