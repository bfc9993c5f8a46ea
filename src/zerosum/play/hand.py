"""The hand as it lies on the table: whole, or in pieces that are played one after another where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from torch import Tensor, nn

from zerosum.game import Batch
from zerosum.play.chance import Chance, Part

T = TypeVar("T")


Drawn = dict[str, tuple[Chance, tuple[nn.Module, ...]]]


class Hand(Batch):
    """A batch that can be divided, also between two turns: what was made of it can be made again, by the same chance.

    `whole` is the number of examples that all ranks are dealt together; `chance` says which rows of all are drawn.
    """

    def __init__(self, x: Tensor, y: Tensor | None = None, *, whole: int | None = None):
        super().__init__(x, y)
        self.whole = whole or len(x)
        self.chance: Callable[[], AbstractContextManager[object]] = nullcontext
        self.pieces: list[Hand] = [self]
        self._drawn: Drawn = {}

    def once(self, name: str, make: Callable[[], T], *of: nn.Module) -> T:
        if name in self._made:
            return super().once(name, make, *of)
        now = Chance(self.x.device)
        if name not in self._drawn:
            self._drawn[name] = (now, of)
            return super().once(name, make, *of)
        self._drawn[name][0].again()
        made = super().once(name, make, *of)
        now.again()
        return made

    def forget(self, moved: Iterable[nn.Module]) -> None:
        moved = list(moved)
        gone = {part for network in moved for part in network.modules()}
        for name, (_, of) in list(self._drawn.items()):
            if not gone.isdisjoint(part for network in of for part in network.modules()):
                del self._drawn[name]
        super().forget(moved)
        for piece in self.pieces:
            if piece is not self:
                piece.forget(moved)

    def free(self) -> None:
        """Let go of what was made, but not of the chance it was made by."""
        self._made.clear()

    @property
    def drawn(self) -> Drawn:
        """By which chance each thing was made that may have to be made again."""
        return dict(self.pieces[0]._drawn)

    def divide(self, count: int, drawn: Drawn) -> None:
        """Play in so many pieces from now on, which must divide the examples, by the chance of what was `drawn`."""
        self.free()
        size, beside = len(self.x) // count, self.y
        self.pieces = []
        for i in range(count):
            rows = slice(i * size, (i + 1) * size)
            piece = Hand(self.x[rows], None if beside is None else beside[rows], whole=self.whole)
            piece.chance = lambda i=i: Part(i, count)  # type: ignore[misc]
            piece._drawn = dict(drawn)
            self.pieces.append(piece)


def finer(count: int, examples: int) -> int | None:
    """The next larger number of pieces that divides so many examples (of 64: twice as many); None where there is none.

    Pieces hold two examples at least: batch norm has nothing to say of one.
    """
    return next((k for k in range(count + 1, examples // 2 + 1) if examples % k == 0), None)
