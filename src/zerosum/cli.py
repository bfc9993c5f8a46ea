"""The command line: every command a few lines. torch is imported only by the commands that need it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

from zerosum import __version__

if TYPE_CHECKING:
    from zerosum.run import Session

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich")


class _Stream:
    """Python's stdout or stderr as it is now; where nobody reads it any more, what is written is lost, and no error."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, what: str) -> Any:
        if what == "rich_proxied_file":  # else rich would go round this
            raise AttributeError
        there = getattr(sys, self._name)
        found = getattr(getattr(there, "rich_proxied_file", there), what)
        return partial(self._unless_closed, found) if what in ("write", "flush") else found

    def _unless_closed(self, do: Callable[..., Any], *values: str) -> Any:
        try:
            return do(*values)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def _console(name: str) -> Console:
    return Console(file=cast(IO[str], _Stream(name)), highlight=False, markup=False, emoji=False, soft_wrap=True)


console, errors = _console("stdout"), _console("stderr")
INTERRUPTED = 130  # as a shell says of Ctrl-C

Assignments = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change any setting.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]
Rounds = Annotated[int | None, typer.Option(min=1, help="Stop after so many rounds.")]
Kimg = Annotated[float | None, typer.Option(help="Stop after so many thousand images.")]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes of training.")]
Gif = Annotated[bool, typer.Option("--gif", help="Write the film as a GIF too.")]


def _tell_version(asked: bool) -> None:
    if asked:
        console.print(f"zerosum {__version__}")
        raise typer.Exit


@app.callback(epilog="A first run: zerosum train        Your own pictures: zerosum train --data FOLDER")
def _zerosum(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train generative adversarial networks, see whether they are healthy, and take them with you."""


@app.command(epilog="Examples: zerosum train --data ./flowers --minutes 30 · zerosum train dcgan --preset mnist28")
def train(
    recipe: Annotated[str | None, typer.Argument(help="Which game (zerosum recipes); none: the default.")] = None,
    data: Annotated[str | None, typer.Option(help="glyphs, mnist, ..., or a folder, zip, npz or IDX file.")] = None,
    preset: Annotated[str | None, typer.Option(help="A named set of settings of the recipe.")] = None,
    config: Annotated[Path | None, typer.Option(help="A config.yaml, such as a run folder holds.")] = None,
    assignments: Assignments = None,
    rounds: Rounds = None,
    kimg: Kimg = None,
    minutes: Minutes = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Every draw follows from it.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; none: runs/NNNN-DATA-RECIPE.")] = None,
    gif: Gif = False,
    debug: Debug = False,
) -> None:
    """Train a recipe on data, into a run folder."""
    with _one_line_errors(debug):
        from zerosum import progress, run, settings

        run.check_recipe(recipe)
        overrides = settings.parse_assignments(assignments or [])
        overrides |= {"source": data} if data is not None else {}
        overrides |= {"seed": seed} if seed is not None else {}
        overrides |= _length(rounds, kimg, minutes)
        base = settings.load(config) if config else None
        session = run.begin(settings.resolve(recipe, preset, overrides, base), out)
        _say(progress.introduction(session, preset))
        _play(session, gif)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    rounds: Rounds = None,
    kimg: Kimg = None,
    minutes: Minutes = None,
    gif: Gif = False,
    debug: Debug = False,
) -> None:
    """Go on with a run that was cut, exactly where its last checkpoint is; or play a finished one further."""
    with _one_line_errors(debug):
        from zerosum import run

        length = _length(rounds, kimg, minutes).get("length")
        session, troubles = run.go_on(run.Folder.open(folder), length)
        _say(f" ! {trouble}: an older checkpoint is used" for trouble in troubles)
        reached = session.trainer.rounds
        place = f"at round {reached:,}" if reached else "from the start: no checkpoint had been saved yet"
        console.print(f" Resumed   {folder} {place}; plays to {session.settings.play.length}")
        _play(session, gif)


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model.safetensors.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 64,
    label: Annotated[str | None, typer.Option(help="Only this class: its name or number.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same samples.")] = 0,
    out: Annotated[Path, typer.Option(help="A .png grid, an .npz, or a folder of PNG files.")] = Path("samples.png"),
    scores: Annotated[bool, typer.Option("--scores", help="With the discriminator's score of each.")] = False,
    debug: Debug = False,
) -> None:
    """Draw samples from a trained model."""
    with _one_line_errors(debug):
        from zerosum import model, progress, samples

        written = samples.write(model.load(folder), n, label=label, seed=seed, out=out, scored=scores)
        taken = f" ({out} was there already)" if written != out else ""
        console.print(f" {progress.count(n, 'sample')}, seed {seed}: {written}{taken}")


@app.command()
def recipes(debug: Debug = False) -> None:
    """List the recipes: paper, what data they need, presets."""
    with _one_line_errors(debug):
        from zerosum.recipes import DEFAULT, RECIPES

        wide, papers = max(map(len, RECIPES)), max(len(recipe.paper) for recipe in RECIPES.values())
        for name, recipe in RECIPES.items():
            default = "  (default)" if name == DEFAULT else ""
            console.print(f" {name:<{wide}}  {recipe.paper:<{papers}}  needs {recipe.needs}{default}")
            if recipe.presets:
                console.print(f" {'':<{wide}}  presets: {', '.join(recipe.presets)}")


@app.command()
def config(
    recipe: Annotated[str | None, typer.Argument(help="Which recipe; none: the default.")] = None,
    preset: Annotated[str | None, typer.Option(help="A named set of settings of the recipe.")] = None,
    assignments: Assignments = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="As a config.yaml that train --config accepts.")] = False,
    debug: Debug = False,
) -> None:
    """Show every setting of a recipe: value, kind, meaning."""
    with _one_line_errors(debug):
        from zerosum import progress, settings

        resolved = settings.resolve(recipe, preset, settings.parse_assignments(assignments or []))
        if yaml:
            console.print(resolved.to_yaml(), end="")
        else:
            _say(progress.explained(resolved))


def main() -> None:
    """The command `zerosum`. Ctrl-C just ends it, since imports may lose a KeyboardInterrupt; a run sees to its own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    app()


def _say(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        console.print(line)


def _length(rounds: int | None, kimg: float | None, minutes: float | None) -> dict[str, str]:
    given = {"rounds": rounds, "kimg": kimg, "minutes": minutes}
    chosen = [
        f"{value:.15g} {unit.removesuffix('s') if value == 1 else unit}"
        for unit, value in given.items()
        if value is not None
    ]
    if len(chosen) > 1:
        raise ValueError(f"a run has one length, got {' and '.join(chosen)}: give one of --rounds, --kimg, --minutes")
    return {"length": chosen[0]} if chosen else {}


def _play(session: Session, gif: bool) -> None:
    """Play with a progress display, and say what comes next."""
    from zerosum import progress, run

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C, too, gives the cursor back
    try:
        with progress.display(console, session) as show:
            ended = run.conduct(session, show)
    except run.NonFinite as error:
        errors.print(progress.failed(session, error))
        raise typer.Exit(1) from None
    if gif:
        session.film.write(session.folder.film.with_suffix(".gif"))
    _say(progress.stopped(session) if ended == "stopped" else progress.closing(session, gif))
    if ended == "stopped":
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _one_line_errors(debug: bool) -> Iterator[None]:
    """A mistake of the user's is one line and exit code 2, trouble on the way 1; --debug shows the whole."""
    try:
        yield
    except KeyboardInterrupt:
        if debug:
            raise
        raise typer.Exit(INTERRUPTED) from None
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        if debug or not (code := _exit_code(error)):
            raise
        told = re.sub(r"\[Errno -?\d+\] ", "", " ".join(str(error).split()))
        errors.print(f"Error: {told}")
        raise typer.Exit(code) from None


def _exit_code(error: Exception) -> int:
    """2: something that was asked for cannot be; 1: the machine gave out; 0: a bug of ours, to be seen whole."""
    from zerosum.run import RunError

    if isinstance(error, ValueError | RunError | FileNotFoundError | IsADirectoryError | PermissionError):
        return 2
    return 1 if isinstance(error, OSError | MemoryError) or "out of memory" in str(error) else 0


if __name__ == "__main__":
    main()
