"""The figures of one GPU: dcgan's images/s, r3gan's at its paper's size, and stacked MNIST in ten minutes.

    python bench/gpu.py
    python bench/gpu.py --device cpu --toy      # does the script run? The numbers mean nothing, and are not kept

1. `dcgan --preset mnist28`, simultaneous, bfloat16: images/s of plain rounds and of CUDA graphs, by the batch.
2. `r3gan --preset paper` at 32 px, G and D of 22 million parameters each: images/s with R1 and R2 in each step, what
   that costs beside a step without, and the share of the measured bfloat16 matmul peak.
3. Stacked MNIST as in appendix D of Huang et al. 2024 (32 px, no labels, r3gan) on narrower networks: modes, and the
   divergence sum_k p(k) ln(1000 p(k)) of 26,000 samples of the average, in so many seconds of training.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from stacked import score
from zerosum import model
from zerosum.data import sources
from zerosum.data.deck import Deck
from zerosum.data.spec import Images
from zerosum.game import Batch, Game, Loss
from zerosum.metrics.features import LeNet
from zerosum.objectives.adversarial import relativistic_discriminator_loss
from zerosum.play.capture import WARM, Captured
from zerosum.play.gpu import CudaGraphs, use_well
from zerosum.play.trainer import Trainer, means
from zerosum.recipes.r3gan import R3GAN
from zerosum.sections import Speed
from zerosum.settings import Settings, resolve
from zerosum.table import trainer_of

from judge import Judge, as_bytes, keep

PUBLISHED = "1000 modes, 0.029, in 7 hours on 8 L40: 201,600 GPU-seconds (Huang et al. 2024, table 3, appendix D)"
COUNT, SIDE = 26_000, 32
Row = dict[str, Any]


class NoPenalties(R3GAN):
    """The same game without R1 and R2: what a step costs without them."""

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.score(batch.x, batch.y), self.score(self.fakes(batch).detach(), batch.y)
        return Loss(adversarial=relativistic_discriminator_loss(real, fake)).read(
            middle=(real.mean() + fake.mean()) / 2
        )


class Counted(TorchDispatchMode):
    """Operations of all products and convolutions.

    torch's FlopCounterMode cannot watch a penalty's autograd.grad, and its formula for the gradient of a convolution's
    weights takes no note of groups: here each of the two gradients costs what the convolution itself does.
    """

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution_backward.default:
            gradient, x, weight, *_, (of_x, of_weight, _) = args
            transposed = args[7]
            self.operations += 2 * (x if transposed else gradient).numel() * weight[0].numel() * (of_x + of_weight)
        elif count := flop_registry.get(func._overloadpacket):
            self.operations += count(*args, **(kwargs or {}), out_val=out)
        return out


def table(game: Game, deal: Callable[[], tuple[Tensor, Tensor | None]], settings: Settings, *, graphs: bool) -> Trainer:
    """The game at its table, with rounds as CUDA graphs or not."""
    trainer = trainer_of(game, deal, settings.play, Speed(graphs=False))
    if graphs:
        trainer.dynamics = Captured(trainer.dynamics, game, CudaGraphs(game.device))
    return trainer


def told(trainer: Trainer) -> str:
    """How its rounds were played."""
    played = trainer.dynamics
    return (played.why or f"CUDA graphs, {len(played.recordings)}") if isinstance(played, Captured) else "plain rounds"


def rates(tables: dict[str, Trainer], batch: int, rounds: int, repeats: int) -> dict[str, Row]:
    """Images/s of each table, in turns; medians, and how each played."""
    found: dict[str, list[float]] = {name: [] for name in tables}
    for trainer in tables.values():
        for _ in range(WARM + 2):
            trainer.round()
        trainer.collect()
    for _ in range(repeats):
        for name, trainer in tables.items():
            start = time.perf_counter()
            for _ in range(rounds):
                trainer.round()
            trainer.collect()  # which waits for the device
            found[name].append(rounds * batch / (time.perf_counter() - start))
    return {
        name: {
            "images_per_second": round(statistics.median(speeds)),
            "spread": [round(min(speeds)), round(max(speeds))],
            "played": told(tables[name]),
        }
        for name, speeds in found.items()
    }


def variants(device: torch.device) -> dict[str, bool]:
    return {"plain": False} | ({"graphs": True} if device.type == "cuda" else {})


def dcgan(device: torch.device, batches: list[int], rounds: int, repeats: int) -> list[Row]:
    settings = resolve("dcgan", "mnist28", {"dynamics": "simultaneous", "precision": "bfloat16", "average": 0.0})
    images = torch.randint(256, (60_000, 1, 28, 28), dtype=torch.uint8)  # images/s do not depend on what is learnt
    rows = []
    for batch in batches:
        deck, tables = Deck(images, None, seed=0, device=device), dict[str, Trainer]()
        for name, graphs in variants(device).items():
            torch.manual_seed(0)
            game = model.build("dcgan", settings.game, Images(1, 28, 28)).to(device)
            tables[name] = table(game, partial(deck.deal, batch), settings, graphs=graphs)
        rows.append({"batch": batch} | rates(tables, batch, rounds, repeats))
        print(rows[-1], flush=True)
    return rows


def r3gan(device: torch.device, batch: int, small: Row, rounds: int, repeats: int) -> Row:
    settings = resolve("r3gan", "paper", {"precision": "bfloat16", "batch": batch} | small)
    deck = Deck(torch.randint(256, (4 * batch, 3, SIDE, SIDE), dtype=torch.uint8), None, seed=0, device=device)
    tables = {}
    for penalised, kind in {"with penalties": R3GAN, "without": NoPenalties}.items():
        for name, graphs in variants(device).items():
            torch.manual_seed(0)
            game = kind(settings.game, Images(3, SIDE, SIDE)).to(device)
            tables[f"{penalised}, {name}"] = table(game, partial(deck.deal, batch), settings, graphs=graphs)
    first = tables["with penalties, plain"]
    row: Row = {name: sum(p.numel() for p in getattr(first.game, name).parameters()) for name in "GD"}
    row |= {"batch": batch} | rates(tables, batch, rounds, repeats)
    best = {
        kind: max(row[name]["images_per_second"] for name in tables if name.startswith(kind))
        for kind in ("with ", "without")
    }
    row["cost_of_penalties"] = round(best["without"] / best["with "], 2)
    with Counted() as counted:
        first.round()
    operations, peak = counted.operations / batch, matmul_peak(device, 256 if small else 8192)
    row |= {"flop_per_image": operations, "matmul_peak": peak}
    row["share_of_peak"] = round(operations * best["with "] / peak, 3)
    print(row, flush=True)
    return row


def matmul_peak(device: torch.device, n: int) -> float:
    """Operations a second of a large bfloat16 product, the best of five times."""
    times = []
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(6):
        start = time.perf_counter()
        for _ in range(10):
            product = a @ b
        product[0, 0].item()  # which waits for the device
        times.append(time.perf_counter() - start)
    return 10 * 2 * n**3 / min(times[1:])


def b3(device: torch.device, args: argparse.Namespace, net: LeNet, digits: Tensor, shares: Tensor) -> Row:
    """Stacked MNIST: play for so many seconds, rates falling over the last half; score at each quarter."""
    play = {"batch": args.batch, "precision": "bfloat16", "average": 0.999}
    settings = resolve("r3gan", "paper", play | {"widths": (args.width,) * 4, "lr": args.lr, "gamma": args.gamma})
    torch.manual_seed(args.seed)
    game = R3GAN(settings.game, Images(3, SIDE, SIDE)).to(device)
    deck = Deck(pad(digits, (2, 2, 2, 2)), None, seed=args.seed, device=device)
    n = args.batch
    trainer = table(
        game, lambda: (deck.deal(3 * n)[0].reshape(n, 3, SIDE, SIDE), None), settings, graphs=device.type == "cuda"
    )
    seconds, marks = 0.0, []
    for quarter in range(1, 5):
        while seconds < quarter / 4 * args.seconds:
            start = time.perf_counter()
            trainer.pace(min(1.0, 2 * (1 - seconds / args.seconds)))
            for _ in range(args.block):
                trainer.round()
            rows = [row for _, row in trainer.collect()]
            seconds += time.perf_counter() - start
        made = torch.cat([trainer.average.game.sample(500).cpu() for _ in range(args.count // 500)])
        found = score(as_bytes(made)[..., 2:-2, 2:-2], net, shares)
        marks.append({"seconds": round(seconds, 1), "rounds": trainer.rounds} | found | means(rows))
        print(marks[-1], flush=True)
    parameters = {name: sum(p.numel() for p in getattr(game, name).parameters()) for name in "GD"}
    return parameters | {"batch": n, "images": n * trainer.rounds, "played": told(trainer), "marks": marks}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, random digits, nothing kept")
    parser.add_argument("--parts", nargs="+", default=["dcgan", "r3gan", "b3"], choices=["dcgan", "r3gan", "b3"])
    parser.add_argument("--seconds", type=float, default=600.0, help="of training, for stacked MNIST")
    parser.add_argument("--width", type=int, default=192, help="channels, for stacked MNIST")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.count, args.block = COUNT, 50
    if args.toy:
        args.seconds, args.width, args.batch, args.count, args.block = 2.0, 16, 4, 500, 2
    return args


def main() -> None:
    args = parsed()
    if not args.toy and not torch.cuda.is_available():
        print("not measured: no GPU at hand (python bench/gpu.py --device cpu --toy runs it at toy size)")
        return
    device = torch.device(args.device)
    if device.type == "cuda":
        use_well(exact=False)
    result: Row = {"published_stacked_mnist": PUBLISHED, "settings": vars(args)}
    if "dcgan" in args.parts:
        result["dcgan_mnist28"] = dcgan(device, [8], 2, 2) if args.toy else dcgan(device, [256, 1024, 4096], 200, 5)
    if "r3gan" in args.parts:
        toy = {"widths": (16, 16, 16, 16)}
        result["r3gan_paper"] = r3gan(device, 4, toy, 1, 1) if args.toy else r3gan(device, 256, {}, 20, 5)
    if "b3" in args.parts and args.toy:
        digits = sources.load("glyphs", size=28, limit=500).examples
        result["stacked_mnist"] = b3(device, args, LeNet((1, 28, 28), 10).eval(), digits, torch.ones(10))
    elif "b3" in args.parts:
        judge = Judge("mnist")
        assert judge.train.labels is not None
        result["stacked_mnist"] = b3(device, args, judge.net, judge.train.examples, judge.train.labels.bincount())
        result["judge"] = judge.describe()
    if not args.toy:
        print(keep("gpu", result))


if __name__ == "__main__":
    main()
