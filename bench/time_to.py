"""How long until samples of MNIST are good: the default recipe and the tutorial's network, both as `train` plays them.

    python bench/time_to.py --lengths 30 45 60 --seeds 0 1 2 --rival-seconds 600

Good is a Fréchet ratio of 3 in a LeNet's features (bench/judge.py). The default recipe's rates fall over the second
half of a run, so each length is a run of its own; the first length at which a seed is good is its time. The rival,
`dcgan --preset mnist28`, has constant rates: one run, looked at every minute. Both in the precision that the forecast
chooses; clock: the process's own CPU time on one thread.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from zerosum import model
from zerosum.data.deck import deck_of
from zerosum.forecast import chosen, forecast
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.settings import Settings, resolve
from zerosum.table import trainer_of

from judge import Judge, keep

GOOD = 3.0


def settings_of(recipe: str, preset: str | None, judge: Judge) -> Settings:
    settings = resolve(recipe, preset, {"source": "mnist", "length": "10 minutes"})
    return chosen(settings, forecast(settings, judge.train, longest=6))


def sit_down(settings: Settings, seed: int, judge: Judge) -> Trainer:
    data, play = judge.train, settings.play
    torch.manual_seed(seed)
    game = model.build(settings.recipe, settings.game, data.spec)
    deck = deck_of(data, labelled=game.classes > 0, seed=seed, device=torch.device("cpu"))
    return trainer_of(game, lambda: deck.deal(play.batch), play, settings.speed)


def run(settings: Settings, seed: int, seconds: float, judge: Judge) -> dict[str, Any]:
    """So many CPU seconds, rates falling over the second half if the recipe has it so; the figures at the end."""
    trainer, spent = sit_down(settings, seed, judge), 0.0
    while spent < seconds:
        start = time.process_time()
        if cooldown := settings.play.cooldown:
            trainer.pace(min(1.0, (1 - spent / seconds) / cooldown))
        trainer.round()
        trainer.collect()
        spent += time.process_time() - start
    row = {"recipe": settings.recipe, "seed": seed, "seconds": seconds, "rounds": trainer.rounds}
    row |= judge(trainer.average.game)
    print(row, flush=True)
    return row


def rival(settings: Settings, seconds: float, every: float, judge: Judge) -> list[dict[str, Any]]:
    trainer, spent, rows = sit_down(settings, 0, judge), 0.0, []
    while spent < seconds:
        start = time.process_time()
        trainer.round()
        trainer.collect()
        spent += time.process_time() - start
        if spent >= every * (len(rows) + 1):
            row = {"recipe": "dcgan --preset mnist28", "seed": 0, "seconds": round(spent, 1), "rounds": trainer.rounds}
            rows.append(row | judge(trainer.average.game))
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=float, nargs="+", default=[30, 45, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rival-seconds", type=float, default=600)
    parser.add_argument("--rival-every", type=float, default=60)
    parser.add_argument("--name", default="time_to_mnist")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    judge = Judge("mnist")
    ours, theirs = settings_of("r1gan", None, judge), settings_of("dcgan", "mnist28", judge)
    rows = [run(ours, seed, length, judge) for length in args.lengths for seed in args.seeds]
    times = {
        s: min((r["seconds"] for r in rows if r["seed"] == s and r["fd_ratio"] <= GOOD), default=None)
        for s in args.seeds
    }
    found = {"good": GOOD, "judge": judge.describe(), "seconds_to_good": times, "rows": rows}
    found |= {"precision": {"r1gan": ours.play.precision, "dcgan mnist28": theirs.play.precision}}
    keep(args.name, found)
    found["rival"] = rival(theirs, args.rival_seconds, args.rival_every, judge)
    print(times, keep(args.name, found))


if __name__ == "__main__":
    main()
