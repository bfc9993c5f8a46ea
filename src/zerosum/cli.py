"""The command line: every command a few lines. torch is imported only by the commands that need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Assignments = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change any setting.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]
Rounds = Annotated[int | None, typer.Option(min=1, help="Stop after so many rounds.")]
Kimg = Annotated[float | None, typer.Option(help="Stop after so many thousand images.")]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes of training.")]


@app.callback(epilog="A first run: zerosum train        Your own pictures: zerosum train --data FOLDER")
def _zerosum() -> None:
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
    gif: Annotated[bool, typer.Option("--gif", help="Write the film as a GIF too.")] = False,
    debug: Debug = False,
) -> None:
    """Train a recipe on data, into a run folder."""
    with _one_line_errors(debug):
        from zerosum import run, settings

        overrides = settings.parse_assignments(assignments or [])
        overrides |= {"source": data} if data is not None else {}
        overrides |= {"seed": seed} if seed is not None else {}
        overrides |= _length(rounds, kimg, minutes)
        base = settings.load(config) if config else None
        session = run.begin(settings.resolve(recipe, preset, overrides, base), out)
        _introduce(session, preset)
        _play(session, gif)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    rounds: Rounds = None,
    kimg: Kimg = None,
    minutes: Minutes = None,
    gif: Annotated[bool, typer.Option("--gif", help="Write the film as a GIF too.")] = False,
    debug: Debug = False,
) -> None:
    """Go on with a run that was cut, exactly where its last checkpoint is; or play a finished one further."""
    with _one_line_errors(debug):
        from zerosum import run

        length = _length(rounds, kimg, minutes).get("length")
        session, troubles = run.go_on(run.Folder.open(folder), length)
        for trouble in troubles:
            console.print(f"[yellow] ! {escape(trouble)}: an older checkpoint is used[/]")
        console.print(f" Resumed   {folder} at round {session.trainer.rounds:,}")
        _play(session, gif)


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model.safetensors.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 64,
    label: Annotated[str | None, typer.Option(help="Only this class: its name or number.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same samples.")] = 0,
    out: Annotated[Path, typer.Option(help="A .png grid, an .npz, or a folder of PNG files.")] = Path("samples.png"),
    scores: Annotated[bool, typer.Option("--scores", help="Write the discriminator's score on each tile.")] = False,
    debug: Debug = False,
) -> None:
    """Draw samples from a trained model."""
    with _one_line_errors(debug):
        from zerosum import model, samples

        written = samples.write(model.load(folder), n, label=label, seed=seed, out=out, scored=scores)
        console.print(f" {written}")


@app.command()
def recipes(debug: Debug = False) -> None:
    """List the recipes: paper, what data they need, presets."""
    with _one_line_errors(debug):
        from zerosum.recipes import DEFAULT, RECIPES

        for name, recipe in RECIPES.items():
            default = "  [green](default)[/]" if name == DEFAULT else ""
            console.print(f" [bold]{name:<8}[/] {recipe.paper:<24} needs {recipe.needs}{default}")
            console.print(f" {'':<8} presets: {', '.join(recipe.presets)}")


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
        from zerosum import settings

        resolved = settings.resolve(recipe, preset, settings.parse_assignments(assignments or []))
        if yaml:
            print(resolved.to_yaml(), end="")
            return
        console.print(f" recipe: [bold]{resolved.recipe}[/]")
        for section in ("data", "game", "play"):
            part = getattr(resolved, section)
            console.print(f" {section}:")
            for name, field in type(part).model_fields.items():
                value = getattr(part, name)
                shown = "none" if value is None else str(list(value) if isinstance(value, tuple) else value)
                meaning = f"{settings.kind(field.annotation)}; {field.description}"
                console.print(f"   [bold]{name}[/] = {escape(shown)}  [dim]{escape(meaning)}[/]", soft_wrap=True)


def main() -> None:
    """The command `zerosum`."""
    app()


def _length(rounds: int | None, kimg: float | None, minutes: float | None) -> dict[str, str]:
    given = {"rounds": rounds, "kimg": kimg, "minutes": minutes}
    chosen = [f"{value:g} {unit}" for unit, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise ValueError(f"a run has one length, got {' and '.join(chosen)}: give one of --rounds, --kimg, --minutes")
    return {"length": chosen[0]} if chosen else {}


def _introduce(session: Any, preset: str | None) -> None:
    """What was found, and what was chosen."""
    from zerosum.settings import recipe_of

    dataset, play = session.dataset, session.settings.play
    spec = dataset.spec
    shape = "x".join(map(str, spec.shape[1:])) + f"x{spec.shape[0]}" if len(spec.shape) == 3 else f"{spec.dim}-d points"
    classes = f" · {len(spec.classes)} classes" if spec.classes else ""
    unused = " (labels not used by this recipe)" if spec.classes and not session.game.classes else ""
    console.print(f" Data      {escape(dataset.name)} · {len(dataset):,} examples · {shape}{classes}{unused}")
    for note in dataset.notes:
        console.print(f"           {escape(note)}")
    sizes = " · ".join(
        f"{name} {sum(p.numel() for p in network.parameters()):,}" for name, network in session.game.named_children()
    )
    paper = recipe_of(session.settings.recipe).paper
    chosen = f" --preset {preset}" if preset else ""
    console.print(f" Recipe    {session.settings.recipe}{chosen} ({paper}) · parameters {sizes}")
    console.print(
        f" Play      {play.length} · batch {play.batch} · {play.dynamics} · {session.game.device} · seed {play.seed}"
    )
    console.print(f" Run       {session.folder.path}      Ctrl-C saves and stops")


def _play(session: Any, gif: bool) -> None:
    """Play with a progress display, and say what comes next."""
    from zerosum import progress, run
    from zerosum.play.trainer import NonFinite

    folder = session.folder
    try:
        with progress.display(console, session) as show:
            ended = run.conduct(session, show)
    except NonFinite as error:
        kept = session.checkpoints.paths()
        back = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint had been saved yet"
        errors.print(f"[red]Stopped:[/] {escape(str(error))}; {back}. Try a smaller lr (zerosum config), or float32.")
        raise typer.Exit(1) from None
    if gif:
        session.film.write(folder.film.with_suffix(".gif"))
    if ended == "stopped":
        console.print(f" Stopped at round {session.trainer.rounds:,}, saved. To go on:  zerosum resume {folder.path}")
        raise typer.Exit(130)
    grid = sorted(folder.grids.iterdir())[-1]
    console.print(
        f" Done      {session.trainer.rounds:,} rounds, {session.deck.images:,} images in {session.seconds:.0f} s"
    )
    console.print(
        f"   pictures  {grid} · {folder.film.name} · {folder.curves.name} · {folder.judged.name}/", soft_wrap=True
    )
    console.print(f"   next      zerosum sample {folder.path} -n 64", soft_wrap=True)
    if session.game.classes:
        console.print(
            f"             zerosum sample {folder.path} --label {session.dataset.spec.classes[0]}", soft_wrap=True
        )
    console.print(f"             zerosum resume {folder.path} --rounds {2 * session.trainer.rounds}", soft_wrap=True)


@contextmanager
def _one_line_errors(debug: bool) -> Iterator[None]:
    """A mistake of the user's is one line and exit code 2; --debug shows the whole."""
    try:
        yield
    except (ValueError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if debug:
            raise
        errors.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from None
    except (RuntimeError, OSError) as error:
        from zerosum.run import RunError

        if debug or not isinstance(error, RunError | OSError):
            raise
        errors.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, RunError) else 1) from None


if __name__ == "__main__":
    main()
