"""Commands that judge: evaluate, compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.options import Assignments, Debug, say
from zerosum.terminal import console, errors, one_line_errors

Data = Annotated[str | None, typer.Option(help="What to compare with; none: what the run was trained on.")]
Samples = Annotated[int, typer.Option(min=2, help="How many are drawn of each, and of the training data.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same digits.")]
Features = Annotated[
    Path | None, typer.Option(help="Inception's weights (.pth), TorchScript (.pt) or ONNX; none: chosen by the data.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]


def evaluate(
    of: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, model files, folders of pictures, npz.")],
    data: Data = None,
    samples: Samples = 5000,
    seed: Seed = 0,
    features: Features = None,
    utility: Annotated[bool, typer.Option("--utility", help="Do its pictures help to train a classifier?")] = False,
    lpips: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="ALEXNET WEIGHTS", help="Of pairs: LPIPS too, by these files.")
    ] = None,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="The folder for the results; none: RUN/evaluations.")] = None,
    assignments: Assignments = None,
    debug: Debug = False,
) -> None:
    """Say how good samples are, how sure that is, what real pictures score, and whether they are copies."""
    with one_line_errors(debug):
        from zerosum.judge import evaluation, ranks
        from zerosum.judge.request import Request
        from zerosum.settings import parse_assignments

        asked = Request(data, parse_assignments(assignments or []), samples, seed, features, lpips)
        found = []
        with ranks.joined() as world:
            leads = world.rank == 0
            for path in of:
                result = evaluation.evaluate(path, asked, utility=utility, tell=_tell if leads else lambda line: None)
                found.append(result.report)
                if leads:
                    kept = evaluation.keep(result, path, out)
                    told = f" Kept      {kept}: {', '.join(['report.json', *result.gallery])}"
                    say([] if as_json else [*evaluation.lines(result.report), told])
        if as_json and leads:
            console.print(json.dumps(found[0] if len(found) == 1 else found, indent=1))


def compare(
    of: Annotated[list[str], typer.Argument(metavar="A B...", help="Runs, folders, npz; with --budget, recipes.")],
    data: Data = None,
    budget: Annotated[str | None, typer.Option(help="Train recipes for so long each first: 90s, 5m.")] = None,
    samples: Samples = 5000,
    seed: Seed = 0,
    features: Features = None,
    as_json: Json = False,
    assignments: Assignments = None,
    debug: Debug = False,
) -> None:
    """Say of each two whether the one is better, the other, or whether nobody can tell."""
    with one_line_errors(debug):
        from zerosum.judge import comparison, contest
        from zerosum.judge.request import Request
        from zerosum.settings import parse_assignments

        asked = Request(data, parse_assignments(assignments or []), samples, seed, features)
        if budget is not None:
            result = contest.contest(of, budget, asked, _tell)
        else:
            result = comparison.compare([Path(path) for path in of], asked, _tell)
        if as_json:
            console.print(json.dumps(result, indent=1))
        else:
            say(comparison.lines(result) if budget is None else contest.lines(result))


def _tell(line: str) -> None:
    """What takes its time, where it does not get into the JSON."""
    errors.print(f" {line}")
