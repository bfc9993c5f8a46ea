"""images/s of `dcgan --preset mnist28` beside a plain tutorial-style PyTorch loop of the same network, in one run.

    python bench/speed.py --threads 1 --rounds 12 --repeats 5

The plain loop is what tutorials write: float images through a DataLoader, BCEWithLogitsLoss against ones and zeros, D
on reals, D on detached fakes, step; D on the fakes again, step; `.item()` each step; torch's own layers and defaults.
The runs alternate (A B C A B C ...), and the ratio is that of medians. With one thread the clock is the process's own
CPU time, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from zerosum.data import sources
from zerosum.data.deck import Deck
from zerosum.play.dynamics import alternating, simultaneous
from zerosum.play.precision import bfloat16, full, keep_memory
from zerosum.play.trainer import Trainer
from zerosum.settings import resolve

from judge import keep

BATCH = 256


def plain_networks() -> tuple[nn.Module, nn.Module]:
    """The tutorial's network in torch's own layers."""
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 256, bias=False),
        nn.BatchNorm1d(7 * 7 * 256),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False),
        nn.Tanh(),
    )
    D = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )
    return G, D


def plain_loop(images: torch.Tensor) -> Callable[[int], None]:
    G, D = plain_networks()
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images.float() / 127.5 - 1), BATCH, shuffle=True, drop_last=True
    )
    d_optimizer, g_optimizer = torch.optim.Adam(D.parameters(), 1e-4), torch.optim.Adam(G.parameters(), 1e-4)
    criterion = nn.BCEWithLogitsLoss()
    batches = iter(loader)

    def play(rounds: int) -> None:
        nonlocal batches
        for _ in range(rounds):
            batch = next(batches, None)
            if batch is None:
                batches = iter(loader)
                batch = next(batches)
            (x,) = batch
            fakes = G(torch.randn(BATCH, 100))
            D.zero_grad()
            loss = criterion(D(x), torch.ones(BATCH, 1)) + criterion(D(fakes.detach()), torch.zeros(BATCH, 1))
            loss.backward()
            d_optimizer.step()
            G.zero_grad()
            g_loss = criterion(D(fakes), torch.ones(BATCH, 1))
            g_loss.backward()
            g_optimizer.step()
            loss.item(), g_loss.item()

    return play


def zerosum_loop(dataset: Any, precision: Any, dynamics: Any) -> Callable[[int], None]:
    settings = resolve("dcgan", "mnist28")
    from zerosum.recipes import RECIPES

    game = RECIPES["dcgan"].game(settings.game, dataset.spec)
    game.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    deck = Deck(dataset.examples, None, seed=0)
    trainer = Trainer(game, lambda: deck.deal(BATCH), dynamics=dynamics, precision=precision, average=0.0)

    def play(rounds: int) -> None:
        for _ in range(rounds):
            trainer.round()
        trainer.collect()

    return play


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", default="mnist", help="any 28x28x1 set; glyphs needs no files")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    dataset = sources.load(args.data)
    torch.manual_seed(0)
    loops = {
        "plain PyTorch loop": plain_loop(dataset.examples),
        "zerosum float32, alternating": zerosum_loop(dataset, full, alternating),
        "zerosum float32, simultaneous": zerosum_loop(dataset, full, simultaneous),
        "zerosum bfloat16, simultaneous": zerosum_loop(dataset, bfloat16, simultaneous),
    }
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for repeat in range(args.repeats + 1):
        for name, play in loops.items():
            if repeat == 1 and not name.startswith("plain"):
                keep_memory()  # what a run of zerosum asks of the allocator; the plain loop's warm-up had its own
            start = clock()
            play(2 if repeat == 0 else args.rounds)
            if repeat:
                speeds[name].append(args.rounds * BATCH / (clock() - start))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    base = medians["plain PyTorch loop"]
    rows = [
        {
            "loop": name,
            "images_per_second": round(median),
            "ratio": round(median / base, 2),
            "spread": [round(min(speeds[name])), round(max(speeds[name]))],
        }
        for name, median in medians.items()
    ]
    for row in rows:
        print(f"{row['loop']:<32} {row['images_per_second']:>6} images/s   {row['ratio']:.2f}x   {row['spread']}")
    print(keep(f"speed_{args.threads}_threads", {"batch": BATCH, "seed": 0, "rounds": args.rounds, "rows": rows}))


if __name__ == "__main__":
    main()
