"""Will generated digits help a classifier? The accuracy score of samples, and real + synthetic against real alone.

    python bench/usefulness.py --seconds 120

A class-conditional r1gan is trained on MNIST's 60,000 labelled digits for so many seconds of one thread, and draws
20,000. The generator saw all labels: the question is whether samples can stand in for them. `--shift` is how many
pixels the classifiers' pictures are moved by: with 0, real pictures alone do worse, and samples seem to help more.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict

import torch

from rivals import train
from zerosum.data import sources
from zerosum.metrics.utility import STEPS, classification_scores, usefulness
from zerosum.play.precision import keep_memory

from judge import as_bytes, keep

COUNT = 20_000
BLOCK = 100  # samples drawn at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of training the generator")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.05, 0.1, 1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--shift", type=int, default=2)
    parser.add_argument("--name", default="usefulness")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    data, held_out = sources.load("mnist"), sources.load("mnist", split="test")
    trainer, about = train("r1gan", data, args.seconds, seed=0)
    chance, y = torch.Generator().manual_seed(1), torch.arange(COUNT) % 10
    drawn = [as_bytes(trainer.average.game.sample(BLOCK, part, chance)) for part in y.split(BLOCK)]
    assert data.labels is not None
    assert held_out.labels is not None
    sets = (torch.cat(drawn), y), (data.examples, data.labels), (held_out.examples, held_out.labels), 10
    how = {"seeds": args.seeds, "steps": args.steps, "shift": args.shift}
    start = time.perf_counter(), time.process_time()
    gains = usefulness(*sets, shares=args.shares, **how)
    middle = time.perf_counter(), time.process_time()
    scores = classification_scores(*sets, **how)
    end = time.perf_counter(), time.process_time()
    for gain in gains:
        d = gain.difference
        print(
            f"{gain.labelled:6,} labels: real {gain.real.value:.2%}, real + synthetic {gain.both.value:.2%}, "
            f"{100 * d.value:+.2f} points [{100 * d.low:+.2f}, {100 * d.high:+.2f}]: {gain.helps}"
        )
    for name in ("cas", "real", "share", "gan_test"):
        number = getattr(scores, name)
        print(f"{name}: {number.value:.2%} [{number.low:.2%}, {number.high:.2%}]")
    seconds = {
        "usefulness": {"wall": round(middle[0] - start[0], 1), "cpu": round(middle[1] - start[1], 1)},
        "classification_scores": {"wall": round(end[0] - middle[0], 1), "cpu": round(end[1] - middle[1], 1)},
    }
    print(seconds)
    result = {"generator": about, "samples": COUNT} | how | {"seconds": seconds}
    print(keep(args.name, result | {"gains": [asdict(gain) for gain in gains], "scores": asdict(scores)}))


if __name__ == "__main__":
    main()
