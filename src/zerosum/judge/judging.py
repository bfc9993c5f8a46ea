"""A judge: real pictures, and the features to see them with. Shown samples, it says how good they are, and how sure.

Every number of the samples has beside it the same number of held-out real data: the same code, the same reference.
Where fewer are held out than samples, numbers that depend on the count are set beside each other at the lesser one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from zerosum.data.dataset import Dataset
from zerosum.data.spec import Points
from zerosum.data.toy import TOYS, Mixture
from zerosum.judge.candidates import Candidate
from zerosum.judge.ranks import spread
from zerosum.metrics.better import verdict
from zerosum.metrics.coverage import coverage
from zerosum.metrics.features import Features
from zerosum.metrics.frechet import frechet, frechet_by_class, frechet_gap
from zerosum.metrics.interval import share
from zerosum.metrics.kernel import kid, kid_gap
from zerosum.metrics.memorising import Copying, copying
from zerosum.metrics.modes import modes
from zerosum.metrics.number import Number, TooFew
from zerosum.metrics.resize import resize
from zerosum.metrics.scores import class_divergence, classes_covered, inception_score

COPY_SIDE = 32  # px: copies are looked for in pictures of at most this side

Numbers = dict[str, Number | TooFew]


@dataclass(frozen=True)
class Seen:
    """Examples as the judge sees them."""

    examples: Tensor
    labels: Tensor | None
    features: Tensor  # [n f]
    probabilities: Tensor | None  # [n K], where the features are a classifier's

    def first(self, n: int) -> Seen:
        labels, probabilities = (None if x is None else x[:n] for x in (self.labels, self.probabilities))
        return Seen(self.examples[:n], labels, self.features[:n], probabilities)


class Judge:
    """Real examples to compare with: `count` of the training data, as many held-out ones as there are."""

    def __init__(self, train: Dataset, held_out: Dataset | None, features: Features, count: int, seed: int = 0):
        self.train, self.held_out, self.features, self.seed = train, held_out, features, seed
        self.reference = self.see(*_some(train, count, seed))
        self.real = None if held_out is None else self.see(*_some(held_out, count, seed))

    def see(self, examples: Tensor, labels: Tensor | None = None) -> Seen:
        """uint8 [n c h w] or float [n d], with the classes that they were asked to show, if any."""
        if isinstance(self.train.spec, Points):
            examples = examples / self.train.spec.scale
        parts = spread(len(examples), self.features.block, lambda start, end: self.features(examples[start:end]))
        features, told = torch.cat(parts), self.features.probabilities
        return Seen(examples, labels, features, None if told is None else told(features))

    def show(self, candidate: Candidate) -> Seen:
        return self.see(candidate.examples, candidate.labels)

    def numbers(self, seen: Seen) -> Numbers:
        """Every number that these examples and features allow; TooFew in the place of one that they do not."""
        name, reference = self.features.name, self.reference.features
        found: Numbers = {
            self.features.distance: number_or_need(lambda: frechet(seen.features, reference)),
            f"KID({name})": number_or_need(lambda: kid(seen.features, reference)),
        }
        try:
            parts = coverage(seen.features, reference)
            found |= {part: getattr(parts, part) for part in ("precision", "recall", "density", "coverage")}
        except TooFew as few:
            found |= dict.fromkeys(("precision", "recall", "density", "coverage"), few)
        if seen.probabilities is not None:
            found |= self._of_classes(seen, seen.probabilities)
        if isinstance(toy := self._toy(), Mixture):
            assert isinstance(self.train.spec, Points)
            try:
                found |= modes(seen.examples * self.train.spec.scale, toy.centres, toy.sigma)
            except TooFew as few:
                found |= {"modes found": few}
        return found

    def _of_classes(self, seen: Seen, probabilities: Tensor) -> Numbers:
        """What the classifier reads in them: how surely, which classes, how often as asked."""
        shown, shares = probabilities.argmax(1), self._shares()
        found: Numbers = {
            f"inception score({self.features.name})": number_or_need(lambda: inception_score(probabilities)),
            "classes covered": number_or_need(lambda: classes_covered(shown, len(shares), shares)),
            "class divergence": number_or_need(
                lambda: class_divergence(shown, shares, of=len(self.reference.features))
            ),
        }
        if (labels := seen.labels) is not None:
            found["as asked"] = number_or_need(lambda: share("as asked", shown.eq(labels)))
        return found

    def gaps(self, a: Seen, b: Seen) -> dict[str, Any]:
        """A less B by each distance, with its interval, and whether A is better: yes, no, cannot tell."""
        found: dict[str, Any] = {}
        for name, gap in ((self.features.distance, frechet_gap), (f"KID({self.features.name})", kid_gap)):
            try:
                number = gap(a.features, b.features, self.reference.features)
            except TooFew as few:
                found[name] = {"needs": str(few)}
                continue
            found[name] = asdict(number) | {"a_is_better": verdict(number)}
        return found

    def beside_real(self, seen: Seen, numbers: Numbers, real_numbers: Numbers) -> dict[str, Any]:
        """The samples less held-out data, and the coverage of both, as many of one as of the other.

        The numbers are those of all: coverage depends on the count, and is measured anew where that is another.
        Nothing where there is no held-out data.
        """
        if self.real is None:
            return {}
        n = min(len(seen.features), len(self.real.features))
        a, b = seen.first(n), self.real.first(n)
        found = {"coverage": numbers["coverage"], "real coverage": real_numbers["coverage"]}
        if len(seen.features) > n:
            found["coverage"] = number_or_need(lambda: coverage(a.features, self.reference.features).coverage)
        if len(self.real.features) > n:
            found["real coverage"] = number_or_need(lambda: coverage(b.features, self.reference.features).coverage)
        return {"count": n, "gaps": self.gaps(a, b)} | plain(found)

    def by_class(self, seen: Seen) -> Numbers:
        """The Fréchet distance of each class by itself, where samples were asked for by class."""
        spec, reference = self.train.spec, self.reference
        if not spec.classes or seen.labels is None or reference.labels is None:
            return {}
        return frechet_by_class(seen.features, seen.labels, reference.features, reference.labels, spec.classes)

    def copying(self, examples: Tensor) -> Copying:
        """Whether these examples copy training data more than held-out ones do. Raises TooFew, ValueError."""
        if self.held_out is None:
            raise ValueError(
                f"whether it copies needs real pictures that it was not trained on, and {self.train.name} has no test "
                "split: train with --set held_out=0.1, or give a folder with train/ and test/"
            )
        held_out, _ = _some(self.held_out, len(examples), self.seed)
        sets = (in_copy_space(x) for x in (examples, self.train.examples, held_out))
        return copying(*sets, seed=self.seed)

    def _shares(self) -> Tensor:
        """How often the reference shows each class, as the same classifier reads it."""
        assert self.reference.probabilities is not None
        counts = torch.bincount(
            self.reference.probabilities.argmax(1), minlength=self.reference.probabilities.shape[1]
        ).double()
        return counts / counts.sum()

    def _toy(self) -> Any:
        return TOYS[self.train.name]() if self.train.name in TOYS else None


def in_copy_space(examples: Tensor) -> Tensor:
    """What copies are looked for in: the numbers of each picture, of one above 32 px reduced to 32; float [n d]."""
    if examples.ndim == 4 and max(examples.shape[2:]) > COPY_SIDE:
        scale = COPY_SIDE / max(examples.shape[2:])
        height, width = (max(8, round(side * scale)) for side in examples.shape[2:])
        examples = torch.cat([resize(part, height, width) for part in examples.split(1000)])
    return examples.flatten(1)


def _some(data: Dataset, count: int, seed: int) -> tuple[Tensor, Tensor | None]:
    """`count` of the data by chance: the halves of a test set may differ, so never its first ones."""
    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:count]
    return data.examples[rows], None if data.labels is None else data.labels[rows]


def plain(numbers: Numbers) -> dict[str, Any]:
    """Numbers as JSON holds them; where there are too few examples for one, what it needs."""
    return {
        name: {"needs": str(number)} if isinstance(number, TooFew) else asdict(number)
        for name, number in numbers.items()
    }


def number_or_need(measure: Callable[[], Number]) -> Number | TooFew:
    """The number; or, where there are too few examples for it, the error that says what it needs."""
    try:
        return measure()
    except TooFew as few:
        return few
