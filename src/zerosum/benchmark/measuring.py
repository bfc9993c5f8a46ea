"""What is measured of a recipe here, and how it is told."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from zerosum import __version__
from zerosum.benchmark.loops import Choice, Fast, Peak, PlainLoop
from zerosum.benchmark.rivals import alternate, rival
from zerosum.play.checkpoint import atomically
from zerosum.play.precision import choose_device
from zerosum.recipes import RECIPES
from zerosum.samples import free
from zerosum.sections import Speed
from zerosum.settings import Settings, resolve

Row = dict[str, Any]
Tell = Callable[[str], None]


class Benchmark:
    """Rows for recipes, kept in a file as they come: `out`, or where that is taken out-2, out-3 ..."""

    def __init__(self, seconds: float, threads: int | None, out: Path):
        if seconds <= 0:
            raise ValueError(f"--seconds {seconds:g}: expected more than 0")
        self.seconds, self.threads, self.out = seconds, threads, free(out)
        device = choose_device()
        with rival(threads, Peak, resolve()) as peak:
            self.peaks = {name: peak.ask("most", name) for name in ("float32", "bfloat16")}
        self.kept: Row = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": torch.cuda.get_device_name() if device.type == "cuda" else _cpu(),
            "threads": threads or torch.get_num_threads(),
            "torch": torch.__version__,
            "zerosum": __version__,
            "peak_gflops": {name: round(peak / 1e9) for name, peak in self.peaks.items()},
            "recipes": [],
        }

    def measure(self, settings: Settings, *, explain: bool) -> Row:
        """The row of one recipe: see `lines`. Raises ValueError where the data is none for it."""
        with rival(self.threads, Choice, settings, self.seconds / 4) as choice:
            decided, why = choice.ask("made")
        row = self.beside_plain(decided) | {"why": why}
        if explain:
            row["switches"] = self.explain(decided)
        self.kept["recipes"].append(row)
        text = json.dumps(self.kept, indent=1)
        atomically(self.out, lambda part: part.write_text(text))
        return row

    def beside_plain(self, settings: Settings) -> Row:
        batch = settings.play.batch
        with ExitStack() as open_:
            fast = open_.enter_context(rival(self.threads, Fast, settings))
            plain = open_.enter_context(rival(self.threads, PlainLoop, settings))
            times = alternate({"fast": fast, "plain": plain}, self.seconds)
            memory = {"fast": fast.ask("memory"), "plain": plain.ask("memory")}
            operations = plain.ask("operations")
        second = {name: statistics.median(values) for name, values in times.items()}
        rate = operations / second["fast"]
        return {
            "recipe": settings.recipe,
            "data": settings.data.source,
            "batch": batch,
            "precision": settings.play.precision,
            "examples_per_second": round(batch / second["fast"], 1),
            "plain_examples_per_second": round(batch / second["plain"], 1),
            **ratio(times["plain"], times["fast"]),
            "gflop_a_round": round(operations / 1e9, 3),
            "gflops": round(rate / 1e9, 1),
            "share_of_peak": round(rate / self.peaks[settings.play.precision], 3),
            "memory_bytes": memory["fast"],
            "plain_memory_bytes": memory["plain"],
        }

    def explain(self, settings: Settings) -> dict[str, Row]:
        """Of every switch: what it brings, everything else being as it is; or why it is idle here."""
        found: dict[str, Row] = {}
        with rival(self.threads, Fast, settings) as whole:
            whole.ask("play", 1)
            idle = whole.ask("idle")
            for name, other in without(settings).items():
                if name in idle:
                    found[name] = {"idle": idle[name]}
                    continue
                with rival(self.threads, Fast, other) as less:
                    times = alternate({"on": whole, "off": less}, self.seconds)
                found[name] = ratio(times["off"], times["on"])
        return found


def without(settings: Settings) -> dict[str, Settings]:
    """The settings with one switch off, for each of them; and in float32 where they are not."""
    off = {
        name: settings.model_copy(update={"speed": settings.speed.model_copy(update={name: False})})
        for name in Speed.model_fields
    }
    if settings.play.precision == "float32":
        return off
    full = settings.play.model_copy(update={"precision": "float32"})
    return {settings.play.precision: settings.model_copy(update={"play": full})} | off


def ratio(slow: Sequence[float], fast: Sequence[float]) -> Row:
    """How many times as fast: by medians; and the least and the most of a turn and the one beside it."""
    each = [a / b for a, b in zip(slow, fast, strict=True)]
    whole = statistics.median(slow) / statistics.median(fast)
    return {"ratio": round(whole, 3), "low": round(min(each), 3), "high": round(max(each), 3)}


def bench(
    recipes: Sequence[str], data: str | None, benchmark: Benchmark, tell: Tell, *, explain: bool = False
) -> Iterator[Row]:
    """A row for each recipe named; where none is, for all, but for those that do not take the data: `tell` hears why.

    Each plays by its own settings, on `data` or on an embedded set. Raises ValueError for a recipe that does not fit.
    """
    for name in recipes or RECIPES:
        try:
            yield benchmark.measure(resolve(name, None, {"source": data or RECIPES[name].example}), explain=explain)
        except ValueError as error:
            if recipes:
                raise
            tell(f"{name} is left out: {error}")


HEAD = "examples/s    plain  ratio  (turns)         GFLOP/s  of peak   memory    plain"


def heading(kept: Row) -> list[str]:
    """The machine, and the columns."""
    peaks = ", ".join(f"{peak:,} in {name}" for name, peak in kept["peak_gflops"].items())
    threads = "1 thread" if kept["threads"] == 1 else f"{kept['threads']} threads"
    return [f" {kept['device']}, {threads}: matrix products at {peaks} GFLOP/s", f" {'recipe':<10}{'':<10}{HEAD}"]


def lines(row: Row) -> Iterator[str]:
    """A recipe, and under it what its switches bring."""
    mib = [f"{row[name] / 2**20:>5,.0f} MiB" for name in ("memory_bytes", "plain_memory_bytes")]
    yield (
        f" {row['recipe']:<10}{row['precision']:<10}{row['examples_per_second']:>10,.0f}"
        f"{row['plain_examples_per_second']:>9,.0f}{row['ratio']:>7.2f}  {_turns(row):<14}{row['gflops']:>9,.0f}"
        f"{row['share_of_peak']:>9.0%}{mib[0]}{mib[1]}"
    )
    for name, brought in row.get("switches", {}).items():
        told = f"idle: {brought['idle']}" if "idle" in brought else f"{brought['ratio']:.2f}  {_turns(brought)}"
        yield f"   {name:<16} {told}"


def _cpu() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores"


def _turns(row: Row) -> str:
    return f"({row['low']:.2f} to {row['high']:.2f})"
