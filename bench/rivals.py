"""The GAN and its rivals: what each draws of MNIST after as many seconds of training, and how long it draws.

    python bench/rivals.py --seconds 150 --seeds 0

r1gan  two players, one pass of G a sample, told the digit                           (Mescheder et al. 2018)
vae    one player, one pass of G a sample, not told; and its bound on log p(x)        (Kingma & Welling 2014)
ddpm   one player, 50 or 1,000 passes of a U-Net a sample, told the digit, no guidance (Ho et al. 2020)

Seconds are this process's own, on one thread, so that other work does not count. A Fréchet ratio has as many held-out
pictures below as samples above: few samples have a large distance, and so have few real ones.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zerosum import pictures
from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.game import Game
from zerosum.metrics.features import in_blocks
from zerosum.metrics.frechet import frechet_distance
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.recipes.vae import VAE
from zerosum.settings import resolve

from judge import Judge, as_bytes, keep

BLOCK = 100  # samples drawn at once
RIVALS = ("r1gan", "vae", "ddpm")


def train(name: str, data: Dataset, seconds: float, seed: int) -> tuple[Trainer, dict[str, Any]]:
    """Play the default preset for so many seconds of this process."""
    torch.manual_seed(seed)
    settings = resolve(name)
    play = settings.play
    game: Game = RECIPES[name].game(settings.game, data.spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    deck = Deck(data.examples, data.labels, seed=seed)
    trainer, spent = Trainer(game, lambda: deck.deal(play.batch), average=play.average), 0.0
    while spent < seconds:
        start = time.process_time()
        trainer.pace(min(1.0, (1 - spent / seconds) / play.cooldown))
        trainer.round()
        trainer.collect()
        spent += time.process_time() - start
    about = {"recipe": name, "seed": seed, "seconds": seconds, "batch": play.batch, "rounds": trainer.rounds}
    return trainer, about | {"images_per_second": round(deck.images / spent)}


def score(judge: Judge, held_out: Tensor, game: Game, count: int) -> tuple[Tensor, dict[str, Any]]:
    """`count` samples, seed 1, and their figures; the ratio is to as many held-out pictures."""
    chance, start = torch.Generator().manual_seed(1), time.process_time()
    y = torch.arange(count) % 10
    parts = [game.sample(BLOCK, y[i : i + BLOCK] if game.classes else None, chance) for i in range(0, count, BLOCK)]
    drawn, spent = torch.cat(parts), time.process_time() - start
    shown = in_blocks(judge.net, as_bytes(drawn)).argmax(1)
    distances = [
        frechet_distance(in_blocks(judge.net.features, x), judge.reference) for x in (as_bytes(drawn), held_out[:count])
    ]
    figures = {"samples": count, "samples_per_second": round(count / spent, 2), "fd": round(distances[0], 3)}
    figures |= {"held_out_fd": round(distances[1], 3), "fd_ratio": round(distances[0] / distances[1], 3)}
    if game.classes:
        figures["asked_class"] = round(float((shown == y).float().mean()), 4)
    return drawn, figures | {"classes_shown": int(shown.unique().numel())}


@torch.no_grad()
def bounds(game: VAE, test: Tensor) -> dict[str, float]:
    """The mean bound on the test digits, nats a picture, one z each: grays as they are; and as coins, thrown once."""
    grays = test.float() / 127.5 - 1
    coins = 2 * torch.bernoulli((grays + 1) / 2, generator=torch.Generator().manual_seed(0)) - 1
    torch.manual_seed(0)
    found = {}
    for name, x in (("grays", grays), ("coins", coins)):
        likelihood, kl = (torch.cat(part) for part in zip(*(game.bound(some) for some in x.split(500)), strict=True))
        found |= {f"elbo_{name}": round(float((likelihood - kl).mean()), 2), f"kl_{name}": round(float(kl.mean()), 2)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=RIVALS, choices=RIVALS)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 100], help="samples: usual; of 1,000 steps")
    parser.add_argument("--out", type=Path, default=Path("rivals"), help="a folder for pictures of the samples")
    parser.add_argument("--name", default="rivals")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    args.out.mkdir(parents=True, exist_ok=True)
    judge, test = Judge("mnist"), sources.load("mnist", split="test")
    about_judge = {name: judge.describe()[name] for name in ("features", "classifier_accuracy", "reference")}
    held_out = test.examples[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))]
    rows = []
    for seed in args.seeds:
        for name in args.recipes:
            trainer, about = train(name, judge.train, args.seconds, seed)
            game: Any = trainer.average.game
            about |= bounds(game, test.examples) if name == "vae" else {}
            ways = [(50, args.counts[0]), (1000, args.counts[1])] if name == "ddpm" else [(1, args.counts[0])]
            for steps, count in ways:
                if name == "ddpm":
                    game.sampling_steps, game.eta, game.guidance = steps, float(steps == 1000), 0.0
                drawn, figures = score(judge, held_out, game, count)
                pictures.save(
                    pictures.grid(pictures.to_uint8(drawn[:100]), 10), args.out / f"{name}-{steps}-{seed}.png"
                )
                rows.append(about | {"steps_a_sample": steps} | figures)
                print(rows[-1], flush=True)
                keep(args.name, {"judge": about_judge, "rows": rows})


if __name__ == "__main__":
    main()
