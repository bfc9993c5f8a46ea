"""The command line: every command a few lines. torch is imported only by the commands that need it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum import __version__
from zerosum.terminal import INTERRUPTED, console, errors, one_line_errors

if TYPE_CHECKING:
    from zerosum.run import Session

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich")


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
    with one_line_errors(debug):
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
    with one_line_errors(debug):
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
    assignments: Assignments = None,
    debug: Debug = False,
) -> None:
    """Draw samples from a trained model."""
    with one_line_errors(debug):
        from zerosum import model, progress, samples, settings

        found = model.load(folder, changes=settings.parse_assignments(assignments or []))
        written = samples.write(found, n, label=label, seed=seed, out=out, scored=scores)
        taken = f" ({out} was there already)" if written != out else ""
        console.print(f" {progress.count(n, 'sample')}, seed {seed}: {written}{taken}")


@app.command(epilog="Example: zerosum translate runs/0001-cityscape-pix2pix photo.png --out translated")
def translate(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model.safetensors.")],
    given: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Pictures of any size, or folders.")],
    direction: Annotated[str | None, typer.Option(help="AtoB or BtoA, where a model knows both.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise, where a model has some.")] = 0,
    out: Annotated[Path, typer.Option(help="The folder for what is made.")] = Path("translated"),
    debug: Debug = False,
) -> None:
    """Turn pictures into what the other domain makes of them (pix2pix, cyclegan)."""
    with one_line_errors(debug):
        from zerosum import model, progress, translations

        written = translations.write(model.load(folder), given, out, direction=direction, seed=seed)
        console.print(f" {progress.count(len(written), 'picture')}: {written[0]}{' ...' * (len(written) > 1)}")


@app.command()
def interpolate(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model.safetensors.")],
    rows: Annotated[int, typer.Option(min=2, max=100, help="Samples to go through.")] = 6,
    steps: Annotated[int, typer.Option(min=2, max=100, help="Pictures from each to the next.")] = 12,
    label: Annotated[str | None, typer.Option(help="All of this class: its name or number.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed goes through the same samples.")] = 0,
    out: Annotated[Path, typer.Option(help="A .png sheet, or a .gif film.")] = Path("interpolation.png"),
    debug: Debug = False,
) -> None:
    """Go from sample to sample through the latent space."""
    with one_line_errors(debug):
        from zerosum import model, wanderings

        found = model.load(folder)
        console.print(f" {wanderings.interpolate(found, rows=rows, steps=steps, seed=seed, label=label, out=out)}")


@app.command(epilog="Example: zerosum add runs/0001-faces-dcgan 'smiling woman - woman + man'")
def add(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    text: Annotated[str, typer.Argument(metavar="SUM", help="Labels, or numbers of samples: '#3,8,12 - #5 + #1,2'.")],
    label: Annotated[str | None, typer.Option(help="Of a model that is told labels: the class to stay in.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples that numbers mean.")] = 0,
    out: Annotated[Path, typer.Option(help="A .png sheet.")] = Path("sum.png"),
    debug: Debug = False,
) -> None:
    """Add and take away meanings in the latent space, as in 'smiling woman - woman + man'."""
    with one_line_errors(debug):
        from zerosum import model, run, wanderings

        found = model.load(folder)
        sheet = wanderings.add_up(
            found, text, seed=seed, label=label, out=out, data=lambda: run.data_of(run.Folder.open(folder).settings())
        )
        console.print(f" {sheet}")


@app.command()
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


@app.command()
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


if __name__ == "__main__":
    main()
