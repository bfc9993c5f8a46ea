"""Training from disk against training from memory: images a second, and the share of the time that waits for data.

    python bench/streaming.py --threads 1

A zip of drawn digits is decoded into the cache of a temporary folder, and the default recipe plays the same batches

memory   held as the usual deck holds them
cached   streamed from the file, which the system has in its page cache
disk     streamed, the file's pages dropped from the page cache before every stretch: as of a set larger than memory

in turns, a stretch of rounds each. Ratios are of neighbouring stretches; figures are medians. `dealt alone` is what the
deck gives where nothing is played: how much faster a game could become before it had to wait. Other work on the machine
slows the clock's figures, and not those by CPU, which leave out the waiting.
"""

from __future__ import annotations

import argparse
import mmap
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.data.on_disk import OnDisk
from zerosum.game import Game
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.settings import resolve

from judge import keep

ARMS = ("memory", "cached", "disk")
ALONE = 50  # batches dealt without play
Row = dict[str, float]


def write_zip(path: Path, count: int, size: int) -> None:
    """So many drawn digits as PNG files in colour."""
    pictures = sources.load("glyphs", limit=count, size=size, channels=3).examples.permute(0, 2, 3, 1).numpy()
    with zipfile.ZipFile(path, "w") as archive:
        for i, picture in enumerate(pictures):
            file = BytesIO()
            Image.fromarray(picture).save(file, "png", compress_level=1)
            archive.writestr(f"{i:06d}.png", file.getvalue())


def drop(dataset: Dataset) -> None:
    """Take the file out of the page cache, so that it is read from the disk again."""
    assert isinstance(dataset.examples, OnDisk)
    mapped: Any = dataset.examples.mapped
    mapped.base.madvise(mmap.MADV_DONTNEED)  # a page that is mapped is not dropped
    file = os.open(mapped.filename, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def player(dataset: Dataset) -> tuple[Deck, Callable[[int], None], int]:
    """A deck, the default recipe played from it, and the batch."""
    torch.manual_seed(0)
    settings = resolve()
    game: Game = RECIPES[settings.recipe].game(settings.game, dataset.spec)
    game.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    deck = Deck(dataset.examples, None, seed=0)
    trainer = Trainer(game, lambda: deck.deal(settings.play.batch), average=settings.play.average)

    def play(rounds: int) -> None:
        for _ in range(rounds):
            trainer.round()
            trainer.collect()

    return deck, play, settings.play.batch


def stretch(deck: Deck, play: Callable[[int], object], rounds: int) -> Row:
    """Images a second, by the clock and by this process's own, and the share of the clock's that waited for data."""
    images, stalled, start, own = deck.images, deck.stalled, time.perf_counter(), time.process_time()
    play(rounds)
    seconds, own = time.perf_counter() - start, time.process_time() - own
    dealt = deck.images - images
    return {"a_second": dealt / seconds, "a_cpu_second": dealt / own, "stall": (deck.stalled - stalled) / seconds}


def measure(sets: dict[str, Dataset], rounds: int, repeats: int) -> dict[str, dict[str, float]]:
    """Every arm's figures, played and dealt alone."""
    players = {arm: player(sets[arm]) for arm in ARMS}
    found: dict[str, list[Row]] = {arm: [] for arm in ARMS}
    alone: dict[str, list[Row]] = {arm: [] for arm in ARMS}
    for repeat in range(repeats + 1):
        for arm in (*ARMS[repeat % 3 :], *ARMS[: repeat % 3]):
            deck, play, batch = players[arm]
            dealing = partial(deal, deck, batch)
            for rows, part, count in ((found, play, rounds), (alone, dealing, ALONE)):
                if arm == "disk":
                    drop(sets[arm])
                rows[arm].append(stretch(deck, part, count))
    return {arm: figures(found[arm][1:], found["memory"][1:], alone[arm][1:]) for arm in ARMS}  # the first warms up


def deal(deck: Deck, batch: int, hands: int) -> None:
    for _ in range(hands):
        deck.deal(batch)


def figures(rows: list[Row], base: list[Row], alone: list[Row]) -> dict[str, float]:
    """Medians of an arm, and of its ratio to the stretches beside it."""

    def ratio(name: str) -> float:
        return round(statistics.median(row[name] / other[name] for row, other in zip(rows, base, strict=True)), 3)

    return {
        "images_per_second": round(statistics.median(row["a_second"] for row in rows), 1),
        "to_memory": ratio("a_second"),
        "to_memory_by_cpu": ratio("a_cpu_second"),
        "stall_share": round(statistics.median(row["stall"] for row in rows), 5),
        "most_stall_share": round(max(row["stall"] for row in rows), 5),
        "dealt_alone_images_per_second": round(statistics.median(row["a_second"] for row in alone)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--name", default="streaming")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_memory()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # decoded pictures go with the folder
        source = Path(folder) / "digits.zip"
        write_zip(source, args.count, args.size)
        start = time.perf_counter()
        disk = sources.load(str(source), cache="disk")
        decoding = time.perf_counter() - start
        start = time.perf_counter()
        disk = sources.load(str(source), cache="disk")
        opening = time.perf_counter() - start
        memory = sources.load(str(source), cache="memory")
        found = measure({"memory": memory, "cached": disk, "disk": disk}, args.rounds, args.repeats)
    about = {"recipe": resolve().recipe, "batch": resolve().play.batch, "pictures": args.count, "size": args.size}
    about |= {
        "megabytes": round(disk.examples.nbytes / 1e6, 1),
        "rounds_a_stretch": args.rounds,
        "repeats": args.repeats,
    }
    about |= {"decoded_per_second": round(args.count / decoding), "seconds_to_open": round(opening, 2), "seed": 0}
    for arm, row in found.items():
        print(f"{arm:8}", *(f"{name} {value:g}" for name, value in row.items()))
    print(keep(args.name, about | {"arms": found}))


if __name__ == "__main__":
    main()
