"""Does a growing GAN jump where it grows? progan, every round watched on the same 64 z.

    python bench/growth.py --seeds 0 1 2
    python bench/growth.py --data ../shared/data/emoji/emoji64.npz --size 64 --stage-kimg 4 --fade-kimg 4 --kimg 40

change       mean |difference| of the pictures of the same z, enlarged to full size, from one round to the next
ordinary     the changes of the 100 rounds before a fade begins or ends: median and largest
growing      the larger change of the two rounds around it: the level moves; then the new layers, for the first time
level alone  the part of it that comes of the level, with the same weights: a fade's first and last step
switch       what the change would be without a fade: the next stage at once, with the weights of that moment
loss         how far D's and G's adversarial terms are from their mean over those 100 rounds, in deviations: the larger
             of the two rounds, and the largest of the 100
exceeding    how often all other rounds leave the range of the 100 before them, by the same measures
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import fmean as mean
from statistics import median, stdev
from typing import Any

import torch
from torch import Tensor

from zerosum import pictures
from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.metrics.features import in_blocks, train_classifier
from zerosum.metrics.frechet import frechet_distance
from zerosum.networks.progressive import enlarge, shrink
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes.progan import Config, ProGAN
from zerosum.settings import resolve
from zerosum.span import Span

from judge import COUNT, RESULTS, Judge, as_bytes, keep

BEFORE = 100
TERMS = ("D.adversarial", "G.adversarial")


class SizedJudge(Judge):
    """The judge, of pictures brought to another size than their own."""

    def __init__(self, data: str, size: int):
        self.train, test = (sources.load(data, size=size, split=split) for split in ("train", "test"))
        classes = len(self.train.spec.classes)
        self.net = train_classifier(self.train.examples, self.train.labels, classes, epochs=3)
        self.accuracy = float((in_blocks(self.net, test.examples).argmax(1) == test.labels).float().mean())
        chance = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(self.train), generator=chance)[:COUNT]
        held_out = torch.randperm(len(test), generator=chance)[:COUNT]
        self.reference = in_blocks(self.net.features, self.train.examples[chosen])
        self.real = test.examples[held_out]
        self.held_out = frechet_distance(in_blocks(self.net.features, self.real), self.reference)

    def best(self, side: tuple[int, int], ladder: list[tuple[int, int]]) -> float:
        """The ratio of real pictures at this side, enlarged again: what a perfect generator of that stage would get."""
        pictures = as_bytes(enlarge(shrink(self.real / 127.5 - 1, side), ladder))
        return frechet_distance(in_blocks(self.net.features, pictures), self.reference) / self.held_out


class Watch:
    """The pictures of 64 z, the level and the losses of every round."""

    def __init__(self, trainer: Trainer):
        self.game = trainer.game
        self.z = self.game.noise(64, torch.Generator().manual_seed(1))
        self.now = self.pictures()
        self.levels, self.changes = [self.game.G.level], [0.0]
        self.alone: dict[int, float] = {}
        self.switch: dict[int, float] = {}

    @torch.no_grad()
    def pictures(self) -> Tensor:
        return self.game.generate(self.z)

    def round(self) -> None:
        """After a round."""
        before, self.now = self.now, self.pictures()
        G, level, old = self.game.G, self.game.G.level, self.levels[-1]
        self.changes.append(float((self.now - before).abs().mean()))
        self.levels.append(level)
        if (begins := level > old == int(old)) or level == int(level) > old:
            self.alone[len(self.changes) - 1] = self.distance(old)
        if begins:
            self.switch[len(self.changes) - 1] = self.distance(old + 1)
        G.level = level

    def distance(self, level: float) -> float:
        """Of the pictures as they are from those at another level, with the same weights."""
        self.game.G.level = level
        return float((self.pictures() - self.now).abs().mean())

    def grown(self, rows: list[dict[str, float]]) -> list[dict[str, Any]]:
        """A row for each begin and end of a fade; `rows` are the readings of every round."""
        found = []
        for i, alone in self.alone.items():
            if not BEFORE < i < len(rows):
                continue
            ordinary = self.changes[i - BEFORE : i]
            row: dict[str, Any] = {"fade": "begins" if i in self.switch else "ends", "round": i}
            row |= {"level": round(self.levels[i], 4), "ordinary": [round(f(ordinary), 5) for f in (median, max)]}
            row |= {"growing": round(max(self.changes[i : i + 2]), 5), "level alone": round(alone, 5)}
            if i in self.switch:
                row["switch"] = round(self.switch[i], 5)
            for term in TERMS:
                row[f"loss {term}"] = [round(figure, 2) for figure in off([r[term] for r in rows], i)]
            found.append(row)
        return found

    def exceeding(self, rows: list[dict[str, float]]) -> dict[str, float]:
        """The share of all other rounds that leave the range of the 100 before them, by the same measures."""
        others = [i for i in range(BEFORE + 1, len(rows)) if all(abs(i - j) > 1 for j in self.alone)]
        changes = [max(self.changes[i : i + 2]) > max(self.changes[i - BEFORE : i]) for i in others]
        shares = {"change": round(mean(changes), 3)}
        for term in TERMS:
            values = [r[term] for r in rows]
            shares[f"loss {term}"] = round(mean(now > ever for now, ever in (off(values, i) for i in others)), 3)
        return shares


def off(values: list[float], i: int) -> tuple[float, float]:
    """How far rounds i and i + 1 are from the mean of the 100 before, in deviations; and the farthest of those.

    Values begin with that of round 1: the value of round i + 1, the first that is played at a new level, is values[i].
    """
    before = values[i - BEFORE : i]
    far = [abs(value - mean(before)) / stdev(before) for value in values[i - BEFORE : i + 2]]
    return max(far[-2:]), max(far[:-2])


def run(dataset: Dataset, judge: Judge | None, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train to the end; figures at the end of every stage and of the whole."""
    torch.manual_seed(seed)
    default = resolve("progan", None)
    play, batch = default.play, args.batch or default.play.batch
    kimg = args.kimg or Span.parse(play.length).amount
    given = {name: value for name in Config.model_fields if (value := getattr(args, name)) is not None}
    config = default.game.model_copy(update=given)
    game = ProGAN(config, dataset.spec).to(memory_format=torch.channels_last)
    deck = Deck(dataset.examples, None, seed=seed)
    trainer = Trainer(game, lambda: deck.deal(batch), average=play.average)
    watch, rows, stages, strip = Watch(trainer), [], [], []
    seconds, cooldown = 0.0, play.cooldown if args.cooldown is None else args.cooldown

    def mark() -> None:
        average = trainer.average.game
        stage = {"level": average.G.level, "kimg": round(deck.images / 1000, 1), "minutes": round(seconds / 60, 2)}
        figures = judge(average) if judge else {}
        if judge:
            figures["best_ratio"] = round(judge.best(average.G.side, average.G.ladder), 3)
        stages.append(stage | figures)
        print(seed, stages[-1], flush=True)
        with torch.no_grad():
            strip.append(average.generate(watch.z[:12]))

    while deck.images < 1000 * kimg:
        start, level = time.process_time(), game.G.level
        if cooldown:
            trainer.pace(min(1.0, (1 - deck.images / 1000 / kimg) / cooldown))
        trainer.round()
        rows += [row for _, row in trainer.collect()]
        seconds += time.process_time() - start
        watch.round()
        if game.G.level > level == int(level):
            mark()
    mark()
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        name = f"{dataset.name}-{seed}"
        pictures.save(pictures.grid(pictures.to_uint8(torch.cat(strip)), columns=12), args.out / f"{name}-stages.png")
        numbered = [{"round": i, **row} for i, row in enumerate(rows, 1)]
        pictures.curves(numbered, args.out / f"{name}-curves.png")
        last = trainer.average.game.sample(64, generator=torch.Generator().manual_seed(2))
        pictures.save(pictures.grid(pictures.to_uint8(last)), args.out / f"{name}.png")
    result = {"data": dataset.name, "size": args.size, "seed": seed, "batch": batch, "kimg": kimg}
    result |= {"cooldown": cooldown, "config": config.model_dump()}
    result |= {"rounds": trainer.rounds, "images_per_second": round(deck.images / seconds), "stages": stages}
    return result | {"grown": watch.grown(rows), "exceeding": watch.exceeding(rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="glyphs")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--kimg", type=float, default=None)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--cooldown", type=float, default=None)
    for name, field in Config.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=field.annotation, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="growth")
    parser.add_argument("--out", type=Path, default=None, help="keep pictures here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_memory()
    dataset = sources.load(args.data, size=args.size)
    judge = SizedJudge(args.data, args.size) if dataset.labels is not None else None
    described = judge.describe() if judge else None
    kept = RESULTS / f"{args.name}.json"
    results = json.loads(kept.read_text())["results"] if kept.is_file() else []
    for seed in args.seeds:
        result = run(dataset, judge, seed, args) | {"judge": described}
        for row in [*result["grown"], result["exceeding"]]:
            print(row, flush=True)
        results.append(result)
        keep(args.name, {"results": results})


if __name__ == "__main__":
    main()
