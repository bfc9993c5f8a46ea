"""A run at the table: recipe, data and trainer joined; it plays, looks, saves, and writes the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from zerosum import __version__, model, pictures
from zerosum.data.dataset import Dataset
from zerosum.doctor import Doctor
from zerosum.folder import Folder, check_same
from zerosum.forecast import Forecast
from zerosum.look import look_at
from zerosum.play.checkpoint import Checkpoints
from zerosum.play.trainer import means
from zerosum.prevention import Caution
from zerosum.schedule import in_force
from zerosum.seat import Seat
from zerosum.settings import Settings
from zerosum.span import Span
from zerosum.watch import Watch

SPANS = ("pictures", "checkpoints", "quality", "checkups")
DRAW_SECONDS = 30.0  # a film takes about a second to write: not at every checkpoint of a short run
Row = dict[str, float]
Show = Callable[[Row, Row], None]
"""Told of every row of readings (empty: none is whole yet), and of the progress in every unit."""


class Session(Seat):
    """A run at the table. Built, it has found what can be wrong with the settings; it plays once it has a folder."""

    folder: Folder
    checkpoints: Checkpoints
    film: pictures.Film
    cautions: Sequence[Caution] = ()
    expected: Forecast | None = None

    def __init__(self, settings: Settings, dataset: Dataset, held_out: Dataset | None = None):
        super().__init__(dataset)
        self.held_out, self.stopped = held_out, False
        self.fingerprint = model.fingerprint(dataset)
        self.sit_down(settings)

    def sit_down(self, written: Settings, rounds: int = 0) -> None:
        super().sit_down(written, rounds)
        dataset, play = self.dataset, self.settings.play
        self.length = Span.parse(play.length)
        self.spans = {name: Span.parse(getattr(play, name)) for name in SPANS}
        self.every = int(Span.parse(play.readings).amount)
        self.seconds, self.drawn, self.unwritten = 0.0, perf_counter(), list[Row]()
        self.done = dict.fromkeys(self.spans, 0)
        self.view = look_at(self.trainer, dataset, play.tiles, play.seed + 1)  # not the draws the weights came from
        self.watch = Watch(lambda: self.trainer.average.game, dataset, self.held_out, play.quality_cost)
        self.enough: str | None = None
        self.doctor = Doctor(self.trainer, dataset, self.held_out, play.checkup_cost, play.batch)

    def enter(self, folder: Folder) -> None:
        """From now on, this is the folder to write."""
        self.folder = folder
        self.checkpoints = Checkpoints(folder.checkpoints, self.settings.play.keep)
        self.film = pictures.Film(folder.path)

    def progress(self) -> Row:
        """How far the run is, in every unit that a length may be given in."""
        return self.length.progress(self.trainer.rounds, self.deck.images, self.deck.epochs, self.seconds)

    @property
    def waited(self) -> float:
        """The share of the time in which pictures had to come from disk first."""
        return self.deck.stalled / max(self.seconds, 1e-9)

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
            if self.doctor.wanted(0.0):
                self.examine(show)
        patience = 1 if self.game.device.type == "cpu" else self.every  # a GPU is not waited for every round
        changes = self.settings.play.changes
        while not self.over():
            self.look_and_save(show)
            if self.enough:
                break
            clock = perf_counter()  # pictures are not training
            self.round()
            while self.trainer.rounds % patience and not (
                self.over() or self.doctor.waits or self.trainer.rounds in changes
            ):
                self.round()
            rows = self.trainer.collect()
            self.seconds += perf_counter() - clock
            self.record(rows, show)
            self.doctor.hear([row for _, row in rows])
            if self.doctor.waits:
                self.examine(show)
            show({}, self.progress())
        ended = "finished" if self.enough or self.length.share(self.progress()) >= 1 else "stopped"
        if ended == "finished" and self.unwritten:
            self.add_row(self.trainer.rounds, show)  # `unwritten` stays: a run that is extended writes a whole interval
        if self.watch.affordable(self.seconds):
            self.measure(show)
        if self.doctor.wanted(self.seconds):
            self.examine(show)
        self.save()
        self.look()
        self.close(ended)
        return ended

    def round(self) -> None:
        """One round, at a share of the learning rates: 1; over the cooldown, down to 0 with the length that is left."""
        share = 1.0
        if cooldown := self.settings.play.cooldown:
            left = max(0.0, 1 - self.length.share(self.progress()))
            share = min(1.0, left / cooldown)
        self.turns(share)

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
        line |= {"seconds": round(self.seconds, 3)} | means(self.unwritten)
        self.folder.add_row(line)
        show(line, self.progress())

    def look_and_save(self, show: Show) -> None:
        """Picture the fixed noise, measure, save a checkpoint: whichever is due."""
        before, self.done = self.done, self.due()
        if self.done["pictures"] > before["pictures"]:
            self.look()
        if self.done["quality"] > before["quality"] and self.watch.affordable(self.seconds):
            self.measure(show)
        if self.done["checkups"] > before["checkups"]:
            self.doctor.prepare(self.seconds)
        rounds = self.trainer.rounds
        if rounds in self.settings.play.changes and in_force(self.written, rounds) != self.settings:
            self.save()
            self.load()  # which sits down by the settings from now on
        elif self.done["checkpoints"] > before["checkpoints"]:
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
        self.trainer.check()
        state = self.identity(self.trainer.rounds) | {"seconds": self.seconds, "unwritten": self.unwritten}
        self.checkpoints.save(self.trainer.rounds, state | self.state())
        self.save_model(self.folder.model)

    def save_model(self, path: Path, **more: Any) -> None:
        about = {"version": __version__, "data": model.describe(self.dataset.spec), "trained_on": self.dataset.name}
        header = self.identity(self.trainer.rounds) | about | {"seed": self.settings.play.seed} | self.reached() | more
        model.save(path, self.game, self.trainer.average.game, header)

    def measure(self, show: Show) -> None:
        """Quality now, from few samples; the model is kept if it is the best so far; is it time to stop?"""
        mark = self.watch.look(self.trainer.rounds)
        if mark is None:
            return
        self.folder.add_mark(mark.as_row())
        if self.watch.best is mark or not self.folder.best.exists():
            self.save_model(self.folder.best, quality=mark.as_row())
        show({"quality.KID": mark.kid, "quality.coverage": mark.coverage}, self.progress())
        if self.settings.play.stop == "auto":
            self.enough = self.watch.reason()

    def examine(self, show: Show) -> None:
        """A checkup, and what the doctor makes of it."""
        row, news = self.doctor.look(self.length.share(self.progress()))
        self.folder.add_checkup(row)
        for finding in news:
            self.folder.add_finding(finding.as_row())
        show({}, self.progress())

    def load(self) -> list[str]:
        """Go on from the newest checkpoint that can be read; says which could not. Raises RunError, DamagedFile."""
        state, troubles = self.checkpoints.load_latest()
        rounds: int = state["trainer"]["rounds"]
        check_same(state, self.identity(rounds), self.folder)
        self.sit_down(self.written, rounds)
        self.take(state)
        self.seconds, self.unwritten = state["seconds"], state["unwritten"]
        self.done = self.due()
        self.watch.recall([row for row in self.folder.marks() if row["round"] <= self.trainer.rounds])
        self.doctor.recall([row for row in self.folder.checked() if row["round"] <= self.trainer.rounds])
        return troubles

    def identity(self, rounds: int = 0) -> dict[str, Any]:
        """What a checkpoint after so many rounds, which those settings led to, shares with a run that goes on."""
        game = in_force(self.written, rounds - 1).game.model_dump(mode="json")
        return {"recipe": self.settings.recipe, "game": game, "data": self.fingerprint}

    def reached(self) -> Row:
        found = {"rounds": self.trainer.rounds, "images": self.deck.images, "seconds": round(self.seconds, 1)}
        return found | {"pieces": self.trainer.pieces, "stalled_seconds": round(self.deck.stalled, 1)}

    def draw(self) -> None:
        """Curves and film so far: what a kill cannot take away."""
        pictures.curves(self.folder.rows(), self.folder.curves)
        self.film.write(self.folder.film)
        self.drawn = perf_counter()

    def close(self, ended: str) -> None:
        """Leave the folder whole, however the run ended: curves, film, how far it came, and what the doctor says."""
        self.draw()
        told = self.watch.summary(self.enough) | self.doctor.summary()
        self.folder.note(ended=ended, **self.reached(), **told)
