"""Do remedies help? Each act of each disease, from the first round on, against doing nothing, on the same seeds.

    python bench/remedies.py --out runs/remedies --workers 2

Every case of the ward is played on its first set of data, untreated and with one act of its remedies. What is compared
is the run's own quality: the energy distance of samples to the data (0 is the same) and, where the disease does not
show there, its own reading; each the median of the last five looks. A ratio below 1 is better than doing nothing; its
interval is that of the mean log ratio over seeds (Student). A remedy helps in a run if the ratio is below 0.9; the run
is cured if, besides, the disease is not among the findings at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import shutil
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch

from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.rules import diagnose
from zerosum.metrics.interval import t_quantile
from zerosum.prevention.opening import Opening
from zerosum.run import data_and_held_out
from zerosum.session import Session
from zerosum.settings import resolve
from zerosum.treatment.acts import ACTS, TIMES, Changes, changes, paced
from zerosum.ward.cases import CASES
from zerosum.ward.playing import cured, sick, spoil

from judge import keep

QUIET = {"pictures": "100 %", "tiles": 16, "checkpoints": "100 %"}
OWN = {  # where a disease shows, if not in the distance
    "g-copies": "copies",
    "d-memorises": "held.auc",
    "batch-statistics-leak": "leak",
    "checkerboard": "checkerboard",
    "divergence": "samples.gradient",  # samples may stay good while scores run away
    "label-ignored": "label",
}
KNOWN = {"held.auc": 0.5}  # what such a reading is where nothing is wrong
BROKE = 10.0  # of a distance
CURE = "cure"  # the cause itself undone, by the settings or data that the ward has for it: what a person can do
LEAST = 1e-3  # a distance under which all are as good
TRIED = {  # all acts that were tried, those that did not help and are no remedies any more among them
    "mode-collapse": ("minibatch", "slow-maker", "fast-judge", "much-slower"),
    "partial-collapse": ("stronger-penalty", "larger-batch"),
    "mode-hopping": ("slow-maker", "minibatch"),
    "vanishing-gradient": ("non-saturating", "slow-judge"),
    "d-overpowers": ("slow-judge", "augment", "fast-maker"),
    "g-overpowers": ("fast-judge", "slow-maker"),
    "oscillation": ("stronger-penalty", "alternating", "slow-both"),
    "divergence": ("slow-both", "stronger-penalty"),
    "non-finite": ("slow-both",),
    "dead-start": ("slow-both", "much-slower"),
    "d-memorises": ("augment", "stronger-penalty"),
    "g-copies": ("augment",),
    "batch-statistics-leak": ("larger-batch",),
    "learning-rate-too-high": ("slow-both", "larger-batch", "much-slower"),
    "learning-rate-too-low": ("fast-both", "much-faster"),
}
Row = dict[str, Any]
Task = tuple[str, str | None, int]  # the case, the act (none: nothing is done), the seed


def larger_batch(at: Opening) -> Changes:
    """Twice the batch, up to the whole of the data."""
    return {"play.batch": min(2 * at.play.batch, len(at.dataset))}


DROPPED = {  # measured, and offered no more
    "slow-judge": lambda at: paced(at, at.judges, 1 / TIMES),
    "fast-both": lambda at: paced(at, at.players, TIMES),
    "larger-batch": larger_batch,
}
ACTS.update(DROPPED)


def opening(name: str, out: Path) -> Opening:
    case = CASES[name]
    source = spoil(case.spoilt, case.sources[0], out) if case.spoilt else case.sources[0]
    settings = resolve(
        case.recipe, overrides=dict(case.settings) | {"source": source, "length": f"{case.rounds} rounds"}
    )
    session = Session(settings, *data_and_held_out(settings, most=100))
    return Opening(settings, session.game, session.dataset)


def perform(task: Task, out: Path) -> tuple[Task, Row | None]:
    torch.set_num_threads(1)
    name, act, seed = task
    case, folder = CASES[name], out / f"{name}--{act or 'nothing'}--{seed}"
    changed = changes(act, opening(name, out)) if act and act != CURE else {}
    changed |= dict(case.cure) if act == CURE else {}
    if act and act != CURE and not changed:
        return task, None  # it cannot be done here
    about = folder / "about.json"
    if not about.is_file() or json.loads(about.read_text())["ended"] == "running":
        shutil.rmtree(folder, ignore_errors=True)
        (cured if act == CURE else sick)(
            case, case.sources[0], folder, seed, **QUIET, **({} if act == CURE else changed)
        )
    rows = [json.loads(line) for line in (folder / "checkups.jsonl").read_text().splitlines()]
    failure = json.loads(about.read_text()).get("broke")
    found: Row = {"changed": changed, "failed": failure is not None}
    found["end"] = [finding.disease for finding in diagnose(rows, failure)]
    for reading in {"distance", OWN.get(name, "distance")}:
        values = [row[reading] for row in rows[-5:] if reading in row]
        found[reading] = round(median(values), 5) if values else None
    if name == "label-ignored" and found["label"] is not None:
        found["label"] = 1 - found["label"]  # read wrongly
    return task, found


def compared(name: str, act: str, treated: dict[int, Row], untreated: dict[int, Row]) -> Row:
    """Ratios over seeds, and in how many runs the remedy helped."""
    reading = OWN.get(name, "distance")
    ratios, helped, well = [], 0, 0
    for seed, row in treated.items():
        before, now = untreated[seed][reading], row[reading]
        # A run that broke has made nothing.
        then, at_last = (
            BROKE if value is None or each["failed"] else value
            for value, each in ((before, untreated[seed]), (now, row))
        )
        known = KNOWN.get(reading, 0.0)
        ratios.append(max(at_last - known, LEAST) / max(then - known, LEAST))
        helped += ratios[-1] < 0.9
        well += ratios[-1] < 0.9 and name not in row["end"]
    found: Row = {
        "act": act,
        "reading": reading,
        "runs": len(treated),
        "helped": helped,
        "cured": well,
        "majority": helped > len(treated) / 2,
    }
    if len(ratios) > 1:
        logs = [math.log(ratio) for ratio in ratios]
        half = t_quantile(len(logs) - 1) * stdev(logs) / len(logs) ** 0.5
        found["ratio"] = {"mean": round(math.exp(mean(logs)), 3)}
        found["ratio"] |= {"low": round(math.exp(mean(logs) - half), 3), "high": round(math.exp(mean(logs) + half), 3)}
    found["changed"] = next(iter(treated.values()))["changed"]
    found["runs_of_it"] = {seed: {k: v for k, v in row.items() if k != "changed"} for seed, row in treated.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/remedies"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    acts = {
        n: [CURE, *TRIED.get(n, ()), *(r.act for r in DISEASES[n].remedies if r.act and r.act not in TRIED.get(n, ()))]
        for n in asked.cases
    }
    tasks: list[Task] = [(n, act, seed) for n, each in acts.items() for act in (None, *each) for seed in asked.seeds]
    results: dict[str, dict[str | None, dict[int, Row]]] = {}
    with multiprocessing.Pool(asked.workers, maxtasksperchild=1) as pool:
        for (name, act, seed), row in pool.starmap(perform, [(task, asked.out) for task in tasks], chunksize=1):
            if row is not None:
                results.setdefault(name, {}).setdefault(act, {})[seed] = row
    report = {}
    for name, each in results.items():
        untreated = each.pop(None)
        report[name] = {"untreated": untreated, "acts": [compared(name, str(a), r, untreated) for a, r in each.items()]}
        for act in report[name]["acts"]:
            print(name, act["act"], act.get("ratio"), f"helped {act['helped']}, cured {act['cured']} of {act['runs']}")
    keep("remedies", {"seeds": asked.seeds, "cases": report})


if __name__ == "__main__":
    main()
