"""Does InfoGAN's categorical code find the digits by itself, and does L_I tell that it has?

    python bench/codes.py --seconds 55 --marks 2 --seeds 0 1 2

error       each value of the code stands for one digit, none for two: the best one-to-one matching on the 60,000
            training digits. The share of the 10,000 test digits that Q then reads wrongly. Training sees no label.
L_I         the categorical part, nats, mean of the last 100 rounds; at most ln 10 = 2.3026.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch import Tensor

from zerosum import settings
from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.metrics.features import in_blocks
from zerosum.metrics.matching import match
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes.infogan import InfoGAN

from judge import keep


def error(game: InfoGAN, train: Dataset, test: Dataset) -> float:
    """Share of the test pictures whose code stands for another label, as matched on the training pictures."""

    def read(pictures: Tensor) -> Tensor:
        return in_blocks(lambda part: game.codes(part.float() / 127.5 - 1)[:, 0].long(), pictures)

    assert train.labels is not None
    assert test.labels is not None
    game.eval()
    stands_for = match(read(train.examples), train.labels, max(game.config.categories, len(train.spec.classes)))
    wrong = stands_for[read(test.examples)] != test.labels
    game.train()
    return round(float(wrong.float().mean()), 4)


def run(train: Dataset, test: Dataset, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    chosen = settings.resolve("infogan", args.preset, settings.parse_assignments(args.set))
    torch.manual_seed(seed)
    game = InfoGAN(chosen.game, train.spec).to(memory_format=torch.channels_last)  # type: ignore[arg-type, call-overload]
    deck = Deck(train.examples, None, seed=seed)
    trainer = Trainer(game, lambda: deck.deal(chosen.play.batch), average=chosen.play.average)
    seconds, rows, marks, first = 0.0, [], [], None
    while seconds < args.seconds:
        start = time.process_time()
        if cooldown := chosen.play.cooldown:
            trainer.pace(min(1.0, (1 - seconds / args.seconds) / cooldown))
        for _ in range(10):
            trainer.round()
        rows += [row["Q.L_I_categorical"] for _, row in trainer.collect()]
        seconds += time.process_time() - start
        information = round(sum(rows[-100:]) / len(rows[-100:]), 4)
        if deck.epochs >= 1 and first is None:
            first = information
        if seconds >= args.seconds * (len(marks) + 1) / args.marks:
            marks.append({"epochs": round(deck.epochs, 2), "L_I": information, "error": error(game, train, test)})
    result = {"data": train.name, "seed": seed, "rounds": trainer.rounds, "seconds": round(seconds)}
    result |= {"images_per_second": round(deck.images / seconds), "L_I_after_1_epoch": first}
    result |= {"error": marks[-1]["error"], "marks": marks}
    if args.save:
        torch.save(game.state_dict() | trainer.average.game.state_dict(), f"{args.save}-{seed}.pt")
    print(result, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--preset", default=None)
    parser.add_argument("--set", nargs="*", default=[], help="other settings, key=value")
    parser.add_argument("--seconds", type=float, default=55.0, help="of training, CPU time of one thread")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--marks", type=int, default=2, help="how often the error is taken on the way")
    parser.add_argument("--name", default="codes")
    parser.add_argument("--save", default=None, help="begin of the names of files that keep the weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    train, test, rows = sources.load(args.data), sources.load(args.data, split="test"), []
    for seed in args.seeds:
        rows.append(run(train, test, args, seed))
        middle = sorted(row["error"] for row in rows)[len(rows) // 2]
        keep(args.name, {"preset": args.preset or "default", "set": args.set, "median_error": middle, "rows": rows})


if __name__ == "__main__":
    main()
