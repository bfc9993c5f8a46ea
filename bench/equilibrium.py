"""Does BEGAN keep its balance, does gamma buy diversity, and does M tell how good the samples are?

    python bench/equilibrium.py --seconds 40 --seeds 0 1 2 --gammas 0.7 0.9 0.4 0.5 0.3

balance     over the last tenth of the rounds, b = gamma L(x) - L(G(z)) with L(x) of D's turn and L(G(z)) of G's:
            `signed` is |mean b| / mean L(x); `a_round` is the mean of |b| / L(x) of each round, which the noise of two
            minibatches is part of; `noise` is what that would be if b had mean 0 and only this noise.
diversity   the mean L1 distance of two of 1,000 samples, over that of two of 1,000 training pictures.
spearman    over the checkpoints of the first run, the rank correlation of M (mean of the 100 rounds before) and the
            FD ratio, which is the costly part.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor

from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.game import Game
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import began

from judge import RESULTS, Judge, keep

WINDOW = 100  # rounds that M is averaged over


def balance(rows: list[dict[str, float]], gamma: float) -> dict[str, float]:
    """The signed balance and that of each round, relative to L(x), over the last tenth of the rounds."""
    last = rows[-max(len(rows) // 10, 1) :]
    real = torch.tensor([row["D.reconstruction"] for row in last])
    b = gamma * real - torch.tensor([row["G.adversarial"] for row in last])
    spread = (b / real).std()  # of a normal with mean 0 the mean of |b| is sqrt(2 / pi) of it
    figures = {"signed": b.mean().abs() / real.mean(), "a_round": (b.abs() / real).mean(), "noise": 0.798 * spread}
    figures |= {"L_x": real.mean(), "k": torch.tensor([row["D.k"] for row in last]).mean()}
    return {name: round(float(value), 4) for name, value in figures.items()}


def diversity(average: Game, real: Tensor) -> float:
    made = average.sample(1000, None, torch.Generator().manual_seed(1)).clamp(-1, 1).flatten(1)
    real = (real[torch.randperm(len(real), generator=torch.Generator().manual_seed(1))[:1000]] / 127.5 - 1).flatten(1)
    return round(float(torch.pdist(made, 1).mean() / torch.pdist(real, 1).mean()), 3)


def spearman(a: list[float], b: list[float]) -> float:
    """The correlation of the ranks."""
    ranks: Tensor = torch.tensor([a, b]).argsort(1).argsort(1).double()
    return round(float(torch.corrcoef(ranks)[0, 1]), 3)


def run(data: Dataset, judge: Judge | None, args: argparse.Namespace, gamma: float, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    config = began.Config(gamma=gamma)
    game = began.BEGAN(config, data.spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    deck = Deck(data.examples, None, seed=seed)
    trainer = Trainer(game, lambda: deck.deal(args.batch), average=0.999)
    seconds, rows, checkpoints = 0.0, [], []
    while seconds < args.seconds:
        start = time.process_time()
        trainer.pace(min(1.0, 2 * (1 - seconds / args.seconds)))  # cooldown 0.5, as in the preset
        for _ in range(10):
            trainer.round()
        rows += [row for _, row in trainer.collect()]
        seconds += time.process_time() - start
        if judge and seconds >= args.seconds * (len(checkpoints) + 1) / args.checkpoints:
            window = [row["D.convergence"] for row in rows[-WINDOW:]]
            figures = {"rounds": trainer.rounds, "M": round(sum(window) / len(window), 4)}
            checkpoints.append(figures | judge(trainer.average.game))
    result = {"data": data.name, "gamma": gamma, "seed": seed, "rounds": trainer.rounds, "seconds": round(seconds)}
    result |= {"images_per_second": round(deck.images / seconds), "balance": balance(rows, gamma)}
    result["diversity"] = diversity(trainer.average.game, data.examples)
    if judge:
        M, ratios = ([row[name] for row in checkpoints] for name in ("M", "fd_ratio"))
        result |= {"judge": judge.describe(), "checkpoints": checkpoints, "spearman": spearman(M, ratios)}
    if args.save:
        torch.save(game.state_dict() | trainer.average.game.state_dict(), f"{args.save}-{gamma:g}-{seed}.pt")
    print(result, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="at --several; elsewhere the first")
    parser.add_argument("--several", type=float, default=0.7, help="the gamma that is played with every seed")
    parser.add_argument("--gammas", nargs="+", type=float, default=[0.7, 0.9, 0.4, 0.5, 0.3])
    parser.add_argument("--checkpoints", type=int, default=5)
    parser.add_argument("--save", default=None, help="begin of the names of files that keep the weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    kept = RESULTS / "equilibrium.json"
    rows = json.loads(kept.read_text())["rows"] if kept.is_file() else []  # a bench that was cut goes on
    data = sources.load(args.data)
    for gamma in args.gammas:
        for seed in args.seeds if gamma == args.several else args.seeds[:1]:
            if not any((row["gamma"], row["seed"]) == (gamma, seed) for row in rows):
                rows.append(run(data, None if rows else Judge(args.data), args, gamma, seed))
                keep("equilibrium", {"batch": args.batch, "rows": rows})


if __name__ == "__main__":
    main()
