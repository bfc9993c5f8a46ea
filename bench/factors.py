"""Are glyphs' factors of variation apart in the codes of a VAE and of an InfoGAN that saw no label?

    python bench/factors.py --seconds 60 --seeds 0 1

vae      the mean of q(z|x), 20 numbers
infogan  what Q reads: the likeliest of 10 categories, as one whole number, and 2 numbers

The codes are of 5,000 held-out glyphs; the factors are the digit, the pen's width, slant, rotation, scale x and y,
shift x and y. Style (of a digit) and jitter (of every point) are left out: they are no factors of all pictures. Beside
each score stands its null, of shuffled codes. An InfoGAN has 3 codes for 8 factors: it cannot hold them all.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

import torch
from torch import Tensor

from rivals import train
from zerosum.data import sources
from zerosum.metrics.factors import factor_vae_score, mutual_information_gap, separated_attribute_predictability
from zerosum.play.precision import keep_memory

from judge import keep

SCORES = {"mig": mutual_information_gap, "factor_vae": factor_vae_score, "sap": separated_attribute_predictability}


def columns(factors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The factors that every glyph has, one column each."""
    one = {name: factors[name] for name in ("digit", "width", "slant", "rotation")}
    return one | {f"{name} {axis}": factors[name][:, i] for name in ("scale", "shift") for i, axis in enumerate("xy")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["vae", "infogan"], choices=["vae", "infogan"])
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, CPU time of one thread")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--name", default="factors")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    data, held_out = sources.load("glyphs"), sources.load("glyphs", split="test")
    assert held_out.factors is not None
    pictures, known = held_out.examples, columns(held_out.factors)
    rows = []
    for seed in args.seeds:
        for name in args.recipes:
            trainer, about = train(name, data, args.seconds, seed)
            game = trainer.game.eval()
            read = torch.cat([game.codes(part.float() / 127.5 - 1) for part in pictures.split(500)])
            found = {score: asdict(measure(read, known)) for score, measure in SCORES.items()}
            rows.append(about | {"codes": read.shape[1], "examples": len(read)} | found)
            for score, number in found.items():
                value, low, high, null = (round(number[part], 3) for part in ("value", "low", "high", "floor"))
                print(f"{name}, seed {seed}: {score} {value} [{low}, {high}], null {null}", flush=True)
    print(keep(args.name, {"data": "glyphs", "factors": list(known), "rows": rows}))


if __name__ == "__main__":
    main()
