"""Does a look at the whole minibatch cure mode collapse? The same game on the grid of 25, with and without.

    python bench/collapse.py --rounds 8000 --seeds 0 1 2 --threads 1

`gan` with its own settings, D blind to the minibatch or not, beside `pacgan` with the same networks' sizes. 2,500
samples of the live generator a mark, as in Lin et al. 2018: modes found, quality, divergence (zerosum.metrics.modes).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from zerosum.data import sources
from zerosum.data.deck import deck_of
from zerosum.data.toy import TOYS
from zerosum.metrics.modes import count_modes
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES

from judge import keep

COUNT = 2500
SIZES: dict[str, Any] = {"latent": 2, "lr": 1e-3, "beta1": 0.5}
WIDTHS = {"generator_widths": (128, 128, 128), "discriminator_widths": (128, 128, 128)}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("gan", SIZES | WIDTHS),
    "discrimination": ("gan", SIZES | WIDTHS | {"minibatch": "discrimination"}),
    "deviation": ("gan", SIZES | WIDTHS | {"minibatch": "deviation"}),
    "packs of 2": ("pacgan", SIZES | {"pack": 2}),
    "packs of 4": ("pacgan", SIZES | {"pack": 4}),
}


def run(kind: str, rounds: int, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    data, toy = sources.load("grid", seed=seed), TOYS["grid"]()
    name, settings = KINDS[kind]
    recipe = RECIPES[name]
    game = recipe.game(recipe.config(**settings), data.spec)
    deck = deck_of(data, labelled=False, seed=seed, device=torch.device("cpu"))
    trainer = Trainer(game, lambda: deck.deal(100), average=0.0)
    chance, start, marks = torch.Generator().manual_seed(seed), time.process_time(), []
    for mark in (rounds // 4, rounds // 2, 3 * rounds // 4, rounds):
        while trainer.rounds < mark:
            trainer.round()
        trainer.collect()
        points = game.sample(COUNT, generator=chance) * data.spec.scale
        found = count_modes(points, toy.centres, toy.sigma)
        marks.append(
            {"modes": found.found, "quality": round(found.quality, 4), "divergence": round(found.divergence, 4)}
        )
    row = {"kind": kind, "seed": seed, "rounds": rounds, "cpu_seconds": round(time.process_time() - start, 1)}
    row |= {"last": marks[-1], "modes_at_quarters": [mark["modes"] for mark in marks]}
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="collapse")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [run(kind, args.rounds, seed) for seed in args.seeds for kind in args.kinds]
    keep(args.name, {"samples": COUNT, "batch": 100, "rows": rows})


if __name__ == "__main__":
    main()
