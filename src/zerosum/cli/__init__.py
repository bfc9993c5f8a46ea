"""The command line: every command a few lines. torch is imported only by the commands that need it."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from zerosum import __version__
from zerosum.cli import benching, diagnosing, drawing, explaining, judging, training, ward
from zerosum.terminal import console

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich")


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


app.command(epilog="Examples: zerosum train --data ./flowers --minutes 30 · zerosum train dcgan --preset mnist28")(
    training.train
)
app.command()(training.resume)
app.command()(drawing.sample)
app.command(epilog="Example: zerosum translate runs/0001-cityscape-pix2pix photo.png --out translated")(
    drawing.translate
)
app.command()(drawing.interpolate)
app.command(epilog="Example: zerosum add runs/0001-faces-dcgan 'smiling woman - woman + man'")(drawing.add)
app.command(epilog="Example: zerosum evaluate runs/0001-mnist-r1gan --utility")(judging.evaluate)
app.command(epilog="Example: zerosum compare --budget 5m --data mnist gan dcgan r3gan vae ddpm")(judging.compare)
app.command(epilog="Example: zerosum bench dcgan r3gan --explain")(benching.bench)
app.command(epilog="Example: zerosum diagnose runs/0001-mnist-gan")(diagnosing.diagnose)
app.command(epilog="Example: zerosum explain mode-collapse")(explaining.explain)
app.command(epilog="Example: zerosum ward mode-collapse")(ward.ward)
app.command()(training.recipes)
app.command()(training.config)


def main() -> None:
    """The command `zerosum`. Ctrl-C just ends it, since imports may lose a KeyboardInterrupt; a run sees to its own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    app()
