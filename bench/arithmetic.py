"""Do sums of meanings hold (Radford et al. 2015, section 6.3.2)? 'red bold - blue bold + blue thin' should be red thin.

    python bench/arithmetic.py --of shades --minutes 2 --threads 1 --out runs/sums

An unconditional dcgan learns coloured digits and is never told what is what:
digits   zeros, ones and sevens, in red and in blue: six kinds apart from each other
pens     digits in red and in blue, drawn thin or bold: four kinds apart
shades   digits of every hue from red to blue and of every pen from thin to bold; only the ends have names
Every sum 'colour kind - other colour kind + other colour other kind' is made of 3 exemplars a term, for 10 seeds, and a
LeNet that was trained on the labelled pictures reads the result among the kinds with two names.
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

COLOURS = {"red": (1.0, 0.15, 0.1), "blue": (0.15, 0.35, 1.0)}
KINDS = {"shades": ("thin", "bold"), "pens": ("thin", "bold"), "digits": ("0", "1", "7")}


def make(path: Path, of: str, n: int = 12_000) -> None:
    """An npz of coloured digits with the names of their kinds; of `shades` most have no name but 'between'."""
    drawn = sources.load("bold", limit=n // 2) if of == "pens" else sources.load("glyphs", limit=n, size=32)
    ink, blue = drawn.examples, torch.arange(n) % 2.0  # how blue each is
    if of == "pens":
        assert drawn.partners is not None
        ink, kind = torch.cat([ink, drawn.partners]), torch.arange(n) // (n // 2)
    elif of == "digits":
        assert drawn.labels is not None
        wanted = torch.tensor([int(name) for name in KINDS[of]])
        chosen = torch.isin(drawn.labels, wanted)
        ink, blue, kind = ink[chosen], blue[chosen], torch.searchsorted(wanted, drawn.labels[chosen])
    else:
        assert drawn.factors is not None
        blue = torch.rand(n, generator=torch.Generator().manual_seed(0))
        kind = (drawn.factors["width"] > 0.095).long()
    red_end, blue_end = (torch.tensor(tint) for tint in COLOURS.values())
    tints = torch.lerp(red_end.expand(len(ink), 3), blue_end.expand(len(ink), 3), blue[:, None])
    images = (ink.permute(0, 2, 3, 1).float() * tints[:, None, None, :]).round().to(torch.uint8)
    names = [f"{colour} {name}" for colour in COLOURS for name in KINDS[of]]
    labels = (blue > 0.5).long() * len(KINDS[of]) + kind
    if of == "shades":
        names.append("between")
        middle = ((blue - 0.5).abs() < 0.3) | ((drawn.factors["width"] - 0.095).abs() < 0.02)  # type: ignore[index]
        labels[middle] = len(names) - 1
    np.savez(path, images=images.numpy(), labels=labels.numpy(), class_names=np.array(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", choices=list(KINDS), default="shades")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/sums"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True)
    make(args.out / "coloured.npz", args.of)
    length = {"length": f"{args.minutes} minutes", "cooldown": 0.5, "lr": 1e-3}
    run = zerosum.train("dcgan", args.out / "coloured.npz", out=args.out / "run", width=16, **length)
    data, found = sources.load(str(args.out / "coloured.npz")), zerosum.load(run)
    assert data.labels is not None
    names = [name for name in data.spec.classes if name != "between"]
    net = train_classifier(data.examples, data.labels, len(data.spec.classes))
    real = float((in_blocks(net, data.examples).argmax(1) == data.labels).float().mean())

    def read(z: Tensor) -> Tensor:
        return in_blocks(net, found.picture(z).permute(0, 3, 1, 2))[:, : len(names)]

    right, colours, kinds, asked = 0, 0, 0, 0
    for seed in range(10):
        z, _ = found.latents(1000, seed)
        sure = read(z)
        best = {name: z[sure[:, k].topk(3).indices] for k, name in enumerate(names)}
        for colour, other in permutations(COLOURS, 2):
            for kind, wanted in permutations(KINDS[args.of], 2):
                terms = [best[f"{colour} {kind}"], best[f"{other} {kind}"], best[f"{other} {wanted}"]]
                said = names[int(read(sum_of_means([1, -1, 1], terms)[None]).argmax())].split()
                colours, kinds, asked = colours + (said[0] == colour), kinds + (said[1] == wanted), asked + 1
                right += said == [colour, wanted]
    first, second = KINDS[args.of][-1], KINDS[args.of][0]
    text = f"red {first} - blue {first} + blue {second}"
    out = wanderings.add_up(found, text, seed=0, label=None, out=args.out / "sum.png", data=lambda: data)
    rounds = found.header["rounds"]
    result = {
        "right": right,
        "colour_right": colours,
        "kind_right": kinds,
        "of": asked,
        "classifier_on_training_data": round(real, 4),
        "rounds": rounds,
        "seed": 0,
    }
    print(result, out)
    keep(f"arithmetic_{args.of}", {"minutes": args.minutes} | result)


if __name__ == "__main__":
    main()
