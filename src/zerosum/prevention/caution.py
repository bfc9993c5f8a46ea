"""A caution: one setting that is known to go wrong, said before the first round; and the check that finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zerosum.prevention.opening import Opening


@dataclass(frozen=True)
class Caution:
    """What is wrong with these settings, with its numbers; what to do; who found it out. Fatal: it cannot work."""

    name: str
    words: str
    remedy: str
    source: str = ""
    fatal: bool = False

    def __str__(self) -> str:
        """
        >>> str(Caution("some-name", "the batch is 1", "raise batch", "Ioffe & Szegedy 2015"))
        'the batch is 1: raise batch (Ioffe & Szegedy 2015)'
        """
        return f"{self.words}: {self.remedy}" + (f" ({self.source})" if self.source else "")


@dataclass(frozen=True)
class Check:
    """A function that says what is wrong with an opening, or nothing; and what is the same each time that it does."""

    find: Callable[[Opening], str | None]
    remedy: str
    source: str = ""
    fatal: bool = False

    @property
    def name(self) -> str:
        return self.find.__name__.replace("_", "-")

    def __call__(self, at: Opening) -> Caution | None:
        words = self.find(at)
        return Caution(self.name, words, self.remedy, self.source, self.fatal) if words else None
