"""What perfect samples score: the ring, the grid, and stacked MNIST.

    python bench/floors_modes.py --draws 50

Ring and grid: 2,500 samples of the mixture itself a draw. Stacked: 26,000 triples of MNIST's own labels a draw, so no
classifier is in between. Beside the mean and deviation over draws stand the floors, and how often intervals hold them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch

from zerosum.data import sources, toy
from zerosum.metrics.modes import modes, stacked_modes
from zerosum.metrics.number import Number

from judge import keep

POINTS, TRIPLES = 2500, 26_000


def measure(draw: Callable[[torch.Generator], dict[str, Number]], draws: int) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(0)
    found = [draw(chance) for _ in range(draws)]
    rows = {}
    for name in found[0]:
        numbers = [one[name] for one in found]
        values = torch.tensor([number.value for number in numbers], dtype=torch.float64)
        held = [number.low <= values.mean() <= number.high for number in numbers]
        rows[name] = {
            "mean": round(float(values.mean()), 5),
            "deviation": round(float(values.std()), 5),
            "floor": round(float(numbers[0].floor or 0), 5),
            "held": float(torch.stack(held).double().mean()),
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="floors_modes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    digits = sources.load("mnist").labels
    assert digits is not None
    ring, grid, shares = toy.ring(), toy.grid(), torch.bincount(digits, minlength=10)

    def triples(chance: torch.Generator) -> dict[str, Number]:
        return stacked_modes(digits[torch.randint(len(digits), (TRIPLES, 3), generator=chance)], shares)

    rows = {
        "ring": measure(lambda chance: modes(ring.sample(POINTS, chance), ring.centres, ring.sigma), args.draws),
        "grid": measure(lambda chance: modes(grid.sample(POINTS, chance), grid.centres, grid.sigma), args.draws),
        "stacked MNIST": measure(triples, args.draws),
    }
    for name, row in rows.items():
        print(name, row, flush=True)
    keep(args.name, {"draws": args.draws, "samples": {"toys": POINTS, "stacked": TRIPLES}, "rows": rows})


if __name__ == "__main__":
    main()
