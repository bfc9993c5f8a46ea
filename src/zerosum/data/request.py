"""What a user asks of a source, checked once."""

import random
from dataclasses import dataclass

from zerosum.data.dataset import DataError, did_you_mean

SPLITS = ("train", "test")
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

    def choose(self, n: int) -> list[int]:
        """Which of n examples are kept, in order: all, or `limit` of them drawn by the seed."""
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
) -> Request:
    """A request, or DataError for anything that no source could give."""
    if split not in SPLITS:
        raise DataError(f"got split '{split}', expected 'train' or 'test'.{did_you_mean(split, SPLITS)}")
    if channels not in (None, 1, 3, 4):
        raise DataError(f"got {channels} channels, expected 1 (gray), 3 (RGB) or 4 (RGBA)")
    if limit is not None and limit < 1:
        raise DataError(f"got a limit of {limit}, expected at least 1 example")
    if size is None:
        return Request(None, channels, labels, split, limit, seed)
    height, width = (size, size) if isinstance(size, int) else size
    if not all(_SMALLEST <= side <= _LARGEST for side in (height, width)):
        raise DataError(f"got size {height}x{width}, expected each side from {_SMALLEST} to {_LARGEST} pixels")
    return Request((height, width), channels, labels, split, limit, seed)
