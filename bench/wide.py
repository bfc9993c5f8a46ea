"""How much faster several processes play one game, what they tell each other, and what that means for many GPUs.

    python bench/wide.py --rounds 12 --repeats 5

Measured: images/s of `dcgan --preset mnist28` and of the default recipe by one process with one thread, and by two that
share its batch, alternating (wall clock: it wants two idle cores); how long an all-reduce between the two takes, by
size. From these, on paper: a round of R ranks takes

    t(R) = t_1(B / R) + messages latency + 2 (R - 1) / R  bytes / bandwidth

where bytes are the gradients of all turns in float32, readings beside them. The same formula then says what 64 GPUs
would do, for a step time and links that are given: those of GPUs are not measured here.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from zerosum import model
from zerosum.data.deck import deck_of
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.play.world import joined
from zerosum.run import data_of
from zerosum.settings import resolve
from zerosum.table import trainer_of

from judge import keep

WORK = {
    "dcgan mnist28": ("dcgan", "mnist28", "mnist"),
    "r1gan": ("r1gan", None, "mnist"),
    "r3gan": ("r3gan", None, "mnist"),
}
SIZES = (1_000, 100_000, 2_500_000)  # numbers in an all-reduce
LINKS = {"one machine, NVLink": (20e-6, 300e9), "machines, 400 Gbit/s a GPU": (60e-6, 40e9)}  # seconds, bytes/s: given


def trainer_for(work: str, batch: int, precision: str) -> Trainer:
    recipe, preset, data = WORK[work]
    settings = resolve(recipe, preset, {"source": data, "precision": precision, "batch": batch, "average": 0.99})
    dataset, play = data_of(settings), settings.play
    torch.manual_seed(0)
    game = model.build(recipe, settings.game, dataset.spec)
    deck = deck_of(dataset, labelled=game.classes > 0, seed=0, device=torch.device("cpu"))
    trainer = trainer_of(game, lambda: deck.deal(play.batch, trainer.world.part), play, settings.speed)
    return trainer


def worker(args: argparse.Namespace) -> None:
    """One rank: seconds a round, and of all-reduces; rank 0 prints them."""
    torch.set_num_threads(1)
    keep_memory()
    with joined("cpu") as world:
        trainer = trainer_for(args.work, args.batch, args.precision)
        for _ in range(3):
            trainer.round()
        trainer.collect()
        start = time.perf_counter()
        for _ in range(args.rounds):
            trainer.round()
        trainer.collect()
        told: dict[str, Any] = {"round": (time.perf_counter() - start) / args.rounds}
        told["numbers"] = sum(p.numel() for mover in trainer.movers for p in mover.parameters)
        told["messages"] = len(trainer.movers) + 1
        if world.size > 1:
            told["all_reduce"] = {str(size): all_reduce(size) for size in SIZES}
            world.tell("end") if world.rank == 0 else world.hear()
        if world.rank == 0:
            print(json.dumps(told))


def all_reduce(size: int, times: int = 20) -> float:
    flat = torch.ones(size)
    found = []
    for _ in range(times):
        start = time.perf_counter()
        distributed.all_reduce(flat.fill_(1.0))
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def measure(ranks: int, work: str, batch: int, args: argparse.Namespace) -> dict[str, Any]:
    launched = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launched, __file__, "--worker", "--work", work, "--batch", str(batch)]
    command += ["--rounds", str(args.rounds), "--precision", args.precision]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    return told


def paper(alone: dict[int, float], told: dict[str, Any], latency: float, bandwidth: float, ranks: int) -> float:
    """Seconds a round on `ranks`, of the seconds that one takes for each share of the batch."""
    volume = 4 * told["numbers"] * 2 * (ranks - 1) / ranks
    return alone[ranks] + told["messages"] * latency + volume / bandwidth


def table(args: argparse.Namespace, work: str) -> dict[str, Any]:
    one, half, two = [], [], []
    for _ in range(args.repeats):
        one.append(measure(1, work, args.batch, args))
        two.append(measure(2, work, args.batch, args))
        half.append(measure(1, work, args.batch // 2, args)["round"])
    alone = {1: statistics.median(t["round"] for t in one), 2: statistics.median(half)}
    together = statistics.median(t["round"] for t in two)
    sizes = {s: statistics.median(t["all_reduce"][str(s)] for t in two) for s in SIZES}
    latency = sizes[SIZES[0]]
    bandwidth = 4 * SIZES[2] / max(sizes[SIZES[2]] - latency, 1e-9)
    row = {
        "work": work,
        "batch": args.batch,
        "precision": args.precision,
        "images_per_second": {"1 process": round(args.batch / alone[1]), "2 processes": round(args.batch / together)},
        "ratio": round(alone[1] / together, 3),
        "ratio_each": [round(a["round"] / b["round"], 3) for a, b in zip(one, two, strict=True)],
        "halved_batch_alone_costs": round(alone[2] / alone[1], 3),
        "all_reduce_seconds": {str(s): round(v, 6) for s, v in sizes.items()},
        "megabytes_a_round": round(4 * one[0]["numbers"] / 1e6, 2),
        "on_paper_2": round(alone[1] / paper(alone, one[0], latency, bandwidth, 2), 3),
    }
    row["on_paper_gpus"] = {
        link: {ranks: round(speed_up(one[0], *LINKS[link], ranks, args.step), 1) for ranks in (2, 4, 8, 16, 32, 64)}
        for link in LINKS
    }
    print(json.dumps(row, indent=1), flush=True)
    return row


def speed_up(told: dict[str, Any], latency: float, bandwidth: float, ranks: int, step: float) -> float:
    """Of as many times the batch, each rank keeping its own share (weak scaling), at `step` seconds a round alone."""
    return ranks * step / paper({ranks: step}, told, latency, bandwidth, ranks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", choices=WORK, nargs="*" if "--worker" not in sys.argv else None, default=list(WORK))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--step", type=float, default=0.004, help="seconds a round on one GPU, for the paper's table")
    parser.add_argument("--name", default="wide")
    args = parser.parse_args()
    if args.worker:
        worker(args)
        return
    rows = [table(args, work) for work in args.work]
    gpus = {"links": LINKS, "step_seconds": args.step, "measured": "no: given numbers"}
    print(keep(args.name, {"seed": 0, "rounds": args.rounds, "repeats": args.repeats, "gpus": gpus, "rows": rows}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
