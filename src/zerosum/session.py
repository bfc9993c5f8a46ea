"""A run at the table: recipe, data and trainer joined; it plays, looks, saves, and writes the run folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from zerosum import __version__, model, pictures
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.folder import Folder, RunError
from zerosum.game import Game
from zerosum.play import checkpoint, dynamics, precision
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.settings import Settings, SettingsError, Span, recipe_of

DYNAMICS = {
    "alternating": dynamics.alternating,
    "simultaneous": dynamics.simultaneous,
    "extragradient": dynamics.extragradient,
}
PRECISIONS = {"float32": precision.full, "bfloat16": precision.bfloat16}
Show = Callable[[dict[str, float], dict[str, float]], None]
"""Told of every row of readings, and of the progress in every unit."""


class Session:
    """A run at the table: begins or goes on, plays, writes its folder.

    `show` is told of every row of readings, for a progress display.
    """

    def __init__(self, settings: Settings, folder: Folder, dataset: Dataset):
        self.settings, self.folder, self.dataset = settings, folder, dataset
        play = settings.play
        torch.manual_seed(play.seed)
        device = precision.choose_device(play.device)
        if device.type == "cpu":
            precision.keep_memory()
        game = _game(settings, dataset)
        game.to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        labels = dataset.labels if game.classes else None
        self.deck = Deck(dataset.examples, labels, seed=play.seed, device=str(device))
        self.trainer = Trainer(
            game,
            lambda: self.deck.deal(play.batch),
            dynamics=DYNAMICS[play.dynamics],
            average=play.average,
            precision=PRECISIONS[play.precision],
        )
        self.length = Span.parse(play.length)
        self.spans = {name: Span.parse(getattr(play, name)) for name in ("pictures", "checkpoints")}
        self.every = int(Span.parse(play.readings).amount)
        self.checkpoints = checkpoint.Checkpoints(folder.path / "checkpoints", play.keep)
        self.film = pictures.Film(folder.path)
        self.seconds = 0.0
        self.unwritten: list[dict[str, float]] = []
        self.done = dict.fromkeys(self.spans, 0)
        self.stopped = False
        chance = torch.Generator().manual_seed(play.seed)
        tiles = play.tiles
        self.columns: int | None = None
        if 1 < game.classes <= 20:  # a column a class
            self.columns = game.classes
            tiles = max(1, tiles // game.classes) * game.classes
        tiles = tiles if isinstance(dataset.spec, Images) else 2000
        self.fixed_y = torch.arange(tiles) % game.classes if game.classes else None
        self.fixed_z = game.noise(tiles, chance)

    @property
    def game(self) -> Any:
        return self.trainer.game

    def progress(self) -> dict[str, float]:
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

    def play(self, show: Show) -> str:
        """Play to the end of the length, or until `stopped` is set. Returns how it ended: finished or stopped.

        Raises NonFinite where a reading is not a number; the last good checkpoint is kept.
        """
        if self.trainer.rounds == 0:
            self.look()
        clock = time.perf_counter()
        patience = 1 if self.game.device.type == "cpu" else self.every
        while not (finished := self.length.share(self.progress()) >= 1) and not self.stopped:
            self.trainer.round()
            if self.trainer.rounds % patience == 0:
                rows = self.trainer.collect()
                now = time.perf_counter()
                self.seconds, clock = self.seconds + now - clock, now
                self.record(rows, show)
                self.look_and_save()
                clock = time.perf_counter()  # pictures are not training
        self.record(self.trainer.collect(), show)
        self.finish("finished" if finished else "stopped")
        return "finished" if finished else "stopped"

    def record(self, rows: list[tuple[int, dict[str, float]]], show: Show) -> None:
        """Write a line of means for every whole interval."""
        for round_, row in rows:
            self.unwritten.append(row)
            if round_ % self.every == 0:
                names = dict.fromkeys(name for row in self.unwritten for name in row)
                means = {}
                for name in names:
                    values = [row[name] for row in self.unwritten if name in row]
                    means[name] = sum(values) / len(values)
                self.unwritten = []
                images = self.deck.images * round_ // self.trainer.rounds
                line = {"round": round_, "images": images, "epochs": round(images / len(self.deck), 4)}
                line |= {"seconds": round(self.seconds, 3)} | means
                with self.folder.readings.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                show(line, self.progress())

    def look_and_save(self) -> None:
        """Picture the fixed noise, save a checkpoint: whichever is due."""
        progress = self.progress()
        due = {name: int(span.share(progress)) for name, span in self.spans.items()}
        if due["pictures"] > self.done["pictures"]:
            self.done["pictures"] = due["pictures"]
            self.look()
        if due["checkpoints"] > self.done["checkpoints"]:
            self.done["checkpoints"] = due["checkpoints"]
            self.save()
            self.write_results()

    @torch.no_grad()
    def look(self) -> None:
        """The fixed noise through the averaged generator: a plain grid, a judged one, a frame of the film."""
        average, device, round_ = self.trainer.average.game, self.game.device, self.trainer.rounds
        y = None if self.fixed_y is None else self.fixed_y.to(device)
        samples = average.generate(self.fixed_z.to(device), y)
        self.game.eval()
        name = f"{round_:08d}.png"
        if isinstance(self.dataset.spec, Images):
            images = pictures.to_uint8(samples)
            grid = pictures.grid(images, self.columns)
            pictures.save(grid, self.folder.grids / name)
            realness = self.game.realness(samples, y)
            if realness is not None:
                judged = pictures.scored_grid(images, realness.float().tolist(), self.columns)
                pictures.save(judged, self.folder.judged / name)
        else:

            def judge(points: Any) -> Any:
                return self.game.realness(torch.as_tensor(points, dtype=torch.float32, device=device)).cpu().numpy()

            real = self.dataset.examples[:2000].numpy()
            grid = pictures.points_picture(samples.cpu().numpy(), real, judge)
            pictures.save(grid, self.folder.grids / name)
        self.game.train()
        self.film.add(grid, round_, f"round {round_:,}")

    def save(self) -> Path:
        """A checkpoint of everything that the next round depends on."""
        state = {
            "recipe": self.settings.recipe,
            "game": self.settings.game.model_dump(mode="json"),
            "seconds": self.seconds,
            "unwritten": self.unwritten,
            "done": self.done,
            "deck": self.deck.state_dict(),
            "trainer": self.trainer.state_dict(),
        }
        return self.checkpoints.save(self.trainer.rounds, state)

    def load(self) -> list[str]:
        """Go on from the newest checkpoint that can be read; says which could not. Raises RunError, DamagedFile."""
        state, troubles = self.checkpoints.load_latest()
        if state["recipe"] != self.settings.recipe or state["game"] != self.settings.game.model_dump(mode="json"):
            raise RunError(
                f"the checkpoint is of {state['recipe']} with other settings than {self.folder.config}: "
                "put the config.yaml back that the run was started with"
            )
        self.trainer.load_state_dict(state["trainer"])
        self.deck.load_state_dict(state["deck"])
        self.seconds, self.unwritten, self.done = state["seconds"], state["unwritten"], state["done"]
        self.folder.cut_readings(self.trainer.rounds)
        return troubles

    def finish(self, ended: str) -> None:
        """Leave the folder whole: last pictures, checkpoint, model, curves, film."""
        self.look()
        self.save()
        self.write_results()
        self.folder.note(ended=ended, **self.reached())

    def reached(self) -> dict[str, float]:
        return {"rounds": self.trainer.rounds, "images": self.deck.images, "seconds": round(self.seconds, 1)}

    def write_results(self) -> None:
        header = {
            "version": __version__,
            "recipe": self.settings.recipe,
            "game": self.settings.game.model_dump(mode="json"),
            "data": model.describe(self.dataset.spec),
            "trained_on": self.dataset.name,
            "seed": self.settings.play.seed,
        }
        model.save(self.folder.model, self.game, self.trainer.average.game, header | self.reached())
        pictures.curves(self.folder.rows(), self.folder.curves)
        self.film.write(self.folder.film)


def _game(settings: Settings, dataset: Dataset) -> Game:
    recipe = recipe_of(settings.recipe)
    if not isinstance(dataset.spec, recipe.takes):
        others = [name for name, other in RECIPES.items() if isinstance(dataset.spec, other.takes)]
        raise SettingsError(
            f"{settings.recipe} needs {recipe.needs}, and {dataset.name} is {type(dataset.spec).__name__.lower()}: "
            f"try --data glyphs, or a recipe that takes them ({', '.join(others)})"
        )
    return recipe.game(settings.game, dataset.spec)
