"""Do all seeds start? r3gan on MNIST: after so many rounds, is every class there, for each of ten seeds?

    python bench/starts.py --rounds 600

A start that fails is a blank: G's output all of one colour, which a LeNet reads as one class. `spread` is the mean
standard deviation of a pixel over the samples, beside the data's own.
"""

from __future__ import annotations

import argparse
import time

import torch

from zerosum.data.deck import Deck
from zerosum.metrics.features import in_blocks
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.settings import recipe_of, resolve

from judge import Judge, as_bytes, keep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="r3gan")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_memory()
    judge = Judge(args.data)
    data, settings = judge.train, resolve(args.recipe)
    real = float((data.examples[:1000].float() / 127.5).std(0).mean())
    rows = []
    for seed in range(args.seeds):
        torch.manual_seed(seed)
        game = recipe_of(args.recipe).game(settings.game, data.spec).to(memory_format=torch.channels_last)  # type: ignore
        deck = Deck(data.examples, data.labels, seed=seed)
        trainer = Trainer(game, lambda deck=deck: deck.deal(64), average=0.99)
        start = time.process_time()
        for _ in range(args.rounds):
            trainer.round()
        trainer.collect()
        seconds = time.process_time() - start
        y = torch.arange(500) % len(data.spec.classes)
        x = trainer.average.game.sample(500, y, torch.Generator().manual_seed(0))
        shown = in_blocks(judge.net, as_bytes(x)).argmax(1)
        row = {
            "seed": seed,
            "rounds": args.rounds,
            "cpu_seconds": round(seconds, 1),
            "classes_shown": int(shown.unique().numel()),
            "asked_class": round(float((shown == y).float().mean()), 3),
            "spread": round(float(x.clamp(-1, 1).std(0).mean()), 3),
            "spread_of_data": round(real, 3),
        }
        print(row, flush=True)
        rows.append(row)
    started = sum(row["classes_shown"] == len(data.spec.classes) for row in rows)
    print(f"{started} of {len(rows)} seeds show every class after {args.rounds} rounds")
    print(keep(f"starts_{args.recipe}", {"judge": judge.describe(), "started": started, "rows": rows}))


if __name__ == "__main__":
    main()
