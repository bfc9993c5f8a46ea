"""What a perfect generator scores: the formula of `frechet_floor` beside real data against real data.

    python bench/floors.py

MNIST's 60,000 training digits as 64 principal components of their pixels in [0, 1]. At each count n the digits are
shuffled and dealt into disjoint sets of n; each two sets are one measurement. `normal` is the formula with the moments
of order four of a normal, `formula` that with the digits' own.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from zerosum.data import sources
from zerosum.metrics.frechet import frechet_distance, frechet_floor

from judge import keep

COUNTS = (1000, 5000, 10_000, 25_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=20, help="measurements at each count")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    digits = components(sources.load("mnist").examples, 64)
    chance = torch.Generator().manual_seed(args.seed)
    values = torch.linalg.eigvalsh(torch.cov(digits.T))
    pairs = (values[:, None] * values / (values[:, None] + values)).sum() + values.sum() / 2
    rows = []
    for n in COUNTS:
        seen: list[float] = []
        while len(seen) < args.splits:
            sets = digits[torch.randperm(len(digits), generator=chance)].split(n)
            seen += [frechet_distance(a, b) for a, b in zip(sets[0::2], sets[1::2], strict=False) if len(b) == n]
        observed = torch.tensor(seen[: args.splits])
        formula = frechet_floor(digits, n, n)
        rows.append(
            {
                "n": n,
                "observed": round(float(observed.mean()), 5),
                "standard_error": round(float(observed.std()) / args.splits**0.5, 5),
                "formula": round(formula, 5),
                "normal": round(float(values.sum() + pairs / 2) * 2 / n, 5),
                "formula_over_observed": round(formula / float(observed.mean()), 4),
            }
        )
        print(rows[-1], flush=True)
    path = keep("floors_frechet", {"data": "mnist, PCA-64", "splits": args.splits, "seed": args.seed, "rows": rows})
    print(path)


def components(pictures: Tensor, count: int) -> Tensor:
    """The first principal components of pictures uint8 [n c h w]: float64 [n count]."""
    x = pictures.flatten(1).double() / 255
    x -= x.mean(0)
    return x @ torch.linalg.eigh(x.T @ x).eigenvectors[:, -count:]


if __name__ == "__main__":
    main()
