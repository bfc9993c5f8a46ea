"""What a user asks of a source, checked once."""

import random
from dataclasses import dataclass, replace

import numpy as np

from zerosum.data.dataset import DataError, did_you_mean

SPLITS = ("train", "test")
PAIRINGS = ("pairs", "domains")
DIRECTIONS = ("AtoB", "BtoA")
CACHES = ("auto", "memory", "disk")
_SMALLEST, _LARGEST = 4, 1024  # sides in pixels that can be asked for


@dataclass(frozen=True)
class Request:
    """The options of `load`, known to be possible; what is None is left to the source."""

    size: tuple[int, int] | None  # height, width
    channels: int | None
    labels: str | None
    split: str
    limit: int | None
    seed: int
    pairing: str | None = None
    direction: str = "AtoB"
    cache: str = "memory"

    def choose(self, n: int, labels: np.ndarray | None = None) -> list[int]:
        """Which of n examples are kept, in order: all, or `limit` of them drawn by the seed; of each of two domains."""
        if self.pairing == "domains" and labels is not None:
            own = [np.flatnonzero(labels == label) for label in np.unique(labels)]
            return sorted(int(of[i]) for of in own for i in replace(self, pairing=None).choose(len(of)))
        if self.limit is None or self.limit >= n:
            return list(range(n))
        return sorted(random.Random(self.seed).sample(range(n), self.limit))

    def refuse(self, source: str, why: str, *options: str) -> None:
        """DataError if an option was given that means nothing for this source."""
        for option in options:
            if (value := getattr(self, option)) is not None:
                raise DataError(f"got {option}={value} for '{source}', which {why}: leave it out")


def check(
    size: int | tuple[int, int] | None,
    channels: int | None,
    labels: str | None,
    split: str,
    limit: int | None,
    seed: int,
    pairing: str | None = None,
    direction: str = "AtoB",
    cache: str = "auto",
) -> Request:
    """A request, or DataError for anything that no source could give."""
    if split not in SPLITS:
        raise DataError(f"got split '{split}', expected 'train' or 'test'.{did_you_mean(split, SPLITS)}")
    if pairing not in (None, *PAIRINGS):
        raise DataError(
            f"got pairing '{pairing}', expected 'pairs', 'domains' or none.{did_you_mean(pairing, PAIRINGS)}"
        )
    if direction not in DIRECTIONS:
        raise DataError(f"got direction '{direction}', expected 'AtoB' or 'BtoA'.{did_you_mean(direction, DIRECTIONS)}")
    if cache not in CACHES:
        raise DataError(f"got cache '{cache}', expected 'auto', 'memory' or 'disk'.{did_you_mean(cache, CACHES)}")
    if channels not in (None, 1, 3, 4):
        raise DataError(f"got {channels} channels, expected 1 (gray), 3 (RGB) or 4 (RGBA)")
    if limit is not None and limit < 1:
        raise DataError(f"got a limit of {limit}, expected at least 1 example")
    sides = (size, size) if isinstance(size, int) else size
    if sides and not all(_SMALLEST <= side <= _LARGEST for side in sides):
        raise DataError(f"got size {sides[0]}x{sides[1]}, expected each side from {_SMALLEST} to {_LARGEST} pixels")
    return Request(sides, channels, labels, split, limit, seed, pairing, direction, "memory" if pairing else cache)
