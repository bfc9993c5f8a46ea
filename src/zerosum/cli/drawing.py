"""Commands that draw from a trained model: sample, translate, interpolate, add."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

from zerosum.cli.options import Assignments, Debug
from zerosum.terminal import console, one_line_errors


def sample(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model.safetensors.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 64,
    label: Annotated[str | None, typer.Option(help="Only this class: its name or number.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same samples.")] = 0,
    out: Annotated[
        Path,
        typer.Option(help="A .png grid, an .npz, or a folder: of PNG files; of more than 10,000 samples, of shards."),
    ] = Path("samples.png"),
    per_shard: Annotated[
        int | None, typer.Option(min=1, help="Shards (tar files of WebDataset) of so many samples; unsaid: 8,000.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu or cuda.")] = "auto",
    scores: Annotated[bool, typer.Option("--scores", help="With the discriminator's score of each.")] = False,
    assignments: Assignments = None,
    debug: Debug = False,
) -> None:
    """Draw samples from a trained model. Shards that are there are kept, so that a command that was cut goes on."""
    with one_line_errors(debug):
        from zerosum import model, progress, samples, settings, shards

        sharded = shards.meant(n, out, per_shard, scored=scores)
        found = model.load(folder, shards.device(device), settings.parse_assignments(assignments or []))
        if sharded:
            with _counted() as tell:
                made = shards.write(found, n, label=label, seed=seed, out=out, per_shard=per_shard, tell=tell)
            console.print(f" {progress.count(n, 'sample')}, seed {seed}: {out}, {made}")
            return
        written = samples.write(found, n, label=label, seed=seed, out=out, scored=scores)
        taken = f" ({out} was there already)" if written != out else ""
        console.print(f" {progress.count(n, 'sample')}, seed {seed}: {written}{taken}")


@contextmanager
def _counted() -> Iterator[Callable[[int, int], None]]:
    """A function to be told how many samples are made, of how many: rank 0 shows a bar, or a line now and then."""
    from zerosum import progress, shards

    start = told = time.monotonic()
    live, leads = console.is_terminal, shards.ranks()[0] == 0
    columns = BarColumn(bar_width=24), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console, transient=True, disable=not (live and leads)) as bar:
        task = bar.add_task("starting", total=None)

        def tell(made: int, of: int) -> None:
            nonlocal told
            now = time.monotonic()
            if not leads or now - told < (progress.LIVE_SECONDS if live else progress.SILENT_SECONDS):
                return
            told, speed = now, made / (now - start)
            line = f"{made:,} of {of:,} samples · {speed:,.0f}/s · {progress.clock((of - made) / speed)} left"
            if live:
                bar.update(task, completed=made, total=of, description=line)
            else:
                console.print(f" {line}")

        yield tell


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
