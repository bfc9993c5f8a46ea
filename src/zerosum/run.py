"""A run: recipe, data and trainer, joined into a folder that every face reads.

    config.yaml       the whole settings; `train --config` accepts them again
    about.json        what was found, on which machine, with which versions; how far it came and how it ended
    readings.jsonl    one line per interval: round, images, epochs, seconds, and the mean of every reading
    grids/ judged/    fixed noise at each look; the same with the discriminator's score on each tile
    film.webp         the grids, moving          curves.png    losses and scores
    checkpoints/      everything to go on from   model.safetensors   everything to sample with
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from zerosum import __version__, model, pictures
from zerosum.data import sources
from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.play import checkpoint, dynamics, precision
from zerosum.play.trainer import NonFinite, Trainer
from zerosum.settings import Settings, Span, load, recipe_of, resolve

DYNAMICS = {
    "alternating": dynamics.alternating,
    "simultaneous": dynamics.simultaneous,
    "extragradient": dynamics.extragradient,
}
PRECISIONS = {"float32": precision.full, "bfloat16": precision.bfloat16}


class RunError(RuntimeError):
    """A run cannot begin or go on: what is in the way, and what to do."""


class Folder:
    """A run folder: where things are, and what is written there."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config, self.about = self.path / "config.yaml", self.path / "about.json"
        self.readings, self.curves = self.path / "readings.jsonl", self.path / "curves.png"
        self.grids, self.judged, self.film = self.path / "grids", self.path / "judged", self.path / "film.webp"
        self.model = self.path / "model.safetensors"

    @classmethod
    def create(cls, path: Path | None, name: str) -> Folder:
        """A new folder, `path` or runs/NNNN-name; one that holds anything is never written to."""
        if path is None:
            runs = Path("runs")
            runs.mkdir(exist_ok=True)
            taken = [int(p.name[:4]) for p in runs.iterdir() if p.name[:4].isdigit()]
            path = runs / f"{max(taken, default=0) + 1:04d}-{name}"
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path} is there already and not empty: name another folder, or zerosum resume {path}")
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> Folder:
        folder = cls(path)
        if not folder.config.is_file():
            raise RunError(f"{path} is not a run folder: expected a config.yaml in it (runs are made by zerosum train)")
        return folder

    def settings(self) -> Settings:
        return resolve(base=load(self.config))

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.about.read_text()) if self.about.is_file() else {}
        return facts

    def note(self, **facts: Any) -> None:
        """Add facts to about.json."""
        text = json.dumps(self.facts() | facts, indent=2, ensure_ascii=False)
        checkpoint.atomically(self.about, lambda part: part.write_text(text))

    def rows(self) -> list[dict[str, float]]:
        """The readings; a last line that a kill cut short is left out."""
        rows = []
        if self.readings.is_file():
            for line in self.readings.read_text().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    rows.append(json.loads(line))
        return rows

    def cut_readings(self, after: int) -> None:
        """Drop the lines of rounds after `after`: a resumed run plays them again."""
        lines = [json.dumps(row) + "\n" for row in self.rows() if row["round"] <= after]
        checkpoint.atomically(self.readings, lambda part: part.write_text("".join(lines)))


class Session:
    """A run at the table: begins or goes on, plays, writes its folder.

    `show` is told of every row of readings, for a progress display.
    """

    def __init__(self, settings: Settings, folder: Folder, dataset: sources.Dataset):
        self.settings, self.folder, self.dataset = settings, folder, dataset
        play = settings.play
        torch.manual_seed(play.seed)
        device = precision.choose_device(play.device)
        recipe = recipe_of(settings.recipe)
        game = recipe(settings.game, dataset.spec).to(device, memory_format=torch.channels_last)
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
        self.done = {name: 0 for name in self.spans}
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

    def play(self, show: Callable[[dict[str, float], dict[str, float]], None]) -> str:
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

    def record(self, rows: list[tuple[int, dict[str, float]]], show: Callable[..., None]) -> None:
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


def begin(settings: Settings, out: Path | None = None) -> Session:
    """Load the data, build the game, make the folder; nothing is played yet. Raises DataError, SettingsError, RunError."""
    data = settings.data
    dataset = sources.load(
        data.source, size=data.size, channels=data.channels, labels=data.labels, limit=data.limit, seed=settings.play.seed
    )
    folder = Folder.create(out, f"{dataset.name}-{settings.recipe}")
    try:
        session = Session(settings, folder, dataset)
    except Exception:
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        raise
    _check_disk(session)
    checkpoint.atomically(folder.config, lambda part: part.write_text(settings.to_yaml()))
    folder.note(
        data={"name": dataset.name, "examples": len(dataset), "notes": list(dataset.notes)} | model.describe(dataset.spec),
        parameters={name: sum(p.numel() for p in net.parameters()) for name, net in session.game.named_children()},
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        zerosum=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        device=str(session.game.device),
        machine=f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        ended="running",
    )
    return session


def go_on(folder: Folder, length: str | None = None) -> tuple[Session, list[str]]:
    """The session of an unfinished run, or of a finished one that is given a greater length; what was wrong on the way.

    Raises RunError for a run that has reached its length, DamagedFile where no checkpoint can be read.
    """
    settings = folder.settings()
    if length is not None:
        changed = settings.model_dump(mode="json", exclude={"recipe"})
        settings = resolve(settings.recipe, overrides={"length": length}, base=changed)
    data = settings.data
    dataset = sources.load(
        data.source, size=data.size, channels=data.channels, labels=data.labels, limit=data.limit, seed=settings.play.seed
    )
    session = Session(settings, folder, dataset)
    troubles = session.load()
    if session.length.share(session.progress()) >= 1:
        raise RunError(
            f"{folder.path} has reached its length ({settings.play.length}): "
            f"to play on, give a greater one, such as --rounds {2 * session.trainer.rounds}"
        )
    if length is not None:
        checkpoint.atomically(folder.config, lambda part: part.write_text(settings.to_yaml()))
    folder.note(ended="running")
    return session, troubles


def conduct(session: Session, show: Callable[[dict[str, float], dict[str, float]], None]) -> str:
    """Play a session to its end. Ctrl-C, or a SIGTERM, ends it after the round, saved; a second one at once.

    Raises NonFinite where the game breaks: what was good before is kept, and about.json says what happened.
    """
    with _stopped_by(signal.SIGINT, session), _stopped_by(signal.SIGTERM, session):
        try:
            return session.play(show)
        except NonFinite as error:
            session.folder.note(ended=f"failed: {error}")
            pictures.curves(session.folder.rows(), session.folder.curves)
            session.film.write(session.folder.film)
            raise


@contextlib.contextmanager
def _stopped_by(number: signal.Signals, session: Session) -> Iterator[None]:
    def stop(*_: Any) -> None:
        session.stopped = True
        signal.signal(number, before)

    try:
        before = signal.signal(number, stop)
    except ValueError:  # not the main thread: whoever runs it handles its signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)


def _check_disk(session: Session) -> None:
    """Room for the checkpoints kept, one more being written, the model, and pictures."""
    weights = sum(p.numel() * p.element_size() for p in session.game.parameters())
    needed = 4 * weights * (session.settings.play.keep + 1) + 100 * 2**20
    free = shutil.disk_usage(session.folder.path).free
    if free < needed:
        session.folder.path.rmdir()
        raise RunError(
            f"{session.folder.path} has {free // 2**20:,} MiB of disk left, and this run needs about "
            f"{needed // 2**20:,} MiB: free some, name a folder elsewhere (--out), or --set keep=1"
        )
