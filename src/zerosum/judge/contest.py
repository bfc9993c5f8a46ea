"""Recipes against each other: the same data, the same seconds of training each, then one judge for all."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from zerosum import model
from zerosum.folder import Folder, RunError
from zerosum.judge.candidates import Candidate, candidate
from zerosum.judge.comparison import compared
from zerosum.judge.judging import Judge
from zerosum.judge.report import figure
from zerosum.judge.request import Request, Tell
from zerosum.run import data_of

UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0}


def contest(recipes: list[str], budget: str, asked: Request, tell: Tell = lambda line: None) -> dict[str, Any]:
    """Train each recipe for `budget` ("90s", "5m", "1h") into a run folder of its own, and judge them all.

    Each is trained by a process of its own, so that its memory is its own. Raises ValueError for what is no recipe or
    no budget, or cannot play on this data, RunError where a training fails.
    """
    minutes = parse_budget(budget)
    if len(set(recipes)) < max(2, len(recipes)):
        raise ValueError(f"a contest needs two recipes and more, each another one, got {' '.join(recipes)}")
    for recipe in recipes:  # what cannot be is said before the first is trained
        settings = asked.trained(recipe, minutes)
        model.build(recipe, settings.game, data_of(settings).spec)
    rows = [_trained(recipe, minutes, asked, tell) for recipe in recipes]
    paths = [Path(row["run"]) for row in rows]
    train, held_out = asked.material(paths[0])
    shown = [candidate(path, train, asked.samples, asked.seed) for path in paths]
    judge = asked.judge(train, held_out, tell)
    result = compared(judge, shown, [judge.show(one) for one in shown])
    for row, one in zip(rows, shown, strict=True):
        loaded = model.load(row["run"])
        row["parameters"] = sum(p.numel() for p in loaded.game.parameters())
        row["copies"] = _copies(judge, one)
        row |= {"samples_per_second": round(len(one.examples) / one.seconds, 1), "latency_ms": _latency(loaded)}
    return {"budget_minutes": minutes, "rows": rows} | result | {"advice": advice(rows, result)}


def parse_budget(text: str) -> float:
    """Minutes. Raises ValueError.

    >>> parse_budget("90s"), parse_budget("5m"), parse_budget("1h")
    (1.5, 5.0, 60.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)[a-z]*", text.strip())
    if match is None or float(match[1]) == 0:
        raise ValueError(
            f"'{text}' is no budget: expected seconds, minutes or hours of training each, such as 90s or 5m"
        )
    return float(match[1]) * UNITS[match[2]]


def _trained(recipe: str, minutes: float, asked: Request, tell: Tell) -> dict[str, Any]:
    """Train it into the next run folder; what it took."""
    settings = asked.trained(recipe, minutes)
    folder = Folder.create(None, f"contest-{recipe}", settings)
    tell(f"{recipe} plays {minutes:.15g} minutes in {folder.path}")
    command = [sys.executable, "-m", "zerosum", "resume", str(folder.path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    memory = None
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        memory = round(usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
    if process.wait():
        raise RunError(f"{recipe} could not be trained (exit code {process.returncode}): see above, and {folder.path}")
    facts = folder.facts()
    return {
        "recipe": recipe,
        "run": str(folder.path),
        "rounds": facts["rounds"],
        "seconds": facts["seconds"],
        "peak_memory_mib": memory,
    }


def _copies(judge: Judge, shown: Candidate) -> bool | None:
    """Whether it copies; None where that cannot be said."""
    try:
        return judge.copying(shown.examples).flagged
    except ValueError:
        return None


def _latency(loaded: model.Model) -> float:
    """Milliseconds from one z to its picture: the median of seven."""
    z, y = loaded.latents(1, seed=0)
    took = []
    for _ in range(7):
        start = time.perf_counter()
        loaded.picture(z, y)
        took.append(time.perf_counter() - start)
    return round(1000 * statistics.median(took), 2)


def advice(rows: list[dict[str, Any]], result: dict[str, Any]) -> str:
    """One sentence: which to take of those that do not copy, whether another may be as good, and which draws faster."""
    distance = next(iter(result["candidates"][0]["numbers"]))
    values = [report["numbers"][distance].get("unbiased") for report in result["candidates"]]
    fair = [i for i, value in enumerate(values) if value is not None and not rows[i].get("copies")]
    copiers = [row["recipe"] for row in rows if row.get("copies")]
    if not fair:
        return "none can be advised: " + (f"{' and '.join(copiers)} copy" if copiers else f"too few for {distance}")
    best = min(fair, key=lambda i: values[i])
    equal = [rows[i]["recipe"] for i in fair if i != best and _cannot_tell(result["pairs"], best, i, distance)]
    told = f"take {rows[best]['recipe']}: its {distance} is the least"
    told += f", though {' and '.join(equal)} cannot be told apart from it" if equal else ", by more than chance"
    told += f"; {' and '.join(copiers)} left out, for copying" if copiers else ""
    fastest = max(fair, key=lambda i: rows[i]["samples_per_second"])
    if fastest != best:
        times = rows[fastest]["samples_per_second"] / rows[best]["samples_per_second"]
        told += f"; {rows[fastest]['recipe']} draws {figure(times)} times as fast"
    return told


def _cannot_tell(pairs: list[dict[str, Any]], a: int, b: int, distance: str) -> bool:
    pair = next(pair for pair in pairs if set(pair["rows"]) == {a, b})
    return bool(pair[distance].get("a_is_better", "cannot tell") == "cannot tell")


def lines(result: dict[str, Any]) -> list[str]:
    """A row a recipe, then the advice."""
    distance = next(iter(result["candidates"][0]["numbers"]))
    heads = {distance: 14, "coverage": 8, "samples/s": 9, "one in ms": 9, "MiB": 6, "parameters": 11, "rounds": 8}
    found = [f" {'':<10}" + "".join(f"  {head:>{wide}}" for head, wide in heads.items())]
    for row, report in zip(result["rows"], result["candidates"], strict=True):
        numbers = report["numbers"]
        parts = [
            figure(numbers[name]["value"]) if "value" in numbers[name] else "too few" for name in (distance, "coverage")
        ]
        parts += [f"{row['samples_per_second']:,.0f}", f"{row['latency_ms']:.1f}", f"{row['peak_memory_mib'] or '-'}"]
        parts += [f"{row['parameters']:,}", f"{row['rounds']:,}"]
        cells = zip(parts, heads.values(), strict=True)
        found.append(f" {row['recipe']:<10}" + "".join(f"  {part:>{wide}}" for part, wide in cells))
    found += [f"            {row['run']}" for row in result["rows"]]
    return [*found, f" Advice    {result['advice']}"]
