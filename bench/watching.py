"""Does the watch choose well? It sees 500 samples in the features of a random network; how near is that to the truth?

    python bench/watching.py --workers 2        # plays the runs
    python bench/watching.py --recorded         # judges the rules anew on the marks that were kept

Every run is looked at 20 times, by the watch and by an oracle: the Fréchet distance of 2,000 samples to 5,000 training
pictures (of the whole set, also where the run saw 100) in the features of a LeNet. A rule that ends a run is replayed
on these marks: other rules are chosen on the runs on MNIST and reported on those on Fashion-MNIST. Seconds are the
process's own.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import multiprocessing
import time
from collections.abc import Callable
from functools import partial
from statistics import mean, median
from typing import Any

import torch

from zerosum.data import sources
from zerosum.game import Game
from zerosum.metrics.features import in_blocks
from zerosum.metrics.frechet import frechet
from zerosum.run import data_and_held_out
from zerosum.session import Session
from zerosum.settings import resolve
from zerosum.watch import PATIENCE, WORSE, Watch

from judge import RESULTS, as_bytes, classifier, hardware, keep

MARKS, COUNT, REFERENCE = 20, 2000, 5000
SETS = ("mnist", "fashion-mnist")
FEW = {"limit": 100, "width": 16, "lr": 4e-3, "cooldown": 0.0}  # so that a run gets no better, or worse
PLAYED: list[tuple[str, int, dict[str, Any]]] = [  # recipe, rounds of about 35 CPU seconds, settings that are not usual
    ("lsgan", 1400, FEW),
    ("r1gan", 1200, FEW | {"gamma": 0.01}),
    ("dcgan", 1300, FEW | {"lr": 1e-3}),
    ("vae", 1200, {"limit": 200, "cooldown": 0.0}),
    ("r1gan", 700, {}),
    ("r3gan", 150, {}),
    ("dcgan", 600, {}),
    ("gan", 2200, {}),
    ("lsgan", 900, {}),
    ("wgan_gp", 180, {}),
    ("vae", 1300, {}),
]
Row = dict[str, Any]
SCORES: dict[str, Callable[[Row], float]] = {  # by what a look is the best: the watch takes KID
    "kid": lambda mark: mark["kid"],
    "coverage": lambda mark: -mark["coverage"],
    "kid_by_coverage": lambda mark: mark["kid_high"] / max(mark["coverage_low"], 1e-9),  # never below 0 as KID can be
}


class Oracle:
    """The Fréchet distance of a game's samples to training data."""

    def __init__(self, data: str):
        train = sources.load(data)
        self.net = classifier(train, 10)
        chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:REFERENCE]
        self.reference = in_blocks(self.net.features, train.examples[chosen])

    @torch.no_grad()
    def __call__(self, game: Game, seed: int) -> Row:
        chance = torch.Generator().manual_seed(seed)
        y = torch.arange(COUNT) % 10
        parts = [game.sample(500, y[i : i + 500] if game.classes else None, chance) for i in range(0, COUNT, 500)]
        found = frechet(in_blocks(self.net.features, as_bytes(torch.cat(parts))), self.reference)
        return {"fd": round(found.value, 3), "fd_low": round(found.low, 3), "fd_high": round(found.high, 3)}


def play(task: tuple[str, str, int, dict[str, Any], int]) -> Row:
    """One run: its marks; and the kept, the best and the last model judged by samples that chose none of them."""
    torch.set_num_threads(1)
    recipe, data, rounds, changes, seed = task
    asked = {"source": data, "length": f"{rounds} rounds", "seed": seed, "device": "cpu"} | changes
    settings, oracle = resolve(recipe, None, asked), Oracle(data)
    session = Session(settings, *data_and_held_out(settings, most=1000))
    models: dict[str, Game] = {}
    average, marks, spent = session.trainer.average, [], {"rounds": 0.0, "looks": 0.0}
    for number in range(1, MARKS + 1):
        clock = time.process_time()
        while session.trainer.rounds < number * rounds // MARKS:
            session.round()
            session.trainer.collect()
        spent["rounds"] += time.process_time() - clock
        clock = time.process_time()
        look = session.watch.look(session.trainer.rounds)
        spent["looks"] += time.process_time() - clock
        assert look is not None, session.watch.trouble
        marks.append(look.as_row() | oracle(average.game, seed=1))
        chosen = {"kept": look is session.watch.best, "best": marks[-1] is min(marks, key=lambda m: m["fd"])}
        models |= {name: copy.deepcopy(average.game) for name in chosen if chosen[name]}
    models["last"] = average.game
    anew = {name: oracle(game, seed=2) for name, game in models.items()}
    about = {"recipe": recipe, "data": data, "rounds": rounds, "changes": changes, "seed": seed}
    about |= {"cooldown": settings.play.cooldown, "seconds": {name: round(value, 1) for name, value in spent.items()}}
    return about | {"anew": anew, "marks": marks}


def correlation(a: list[float], b: list[float]) -> float:
    """Spearman's."""
    x = torch.tensor([a, b], dtype=torch.float64)
    ranks = ((x[:, :, None] > x[:, None]).double() + (x[:, :, None] == x[:, None]) / 2).sum(2)
    return float(torch.corrcoef(ranks)[0, 1])


def chosen(run: Row, score: Callable[[Row], float]) -> Row:
    """How good the model is that would have been kept of the whole run, by this score of the looks."""
    marks = run["marks"]
    kept, best = min(marks, key=score), min(marks, key=lambda mark: mark["fd"])
    spearman = correlation([score(mark) for mark in marks], [mark["fd"] for mark in marks])
    rounds = {"kept_round": kept["round"], "best_round": best["round"]}
    return {"spearman": round(spearman, 3), "over_best": round(kept["fd"] / best["fd"], 3)} | rounds


def watched(marks: list[Row]) -> tuple[Row, str | None]:
    """What the watch itself would keep now, and why it would end the run."""
    seen = Watch.__new__(Watch)
    seen.recall(marks)
    assert seen.best is not None
    return marks[seen.marks.index(seen.best)], seen.reason()


def ruled(marks: list[Row], patience: int, worse: int, score: str, gain: float, over: int) -> tuple[Row, str | None]:
    """The like by other numbers, scores and means over the last `over` looks; where coverage counts, in both ends.

    A look is better only if it is so by a share `gain` of the best; what is kept is the best by ever so little.
    """
    parts = [marks[max(0, number - over) : number] for number in range(1, len(marks) + 1)]
    seen = [{name: mean(mark[name] for mark in part) for name in part[-1]} for part in parts]
    value, best = SCORES[score], seen[0]
    for mark in seen:
        if value(mark) < value(best) - gain * abs(value(best)):
            best = mark
    since = seen[seen.index(best) + 1 :]
    fewer = best["coverage_low"] if score != "kid" else 0.0
    lost = [mark["kid_low"] > best["kid_high"] or mark["coverage_high"] < fewer for mark in since]
    kept = min(marks, key=value)
    if len(since) >= worse and all(lost[-worse:]):
        return kept, "worse"
    return kept, "no better" if len(since) >= patience else None


def stopped(run: Row, rule: Callable[[list[Row]], tuple[Row, str | None]]) -> Row:
    """Where a rule would have ended this run, why, what was lost by it; and what hindsight could have saved."""
    marks = run["marks"]
    for number in range(1, MARKS + 1):
        kept, why = rule(marks[:number])
        if why:
            break
    fd = [mark["fd"] for mark in marks]
    return {
        "looks": number,
        "why": why and why.split(":")[0],
        "saved": round(1 - number / MARKS, 2),
        "could_save": round(1 - next(i for i, d in enumerate(fd, 1) if d <= 1.05 * min(fd)) / MARKS, 2),
        "over_best": round(kept["fd"] / min(fd), 3),
        "wrong": min(fd) < 0.9 * min(fd[:number]),
    }


def over_runs(rows: list[Row]) -> Row:
    """What a rule, or a choice, does to many runs."""
    over = [row["over_best"] for row in rows]
    found: Row = {"runs": len(rows), "within_5_percent": sum(ratio <= 1.05 for ratio in over)}
    found |= {"median_over_best": round(median(over), 3), "worst_over_best": max(over)}
    if "saved" not in rows[0]:
        return found | {"median_spearman": round(median(row["spearman"] for row in rows), 3)}
    found |= {"stopped": sum(bool(row["why"]) for row in rows), "wrong": sum(row["wrong"] for row in rows)}
    for name in ("saved", "could_save"):
        values = [row[name] for row in rows]
        found |= {f"mean_{name}": round(mean(values), 3), f"median_{name}": round(median(values), 3)}
    return found


def rules(runs: list[Row]) -> list[Row]:
    """Other rules: first, on the runs to choose by, the fewest wrong stops; then the most rounds saved.

    `wait`: a run whose learning rates are still to fall is not ended.
    """
    found = []
    grid = itertools.product((6, 8, 10), (2, 3, MARKS), SCORES, (0.0, 0.1), (1, 3), (False, True))
    for *values, wait in grid:
        rule: Row = dict(zip(("patience", "worse", "score", "gain", "over"), values, strict=True))
        never = partial(ruled, **rule | {"patience": MARKS, "worse": MARKS})
        ends = [never if wait and run["cooldown"] else partial(ruled, **rule) for run in runs]
        pairs = list(zip(runs, ends, strict=True))
        judged = {data: [stopped(run, end) for run, end in pairs if run["data"] == data] for data in SETS}
        found.append(rule | {"wait": wait} | {data: over_runs(rows) for data, rows in judged.items() if rows})
    return sorted(found, key=lambda rule: (rule[SETS[0]]["wrong"], -rule[SETS[0]]["mean_saved"]))


def report(runs: list[Row], played_on: Row) -> None:
    """Print and keep what the marks say."""
    judged = []
    for run in runs:
        fd, anew = [mark["fd"] for mark in run["marks"]], {name: found["fd"] for name, found in run["anew"].items()}
        row = {name: run[name] for name in ("recipe", "data", "changes", "cooldown", "seed")}
        row |= {"chosen": {name: chosen(run, score) for name, score in SCORES.items()}}
        row |= {"best_fd": min(fd), "last_over_best": round(fd[-1] / min(fd), 3)}
        row |= {"kept_over_best_anew": round(anew["kept"] / anew["best"], 3)}
        row |= {"looks_share": round(run["seconds"]["looks"] / run["seconds"]["rounds"], 3)}
        judged.append(row | {"stop": stopped(run, watched)})
        print(judged[-1])
    told = {
        "chosen": {name: over_runs([row["chosen"][name] for row in judged]) for name in SCORES},
        "last_within_5_percent": sum(row["last_over_best"] <= 1.05 for row in judged),
        "median_looks_share": median(row["looks_share"] for row in judged),
        "stop": over_runs([row["stop"] for row in judged]),
    }
    other = rules(runs)
    print(json.dumps(told, indent=1), *other[:10], sep="\n")
    protocol: Row = {"samples": COUNT, "reference": f"{REFERENCE} of train", "patience": PATIENCE, "worse": WORSE}
    figures = {"protocol": protocol, "over_runs": told, "judged": judged, "rules": other[:40], "runs": runs}
    keep("watching", {"hardware": played_on} | figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recorded", action="store_true", help="play nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.recorded:
        kept = json.loads((RESULTS / "watching.json").read_text())
        return report(kept["runs"], kept["hardware"])
    tasks = [(recipe, data, rounds, more, args.seed) for recipe, rounds, more in PLAYED for data in SETS]
    runs = []
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        for run in pool.imap(play, tasks):
            runs.append(run)
            print(run["recipe"], run["data"], run["changes"], run["seconds"], flush=True)
            keep("watching", {"runs": runs})
    report(runs, hardware())


if __name__ == "__main__":
    main()
