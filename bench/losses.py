"""One table, one budget: every adversarial loss on the same networks, for the same rounds.

    python bench/losses.py --threads 1 --rounds 1000 --width 16 --data mnist fashion-mnist --seeds 0 1 2

Each row is a recipe of zerosum with its own learning rates; `minimax`, `plain` and `relativistic` are the games of gan,
of gan's default loss and of r3gan on those networks. The judge is a LeNet's (bench/judge.py). CAS is the accuracy on
real test pictures of a LeNet trained on samples alone, beside that of one trained on as many real pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zerosum.data import sources
from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.game import Batch, Game, Loss
from zerosum.metrics.features import in_blocks, train_classifier
from zerosum.objectives.adversarial import minimax_generator_loss
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES, r1gan, r3gan
from zerosum.recipes.duel import Duel, Networks

from judge import RESULTS, Judge, as_bytes, keep

SHOWN = 10_000  # samples that the classifier of CAS is trained on


class Minimax(r1gan.R1GAN):
    """The value function itself, for both players."""

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=minimax_generator_loss(self.score(self.fakes(batch), batch.y)))


class Relativistic(r3gan.R3GAN):
    """r3gan's game on the networks of the others."""

    def __init__(self, data: Images, width: int):
        super().__init__(r3gan.Config(lr=2e-3, beta1=0.5, widths=(8, 8)), data)
        networks = Duel(Networks(width=width), data)
        self.G, self.D, self.latent = networks.G, networks.D, networks.latent
        self.generate = networks.generate  # type: ignore[method-assign]


def own(name: str, **changes: Any) -> Callable[[Images, int], Game]:
    def build(data: Images, width: int) -> Game:
        return RECIPES[name].game(RECIPES[name].config(width=width, **changes), data)

    return build


GAMES: dict[str, Callable[[Images, int], Game]] = {
    "minimax": lambda data, width: Minimax(r1gan.Config(width=width, gamma=0.0), data),
    "plain": own("r1gan", gamma=0.0, lr=2e-3),
    "cgan": own("cgan"),
    "lsgan": own("lsgan"),
    "wgan": own("wgan"),
    "wgan_gp": own("wgan_gp"),
    "sngan": own("sngan"),
    "pacgan": own("pacgan"),
    "r1gan": own("r1gan"),
    "relativistic": Relativistic,
}


def run(name: str, judge: Judge, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train for args.rounds; the figures at three marks, of which the last and the best are kept."""
    torch.manual_seed(seed)
    data = judge.train
    game = GAMES[name](data.spec, args.width).to(memory_format=torch.channels_last)  # type: ignore[call-overload, arg-type]
    deck = Deck(data.examples, data.labels, seed=seed)
    trainer = Trainer(game, lambda: deck.deal(64), average=0.995)
    seconds, marks = 0.0, []
    for mark in (args.rounds // 3, 2 * args.rounds // 3, args.rounds):
        start = time.process_time()
        while trainer.rounds < mark:
            trainer.pace(min(1.0, 2 * (1 - trainer.rounds / args.rounds)))
            trainer.round()
        trainer.collect()
        seconds += time.process_time() - start
        marks.append(judge(trainer.average.game))
    best = min(marks, key=lambda figures: figures["fd_ratio"])
    row = {"game": name, "data": data.name, "seed": seed, "rounds": args.rounds, "cpu_seconds": round(seconds, 1)}
    row |= marks[-1] | {"best_fd_ratio": best["fd_ratio"]}
    if game.classes and args.cas:
        row |= {"cas": round(train_on_samples(trainer.average.game, judge), 4)}
    print(row, flush=True)
    return row


def train_on_samples(game: Game, judge: Judge) -> float:
    """Accuracy on real test pictures of a LeNet that has seen samples only."""
    chance, y = torch.Generator().manual_seed(2), torch.arange(SHOWN) % game.classes
    pictures = torch.cat([as_bytes(game.sample(500, part, chance)) for part in y.split(500)])
    return accuracy(pictures, y, judge)


def accuracy(pictures: Tensor, labels: Tensor, judge: Judge) -> float:
    test = sources.load(judge.train.name, split="test")
    assert test.labels is not None
    net = train_classifier(pictures, labels, len(test.spec.classes), epochs=3)
    return float((in_blocks(net, test.examples).argmax(1) == test.labels).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=list(GAMES))
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion-mnist"])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-cas", dest="cas", action="store_false")
    parser.add_argument("--name", default="losses")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_memory()
    kept = RESULTS / f"{args.name}.json"
    found = (
        json.loads(kept.read_text()) if kept.is_file() else {"rows": [], "judges": {}}
    )  # a bench that was cut goes on
    rows, judges = found["rows"], found["judges"]
    for seed in args.seeds:
        for data in args.data:
            wanted = [
                g for g in args.games if not any((r["game"], r["data"], r["seed"]) == (g, data, seed) for r in rows)
            ]
            if not wanted:
                continue
            judge = Judge(data)
            judges[data] = judge.describe()
            if args.cas:
                assert judge.train.labels is not None
                judges[data] |= {
                    "cas_of_real": round(accuracy(judge.train.examples[:SHOWN], judge.train.labels[:SHOWN], judge), 4)
                }
            for name in wanted:
                rows.append(run(name, judge, args, seed))
                keep(args.name, {"width": args.width, "rounds": args.rounds, "judges": judges, "rows": rows})


if __name__ == "__main__":
    main()
