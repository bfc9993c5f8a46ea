"""What samples are held against: real examples, those never trained on, and what is normal among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zerosum.checkup import sight
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Points
from zerosum.game import Game, Translator
from zerosum.metrics.neighbours import nearest

COMPARED, SEARCHED, FEWEST = 1000, 10_000, 50  # real examples; searched for copies; held-out ones to learn anything of
AT_ONCE, DESCRIBED = 100, 128  # examples in memory as pictures; whose range and contrast are taken
MANY = 100  # examples, from which on two samples that are alike say something of G
HANDFUL = 16  # of fewer examples some are looked at twice, as they are dealt twice: a pack asks for so many
NEIGHBOURS = 10  # whose mean distance is the scale of what is near, as in metrics/memorising.py


@dataclass(frozen=True)
class Dealt:
    """Examples as a game is dealt them: x [n ...], and labels or pictures y [n ...] beside them, if it takes any."""

    x: Tensor
    y: Tensor | None

    def __len__(self) -> int:
        return len(self.x)

    def first(self, n: int) -> Dealt:
        """A copy, so that the rest need not stay in memory."""
        return Dealt(self.x[:n].clone(), None if self.y is None else self.y[:n].clone())


def dealt(game: Game, dataset: Dataset, rows: Tensor) -> Dealt:
    """These rows of the data; of a second domain, as many of its own."""

    def floats(held: Tensor, rows: Tensor) -> Tensor:
        chosen = held[rows].to(game.device)
        return chosen.float().div_(127.5).sub_(1.0) if chosen.dtype == torch.uint8 else chosen

    x = floats(dataset.examples, rows)
    if isinstance(dataset.spec, Points):
        return Dealt(x / dataset.spec.scale, None)
    if dataset.partners is not None:
        return Dealt(x, floats(dataset.partners, rows % len(dataset.partners)))
    return Dealt(x, dataset.labels[rows].to(game.device) if game.classes and dataset.labels is not None else None)


class Reference:
    """The data's side of every comparison, made once. `facts` are what there is to know of the data itself."""

    held: Dealt | None = None
    reader: sight.Reader | None = None
    known: Tensor | None = None
    apart = 0.0

    def __init__(self, game: Game, dataset: Dataset, held_out: Dataset | None, n: int, chance: torch.Generator):
        self.game, self.translates = game, isinstance(game, Translator)
        order = torch.randperm(len(dataset), generator=chance)
        rows = order.repeat(-(-HANDFUL // len(order)))[:COMPARED]
        self.drawn = dealt(game, dataset, rows[:n])
        self.kinds = sight.CELLS["points" if isinstance(dataset.spec, Points) else "pictures"]
        self._compare_with(self._all_seen(dataset, rows))
        grows = type(game).in_reach is not Game.in_reach
        self.grows = self._looked_like(dealt(game, dataset, rows)) if grows else None
        few = self.real[:n]
        # Of a small set a good sample has twins, too: there is no saying how near is too near.
        self.twins = float(nearest(few, few, same=True)[0][:, 0].quantile(0.01)) / 2 if len(dataset) >= MANY else None
        self.facts = {"data.examples": float(len(dataset)), "data.distance": sight.energy(few, self.real)}
        if not isinstance(dataset.spec, Points):
            target = self._looked_like(dealt(game, dataset, rows[:DESCRIBED]))
            self.facts |= described(target)
            if self.translates and self.drawn.x.shape[1:] == target.shape[1:]:  # gray is nowhere beside colour
                self.apart = sight.energy(self._all_seen(dataset, rows, of_x=True), self.real)
        if held_out is not None and len(held_out) >= FEWEST:
            unknown = replace(held_out, spec=dataset.spec)  # a test split of points has a scale of its own
            hidden = torch.randperm(len(held_out), generator=chance)[:COMPARED]  # a file may hold class after class
            self.held = dealt(game, unknown, hidden[: 2 * n])
            if not isinstance(dataset.spec, Points) and not self.translates:
                self._learn(dataset, rows, order[:SEARCHED], unknown, hidden)

    def _learn(self, data: Dataset, rows: Tensor, searched: Tensor, unknown: Dataset, hidden: Tensor) -> None:
        """To read labels, and what is near to a training example, both from what was never trained on."""
        held = self._all_seen(unknown, hidden)
        if self.game.classes and data.labels is not None and unknown.labels is not None:
            self.reader = sight.Reader(self.real, data.labels[rows], self.game.classes)
            labels = unknown.labels[hidden]
            self.facts["data.label"] = self.reader.right(held, labels)
            self.facts["data.chance"] = float(torch.bincount(labels).max()) / len(labels)
        if len(data) > NEIGHBOURS:
            self.known = self._all_seen(data, searched)
            self.reach = float(nearness(held, self.known).quantile(0.01, interpolation="lower"))

    def _looked_like(self, of: Dealt) -> Tensor:
        """What samples should look like."""
        return of.y if self.translates and of.y is not None else of.x

    def _all_seen(self, of: Dataset, rows: Tensor, of_x: bool = False) -> Tensor:
        """What is seen of these rows, few at once: large pictures take much memory."""
        parts = (dealt(self.game, of, some) for some in rows.split(AT_ONCE))
        return torch.cat([sight.seen(part.x if of_x else self._looked_like(part)) for part in parts])

    def _compare_with(self, real: Tensor) -> None:
        self.real = real
        self.spread = max(sight.spread(self.real), 1e-6)
        self.cells = sight.Cells(self.real, self.kinds)

    def follow(self) -> None:
        """Hold samples of a game that grows against the data as it can show them now."""
        if self.grows is not None:
            self._compare_with(sight.seen(self.game.in_reach(self.grows)))

    def copied(self, x: Tensor) -> float:
        """The share of x [n f] nearer to one training example, for their neighbourhood, than 99 % of held-out data."""
        assert self.known is not None
        return float((nearness(x, self.known) <= self.reach).float().mean())


def nearness(x: Tensor, train: Tensor) -> Tensor:
    """The distance to the nearest of train over the mean distance of the 10 nearest: [n]."""
    d = nearest(x, train, NEIGHBOURS)[0]
    return d[:, 0] / d.mean(1).clamp_min(1e-12)


def described(x: Tensor) -> dict[str, float]:
    """Pictures [n c h w] as dealt: the range of nearly all their numbers, contrast within them, and how they differ."""
    some = x.flatten()
    ends = torch.quantile(some[:: len(some) // 100_000 + 1], torch.tensor([0.001, 0.999], device=x.device)).tolist()
    differ = float(x.std(0).mean())
    found = {"data.low": ends[0], "data.high": ends[1], "data.contrast": contrast(x), "data.differ": differ}
    return found | {"data.checkerboard": sight.printed(x), "data.saturated": saturated(x)}


def contrast(x: Tensor) -> float:
    """The mean deviation of the pixels within a picture."""
    return float(x.float().flatten(1).std(1).mean())


def saturated(x: Tensor) -> float:
    """The share of pixels within 1 % of an end of [-1, 1]."""
    return float((x.abs() > 0.98).float().mean())
