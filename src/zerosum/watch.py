"""Quality in the course of a run: few samples, looked at often, beside pictures that the run is not trained on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from zerosum.data.dataset import Dataset
from zerosum.data.spec import Points
from zerosum.game import Game, Translator
from zerosum.metrics.coverage import coverage
from zerosum.metrics.features import point_features, random_features
from zerosum.metrics.kernel import kid

SAMPLES, REAL, FEWEST = 500, 1000, 50  # drawn, looked at beside them; real ones without which nothing is said
FIRST_COST = 0.5  # seconds that a look may take, before one was measured
PATIENCE, WORSE = 8, 3  # looks without a better one; looks in a row that are surely worse


@dataclass(frozen=True)
class Mark:
    """One look: KID and coverage of 500 samples, each with the ends of its 95 % interval; the seconds that it took."""

    round: int
    kid: float
    kid_low: float
    kid_high: float
    coverage: float
    coverage_low: float
    coverage_high: float
    seconds: float

    @property
    def score(self) -> float:
        """What the best look has least: KID over coverage, each at the worse end of its interval.

        KID alone, in random features, sees too late that a run overfits (bench/watching.py).
        """
        return self.kid_high / max(self.coverage_low, 1e-9)

    def surely_worse(self, than: Mark) -> bool:
        return self.kid_low > than.kid_high or self.coverage_high < than.coverage_low

    def as_row(self) -> dict[str, float]:
        return asdict(self)


class Watch:
    """Looks at the averaged networks, always through the same noise, in the features of a fixed random network.

    Without held-out data it looks at what the run is trained on, and the best model may be the one that copies best.
    The best of many looks was also a lucky one: its interval is that of one look.

    All looks together take at most `cost` of the training time: one that would take more is left out, so that a slow
    sampler is looked at seldom, and a run of a few seconds never. Nothing of the game is changed, no chance used up.
    """

    def __init__(self, game: Callable[[], Game], dataset: Dataset, held_out: Dataset | None, cost: float):
        self.game, self.cost = game, cost
        self.data, self.real_data = dataset, held_out or dataset
        self.marks: list[Mark] = []
        points = isinstance(dataset.spec, Points)
        target = self._target(dataset)
        self.features = point_features(target.shape[1]) if points else random_features(target.shape[1:])
        self.trouble: str | None = None
        self._real: Tensor | None = None

    @property
    def best(self) -> Mark | None:
        return min(self.marks, key=lambda mark: mark.score, default=None)

    @property
    def spent(self) -> float:
        """Seconds of all looks."""
        return sum(mark.seconds for mark in self.marks)

    def affordable(self, seconds: float) -> bool:
        """Whether there is enough to look at, and one look more, as dear as the last, keeps within the share."""
        if len(self._target(self.real_data)) < FEWEST:
            return False
        last = self.marks[-1].seconds if self.marks else FIRST_COST
        return self.spent + last <= self.cost * seconds

    def look(self, round_: int) -> Mark | None:
        """Measure, and remember; None where samples allow no number (they are all the same), which `trouble` tells."""
        start = time.perf_counter()
        if self._real is None:
            self._real = self.features(self._rows(self._target(self.real_data), REAL))
        try:
            features = self.features(self._drawn())
            distance, found = kid(features, self._real), coverage(features, self._real).coverage
        except ValueError as flaw:
            self.trouble = f"round {round_:,}: {flaw}"
            return None
        values = distance.value, distance.low, distance.high, found.value, found.low, found.high
        self.marks.append(Mark(round_, *values, seconds=round(time.perf_counter() - start, 3)))
        return self.marks[-1]

    def reason(self) -> str | None:
        """Why there is no point in going on, if so: surely worse than the best look, or no better for long."""
        best = self.best
        if best is None:
            return None
        since = self.marks[self.marks.index(best) + 1 :]
        told = f"KID {best.kid:.3g} ({best.kid_low:.3g} to {best.kid_high:.3g}), coverage {best.coverage:.3g}"
        told += f" at round {best.round:,}"
        if len(since) >= WORSE and all(mark.surely_worse(best) for mark in since[-WORSE:]):
            return f"the samples get worse: {told}, and {since[-1].kid:.3g}, {since[-1].coverage:.3g} now"
        if len(since) >= PATIENCE:
            return f"the samples get no better: {told}, and none of {len(since)} looks since was better"
        return None

    def summary(self, enough: str | None) -> dict[str, Any]:
        """What about.json tells: looks, what they cost, the best, and why the run ended before its length."""
        trouble = {} if self.trouble is None else {"trouble": self.trouble}
        if self.best is None:
            return {"quality": trouble} if trouble else {}
        found: dict[str, Any] = {"looks": len(self.marks), "seconds": round(self.spent, 2), "best": self.best.as_row()}
        return {"quality": found | trouble | ({} if enough is None else {"enough": enough})}

    def recall(self, rows: list[dict[str, Any]]) -> None:
        """The marks of the run so far, as they were written."""
        self.marks = [Mark(**{name: row[name] for name in Mark.__dataclass_fields__}) for row in rows]

    @torch.no_grad()
    def _drawn(self) -> Tensor:
        """Samples as the data holds them; of a translator, what it makes of pictures it is not trained on."""
        game, chance = self.game(), torch.Generator().manual_seed(0)
        devices = [game.device] if game.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)  # dropout, where it is the noise
            if isinstance(game, Translator):
                x = self._rows(self.real_data.examples, SAMPLES).to(game.device).float() / 127.5 - 1
                made = torch.cat([game.translate(part, game.directions[0]) for part in x.split(100)])
            else:
                y = None
                if game.classes and self.data.labels is not None:  # classes as often as the data has them
                    y = self.data.labels[torch.randint(len(self.data), (SAMPLES,), generator=chance)]
                made = game.sample(SAMPLES, y, chance)
        made = made.float().cpu()
        return made if isinstance(self.data.spec, Points) else ((made.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)

    def _target(self, data: Dataset) -> Tensor:
        """What samples should look like: the data; of a translator, the other domain."""
        if isinstance(data.spec, Points):
            return data.examples / self.data.spec.scale  # type: ignore[union-attr]
        return data.examples if data.partners is None else data.partners

    @staticmethod
    def _rows(examples: Tensor, most: int) -> Tensor:
        """At most so many, by chance but always the same: the halves of a test set may differ."""
        order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0))
        return examples[order[:most]]
