"""Do sums of meanings hold (Radford et al. 2015, section 6.3.2)? 'red 7 - blue 7 + blue 1' should be a red 1.

    python bench/arithmetic.py --minutes 3 --threads 1 --out runs/sums

An unconditional dcgan learns digits 0, 1, 7 in red and in blue; it is never told which is which. Every sum 'colour
digit - other colour digit + other colour other digit' is made of 3 exemplars a term, for 10 seeds, and a LeNet that was
trained on the labelled pictures reads the result. Chance is 1 in 6.
"""

from __future__ import annotations

import argparse
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import zerosum
from zerosum import wanderings
from zerosum.data import sources
from zerosum.explore.latent import sum_of_means
from zerosum.metrics.features import in_blocks, train_classifier

from judge import keep

DIGITS, COLOURS = (0, 1, 7), {"red": (1.0, 0.15, 0.1), "blue": (0.15, 0.35, 1.0)}


def make(path: Path, n: int = 12_000) -> None:
    """An npz of coloured digits with their names: half of each digit red, half blue."""
    drawn = sources.load("glyphs", limit=n, size=32)
    assert drawn.labels is not None
    chosen = torch.isin(drawn.labels, torch.tensor(DIGITS))
    ink, digits = drawn.examples[chosen].permute(0, 2, 3, 1).float(), drawn.labels[chosen]
    which = torch.arange(len(ink)) % 2
    images = (ink * torch.tensor(list(COLOURS.values()))[which][:, None, None, :]).round().to(torch.uint8)
    names = [f"{colour} {digit}" for colour in COLOURS for digit in DIGITS]
    labels = which * len(DIGITS) + torch.tensor([DIGITS.index(d) for d in digits.tolist()])
    np.savez(path, images=images.numpy(), labels=labels.numpy(), class_names=np.array(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/sums"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True)
    make(args.out / "coloured.npz")
    length = {"length": f"{args.minutes} minutes", "cooldown": 0.5, "lr": 1e-3}
    run = zerosum.train("dcgan", args.out / "coloured.npz", out=args.out / "run", width=16, **length)
    data, found = sources.load(str(args.out / "coloured.npz")), zerosum.load(run)
    assert data.labels is not None
    names = list(data.spec.classes)
    net = train_classifier(data.examples, data.labels, len(names))
    real = float((in_blocks(net, data.examples).argmax(1) == data.labels).float().mean())

    def read(z: Tensor) -> Tensor:
        return in_blocks(net, found.picture(z).permute(0, 3, 1, 2)).softmax(1)

    right, asked = 0, 0
    for seed in range(10):
        z, _ = found.latents(1000, seed)
        sure = read(z)
        best = {name: z[sure[:, k].topk(3).indices] for k, name in enumerate(names)}
        for colour, other in permutations(COLOURS, 2):
            for digit, wanted in permutations(DIGITS, 2):
                terms = [best[f"{colour} {digit}"], best[f"{other} {digit}"], best[f"{other} {wanted}"]]
                said = names[int(read(sum_of_means([1, -1, 1], terms)[None]).argmax())]
                right, asked = right + (said == f"{colour} {wanted}"), asked + 1
    out = wanderings.add_up(found, "red 7 - blue 7 + blue 1", seed=0, label=None, out=args.out / "sum.png", data=data)
    rounds = found.header["rounds"]
    result = {"right": right, "of": asked, "classifier_on_training_data": round(real, 4), "rounds": rounds, "seed": 0}
    print(result, out)
    keep("arithmetic", {"minutes": args.minutes} | result)


if __name__ == "__main__":
    main()
