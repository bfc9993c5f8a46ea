"""Stacked MNIST with the small networks of Metz et al. 2017 (D = 1/4 of G), as Lin et al. 2018 run them, packed or not.

    python bench/stacked.py --rounds 2000 --packs 1 2 4 --seeds 0 --threads 1
    python bench/stacked.py --rounds 2000 --packs 1 --minibatch discrimination deviation --seeds 0 --name stacked_seen

A picture is three random training digits as its three channels: 1000 modes. The protocol is that of the authors' code,
but for the number of iterations, theirs being 500,000:
- z ~ N(0, I_256); G: a dense layer to 4x4x64, transposed 3x3 convolutions to 32, 16, 8 channels (7, 14, 28 px), a 3x3
  convolution to 3, tanh, batch norm and ReLU;
- D: 3x3 convolutions of stride 2 to 2, 4, 8 channels, LeakyReLU 0.3, batch norm, a dense layer;
- batch 128, Adam 2e-4 (D), 1e-4 (G), betas 0.5 and 0.99, one turn each;
- 25,600 samples with batch norm in training mode, each channel read by a LeNet. Divergence: sum_k p(k) ln(1000 p(k));
  real triples score 0.024 for that many samples.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.game import Player, adam
from zerosum.metrics.features import LeNet, in_blocks
from zerosum.metrics.modes import stacked_modes
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import pacgan
from zerosum.recipes.duel import MINIBATCH

from judge import Judge, as_bytes, keep

COUNT, BATCH = 25_600, 128
PUBLISHED = {  # Lin et al. 2018, table 3, 500,000 iterations, 50 trials, with standard errors
    "1": "78.5 +- 17.6 modes, 5.21 +- 0.19",
    "2": "484.5 +- 33.0 modes, 2.61 +- 0.22",
    "3": "601.3 +- 32.2 modes, 2.00 +- 0.17",
    "4": "667.4 +- 29.0 modes, 1.81 +- 0.15",
}


class Stacked(pacgan.PacGAN):
    """PacGAN's game on the networks of the protocol."""

    def __init__(self, pack: int, minibatch: str):
        super().__init__(pacgan.Config(latent=256, width=8, pack=pack), Images(3, 28, 28))
        grow: list[nn.Module] = [
            nn.Linear(256, 64 * 16, bias=False),
            nn.Unflatten(1, (64, 4, 4)),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        ]
        for before, after, extra in ((64, 32, 0), (32, 16, 1), (16, 8, 1)):  # 4 -> 7 -> 14 -> 28
            grow += [nn.ConvTranspose2d(before, after, 3, 2, 1, extra, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.G = nn.Sequential(*grow, nn.Conv2d(8, 3, 3, padding=1), nn.Tanh())
        judge: list[nn.Module] = []
        for before, after in ((3 * pack, 2), (2, 4), (4, 8)):  # 28 -> 14 -> 7 -> 4
            judge += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.3)]
        judge.append(nn.Flatten())
        features = 8 * 16
        if (sight := MINIBATCH[minibatch]) is not None:
            layer = sight(features)
            judge.append(layer)
            features = layer.outputs
        self.D = nn.Sequential(*judge, nn.Linear(features, 1))

    def players(self) -> list[Player]:
        return [
            Player("D", [self.D], self.discriminator_loss, adam(2e-4, 0.5, 0.99)),
            Player("G", [self.G], self.generator_loss, adam(1e-4, 0.5, 0.99)),
        ]


@torch.no_grad()
def modes(game: Stacked, net: LeNet, shares: Tensor) -> dict[str, Any]:
    made = torch.cat([game.generate(game.noise(BATCH)) for _ in range(COUNT // BATCH)])
    return score(as_bytes(made), net, shares)


def score(pictures: Tensor, net: LeNet, shares: Tensor) -> dict[str, Any]:
    """Modes, and divergence from the uniform law, of uint8 pictures [n 3 28 28]."""
    digits = in_blocks(net, pictures.flatten(0, 1).unsqueeze(1)).argmax(1).reshape(-1, 3)
    found = stacked_modes(digits, shares)
    kl = found["mode divergence"]
    interval = [round(end, 4) for end in (kl.low, kl.high)]
    return {"modes": int(found["modes found"].value), "divergence": round(kl.value, 4), "interval": interval}


def run(pack: int, minibatch: str, judge: Judge, rounds: int, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    deck = Deck(judge.train.examples, None, seed=seed)
    game = Stacked(pack, minibatch).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer = Trainer(game, lambda: (deck.deal(3 * BATCH)[0].reshape(BATCH, 3, 28, 28), None), average=0.0)
    seconds, marks = 0.0, []
    for mark in (rounds // 4, rounds // 2, 3 * rounds // 4, rounds):
        start = time.process_time()
        while trainer.rounds < mark:
            trainer.round()
        trainer.collect()
        seconds += time.process_time() - start
        marks.append({"round": mark} | modes(game, judge.net, judge.train.labels.bincount()))
    row = {
        "pack": pack,
        "minibatch": minibatch,
        "seed": seed,
        "rounds": rounds,
        "cpu_seconds": round(seconds, 1),
    } | marks[-1]
    best = min(marks, key=lambda mark: mark["divergence"])
    row |= {"best": best, "marks": marks}
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500_000)
    parser.add_argument("--packs", nargs="+", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--minibatch", nargs="+", default=["none"], choices=list(MINIBATCH))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="stacked")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_memory()
    judge = Judge("mnist")
    chosen = torch.randint(len(judge.train), (COUNT, 3), generator=torch.Generator().manual_seed(0))
    real = score(judge.train.examples[chosen].squeeze(2), judge.net, judge.train.labels.bincount())
    print("real triples", real, flush=True)
    rows = []
    for seed in args.seeds:
        for pack in args.packs:
            rows += [run(pack, minibatch, judge, args.rounds, seed) for minibatch in args.minibatch]
            facts = {
                "published_at_500000": PUBLISHED,
                "real_triples": real,
                "judge": judge.describe(),
                "samples": COUNT,
            }
            keep(args.name, facts | {"rows": rows})


if __name__ == "__main__":
    main()
