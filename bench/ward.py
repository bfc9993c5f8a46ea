"""The doctor's exam: are sick runs named in time, are healthy ones left alone, what does looking cost?

    python bench/ward.py play --out runs/ward --workers 2      # plays the runs; goes on where it was cut
    python bench/ward.py exam --out runs/ward                  # the rules of today on what was recorded
    python bench/ward.py overhead                              # examples a second, with and without the doctor

Sick runs are the cases of `zerosum.ward`: a cause in settings or data, 5 seeds, two sets of data; played to 45 % of
their length, since what is found later is too late. Healthy runs: every recipe, to their end. Thresholds were set on
seeds 1 and 2 of the first set of each case and on the healthy runs of seeds 1 to 4 (in which three rules were seen to
speak too early); all else was looked at for the report alone. A run is replayed look by look: a hit is any disease at
any look, its name the one said first; a false alarm is any disease, mild ones too, at any look of a healthy run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch

from zerosum.diagnosis.rules import diagnose
from zerosum.metrics.interval import wilson
from zerosum.run import Session, begin, conduct
from zerosum.settings import resolve
from zerosum.ward.cases import CASES, HEALTHY
from zerosum.ward.playing import play, sick

from judge import keep

SEEDS, SET_ON = (1, 2, 3, 4, 5), (1, 2)
HEALTHY_SEEDS, HEALTHY_SET_ON = (1, 2, 3, 4, 5, 6), (1, 2, 3, 4)
BEGUN = 0.45  # of the length of a sick run
QUIET = {"pictures": "50 %", "tiles": 16, "checkpoints": "100 %"}
Row = dict[str, Any]
Task = tuple[str, str, str, int]  # sick or healthy, the case or the number of the run, the data, the seed


def tasks() -> list[Task]:
    """All runs, sick and healthy in turn."""
    cases = [("sick", name, source, seed) for seed in SEEDS for name, case in CASES.items() for source in case.sources]
    well = [("healthy", str(i), run[1], seed) for seed in HEALTHY_SEEDS for i, run in enumerate(HEALTHY)]
    return [task for pair in itertools.zip_longest(well, cases) for task in pair if task is not None]


def place(task: Task, out: Path) -> Path:
    return out / "--".join(map(str, task))


def perform(task: Task, out: Path) -> tuple[Task, float]:
    """Play one run, if it is not there and whole. CPU seconds."""
    torch.set_num_threads(1)
    folder, (kind, name, source, seed) = place(task, out), task
    about = folder / "about.json"
    if about.is_file() and json.loads(about.read_text())["ended"] != "running":
        return task, 0.0
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut
    clock = time.process_time()
    if kind == "sick":
        sick(CASES[name], source, folder, seed, display=begun, **QUIET)
    else:
        recipe, _, rounds, settings = HEALTHY[int(name)]
        play(recipe, source, rounds, QUIET | dict(settings), folder, seed)
    return task, time.process_time() - clock


@contextmanager
def begun(session: Session) -> Iterator[Callable[..., None]]:
    """A sick run is left after this share of its length: what is found later is too late."""

    def show(row: Row, progress: Row) -> None:
        session.stopped = session.stopped or progress["%"] >= 100 * BEGUN

    yield show


def played(out: Path, workers: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with multiprocessing.Pool(workers, maxtasksperchild=1) as pool:
        for done, (task, seconds) in enumerate(pool.starmap(perform, [(task, out) for task in tasks()], chunksize=1)):
            print(done, *task, f"{seconds:.0f} s", flush=True)


def replayed(folder: Path, thin: int = 1) -> Row:
    """What the doctor would have said, of each `thin`-th look: the first name, when, and all that was ever said."""
    rows = [json.loads(line) for line in (folder / "checkups.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["share"] <= BEGUN or "healthy" in folder.name][::thin]
    about = json.loads((folder / "about.json").read_text())
    failure = about.get("broke")
    said: dict[str, float] = {}
    first: str | None = None
    for number in range(1, len(rows) + 1):
        found = diagnose(rows[:number], failure if number == len(rows) else None)
        names = [finding.disease for finding in found if finding.disease != "healthy"]
        first = first or (names[0] if names else None)
        for name in names:
            said.setdefault(name, rows[number - 1]["share"])
    end = [finding.disease for finding in diagnose(rows, failure)]
    return {"first": first, "share": said.get(first) if first else None, "said": said, "end": end, "looks": len(rows)}


def examined(out: Path, thin: int = 1) -> list[Row]:
    """One row a run that is there."""
    found = []
    for task in tasks():
        folder = place(task, out)
        about_it = folder / "about.json"
        if not about_it.is_file() or json.loads(about_it.read_text())["ended"] == "running":
            continue
        kind, name, source, seed = task
        case = CASES.get(name)
        seen = seed in SET_ON and case is not None and source == case.sources[0]
        seen |= kind == "healthy" and seed in HEALTHY_SET_ON
        about: Row = {"kind": kind, "name": name, "data": source, "seed": seed, "thresholds_set_on": seen}
        if kind == "healthy":
            about |= {"name": HEALTHY[int(name)][0], "settings": dict(HEALTHY[int(name)][3])}
        found.append(about | replayed(folder, thin))
    return found


def marks(rows: list[Row]) -> Row:
    """Sensitivity, right names, time of detection, false alarms; each share with its 95 % interval (Wilson)."""
    ill, well = ([row for row in rows if row["kind"] == kind] for kind in ("sick", "healthy"))
    hits = [row for row in ill if row["first"]]
    exact = [row for row in hits if row["first"] == row["name"]]
    right = [row for row in hits if row["first"] in (row["name"], *CASES[row["name"]].also)]
    alarms = [row for row in well if row["first"]]
    found: Row = {"sick": len(ill), "healthy": len(well)}
    for name, part, whole in (
        ("sensitivity", hits, ill),
        ("right_name_first", right, hits),
        ("the_case's_own_name_first", exact, hits),
        ("right_name_at_any_look", [row for row in hits if row["name"] in row["said"]], hits),
        ("false_alarms", alarms, well),
    ):
        if whole:
            low, high = wilson(len(part) / len(whole), len(whole))
            found[name] = {"share": round(len(part) / len(whole), 3), "low": round(low, 3), "high": round(high, 3)}
            found[name] |= {"of": len(whole)}
    if hits:
        found["detected_at_share"] = {"median": median(row["share"] for row in hits)}
        found["detected_at_share"] |= {"latest": max(row["share"] for row in hits)}
    found["alarms"] = [f"{row['name']} {row['data']} {row['seed']}: {row['first']}" for row in alarms]
    return found


def confusion(rows: list[Row]) -> dict[str, dict[str, int]]:
    """Of each case, how often which name was said first."""
    table: dict[str, Counter[str]] = {}
    for row in rows:
        name = row["name"] if row["kind"] == "sick" else "healthy"
        table.setdefault(name, Counter())[row["first"] or "nothing"] += 1
    return {name: dict(counts.most_common()) for name, counts in sorted(table.items())}


def exam(out: Path) -> Row:
    rows = examined(out)
    unseen = [row for row in rows if not row["thresholds_set_on"]]
    other = [row for row in unseen if row["kind"] == "healthy" or row["data"] != CASES[row["name"]].sources[0]]
    report = {
        "thresholds_set_on": marks([row for row in rows if row["thresholds_set_on"]]),
        "reported": marks(unseen),
        "reported_on_the_other_data_alone": marks(other),
        "reported_of_every_third_look": marks([row for row in examined(out, 3) if not row["thresholds_set_on"]]),
        "confusion": confusion(unseen),
        "runs": rows,
    }
    return {"seeds": SEEDS, "healthy_seeds": HEALTHY_SEEDS} | report


# Speed, with and without the doctor.


def pace(changes: Row, out: Path) -> tuple[float, float]:
    """Examples a second, looks included; and seconds of looks over seconds of training."""
    session = begin(resolve(overrides=changes), out)
    clock = time.perf_counter()
    conduct(session, lambda row, progress: None)
    seconds = time.perf_counter() - clock
    return session.deck.images / seconds, session.doctor.spent / session.seconds


def overhead(out: Path, rounds: int, repeats: int) -> Row:
    """In turns, so that what else the machine does falls on both; the ratio is that of medians."""
    found = []
    for source, settings in (("glyphs", {}), ("mnist", {}), ("ring", {})):
        length = rounds if source != "ring" else 10 * rounds
        base = {"source": source, "length": f"{length} rounds", "quality_cost": 0.0, "pictures": "100 %"} | settings
        rates: dict[str, list[float]] = {"with": [], "without": []}
        shares = []
        for i in range(repeats):
            for name, cost in (("with", 0.03), ("without", 0.0)):
                folder = out / f"{source}-{name}-{i}"
                shutil.rmtree(folder, ignore_errors=True)
                rate, share = pace(base | {"checkup_cost": cost, "checkpoints": "100 %"}, folder)
                rates[name].append(round(rate, 1))
                shares += [share] if cost else []
        ratio = median(rates["with"]) / median(rates["without"])
        found.append({"data": source, "rounds": length, "ratio": round(ratio, 4), "examples_a_second": rates})
        found[-1]["looks_over_training"] = round(median(shares), 4)
        print(found[-1], flush=True)
    return {"recipe": "r1gan (the default)", "runs": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("play", "exam", "overhead"))
    parser.add_argument("--out", type=Path, default=Path("runs/ward"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=600, help="of overhead, on pictures")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if asked.what == "play":
        played(asked.out, asked.workers)
    elif asked.what == "exam":
        report = exam(asked.out)
        keep("ward", report)
        print(json.dumps({k: v for k, v in report.items() if k != "runs"}, indent=1))
    else:
        torch.set_num_threads(1)
        keep("ward_overhead", overhead(asked.out, asked.rounds, asked.repeats))


if __name__ == "__main__":
    main()
