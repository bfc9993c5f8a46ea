"""A checkup: what the doctor needs to know of a run, in one row of numbers, every few rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from zerosum.checkup import moves, sight
from zerosum.checkup.reference import HANDFUL, Dealt, Reference, contrast, saturated
from zerosum.checkup.still import untouched
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Points
from zerosum.game import Batch, Translator
from zerosum.metrics.neighbours import nearest
from zerosum.play.trainer import Trainer

PICTURES, POINTS, TRANSLATIONS, HAND = 128, 500, 48, 64  # samples looked at; a hand dealt for the gradient
APART = 0.05  # energy distance of two domains from which it can be said how much of it is closed
Row = dict[str, float]


class Checkup:
    """Looks at one run. Real pictures, noise and labels are dealt once, so that two rows can be compared.

    At the networks as they are played with, not at their average, behind which a sick game hides for long.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, held_out: Dataset | None, seed: int, batch: int = HAND):
        self.trainer, self.game, self.batch = trainer, trainer.game, batch
        chance = torch.Generator().manual_seed(seed)
        self.translates = isinstance(self.game, Translator)
        usual = POINTS if isinstance(dataset.spec, Points) else TRANSLATIONS if self.translates else PICTURES
        n = max(HANDFUL, min(usual, len(dataset)))
        self.z = None if self.translates else self.game.noise(usual, chance).to(self.game.device)
        self.reference = Reference(self.game, dataset, held_out, n, chance)
        drawn = self.reference.drawn
        self.y = None if drawn.y is None or self.translates else drawn.y.repeat(-(-usual // n))[:usual]
        self.normed = any(isinstance(module, _BatchNorm) for module in self.game.modules())
        self.last: Tensor | None = None
        self.steps: moves.Steps | None = None
        self.round = 0
        self.rows: list[Mapping[str, float]] = []

    def begin(self) -> None:
        """Remember the weights as they are: the next rounds move them."""
        self.steps, self.round = moves.Steps(self.trainer.movers), self.trainer.rounds

    def hear(self, rows: Sequence[Mapping[str, float]]) -> None:
        """The readings of rounds that were played since the last look."""
        self.rows += rows

    def look(self) -> Row:
        """One row: how players moved, what D says, what samples are like, how readings went since the last look."""
        row = Row(round=self.trainer.rounds) | self._moves() | trends(self.rows)
        self.rows, self.steps = [], None
        make = moves.makers(self.game, self.trainer.movers)
        with untouched(self.game):
            hand = self.reference.drawn.first(min(HAND, self.batch))
            for mover in make[:1]:
                row["samples.gradient"] = moves.at_samples(self.game, mover.player, Batch(hand.x, hand.y))
        with torch.no_grad(), untouched(self.game):
            made = self._make()
            row |= self._scores(made)
        with torch.no_grad():
            self.reference.follow()
            return row | self._samples(made)

    def _moves(self) -> Row:
        make = moves.makers(self.game, self.trainer.movers)
        row = Row()
        for who, movers in (("maker", make), ("judge", [m for m in self.trainer.movers if m not in make])):
            if movers:
                row[f"{who}.weight"] = moves.weight(movers)
            if movers and self.steps is not None:
                found = self.steps.since(movers, max(1, self.trainer.rounds - self.round))
                row |= {f"{who}.{name}": value for name, value in found.items()}
        return row

    def _make(self) -> Tensor:
        """What the game makes now of the fixed noise, or of fixed pictures: as many at once as in a round."""
        if isinstance(self.game, Translator):
            given = self.reference.drawn.x
            return torch.cat([self.game.translate(x, self.game.directions[0]) for x in self._parts(given)])
        assert self.z is not None
        labels = self._parts(self.y) if self.y is not None and self.game.classes else repeat(None)
        return torch.cat([self.game.generate(z, y) for z, y in zip(self._parts(self.z), labels, strict=False)])

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """In nearly equal parts of no more than a batch: what a round takes in memory, and its batch statistics."""
        return x.tensor_split(-(-len(x) // self.batch))

    def _batches(self, x: Tensor) -> tuple[Tensor, ...]:
        """In whole batches, as D may judge packs or minibatches; what is left over is left out."""
        return x[: len(x) // self.batch * self.batch or len(x)].split(self.batch)

    def _scores(self, made: Tensor) -> Row:
        """What D says of reals that it is trained on, of samples, and of reals that it never saw.

        `auc` is how surely it ranks a real above a sample; `held.auc`, a real it knows above one it does not.
        """
        drawn, held = self.reference.drawn, self.reference.held
        fake, real = self._judged(drawn, made), self._judged(drawn)
        if fake is None or real is None or not (fake.isfinite().all() and real.isfinite().all()):
            return {}
        row = Row({"real.score": float(real.mean()), "fake.score": float(fake.mean()), "auc": sight.auc(real, fake)})
        row["score.spread"] = float(torch.cat([real - real.mean(), fake - fake.mean()]).square().mean().sqrt())
        middle = (row["real.score"] + row["fake.score"]) / 2
        row["accuracy"] = float(((real > middle).float().mean() + (fake <= middle).float().mean()) / 2)
        if held is not None:
            unknown = self._judged(held)
            assert unknown is not None
            row |= {"held.score": float(unknown.mean()), "held.auc": sight.auc(real, unknown)}
        return row

    def _judged(self, of: Dealt, made: Tensor | None = None) -> Tensor | None:
        """D's scores of reals, or of what was made in their place: [m] on the CPU; None where nobody judges."""
        x, y = of.x if made is None else made, of.y if made is None else self.y
        if self.translates:
            x, y = of.y if made is None else made, of.x  # type: ignore[assignment]
        beside = repeat(None) if y is None else self._batches(y)
        found = [self.game.judge(part, other) for part, other in zip(self._batches(x), beside, strict=False)]
        return None if any(f is None for f in found) else torch.cat([f.float().cpu() for f in found if f is not None])

    def _samples(self, made: Tensor) -> Row:
        """What the samples are like, beside the data, and beside what the same noise gave last time."""
        row, reference = Row(nonfinite=float((~made.isfinite()).float().mean())), self.reference
        if row["nonfinite"]:
            return row
        x = sight.seen(made)
        shares = reference.cells.of(x)
        row |= {
            "diversity": sight.spread(x) / reference.spread,
            "missing": reference.cells.missing(shares),
            "uneven": sight.turned(shares, reference.cells.shares),
            "distance": sight.energy(x, reference.real),
        }
        if reference.twins is not None:
            row["twins"] = float((nearest(x, x, same=True)[0][:, 0] < reference.twins).float().mean())
        if self.last is not None:
            row["change"] = float((x - self.last).norm(dim=1).mean()) / reference.spread
            row["turnover"] = sight.turned(shares, reference.cells.of(self.last))
        self.last = x
        return row | (self._pictures(made, x) if made.ndim == 4 else {})

    def _pictures(self, made: Tensor, x: Tensor) -> Row:
        """`leak` is the energy distance of samples by running and by batch statistics, over the data's spread."""
        reference = self.reference
        row = Row(contrast=contrast(made), saturated=saturated(made), checkerboard=sight.printed(made))
        if self.normed:
            with untouched(self.game):
                for module in self.game.modules():
                    module.training = module.training and not isinstance(module, _BatchNorm)
                row["leak"] = sight.energy(sight.seen(self._make()), x, reference.spread)
        if reference.reader is not None and self.y is not None:
            row["label"] = reference.reader.right(x, self.y)
        if reference.known is not None:
            row["copies"] = reference.copied(x)
        given = reference.drawn.x
        if self.translates and given.shape == made.shape:
            # How far a picture is from what it was made of, over how far two are from each other; and how much of the
            # energy distance between the domains is closed.
            row["moved"] = float((made - given).abs().mean() / (given - given.roll(1, 0)).abs().mean().clamp_min(1e-6))
            if reference.apart > APART:
                row["translated"] = 1 - sight.energy(x, reference.real) / reference.apart
        return row


def trends(rows: Sequence[Mapping[str, float]]) -> Row:
    """Of every reading since the last look, its mean and, after a ~, its deviation."""
    found = Row()
    for name in dict.fromkeys(name for row in rows for name in row):
        values = torch.tensor([row[name] for row in rows if name in row], dtype=torch.float64)
        found[name], found[f"{name}~"] = float(values.mean()), float(values.std(correction=0))
    return found
