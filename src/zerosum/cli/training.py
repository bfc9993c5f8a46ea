"""Commands that play: train, resume; and those that tell of recipes and their settings."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zerosum.cli.options import Assignments, Debug, say
from zerosum.terminal import INTERRUPTED, console, errors, one_line_errors

if TYPE_CHECKING:
    from zerosum.run import Session

Rounds = Annotated[int | None, typer.Option(min=1, help="Stop after so many rounds.")]
Kimg = Annotated[float | None, typer.Option(help="Stop after so many thousand images.")]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes of training.")]
Gif = Annotated[bool, typer.Option("--gif", help="Write the film as a GIF too.")]


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
    treat: Annotated[
        Literal["advise", "auto"] | None,
        typer.Option(
            help="What the doctor does about a disease: tell; auto: go back, change one thing, see if it helps."
        ),
    ] = None,
    foretell: Annotated[
        bool, typer.Option("--forecast", help="Tell how fast, how long and how much memory, and do no more.")
    ] = False,
    gif: Gif = False,
    debug: Debug = False,
) -> None:
    """Train a recipe on data, into a run folder."""
    with one_line_errors(debug):
        from zerosum import progress, ranks, run, settings

        run.check_recipe(recipe)
        overrides = settings.parse_assignments(assignments or [])
        overrides |= {"source": data} if data is not None else {}
        overrides |= {"seed": seed} if seed is not None else {}
        overrides |= {"treat": treat} if treat is not None else {}
        overrides |= _length(rounds, kimg, minutes)
        base = settings.load(config) if config else None
        chosen = settings.resolve(recipe, preset, overrides, base)
        if foretell:
            if found := ranks.foretold(chosen):
                console.print(f" Forecast  {found} · {chosen.play.length}")
            return
        with ranks.led(chosen, lambda: ranks.begin(chosen, out)) as begun:
            if begun:
                say(f" ! {trouble}: an older checkpoint is used" for trouble in begun[1])
                say(progress.introduction(begun[0], preset))
                _play(begun[0], gif)


def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    rounds: Rounds = None,
    kimg: Kimg = None,
    minutes: Minutes = None,
    gif: Gif = False,
    debug: Debug = False,
) -> None:
    """Go on with a run that was cut, exactly where its last checkpoint is; or play a finished one further."""
    with one_line_errors(debug):
        from zerosum import ranks, run

        found, length = run.Folder.open(folder), _length(rounds, kimg, minutes).get("length")
        with ranks.led(found.settings(), lambda: run.go_on(found, length)) as begun:
            if begun is None:
                return
            session, troubles = begun
            say(f" ! {trouble}: an older checkpoint is used" for trouble in troubles)
            reached = session.trainer.rounds
            place = f"at round {reached:,}" if reached else "from the start: no checkpoint had been saved yet"
            console.print(f" Resumed   {folder} {place}; plays to {session.settings.play.length}")
            _play(session, gif)


def recipes(debug: Debug = False) -> None:
    """List the recipes: paper, what data they need, presets."""
    with one_line_errors(debug):
        from zerosum import settings
        from zerosum.recipes import DEFAULT, RECIPES

        wide, papers = max(map(len, RECIPES)), max(len(recipe.paper) for recipe in RECIPES.values())
        for name, recipe in RECIPES.items():
            default = "  (default)" if name == DEFAULT else ""
            console.print(f" {name:<{wide}}  {recipe.paper:<{papers}}  needs {recipe.needs}{default}")
            presets = f"; presets: {', '.join(recipe.presets)}" if recipe.presets else ""
            console.print(f" {'':<{wide}}  a small run: {settings.resolve(name).play.length}{presets}")


def config(
    recipe: Annotated[str | None, typer.Argument(help="Which recipe; none: the default.")] = None,
    preset: Annotated[str | None, typer.Option(help="A named set of settings of the recipe.")] = None,
    assignments: Assignments = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="As a config.yaml that train --config accepts.")] = False,
    debug: Debug = False,
) -> None:
    """Show every setting of a recipe: value, kind, meaning."""
    with one_line_errors(debug):
        from zerosum import progress, settings

        resolved = settings.resolve(recipe, preset, settings.parse_assignments(assignments or []))
        if yaml:
            console.print(resolved.to_yaml(), end="")
        else:
            say(progress.explained(resolved))


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
            ended = run.conduct(session, show, lambda words: console.print(f" Treated   {words}"))
    except run.NonFinite as error:
        errors.print(progress.failed(session, error))
        raise typer.Exit(1) from None
    if gif:
        session.film.write(session.folder.film.with_suffix(".gif"))
    say(progress.stopped(session) if ended == "stopped" else progress.closing(session, gif))
    say(
        f"   treated   {row['disease']}: {row['words']}: {row['verdict'] or 'on trial'}"
        for row in session.folder.tries()
    )
    if ended == "stopped":
        raise typer.Exit(INTERRUPTED)
