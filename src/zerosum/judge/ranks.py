"""An evaluation over several ranks: each draws and sees its part, rank 0 concludes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import distributed

from zerosum.play.world import World
from zerosum.play.world import joined as joined

T = TypeVar("T")


def spread(count: int, block: int, make: Callable[[int, int], T]) -> list[T]:
    """`make(start, end)` for all of `count` rows: each rank makes a part of them, and gets those of the others too.

    Parts are whole blocks, so that a row stands in the same block, with the same neighbours, however many ranks there
    are: what is made of it is the same to the last bit.
    """
    world = World()
    if world.size == 1:
        return [make(0, count)]
    share = -(-count // (block * world.size)) * block
    start, end = world.rank * share, min((world.rank + 1) * share, count)
    parts: list[T | None] = [None] * world.size
    distributed.all_gather_object(parts, make(start, end) if start < end else None)
    return [part for part in parts if part is not None]


@contextmanager
def leader_first() -> Iterator[None]:
    """Rank 0 goes through this before the others do: what it puts into the cache, they find there."""
    world = World()
    if world.rank > 0:
        distributed.barrier()
    try:
        yield
    finally:
        if world.rank == 0 and world.size > 1:
            distributed.barrier()


def concluded(conclude: Callable[[], T]) -> T:
    """What rank 0 concludes, on every rank. Where it fails, it alone says why: the others just end."""
    world = World()
    if world.size == 1:
        return conclude()
    told: list[T] = []
    try:
        if world.rank == 0:
            told = [conclude()]
    finally:
        message = [told]
        distributed.broadcast_object_list(message, src=0)
    if not message[0]:
        raise SystemExit(1)
    return message[0][0]
