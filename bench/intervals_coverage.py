"""How often the 95 % intervals of precision, recall, density and coverage hold the mean they are about.

    python bench/intervals_coverage.py --repetitions 300

For each setting, samples and reference are drawn anew that many times; the mean of a number over all draws stands for
the mean at these counts. Normal features in 16 and 64 dimensions (the same distribution; narrower by a tenth; shifted
by 1.5 deviations; ten clusters of which four are dropped), and the 64 LeNet features of MNIST's training pictures,
drawn without replacement within a repetition: against others, against others of classes 0-6, against noisy ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from zerosum.data import sources
from zerosum.metrics.coverage import coverage
from zerosum.metrics.features import in_blocks

from judge import classifier, keep

NUMBERS = ("precision", "recall", "density", "coverage")
Draw = Callable[[int, int, Generator], tuple[Tensor, Tensor]]


def normal(dim: int, scale: float = 1.0, shift: float = 0.0) -> Draw:
    def draw(n: int, m: int, chance: Generator) -> tuple[Tensor, Tensor]:
        x, y = torch.randn(n, dim, generator=chance), torch.randn(m, dim, generator=chance)
        return scale * x + shift / dim**0.5, y

    return draw


def clusters(dim: int) -> Draw:
    centres = 2 * torch.randn(10, dim, generator=torch.Generator().manual_seed(0))

    def draw(n: int, m: int, chance: Generator) -> tuple[Tensor, Tensor]:
        x, y = normal(dim)(n, m, chance)
        shown, there = torch.randint(6, (n,), generator=chance), torch.randint(10, (m,), generator=chance)
        return x + centres[shown], y + centres[there]

    return draw


def pictures() -> dict[str, Draw]:
    data = sources.load("mnist")
    assert data.labels is not None
    net, labels = classifier(data, 10), data.labels
    features = in_blocks(net.features, data.examples)
    noise = torch.randn(data.examples.shape, generator=torch.Generator().manual_seed(0)) * 40
    noisy = in_blocks(net.features, (data.examples + noise).clamp(0, 255).to(torch.uint8))

    def among(shown: Tensor, source: Tensor) -> Draw:
        def draw(n: int, m: int, chance: Generator) -> tuple[Tensor, Tensor]:
            order = torch.randperm(len(labels), generator=chance)
            reference, others = order[:m], order[m:]
            return source[others[shown[others]][:n]], features[reference]

        return draw

    everyone = labels >= 0
    return {
        "mnist": among(everyone, features),
        "mnist classes 0-6": among(labels < 7, features),
        "mnist noisy": among(everyone, noisy),
    }


def measure(draw: Draw, n: int, m: int, repetitions: int) -> dict[str, Any]:
    chance, start = torch.Generator().manual_seed(0), time.process_time()
    found = [coverage(*draw(n, m, chance), seed=seed) for seed in range(repetitions)]
    row: dict[str, Any] = {"n": n, "m": m, "cpu_seconds": round(time.process_time() - start, 1)}
    for name in NUMBERS:
        numbers = [getattr(one, name) for one in found]
        values = torch.tensor([number.value for number in numbers], dtype=torch.float64)
        low = torch.tensor([number.low for number in numbers], dtype=torch.float64)
        high = torch.tensor([number.high for number in numbers], dtype=torch.float64)
        mean = values.mean()
        row[name] = {
            "held": round(float(((low <= mean) & (mean <= high)).double().mean()), 4),
            "below": round(float((high < mean).double().mean()), 4),
            "above": round(float((low > mean).double().mean()), 4),
            "mean": round(float(mean), 4),
            "deviation": round(float(values.std()), 5),
            "half_width_over_1.96": round(float((high - low).mean() / 3.92), 5),
            "floor": numbers[0].floor,
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--settings", nargs="+", default=None, help="only these; all without")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="intervals_coverage")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    draws = {
        f"{kind} {dim}-d": draw
        for dim in (16, 64)
        for kind, draw in {
            "same": normal(dim),
            "narrower": normal(dim, scale=0.9),
            "shifted": normal(dim, shift=1.5),
            "clusters dropped": clusters(dim),
        }.items()
    }
    if args.settings is None or any(name.startswith("mnist") for name in args.settings):
        draws |= pictures()
    unequal = {"same 16-d": (500, 2000), "clusters dropped 64-d": (2000, 500), "mnist": (2000, 500)}
    rows: dict[str, Any] = {}
    for name, draw in draws.items():
        for n, m in [(1000, 1000), *([unequal[name]] if name in unequal else [])]:
            if args.settings is None or name in args.settings:
                row = measure(draw, n, m, args.repetitions)
                rows[f"{name}, {n} and {m}"] = row
                print(f"{name}, {n} and {m}:", {key: row[key]["held"] for key in NUMBERS}, row, flush=True)
                keep(args.name, {"nominal": 0.95, "repetitions": args.repetitions, "k": 5, "rows": rows})


if __name__ == "__main__":
    main()
