"""What every source hands over, and the one error it may raise."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from zerosum.data.spec import Spec


@dataclass(frozen=True)
class Dataset:
    """Examples, in memory or `OnDisk`, with their shape, their labels if any, and what was done to them on the way."""

    name: str  # short, fit for a run folder: "glyphs", "mnist", "flowers"
    spec: Spec
    examples: Tensor  # uint8 [n c h w] | float32 [n d]
    labels: Tensor | None  # int64 [n]
    notes: tuple[str, ...] = ()  # what was found and done, one plain sentence each
    factors: dict[str, Tensor] | None = None  # ground truth factors of variation, each [n] or [n k]
    partners: Tensor | None = None  # uint8 [n c h w], one an example (Pairs); or [m c h w], the other domain (Domains)

    def __len__(self) -> int:
        return len(self.examples)


class DataError(ValueError):
    """Data cannot be used: says in one line what was got, what was expected and what to do."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A closing question for a misspelt word, or nothing.

    >>> did_you_mean("mnsit", ["mnist", "glyphs"])
    " Did you mean 'mnist'?"
    >>> did_you_mean("xyz", ["mnist", "glyphs"])
    ''
    """
    spelt = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), spelt, n=1)
    return f" Did you mean '{spelt[near[0]]}'?" if near else ""
