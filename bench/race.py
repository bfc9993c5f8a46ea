"""The race for the default: which recipe is best after so many minutes?

    python bench/race.py --minutes 3 --seeds 3 --threads 1 --data mnist glyphs

Each candidate is a small preset of one game; all have the same data, batch and clock. Candidates:
r3gan   relativistic pairing, R1 + R2, residual networks without norm          (Huang et al. 2024)
r1gan   non-saturating, R1, DCGAN-like networks, batch norm in G               (Mescheder et al. 2018)
mix     relativistic pairing, R1 + R2, the networks of r1gan
plain   non-saturating without a penalty, the networks of r1gan
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor

from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.game import Game
from zerosum.networks.blocks import one_hot
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import r1gan, r3gan

from judge import RESULTS, Judge, keep


class Mix(r3gan.R3GAN):
    """r3gan's game on r1gan's networks."""

    def __init__(self, data: Images):
        small = r1gan.Config()
        super().__init__(r3gan.Config(gamma=1.0, lr=small.lr, beta1=small.beta1, widths=(8, 8)), data)
        networks = r1gan.R1GAN(small, data)
        self.G, self.D = networks.G, networks.D

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(torch.cat([z, one_hot(y, self.classes)], 1))


CANDIDATES = {
    "r3gan": lambda data: r3gan.R3GAN(r3gan.Config(), data),
    "r1gan": lambda data: r1gan.R1GAN(r1gan.Config(), data),
    "mix": Mix,
    "plain": lambda data: r1gan.R1GAN(r1gan.Config(gamma=0.0), data),
}


def run(name: str, judge: Judge, marks: list[float], seed: int) -> list[dict[str, Any]]:
    """Train for marks[-1] minutes of training time; figures at every mark."""
    torch.manual_seed(seed)
    data = judge.train
    game: Game = CANDIDATES[name](data.spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    deck = Deck(data.examples, data.labels, seed=seed)
    trainer = Trainer(game, lambda: deck.deal(64), average=0.999)
    rates = [mover.optimizer.param_groups[0]["lr"] for mover in trainer.movers]
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter  # one thread: others do not count
    seconds, figures = 0.0, []
    for mark in marks:
        while seconds < 60 * mark:
            start = clock()
            for _ in range(10):
                trainer.round()
            trainer.collect()
            seconds += clock() - start
            left = min(1.0, max(0.01, 2 * (1 - seconds / 60 / marks[-1])))  # the last half: rates fall to 0
            for mover, rate in zip(trainer.movers, rates, strict=True):
                mover.optimizer.param_groups[0]["lr"] = rate * left
        row = {"recipe": name, "data": data.name, "seed": seed, "minutes": mark, "rounds": trainer.rounds}
        row |= {"images_per_second": round(deck.images / seconds)} | judge(trainer.average.game)
        print(row, flush=True)
        figures.append(row)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES))
    parser.add_argument("--data", nargs="+", default=["mnist", "glyphs"])
    parser.add_argument("--minutes", nargs="+", type=float, default=[3.0, 10.0, 30.0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--name", default="race")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_memory()
    kept = RESULTS / f"{args.name}.json"
    rows = json.loads(kept.read_text())["rows"] if kept.is_file() else []  # a race that was cut goes on
    judges = {}
    for data in args.data:
        judge = Judge(data)
        judges[data] = judge.describe()
        print(data, judges[data], flush=True)
        for seed in args.seeds:
            for name in args.recipes:
                if any((row["recipe"], row["data"], row["seed"]) == (name, data, seed) for row in rows):
                    continue
                rows += run(name, judge, args.minutes, seed)
                keep(args.name, {"judges": judges, "rows": rows})


if __name__ == "__main__":
    main()
