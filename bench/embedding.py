"""Does a network that was never trained rank pictures as a trained one does?

    python bench/embedding.py --data mnist fashion-mnist --play 90

Real pictures are damaged in 14 ways, each in four degrees, and an r1gan is looked at on 8 occasions of its training.
Every set has a Fréchet distance (FD) and a kernel distance (KID) to real ones, in a trained LeNet's features and in
others:

random      what zerosum uses without labels: `zerosum.metrics.features.random_features`
            (and the same from another seed)
every layer the same filters, the means of all layers, not of the last alone
bright      the same as random, of filters that do not sum to 0
pixels      8 x 8 means of pixels

`spearman` is the rank correlation with the LeNet's distances; `in_order` counts the ways of damage whose four degrees
come out as four growing distances; `above` counts the sets that are farther than held-out pictures.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, grid_sample, interpolate, max_pool2d, pad

from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck
from zerosum.metrics.features import RANDOM_WIDTHS, in_blocks, random_features
from zerosum.metrics.frechet import frechet_distance
from zerosum.play.precision import keep_memory
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.settings import resolve

from judge import as_bytes, classifier, keep

REAL, SHOWN, MARKS = 1500, 600, 8
Damage = Callable[[Tensor, float, Tensor], Tensor]  # pictures 0..255 [n c h w], degree, labels [n]


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def blur(x: Tensor, sigma: float, y: Tensor) -> Tensor:
    taps = torch.exp(-((torch.arange(-6, 7) / sigma) ** 2) / 2)
    taps, c = taps / taps.sum(), x.shape[1]
    x = conv2d(pad(x, (6, 6, 6, 6), mode="replicate"), taps.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return conv2d(x, taps.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


def bend(x: Tensor, field: Tensor) -> Tensor:
    """Pixels fetched from where they are plus a field [n h w 2], in px."""
    rows, columns = (torch.linspace(-1, 1, size) for size in x.shape[2:])
    place = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)
    return grid_sample(x, place + 2 * field / x.shape[3], align_corners=True, padding_mode="border")


def elastic(x: Tensor, px: float, y: Tensor) -> Tensor:
    coarse = torch.randn(len(x), 2, 4, 4, generator=chance())
    return bend(x, px * interpolate(coarse, size=x.shape[2:], mode="bicubic").permute(0, 2, 3, 1))


def shift(x: Tensor, px: float, y: Tensor) -> Tensor:
    return bend(x, px * (2 * torch.rand(len(x), 1, 1, 2, generator=chance()) - 1).expand(-1, *x.shape[2:], -1))


def in_some(change: Callable[[Tensor], Tensor]) -> Damage:
    """The change, in a share of the pictures."""

    def damage(x: Tensor, share: float, y: Tensor) -> Tensor:
        chosen = torch.rand(len(x), generator=chance()) < share
        return torch.where(chosen[:, None, None, None], change(x), x)

    return damage


def collapse(x: Tensor) -> Tensor:
    return x[torch.arange(len(x)) % 20]


def halves(x: Tensor) -> Tensor:
    top = x.shape[2] // 2
    return torch.cat([x.roll(1, 0)[:, :, :top], x[:, :, top:]], 2)


def lost_classes(x: Tensor, count: float, y: Tensor) -> Tensor:
    left = x[y >= count]
    return left[torch.arange(len(x)) % len(left)]


def salt(x: Tensor, share: float, y: Tensor) -> Tensor:
    u = torch.rand(x.shape, generator=chance())
    return torch.where(u < share / 2, 0.0, torch.where(u < share, 255.0, x))


def pixelate(x: Tensor, factor: float, y: Tensor) -> Tensor:
    small = interpolate(x, scale_factor=1 / factor, mode="bilinear", antialias=True)
    return interpolate(small, size=x.shape[2:], mode="nearest")


WAYS: dict[str, tuple[Damage, tuple[float, ...]]] = {
    "blur": (blur, (0.5, 0.8, 1.2, 2)),
    "noise": (lambda x, sigma, y: x + sigma * torch.randn(x.shape, generator=chance()), (8, 20, 40, 80)),
    "darker": (lambda x, gain, y: gain * x, (0.9, 0.75, 0.5, 0.3)),
    "elastic": (elastic, (0.5, 1, 2, 3)),
    "shift": (shift, (1, 2, 3, 5)),
    "quarters swapped": (in_some(lambda x: x.roll((x.shape[2] // 2, x.shape[3] // 2), (2, 3))), (0.1, 0.25, 0.5, 1)),
    "halves of two": (in_some(halves), (0.1, 0.25, 0.5, 1)),
    "lost classes": (lost_classes, (1, 2, 4, 7)),
    "collapse on 20": (in_some(collapse), (0.1, 0.3, 0.6, 1)),
    "inverted": (in_some(lambda x: 255 - x), (0.03, 0.1, 0.2, 0.4)),
    "salt": (salt, (0.01, 0.03, 0.08, 0.2)),
    "pixels": (pixelate, (1.3, 2, 3, 4)),
    "thick": (lambda x, share, y: (1 - share) * x + share * max_pool2d(x, 3, 1, 1), (0.2, 0.4, 0.7, 1)),
    "two at once": (lambda x, share, y: (1 - share) * x + share * x.roll(1, 0), (0.08, 0.15, 0.3, 0.5)),
}


def damaged(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    for damage, degrees in WAYS.values():
        for degree in degrees:
            yield damage(x.float(), degree, y).clamp(0, 255).round().to(torch.uint8)


def played(data: Dataset, seconds: float) -> Iterator[Tensor]:
    """What an r1gan draws on MARKS occasions, each at 1.6 times the seconds of the one before; seed 0."""
    torch.manual_seed(0)
    settings = resolve("r1gan")
    game = RECIPES["r1gan"].game(settings.game, data.spec)  # type: ignore[call-overload]
    deck = Deck(data.examples, data.labels, seed=0)
    trainer, start = Trainer(game, lambda: deck.deal(settings.play.batch), average=settings.play.average), 0.0
    spent, y = 0.0, torch.arange(SHOWN) % 10
    for mark in range(MARKS):
        while spent < seconds * 1.6 ** (mark - MARKS + 1):
            start = time.process_time()
            trainer.round()
            trainer.collect()
            spent += time.process_time() - start
        noise, drawn = torch.Generator().manual_seed(1), trainer.average.game
        yield as_bytes(torch.cat([drawn.sample(100, y[i : i + 100], noise) for i in range(0, SHOWN, 100)]))


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Squared maximum mean discrepancy of the cubic kernel (x.y / f + 1)^3, unbiased (Binkowski et al. 2018)."""

    def mean(x: Tensor, z: Tensor) -> float:
        kernel = (x.double() @ z.double().T / x.shape[1] + 1) ** 3
        return float((kernel.sum() - (kernel.diag().sum() if x is z else 0)) / (len(x) * (len(z) - (x is z))))

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)


DISTANCES = {"fd": frechet_distance, "kid": kernel_distance}


def spearman(a: list[float], b: list[float]) -> float:
    ranks = torch.stack([torch.tensor(x).argsort().argsort().double() for x in (a, b)])
    return round(float(torch.corrcoef(ranks)[0, 1]), 3)


def convolutions(channels: int, *, centred: bool, every: bool) -> Callable[[Tensor], Tensor]:
    """Random convolutions as `random_features` has them, or with one thing otherwise."""
    draw, weights = np.random.default_rng(0), []
    for before, after in itertools.pairwise((channels, *RANDOM_WIDTHS)):
        tall = sorted((after, before * 9), reverse=True)
        q = np.linalg.qr(draw.standard_normal(tall))[0]
        w = (q if len(q) == after else q.T).reshape(after, before, 3, 3)
        w = w - w.mean((1, 2, 3), keepdims=True) if centred else w
        weights.append(torch.from_numpy(w / np.linalg.norm(w.reshape(after, -1), axis=1)[:, None, None, None]).float())

    def read(pictures: Tensor) -> Tensor:
        x, means = pictures / 127.5 - 1, []
        for layer, weight in enumerate(weights):
            x = avg_pool2d(x, 2) if layer else x
            x = conv2d(pad(x, (1, 1, 1, 1), mode="replicate"), weight).relu() * 2**0.5
            means.append(x.mean((2, 3)))
        return torch.cat(means if every else means[-1:], 1)

    return read


def compare(name: str, play: float) -> dict[str, Any]:
    """The ranks of damaged pictures, and of what was drawn in training, in every extractor against the LeNet's."""
    train, test = sources.load(name), sources.load(name, split="test")
    assert test.labels is not None
    draw = torch.Generator().manual_seed(0)
    real = train.examples[torch.randperm(len(train), generator=draw)[:REAL]]
    rows = torch.randperm(len(test), generator=draw)[:SHOWN]
    shown, labels = test.examples[rows], test.labels[rows]
    sets = {"damage": list(damaged(shown, labels))} | ({"training": list(played(train, play))} if play else {})
    c = shown.shape[1]
    extractors: dict[str, Callable[[Tensor], Tensor]] = {
        "lenet": classifier(train, len(train.spec.classes)).features,
        "random": random_features(shown.shape[1:]),
        "random, seed 1": random_features(shown.shape[1:], seed=1),
        "every layer": convolutions(c, centred=True, every=True),
        "bright": convolutions(c, centred=False, every=False),
        "pixels": lambda x: adaptive_avg_pool2d(x.float(), 8).flatten(1) / 255,
    }
    found: dict[str, Any] = {}
    trained: dict[str, list[float]] = {}
    for eyes, read in extractors.items():
        reference, held_out = in_blocks(read, real), in_blocks(read, shown)
        seen = {kind: [in_blocks(read, x) for x in pictures] for kind, pictures in sets.items()}
        found[eyes] = {"width": reference.shape[1]}
        for kind, number in itertools.product(sets, DISTANCES):
            values = [DISTANCES[number](x, reference) for x in seen[kind]]
            best, row = DISTANCES[number](held_out, reference), f"{kind}_{number}"
            found[eyes][row] = {"spearman": spearman(values, trained.setdefault(row, values))}
            if kind == "damage":
                fours = [values[i : i + 4] for i in range(0, len(values), 4)]
                found[eyes][row] |= {"in_order": sum(x == sorted(x) for x in fours), "ways": len(fours)}
                found[eyes][row] |= {"above": sum(value > best for value in values), "of": len(values)}
            elif number == "fd":
                found[eyes][row] |= {"over_held_out": [round(value / best, 2) for value in values]}
        print(name, eyes, found[eyes], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion-mnist"])
    parser.add_argument("--play", type=float, default=90.0, help="seconds of r1gan on the first of the data")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    result: dict[str, Any] = {"real": REAL, "shown": SHOWN, "ways": list(WAYS), "seconds_of_play": args.play, "seed": 0}
    for first, name in enumerate(args.data):
        start = time.process_time()
        result[name] = compare(name, 0 if first else args.play)
        result[name]["seconds"] = round(time.process_time() - start)
        keep("embedding", result)


if __name__ == "__main__":
    main()
