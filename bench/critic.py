"""Does the critic's loss tell how good the samples are (Arjovsky et al. 2017, section 4.2; Gulrajani et al. 2017)?

    python bench/critic.py --rounds 640 --marks 8 --seed 0 --threads 1

wgan_gp on MNIST: at every mark the distance that the critic estimates, E[D(x)] - E[D(G(z))] over the last rounds, and
the Fréchet ratio of samples of the live generator; and their rank correlation.
"""

from __future__ import annotations

import argparse

import torch

from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.play.trainer import Trainer
from zerosum.recipes import wgan_gp

from judge import Judge, keep


def ranks(values: list[float]) -> torch.Tensor:
    return torch.tensor(values).argsort().argsort().double()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=640)
    parser.add_argument("--marks", type=int, default=8)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    judge = Judge("mnist")
    torch.manual_seed(args.seed)
    data = judge.train
    assert isinstance(data.spec, Images)
    game = wgan_gp.WGANGP(wgan_gp.Config(width=args.width), data.spec)
    deck = Deck(data.examples, data.labels, seed=args.seed)
    trainer = Trainer(game, lambda: deck.deal(64), average=0.0)
    rows = []
    for mark in range(1, args.marks + 1):
        while trainer.rounds < mark * args.rounds // args.marks:
            trainer.round()
        last = [-row["D.adversarial"] for _, row in trainer.collect()][-20:]
        rows.append({"round": trainer.rounds, "distance": round(sum(last) / len(last), 3)} | judge(game))
        print(rows[-1], flush=True)
    a, b = (ranks([row[key] for row in rows]) for key in ("distance", "fd_ratio"))
    spearman = float(torch.corrcoef(torch.stack([a, b]))[0, 1])
    print("rank correlation", spearman)
    facts = {"seed": args.seed, "width": args.width, "spearman": round(spearman, 3)}
    keep("critic", facts | {"judge": judge.describe(), "rows": rows})


if __name__ == "__main__":
    main()
