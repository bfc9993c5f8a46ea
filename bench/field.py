"""Two exercises that everybody knows, for as many epochs as so many CPU minutes allow.

    python bench/field.py --minutes 10 --threads 2 --out runs/field

gan --preset fashion       Fashion-MNIST, linear layers only
dcgan --preset mnist28     MNIST, the network of the best-known DCGAN tutorial
Each leaves its run folder (grids, film, curves) in --out; images/s and epochs are kept in results/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import zerosum
from zerosum.folder import Folder

from judge import Judge, keep

EXERCISES = {"fashion": ("gan", "fashion", "fashion-mnist"), "mnist28": ("dcgan", "mnist28", "mnist")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exercises", nargs="+", default=list(EXERCISES), choices=list(EXERCISES))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for exercise in args.exercises:
        recipe, preset, data = EXERCISES[exercise]
        length = f"{args.minutes:g} minutes"
        run = zerosum.train(
            recipe, preset=preset, out=args.out / exercise, length=length, precision=args.precision, checkpoints="10 %"
        )
        rows, facts = Folder(run).rows(), Folder(run).facts()
        judge = Judge(data)
        result = {
            "recipe": f"{recipe} --preset {preset}",
            "data": data,
            "seed": 0,
            "precision": args.precision,
            "minutes": round(facts["seconds"] / 60, 2),
            "rounds": facts["rounds"],
            "epochs": rows[-1]["epochs"],
            "images_per_second": round(facts["images"] / facts["seconds"]),
            "judge": judge.describe(),
            "last": judge(zerosum.load(run).game),
        }
        print(result)
        print(keep(f"field_{exercise}", result))


if __name__ == "__main__":
    main()
