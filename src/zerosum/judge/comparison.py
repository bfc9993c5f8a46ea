"""Is A better than B? Yes, no, or nobody can tell: the same real pictures for both, and so the same chance."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

from zerosum.data.dataset import Dataset
from zerosum.judge.candidates import Candidate, candidate, check
from zerosum.judge.evaluation import judged
from zerosum.judge.judging import Judge, Seen
from zerosum.judge.report import figure
from zerosum.judge.request import Request, Tell, run_of
from zerosum.model import fingerprint

SHOWN = ("precision", "recall", "density", "coverage", "as asked")


def compare(paths: list[Path], asked: Request, tell: Tell = lambda line: None) -> dict[str, Any]:
    """The numbers of each, and of each two whether the first is better. Raises ValueError for fewer than two."""
    if len(paths) < 2:
        raise ValueError(
            f"a comparison needs two, got {len(paths)}: zerosum compare A B, or zerosum evaluate {paths[0]}"
        )
    asked.ready()
    train, held_out = asked.material(paths[0])
    if asked.data is None:
        _check_data(paths, train)
    shown = [candidate(path, train, asked.samples, asked.seed) for path in paths]
    for one in shown:
        check(one)
    judge = asked.judge(train, held_out, tell)
    return compared(judge, shown, [judge.show(one) for one in shown])


def compared(judge: Judge, shown: list[Candidate], seen: list[Seen]) -> dict[str, Any]:
    reports = [judged(judge, one, view) for one, view in zip(shown, seen, strict=True)]
    pairs = [
        {"a": shown[i].name, "b": shown[j].name, "rows": [i, j]} | judge.gaps(seen[i], seen[j])
        for i, j in combinations(range(len(shown)), 2)
    ]
    return {"protocol": reports[0]["protocol"], "candidates": reports, "pairs": pairs}


def _check_data(paths: list[Path], train: Dataset) -> None:
    """Runs that were trained on other data than the first can be compared on data that is named, not on the first's."""
    for path in paths[1:]:
        run = run_of(path)
        data = run.facts().get("data", {}) if run else {}
        if data.get("fingerprint", mine := fingerprint(train)) != mine:
            raise ValueError(
                f"{path} was trained on other data ({data.get('name')}) than {paths[0]} ({train.name}): "
                "name the pictures to compare both with, --data"
            )


def lines(result: dict[str, Any]) -> list[str]:
    """Numbers side by side, then each two."""
    reports = result["candidates"]
    names = [f"{chr(ord('A') + i)}" for i in range(len(reports))]
    found = [f" {name}         {report['candidate']}" for name, report in zip(names, reports, strict=True)]
    rows = [name for name in reports[0]["numbers"] if "(" in name or name in SHOWN]
    wide = max(map(len, rows))
    found.append(f"           {'':<{wide}}" + "".join(f"  {name:<26}" for name in [*names, "real"]).rstrip())
    for row in rows:
        cells = [_cell(report["numbers"].get(row)) for report in reports] + [_cell(reports[0]["real"].get(row))]
        found.append(f"           {row:<{wide}}" + "".join(f"  {cell:<26}" for cell in cells).rstrip())
    for pair in result["pairs"]:
        told = [f"by {name} {_said(gap)}" for name, gap in pair.items() if name not in ("a", "b", "rows")]
        a, b = (names[i] for i in pair["rows"])
        found.append(f" {a} better than {b}?  {'; '.join(told)}")
    return found


def _cell(number: dict[str, Any] | None) -> str:
    if number is None or "needs" in number:
        return "-" if number is None else "too few"
    return f"{figure(number['value'])} ({figure(number['low'])} to {figure(number['high'])})"


def _said(gap: dict[str, Any]) -> str:
    if "needs" in gap:
        return gap["needs"]
    return f"{gap['a_is_better']} ({figure(gap['low'])} to {figure(gap['high'])})"
