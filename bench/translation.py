"""Pictures out of pictures: pix2pix and cyclegan against hidden or given truth.

    python bench/translation.py cityscape --seeds 0 1       the table of losses of pix2pix (Isola et al. 2017, table 1)
    python bench/translation.py striped --seeds 0           cyclegan on digits in two styles with a hidden pairing
    python bench/translation.py emoji                       cyclegan on two designs of emoji; the truth is in test
    python bench/translation.py camvid                      pix2pix from class maps to street photos

Every run has its number of rounds, so that other work on the machine changes the seconds and nothing else; seconds are
of the process, on one thread. What is translated is the test split, by the average of G. --sheet writes a picture.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck, TwoDecks
from zerosum.data.spec import Domains
from zerosum.game import Translator
from zerosum.metrics.features import in_blocks, train_classifier
from zerosum.metrics.pairs import Agreement, agreement, mean_difference, train_segmenter
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES

from judge import RESULTS, as_bytes, keep

CLASSES = 6  # of a cityscape
VARIANTS = ("gan", "l1", "cgan", "l1_gan", "default")
DISK = Path(os.environ.get("ZEROSUM_DATA", "data"))


def train(recipe: str, preset: str, data: Dataset, rounds: int, seed: int, **changes: Any) -> tuple[Translator, dict]:
    """The average of a game after so many rounds, rates falling over the last half; and what it took."""
    torch.manual_seed(seed)
    row = RECIPES[recipe]
    settings = {**row.presets[preset], **changes}
    config = row.config(**{k: v for k, v in settings.items() if k in row.config.model_fields})
    game = row.game(config, data.spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert data.partners is not None
    deck: Any = (
        TwoDecks(data.examples, data.partners, seed=seed)
        if isinstance(data.spec, Domains)
        else Deck(data.examples, data.partners, seed=seed)
    )
    trainer = Trainer(game, lambda: deck.deal(settings["batch"]))
    start = time.process_time()
    for played in range(rounds):
        for mover in trainer.movers:
            mover.pace(min(1.0, 2 * (1 - played / rounds)))
        trainer.round()
        if played % 50 == 49:
            trainer.collect()  # stops at the first value that is no number
    seconds = time.process_time() - start
    took = {"preset": preset, "seed": seed, "rounds": rounds, "batch": settings["batch"], "seconds": round(seconds)}
    average = trainer.average.game
    assert isinstance(average, Translator)
    return average, took


@torch.no_grad()
def translate(game: Translator, pictures: Tensor, direction: str = "AtoB") -> Tensor:
    """uint8 in, uint8 out."""
    torch.manual_seed(0)  # dropout is noise
    parts = [game.translate(part.float() / 127.5 - 1, direction) for part in pictures.split(100)]
    return as_bytes(torch.cat(parts))


def sheet(path: Path | None, rows: list[Tensor], count: int = 12, zoom: int = 2) -> None:
    """The first pictures of each row, row by row, on a white ground."""
    if path is None:
        return
    side = [torch.nn.functional.pad(row[:count].expand(-1, 3, -1, -1), (1, 1, 1, 1), value=255) for row in rows]
    whole = torch.cat([torch.cat(list(row), 2) for row in side], 1).permute(1, 2, 0).numpy()
    Image.fromarray(whole).resize((whole.shape[1] * zoom, whole.shape[0] * zoom), Image.Resampling.NEAREST).save(path)


def shares(found: Agreement, ceiling: Agreement) -> dict[str, float]:
    return {
        f"{name}_share": round(getattr(found, name) / getattr(ceiling, name), 4)
        for name in ("pixel", "by_class", "iou")
    }


def cityscape(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    data = sources.load("cityscape", pairing="pairs", limit=5000)
    test = sources.load("cityscape", pairing="pairs", split="test", limit=500)
    segmenter = train_segmenter(data.partners, data.factors["classes"], CLASSES, epochs=2)
    truth = test.factors["classes"]
    ceiling = agreement(in_blocks(segmenter, test.partners, 100).argmax(1), truth, CLASSES)
    about = {"test": len(test), "train": len(data), "ground_truth": vars(ceiling)}
    print(about, flush=True)
    pictures = {}
    for seed in args.seeds:
        for preset in args.presets or VARIANTS:
            game, took = train("pix2pix", preset, data, args.rounds or 1200, seed)
            pictures[preset] = made = translate(game, test.examples)
            found = agreement(in_blocks(segmenter, made, 100).argmax(1), truth, CLASSES)
            took |= shares(found, ceiling) | {"difference": round(mean_difference(made, test.partners), 2)}
            rows.append(took)
            print(took, flush=True)
            keep(args.name, about | {"rows": rows})
        sheet(args.sheet, [test.examples, *pictures.values(), test.partners])


def digits(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    data = sources.load(args.task, pairing="domains")
    test = sources.load(args.task, pairing="domains", split="test", limit=1000)
    shown = torch.empty_like(data.factors["digit"])
    shown[data.factors["partner"]] = data.factors["digit"]  # of B
    reader = train_classifier(data.partners, shown, 10, epochs=3)
    truth, digit = test.partners[test.factors["partner"]], test.factors["digit"]

    def read(pictures: Tensor) -> float:
        return round(float((in_blocks(reader, pictures).argmax(1) == digit).float().mean()), 4)

    about = {
        "test": len(test),
        "train": [len(data.examples), len(data.partners)],
        "truth": {"digit": read(truth)},
        "untranslated": {"digit": read(test.examples), "difference": round(mean_difference(test.examples, truth), 2)},
    }
    print(about, flush=True)
    for seed in args.seeds:
        game, took = train("cyclegan", "default", data, args.rounds or 1500, seed)
        made, back = translate(game, test.examples), translate(game, truth, "BtoA")
        cycle = translate(game, made, "BtoA")
        took |= {"digit": read(made), "difference": round(mean_difference(made, truth), 2)}
        took |= {"difference_BtoA": round(mean_difference(back, test.examples), 2)}
        took |= {"difference_cycle": round(mean_difference(cycle, test.examples), 2)}
        rows.append(took)
        print(took, flush=True)
        keep(args.name, about | {"rows": rows})
        sheet(args.sheet, [test.examples, made, truth, back, cycle])


def emoji(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    path = str(DISK / "emoji-styles" / "emoji-styles64.zip")
    data = sources.load(path, pairing="domains", size=args.size or 32)
    test = sources.load(path, pairing="domains", split="test", size=args.size or 32)
    about = {"size": args.size or 32, "untranslated": round(mean_difference(test.examples, test.partners), 2)}
    print(about, flush=True)
    for seed in args.seeds:
        game, took = train("cyclegan", "default", data, args.rounds or 1500, seed, **args.change)
        made, back = translate(game, test.examples), translate(game, test.partners, "BtoA")
        took |= {"difference": round(mean_difference(made, test.partners), 2)}
        took |= {"difference_BtoA": round(mean_difference(back, test.examples), 2), "change": args.change}
        rows.append(took)
        print(took, flush=True)
        keep(args.name, about | {"rows": rows})
        sheet(args.sheet, [test.examples, made, test.partners, back], zoom=1 if args.size == 64 else 2)


def camvid(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    path = str(DISK / "camvid-pairs")
    data = sources.load(path, pairing="pairs", direction="BtoA", size=64)
    test = sources.load(path, pairing="pairs", direction="BtoA", size=64, split="test")
    about = {"size": 64, "train": len(data), "test": len(test)}
    print(about, flush=True)
    for seed in args.seeds:
        game, took = train("pix2pix", "default", data, args.rounds or 800, seed, **args.change)
        made = translate(game, test.examples)
        took |= {"difference": round(mean_difference(made, test.partners), 2), "change": args.change}
        rows.append(took)
        print(took, flush=True)
        keep(args.name, about | {"rows": rows})
        sheet(args.sheet, [part[::30] for part in (test.examples, made, test.partners)], 8)


TASKS = {
    "cityscape": cityscape,
    "striped": digits,
    "coloured": digits,
    "bold": digits,
    "emoji": emoji,
    "camvid": camvid,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--presets", nargs="+", help="of pix2pix on cityscape")
    parser.add_argument("--size", type=int, help="of emoji")
    parser.add_argument("--change", type=json.loads, default={}, help='settings beside the preset: {"width": 24}')
    parser.add_argument("--sheet", type=Path, help="write a picture of the first translations")
    parser.add_argument("--name", help="of the kept result")
    args = parser.parse_args()
    args.name = args.name or f"translation_{args.task}"
    torch.set_num_threads(1)
    keep_memory()
    kept = RESULTS / f"{args.name}.json"
    rows = json.loads(kept.read_text())["rows"] if kept.is_file() else []  # more seeds join those that are kept
    TASKS[args.task](args, rows)


if __name__ == "__main__":
    main()
