"""Do the fast paths learn as well as the plain one? The same rounds, three seeds, judged by a LeNet.

    python bench/quality.py --rounds 400 --recipes r1gan dcgan ... --name quality_mnist

`fast` is what `zerosum train` plays here: every switch of `speed` on, and the precision that its forecast chooses.
`plain` is float32 with every switch off. The judge is bench/judge.py's; rates fall over the second half, as in the
presets that ask for it. A recipe's two ways are called alike where the means of the seeds lie nearer to each other than
the seeds of a way do.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

from zerosum import model
from zerosum.data.deck import deck_of
from zerosum.forecast import chosen, forecast
from zerosum.play.precision import keep_memory
from zerosum.sections import Speed
from zerosum.settings import Settings, resolve
from zerosum.table import trainer_of

from judge import Judge, keep

OFF = Speed(**dict.fromkeys(Speed.model_fields, False))


def settings_of(recipe: str, seed: int, rounds: int, fast: bool) -> Settings:
    base = {"source": "mnist", "seed": seed, "length": f"{rounds} rounds", "average": 0.995}
    return resolve(recipe, None, base if fast else base | {"precision": "float32"})


def run(settings: Settings, speed: Speed, judge: Judge) -> dict[str, Any]:
    """Train; the figures of the average at the end."""
    play, data = settings.play, judge.train
    torch.manual_seed(play.seed)
    game = model.build(settings.recipe, settings.game, data.spec)
    deck = deck_of(data, labelled=game.classes > 0, seed=play.seed, device=torch.device("cpu"))
    trainer = trainer_of(game, lambda: deck.deal(play.batch), play, speed)
    rounds, start = int(float(play.length.split()[0])), time.process_time()
    while trainer.rounds < rounds:
        trainer.pace(min(1.0, 2 * (1 - trainer.rounds / rounds)))
        trainer.round()
    trainer.collect()
    return {"cpu_seconds": round(time.process_time() - start, 1)} | judge(trainer.average.game)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--name", default="quality_mnist")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    judge, rows, table = Judge("mnist"), [], []
    for recipe in args.recipes:
        first = settings_of(recipe, 0, args.rounds, fast=True)
        precision = chosen(first, forecast(first, judge.train, longest=6)).play.precision
        ratios: dict[str, list[float]] = {"plain": [], "fast": []}
        for seed in args.seeds:
            for way in ratios:
                settings = settings_of(recipe, seed, args.rounds, way == "fast")
                if way == "fast":
                    play = settings.play.model_copy(update={"precision": precision})
                    settings = settings.model_copy(update={"play": play})
                figures = run(settings, Speed() if way == "fast" else OFF, judge)
                rows.append(
                    {"recipe": recipe, "way": way, "seed": seed, "precision": settings.play.precision} | figures
                )
                ratios[way].append(figures["fd_ratio"])
                print(rows[-1], flush=True)
        table.append(verdict(recipe, ratios))
        print(table[-1], flush=True)
        keep(args.name, {"judge": judge.describe(), "rounds": args.rounds, "table": table, "rows": rows})


def verdict(recipe: str, ratios: dict[str, list[float]]) -> dict[str, Any]:
    means = {way: statistics.mean(values) for way, values in ratios.items()}
    spread = max(max(values) - min(values) for values in ratios.values())
    apart = abs(means["fast"] - means["plain"])
    return {"recipe": recipe, "means": means, "apart": apart, "spread_of_seeds": spread, "alike": apart <= spread}


if __name__ == "__main__":
    main()
