"""How many samples a second go into shards: `zerosum sample --per-shard` by one process, and by two.

    python bench/shards.py

The model is the default recipe's on glyphs, after a few rounds: what it draws does not matter for the time, but that
noise is larger as a PNG than digits are. Each process has one thread. Commands are begun anew and alternate; the time
that one needs to find all its shards made is taken off. Where other work shares the cores (`load`), samples a processor
second are what to compare.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import zerosum

from judge import keep


def seconds(folder: Path, out: Path, n: int, ranks: int) -> tuple[float, float]:
    """Of one command, from its start to its end; and those that processors spent on it."""
    words = ["-m", "zerosum", "sample", str(folder / "run"), "-n", str(n), "--per-shard", "1000", "--device", "cpu"]
    both = ["-m", "torch.distributed.run", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    start, spent = time.perf_counter(), os.times()
    command = [sys.executable, *both, *words, "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    now = os.times()
    processors = now.children_user + now.children_system - spent.children_user - spent.children_system
    return time.perf_counter() - start, processors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=16_000)
    parser.add_argument("--times", type=int, default=3)
    args = parser.parse_args()
    took: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        zerosum.train(out=folder / "run", length="3 rounds")
        for turn in range(args.times):
            for ranks, found in took.items():
                whole, idle = (seconds(folder, folder / f"{ranks}-{turn}", args.samples, ranks) for _ in range(2))
                found.append((whole[0] - idle[0], whole[1] - idle[1]))
        one, two = ({path.name: path.read_bytes() for path in (folder / name).iterdir()} for name in ("1-0", "2-0"))
    result: dict[str, Any] = {"samples": args.samples, "mib": round(sum(map(len, one.values())) / 2**20, 1)}
    for ranks, found in took.items():
        walls, spent = zip(*found, strict=True)
        result[f"by_{ranks}"] = {
            "samples_per_s": round(args.samples / statistics.median(walls)),
            "samples_per_processor_s": round(args.samples / statistics.median(spent)),
        }
    result |= {
        "same_bytes": one == two,
        "load": round(os.getloadavg()[0], 1),
    }
    print(keep("shards", result), result)


if __name__ == "__main__":
    main()
