"""Copies of training pictures planted among samples, and real data that must not be taken for copies.

    python bench/copies.py
    python bench/copies.py --parts real --splits 50

planted   5,000 samples: copies of MNIST's training pictures, exact and near, and for the rest real pictures. For exact
          copies the estimate must hold within 2 points, and from 10 % on C_T's z must be under -5.
poor      The same with a rest that is blurred, noisy, mixed or collapsed: that moves C_T, but not the estimate.
real      Held-out pictures in two halves, shuffled anew: one stands for the samples. None may be flagged.
interval  Normals in 8 dimensions, 5 % of which are copies: how often the 95 % interval holds the share of copies.

The training set is 10,000 pictures. Features are flat pixels; "4 x 4" says that these were averaged in squares first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from zerosum.data import sources
from zerosum.metrics.memorising import Copying, copying

from judge import RESULTS, keep

TRAIN, COUNT = 10_000, 5_000
Change = Callable[[Tensor, torch.Generator], Tensor]


def noise(deviation: float) -> Change:
    def add(x: Tensor, chance: torch.Generator) -> Tensor:
        return (x + 255 * deviation * torch.randn(x.shape, generator=chance)).clamp(0, 255).round()

    return add


def one_level(x: Tensor, chance: torch.Generator) -> Tensor:
    return (x + torch.randint(-1, 2, x.shape, generator=chance)).clamp(0, 255)


NEAR: dict[str, Change] = {
    "+-1 level": one_level,
    "noise 2 %": noise(0.02),
    "1 px shift": lambda x, _: x.roll(1, 3),
    "brightness 0.8": lambda x, _: (0.8 * x).round(),
}
POOR: dict[str, Change] = {
    "blurred": lambda x, _: avg_pool2d(x, 3, 1, 1),
    "noise 10 %": noise(0.1),
    "mixed in twos": lambda x, _: (x + x.flip(0)) / 2,
    "collapsed to 10": lambda x, chance: noise(0.01)(x[torch.randint(10, (len(x),), generator=chance)], chance),
}


def deal(data: str, seed: int) -> tuple[Tensor, Tensor, Tensor, torch.Generator]:
    """10,000 training pictures, and the two halves of the shuffled test split."""
    chance = torch.Generator().manual_seed(seed)
    train, test = sources.load(data).examples, sources.load(data, split="test").examples
    train = train[torch.randperm(len(train), generator=chance)[:TRAIN]].float()
    first, second = test[torch.randperm(len(test), generator=chance)].float().split(COUNT)
    return train, first, second, chance


def judged(samples: Tensor, train: Tensor, held_out: Tensor, pool: int = 1) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    found = copying(*(avg_pool2d(x, pool).flatten(1) for x in (samples, train, held_out)))
    seconds = {"seconds": round(time.perf_counter() - start, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    return figures(found) | seconds


def figures(found: Copying) -> dict[str, Any]:
    copies, authentic = found.copies, found.authentic
    return {
        "copies": [round(100 * x, 2) for x in (copies.value, copies.low, copies.high)],
        "flagged": found.flagged,
        "exact": found.exact,
        "c_t": round(found.c_t, 2),
        "z": round(found.z, 2),
        "authentic": [round(100 * x, 1) for x in (authentic.value, authentic.low, authentic.high)],
        "authentic_real": round(100 * found.authentic_real.value, 1),
    }


def planted(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for seed in args.seeds:
        train, rest, held_out, chance = deal("mnist", seed)
        cases = [("exact", share, 1) for share in (0, 1, 2, 5, 10, 20, 50, 100)]
        cases += [(kind, share, 1) for kind in NEAR for share in (2, 10, 100) if share == 10 or seed == args.seeds[0]]
        cases += [("1 px shift", share, 4) for share in (0, 10, 100)]
        for kind, share, pool in cases:
            k = COUNT * share // 100
            copies = NEAR[kind](train[:k], chance) if kind in NEAR else train[:k]
            name = f"{kind}, 4 x 4" if pool > 1 else kind
            rows.append({"kind": name, "planted": share, "seed": seed})
            rows[-1] |= judged(torch.cat([copies, rest[k:]]), train, held_out, pool)
            print(rows[-1], flush=True)
    return rows


def poor(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for seed in args.seeds:
        train, rest, held_out, chance = deal("mnist", seed)
        for kind, change in POOR.items():
            worse = change(rest, chance)
            for share in (0, 10):
                k = COUNT * share // 100
                rows.append({"rest": kind, "planted": share, "seed": seed})
                rows[-1] |= judged(torch.cat([train[:k], worse[k:]]), train, held_out)
                print(rows[-1], flush=True)
    return rows


def real(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for data in ("mnist", "fashion-mnist"):
        found = []
        for seed in range(args.splits):
            train, first, second, _ = deal(data, seed)
            found.append(judged(first[: args.half], train, second[: args.half]))
        z, copies = torch.tensor([row["z"] for row in found]), torch.tensor([row["copies"] for row in found])
        authentic = torch.tensor([row["authentic"][0] for row in found])
        rows.append({"data": data, "splits": args.splits, "samples": args.half, "held_out": args.half})
        rows[-1] |= {
            "flagged": sum(row["flagged"] for row in found),
            "low_end_above_0": int((copies[:, 1] > 0).sum()),
            "copies_most": round(float(copies[:, 0].max()), 2),
            "z_mean": round(float(z.mean()), 2),
            "z_deviation": round(float(z.std()), 2),
            "z_least": round(float(z.min()), 2),
            "authentic_mean": round(float(authentic.mean()), 1),
            "authentic_range": [round(float(x), 1) for x in (authentic.min(), authentic.max())],
        }
        print(rows[-1], flush=True)
    return rows


def interval(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for count in (100, 500):
        held, flagged = 0, 0
        for seed in range(args.repetitions):
            chance = torch.Generator().manual_seed(seed)
            train, samples, held_out = torch.randn(1000 + 2 * count, 8, generator=chance).split([1000, count, count])
            copied = torch.rand(count, generator=chance) < 0.05
            samples = torch.where(copied[:, None], train[:count], samples)
            found = copying(samples, train, held_out)
            held += found.copies.low <= 0.05 <= found.copies.high
            flagged += found.flagged
        rows.append({"samples": count, "held_out": count, "planted": 5, "repetitions": args.repetitions})
        rows[-1] |= {"interval_holds": held / args.repetitions, "flagged": flagged / args.repetitions}
        print(rows[-1], flush=True)
    return rows


PARTS = {"planted": planted, "poor": poor, "real": real, "interval": interval}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--splits", type=int, default=50)
    parser.add_argument("--half", type=int, default=2500, help="pictures on either side of a split")
    parser.add_argument("--repetitions", type=int, default=300)
    args = parser.parse_args()
    for part in args.parts:
        rows = PARTS[part](args)
        path = RESULTS / "copies.json"
        kept = json.loads(path.read_text()) if path.is_file() else {}
        kept.pop("hardware", None)
        keep("copies", kept | {part: rows})


if __name__ == "__main__":
    main()
