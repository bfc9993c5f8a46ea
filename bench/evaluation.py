"""What a whole judgement takes: wall seconds, processor seconds and memory of the commands that people give.

    python bench/evaluation.py --run runs/0001-mnist-r1gan

The run is of MNIST. Measured: the classifier's training, from an empty cache; `zerosum evaluate` of 10,000 samples and
all default numbers, twice, and whether both print the same; with 50,000; and the copy check of 5,000 by itself.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from zerosum.data import sources
from zerosum.judge.judging import in_copy_space
from zerosum.metrics.memorising import copying

from judge import keep


def command(*words: str, env: dict[str, str] | None = None) -> tuple[dict[str, Any], str]:
    """Run it as a process of its own: seconds, peak memory, and what it printed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, *words], stdout=out, env=os.environ | (env or {}))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read().decode()
    assert process.returncode == 0, printed
    took = {"wall_s": round(time.perf_counter() - start, 1), "cpu_s": round(usage.ru_utime + usage.ru_stime, 1)}
    return took | {"peak_mib": usage.ru_maxrss // 1024}, printed


def copies() -> dict[str, Any]:
    """5,000 held-out digits against all 60,000 training digits."""
    train, test = sources.load("mnist"), sources.load("mnist", split="test")
    shuffled = test.examples[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))]
    sets = [in_copy_space(x) for x in (shuffled[:5000], train.examples, shuffled[5000:])]
    start, spent = time.perf_counter(), time.process_time()
    found = copying(*sets)
    took = {"wall_s": round(time.perf_counter() - start, 1), "cpu_s": round(time.process_time() - spent, 1)}
    return took | {"samples": 5000, "training": len(train), "flagged": found.flagged, "z": round(found.z, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a run folder, of MNIST")
    args = parser.parse_args()
    result: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    fit = "from zerosum.data import sources; from zerosum.judge.extractors import EPOCHS; "
    fit += "from zerosum.metrics.features import train_classifier as fit; "
    fit += "d = sources.load('mnist'); fit(d.examples, d.labels, 10, epochs=EPOCHS)"
    result["classifier_60000"], _ = command("-c", fit)
    print(result, flush=True)
    judge = ("-m", "zerosum", "evaluate", str(args.run), "--json", "--samples")
    command(*judge, "100")  # so that the classifier is in the cache
    result["evaluate_10000"], first = command(*judge, "10000")
    result["again"], second = command(*judge, "10000")
    result["same_digits"] = first == second
    result["copy_check_5000"] = copies()
    print(result, flush=True)
    keep("evaluation", result)
    result["load_before_50000"] = os.getloadavg()[0]
    result["evaluate_50000"], _ = command(*judge, "50000")
    print(keep("evaluation", result), result)


if __name__ == "__main__":
    main()
