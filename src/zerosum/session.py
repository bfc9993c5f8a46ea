"""A run at the table: recipe, data and trainer joined; it plays, looks, saves, and writes the run folder."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from zerosum import __version__, model, pictures
from zerosum.data.dataset import Dataset
from zerosum.data.deck import deck_of
from zerosum.folder import Folder, check_same
from zerosum.look import look_at
from zerosum.play import dynamics, precision
from zerosum.play.checkpoint import Checkpoints
from zerosum.play.trainer import NonFinite, Trainer
from zerosum.settings import Settings, SettingsError, Span
from zerosum.watch import Watch

DYNAMICS = {
    "alternating": dynamics.alternating,
    "simultaneous": dynamics.simultaneous,
    "extragradient": dynamics.extragradient,
}
PRECISIONS = {"float32": precision.full, "bfloat16": precision.bfloat16}
DRAW_SECONDS = 30.0  # a film takes about a second to write: not at every checkpoint of a short run
Row = dict[str, float]
Show = Callable[[Row, Row], None]
"""Told of every row of readings (empty: none is whole yet), and of the progress in every unit."""


class Session:
    """A run at the table. Built, it has found what can be wrong with the settings; it plays once it has a folder."""

    folder: Folder
    checkpoints: Checkpoints
    film: pictures.Film

    def __init__(self, settings: Settings, dataset: Dataset, held_out: Dataset | None = None):
        self.settings, self.dataset = settings, dataset
        play = settings.play
        torch.manual_seed(play.seed)
        device = precision.choose_device(play.device)
        if device.type == "cpu":
            precision.keep_memory()
        game = model.build(settings.recipe, settings.game, dataset.spec)
        game.to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.deck = deck_of(dataset, labelled=game.classes > 0, seed=play.seed, device=device)
        self.trainer = Trainer(
            game,
            lambda: self.deck.deal(play.batch),
            dynamics=DYNAMICS[play.dynamics],
            average=play.average,
            precision=PRECISIONS[play.precision],
        )
        busy = [mover.player.name for mover in self.trainer.movers if mover.player.steps > 1]
        if busy and play.dynamics != "alternating":
            raise SettingsError(
                f"{play.dynamics} dynamics moves each player once a round, but {busy[0]} asks for more turns: "
                "set its steps to 1, or play.dynamics to alternating"
            )
        self.length = Span.parse(play.length)
        self.spans = {name: Span.parse(getattr(play, name)) for name in ("pictures", "checkpoints", "quality")}
        self.every = int(Span.parse(play.readings).amount)
        self.fingerprint = model.fingerprint(dataset)
        self.seconds, self.stopped, self.drawn = 0.0, False, perf_counter()
        self.unwritten: list[Row] = []
        self.done = dict.fromkeys(self.spans, 0)
        self.view = look_at(self.trainer, dataset, play.tiles, play.seed + 1)  # not the draws the weights came from
        self.watch = Watch(lambda: self.trainer.average.game, dataset, held_out, play.quality_cost)
        self.enough: str | None = None

    def enter(self, folder: Folder) -> None:
        """From now on, this is the folder to write."""
        self.folder = folder
        self.checkpoints = Checkpoints(folder.checkpoints, self.settings.play.keep)
        self.film = pictures.Film(folder.path)

    @property
    def game(self) -> Any:
        return self.trainer.game

    def progress(self) -> Row:
        """How far the run is, in every unit that a length may be given in."""
        images = self.deck.images
        counts = {
            "rounds": self.trainer.rounds,
            "images": images,
            "kimg": images / 1000,
            "epochs": self.deck.epochs,
            "seconds": self.seconds,
            "minutes": self.seconds / 60,
        }
        return counts | {"%": 100 * self.length.share(counts)}

    def due(self) -> dict[str, int]:
        """How many pictures and checkpoints should have been made by now."""
        progress = self.progress()
        return {name: int(span.share(progress)) for name, span in self.spans.items()}

    def play(self, show: Show) -> str:
        """Play to the end of the length, or until `stopped` is set. Returns how it ended: finished or stopped.

        Raises NonFinite where a reading or a weight is not a number; the last good checkpoint is kept.
        """
        for drawing in ("figure", "backends.backend_agg"):  # imported late, it could meet a Ctrl-C
            import_module(f"matplotlib.{drawing}")
        if self.trainer.rounds == 0:
            self.look()
        patience = 1 if self.game.device.type == "cpu" else self.every  # a GPU is not waited for every round
        while not self.over():
            self.look_and_save(show)
            if self.enough:
                break
            clock = perf_counter()  # pictures are not training
            self.round()
            while self.trainer.rounds % patience and not self.over():
                self.round()
            rows = self.trainer.collect()
            self.seconds += perf_counter() - clock
            self.record(rows, show)
            show({}, self.progress())
        ended = "finished" if self.enough or self.length.share(self.progress()) >= 1 else "stopped"
        if ended == "finished" and self.unwritten:
            self.add_row(self.trainer.rounds, show)  # `unwritten` stays: a run that is extended writes a whole interval
        if self.watch.affordable(self.seconds):
            self.measure(show)
        self.save()
        self.look()
        self.close(ended)
        return ended

    def round(self) -> None:
        """One round, at a share of the learning rates: 1; over the cooldown, down to 0 with the length that is left."""
        if cooldown := self.settings.play.cooldown:
            left = max(0.0, 1 - self.length.share(self.progress()))
            self.trainer.pace(min(1.0, left / cooldown))
        self.trainer.round()

    def over(self) -> bool:
        return self.stopped or self.enough is not None or self.length.share(self.progress()) >= 1

    def record(self, rows: list[tuple[int, Row]], show: Show) -> None:
        """Write a line of means for every whole interval; what is left over waits, and goes with the checkpoint."""
        for round_, row in rows:
            self.unwritten.append(row)
            if round_ % self.every == 0:
                self.add_row(round_, show)
                self.unwritten = []

    def add_row(self, round_: int, show: Show) -> None:
        images = self.deck.images * round_ // self.trainer.rounds
        line = {"round": round_, "images": images, "epochs": round(images / len(self.deck), 4)}
        line |= {"seconds": round(self.seconds, 3)} | _means(self.unwritten)
        self.folder.add_row(line)
        show(line, self.progress())

    def look_and_save(self, show: Show) -> None:
        """Picture the fixed noise, measure, save a checkpoint: whichever is due."""
        before, self.done = self.done, self.due()
        if self.done["pictures"] > before["pictures"]:
            self.look()
        if self.done["quality"] > before["quality"] and self.watch.affordable(self.seconds):
            self.measure(show)
        if self.done["checkpoints"] > before["checkpoints"]:
            self.save()
            if perf_counter() - self.drawn > DRAW_SECONDS:
                self.draw()

    def look(self) -> None:
        """What there is to see now: a sheet a kind, in a folder of that name, and a frame of the film."""
        sheets = self.view.draw()
        for kind, sheet in sheets.items():
            pictures.save(sheet, self.folder.path / kind / f"{self.trainer.rounds:08d}.png")
        self.film.add(sheets["grids"], self.trainer.rounds, f"round {self.trainer.rounds:,}")

    def save(self) -> None:
        """A checkpoint of everything that the next round depends on, and the model as it is now.

        Raises NonFinite where a weight is not a number: every checkpoint can be gone on from.
        """
        for mover in self.trainer.movers:
            if not all(bool(p.detach().isfinite().all()) for p in mover.parameters):
                raise NonFinite(self.trainer.rounds, f"{mover.player.name}.a weight", float("nan"))
        state = self.identity() | {
            "seconds": self.seconds,
            "unwritten": self.unwritten,
            "deck": self.deck.state_dict(),
            "trainer": self.trainer.state_dict(),
        }
        self.checkpoints.save(self.trainer.rounds, state)
        self.save_model(self.folder.model)

    def save_model(self, path: Path, **more: Any) -> None:
        about = {"version": __version__, "data": model.describe(self.dataset.spec), "trained_on": self.dataset.name}
        header = self.identity() | about | {"seed": self.settings.play.seed} | self.reached() | more
        model.save(path, self.game, self.trainer.average.game, header)

    def measure(self, show: Show) -> None:
        """Quality now, from few samples; the model is kept if it is the best so far; is it time to stop?"""
        mark = self.watch.look(self.trainer.rounds)
        if mark is None:
            return
        self.folder.add_mark(mark.as_row())
        if self.watch.best is mark:
            self.save_model(self.folder.best, quality=mark.as_row())
        show({"quality.KID": mark.kid, "quality.coverage": mark.coverage}, self.progress())
        if self.settings.play.stop == "auto":
            self.enough = self.watch.reason()

    def load(self) -> list[str]:
        """Go on from the newest checkpoint that can be read; says which could not. Raises RunError, DamagedFile."""
        state, troubles = self.checkpoints.load_latest()
        check_same(state, self.identity(), self.folder)
        self.trainer.load_state_dict(state["trainer"])
        self.deck.load_state_dict(state["deck"])
        self.seconds, self.unwritten = state["seconds"], state["unwritten"]
        self.done = self.due()
        self.watch.recall([row for row in self.folder.marks() if row["round"] <= self.trainer.rounds])
        return troubles

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that goes on from it."""
        game = self.settings.game.model_dump(mode="json")
        return {"recipe": self.settings.recipe, "game": game, "data": self.fingerprint}

    def reached(self) -> Row:
        return {"rounds": self.trainer.rounds, "images": self.deck.images, "seconds": round(self.seconds, 1)}

    def draw(self) -> None:
        """Curves and film so far: what a kill cannot take away."""
        pictures.curves(self.folder.rows(), self.folder.curves)
        self.film.write(self.folder.film)
        self.drawn = perf_counter()

    def close(self, ended: str) -> None:
        """Leave the folder whole, however the run ended: curves, film, and how far it came."""
        self.draw()
        self.folder.note(ended=ended, **self.reached(), **self.watch.summary(self.enough))


def _means(rows: list[Row]) -> Row:
    """The mean of every reading over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}
