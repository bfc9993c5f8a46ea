"""Are the 95 % intervals of the Fréchet distance and of KID honest, and is "A is better than B" right?

    python bench/intervals.py normal
    python bench/intervals.py lenet
    python bench/intervals.py gaps

`normal`, `lenet`: the share of repetitions whose interval holds the mean value at these counts (that of all
repetitions). Samples are normal (variances from 1 to e^-3), or LeNet's features of MNIST drawn with replacement; "near"
and "far" are noise of 8 and of 30 of 255 on the digits, "other" is Fashion-MNIST.
`gaps`: how often A is called better or worse than B, where both are of one distribution, and where A is better by a
little; beside it the plain paired bootstrap (200 resamples of the rows of A, B and the reference).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from zerosum.data import sources
from zerosum.metrics.better import verdict
from zerosum.metrics.features import in_blocks
from zerosum.metrics.frechet import frechet, frechet_distance, frechet_gap
from zerosum.metrics.kernel import kid, kid_gap
from zerosum.metrics.number import Number

from judge import classifier, keep

Draw = Callable[[int], Tensor]
Case = tuple[Any, ...]
SHIFTS = {"same": (0.0, 1.0), "near": (0.03, 1.03), "far": (0.5, 1.5)}  # of the mean; factor of the deviations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("asks", choices=["normal", "lenet", "gaps"])
    parser.add_argument("--samples", nargs="+", default=["same", "near", "far", "other"])
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default=None, help="of the result")
    args = parser.parse_args()
    torch.set_num_threads(1)
    chance = torch.Generator().manual_seed(args.seed)
    asked = {"normal": normals, "lenet": lenets, "gaps": gaps}[args.asks](chance, args.samples)
    measure, start, rows = decisions if args.asks == "gaps" else coverage, time.perf_counter(), []
    for case in asked:
        rows.append(measure(args.repetitions, *case))
        print(rows[-1], flush=True)
        seconds = round(time.perf_counter() - start)
        result = {"repetitions": args.repetitions, "seed": args.seed, "seconds": seconds, "rows": rows}
        path = keep(args.name or f"intervals_{args.asks}", result)
    print(path)


def normal(width: int, shift: float, scale: float, chance: torch.Generator) -> Draw:
    deviations = torch.linspace(0, -1.5, width).exp() * scale
    return lambda n: torch.randn(n, width, generator=chance) * deviations + shift


def resampled(population: Tensor, chance: torch.Generator) -> Draw:
    return lambda n: population[torch.randint(len(population), (n,), generator=chance)]


def lenet(chance: torch.Generator, names: list[str]) -> dict[str, Draw]:
    """LeNet's features of 20,000 of MNIST's training digits, of noisy digits, and of clothes."""
    digits, clothes = sources.load("mnist"), sources.load("fashion-mnist")
    net, some = classifier(digits, 10), digits.examples[:20_000]

    def noisy(deviation: float) -> Tensor:
        noise = deviation * torch.randn(some.shape, generator=torch.Generator().manual_seed(0))
        return (some + noise).clamp(0, 255).to(torch.uint8)

    pictures = {
        "same": lambda: some,
        "near": lambda: noisy(8),
        "far": lambda: noisy(30),
        "other": lambda: clothes.examples[:20_000],
    }
    return {name: resampled(in_blocks(net.features, pictures[name]()), chance) for name in names}


def normals(chance: torch.Generator, names: list[str]) -> list[Case]:
    """(number, function, how the samples are called, samples, n, reference, m)."""
    found: list[Case] = []
    for width in (16, 64):
        reference = normal(width, *SHIFTS["same"], chance)
        for name in (name for name in names if name in SHIFTS):
            title, samples = f"normal {width}-d, {name}", normal(width, *SHIFTS[name], chance)
            found.append(("FD", frechet, title, samples, 1000, reference, 1000))
            found.append(("FD", frechet, title, samples, 1000, reference, 5000))
            found.append(("KID", kid, title, samples, 1000, reference, 1000))
    return found


def lenets(chance: torch.Generator, names: list[str]) -> list[Case]:
    found: list[Case] = []
    features = lenet(chance, ["same", *(name for name in names if name != "same")])
    reference = features["same"]
    for name in names:
        title, samples = f"LeNet of MNIST, {name}", features[name]
        found.append(("FD", frechet, title, samples, 1000, reference, 1000))
        found.append(("KID", kid, title, samples, 1000, reference, 1000))
        found.append(("FD", frechet, title, samples, 1000, reference, 5000))
        if name in ("same", "near"):
            found.append(("KID", kid, title, samples, 500, reference, 2000))
            found.append(("FD", frechet, title, samples, 5000, reference, 5000))
    return found


def coverage(
    repetitions: int, number: str, measure: Callable[..., Number], title: str, a: Draw, n: int, b: Draw, m: int
) -> dict[str, Any]:
    found = [measure(a(n), b(m)) for _ in range(repetitions)]
    values = torch.tensor([x.value for x in found])
    mean = float(values.mean())
    return {
        "number": number,
        "samples": title,
        "n": n,
        "m": m,
        "mean": round(mean, 6),
        "deviation": round(float(values.std()), 6),
        "coverage": round(sum(x.low <= mean <= x.high for x in found) / repetitions, 4),
        "all_above": round(sum(x.low > mean for x in found) / repetitions, 4),
        "all_below": round(sum(x.high < mean for x in found) / repetitions, 4),
        "unbiased": round(sum(x.unbiased or 0.0 for x in found) / repetitions, 6),
        "floor": round(sum(x.floor or 0.0 for x in found) / repetitions, 6),
    }


def gaps(chance: torch.Generator, names: list[str]) -> list[Case]:
    """(number, function, title, A, B, reference, n)."""
    same, near = (normal(16, *SHIFTS[name], chance) for name in ("same", "near"))
    features = lenet(chance, ["same", "near", "far"])
    found: list[Case] = [
        ("FD", frechet_gap, "normal 16-d: both perfect", same, same, same, 1000),
        ("FD", frechet_gap, "normal 16-d: both near", near, near, same, 1000),
        ("FD", frechet_gap, "normal 16-d: perfect against near", same, near, same, 1000),
        ("FD, plain bootstrap", bootstrap, "normal 16-d: both perfect", same, same, same, 1000),
        ("FD, plain bootstrap", bootstrap, "normal 16-d: perfect against near", same, near, same, 1000),
    ]
    for number, gap in (("FD", frechet_gap), ("KID", kid_gap)):
        for first, second in (("same", "same"), ("near", "near"), ("far", "far"), ("same", "near")):
            title = f"LeNet of MNIST: {first} against {second}"
            found.append((number, gap, title, features[first], features[second], features["same"], 1000))
    title = "LeNet of MNIST: same against near"
    found.append(("FD", frechet_gap, title, features["same"], features["near"], features["same"], 5000))
    return found


def decisions(
    repetitions: int, number: str, measure: Callable[..., Number], title: str, a: Draw, b: Draw, reference: Draw, n: int
) -> dict[str, Any]:
    start = time.perf_counter()
    found = [verdict(measure(a(n), b(n), reference(n))) for _ in range(repetitions)]
    shares = {name: round(found.count(name) / repetitions, 4) for name in ("yes", "no", "cannot tell")}
    row = {"number": number, "A against B": title, "n": n, "repetitions": repetitions} | shares
    return row | {"seconds_each": round((time.perf_counter() - start) / repetitions, 3)}


def bootstrap(a: Tensor, b: Tensor, reference: Tensor, resamples: int = 200) -> Number:
    """FD(a) - FD(b), with the percentiles of a paired bootstrap about it."""
    chance = torch.Generator().manual_seed(0)
    again = partial(torch.randint, generator=chance)
    value = frechet_distance(a, reference) - frechet_distance(b, reference)
    gaps = []
    for _ in range(resamples):
        x, y, r = (rows[again(len(rows), (len(rows),))] for rows in (a, b, reference))
        gaps.append(frechet_distance(x, r) - frechet_distance(y, r))
    low, high = torch.tensor(gaps).quantile(torch.tensor([0.025, 0.975])).tolist()
    return Number(value, low, high, "lower")


if __name__ == "__main__":
    main()
