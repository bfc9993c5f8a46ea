"""Fast against plain over 50 rounds: how far do the readings of every recipe come apart, in float32?

    python bench/same.py --rounds 50

The same first weights, hands and chance for all: `trainer_of` with every switch on, and off, beside `Plain`, on the
recipe's own small run at its own numbers. Differences are of |value|, or of 1 where that is smaller. A game is chaotic:
what rounding leaves grows, at a rate that is the game's own. So beside them stands the plain loop against itself, its
first weights nudged by one rounding.
"""

from __future__ import annotations

import argparse
import copy
from typing import Any

import torch
from torch import Tensor

from zerosum import model
from zerosum.data.deck import deck_of
from zerosum.game import Game
from zerosum.play.plain import Plain
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.run import data_of
from zerosum.sections import Speed
from zerosum.settings import Settings, resolve
from zerosum.table import trainer_of

from judge import keep

MARKS = (1, 5, 10, 20, 50)
WAYS = ("off", "on", "nudged")
OFF = Speed(**dict.fromkeys(Speed.model_fields, False))


def apart(settings: Settings, rounds: int) -> dict[str, list[float]]:
    """The largest difference of a reading to the plain loop's, in each round, for each of WAYS."""
    dataset = data_of(settings)
    play = settings.play.model_copy(update={"precision": "float32"})
    torch.manual_seed(0)
    game = model.build(settings.recipe, settings.game, dataset.spec)

    def dealer() -> Any:
        deck = deck_of(dataset, labelled=game.classes > 0, seed=0, device=torch.device("cpu"))

        def deal() -> tuple[Tensor, Tensor | None]:
            x, y = deck.deal(play.batch)
            return x.contiguous(), y  # noise like x is drawn along its memory: in one layout for all

        return deal

    def rows(loop: Trainer | Plain) -> list[dict[str, float]]:
        torch.manual_seed(1)
        for _ in range(rounds):
            loop.round()
        return [row for _, row in loop.collect()] if isinstance(loop, Trainer) else loop.readings

    def plain(of: Game) -> list[dict[str, float]]:
        return rows(Plain(of, dealer(), dynamics=play.dynamics, average=play.average))

    expected, found = plain(copy.deepcopy(game)), {"nudged": plain(_nudged(copy.deepcopy(game)))}
    for name, speed in {"off": OFF, "on": Speed()}.items():
        found[name] = rows(trainer_of(copy.deepcopy(game), dealer(), play, speed))
    return {name: [_difference(*pair) for pair in zip(found[name], expected, strict=True)] for name in WAYS}


def _nudged(game: Game) -> Game:
    """Each weight a rounding away, one way or the other."""
    with torch.no_grad():
        for p in game.parameters():
            p.mul_(1 + torch.finfo(p.dtype).eps * torch.randint_like(p, -1, 2))
    return game


def _difference(row: dict[str, float], other: dict[str, float]) -> float:
    return max(abs(row[name] - other[name]) / max(1.0, abs(other[name])) for name in row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in args.recipes:
        found = apart(resolve(name, None, {"source": RECIPES[name].example}), args.rounds)
        marks = {
            way: {str(mark): float(f"{max(values[:mark]):.1e}") for mark in MARKS if mark <= args.rounds}
            for way, values in found.items()
        }
        rows.append({"recipe": name} | marks)
        print(f"{name:<9} {marks}", flush=True)
    print(keep("same", {"rounds": args.rounds, "rows": rows}))


if __name__ == "__main__":
    main()
