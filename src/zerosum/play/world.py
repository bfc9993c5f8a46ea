"""The ranks that play one game together: the processes that torchrun began, or this one alone.

Rank 0 leads: it looks, saves and decides, and tells the others what to do next; they do it. Every rank deals itself its
share of each batch and draws its rows of all chance (`play.chance`), so that the game is that of one process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from zerosum.play.chance import Part

PATIENCE = timedelta(days=7)  # for rank 0, which may look at a long film before the next round


class World:
    """All ranks of torch.distributed's default group; a world of one where there is none, or for what is tried `alone`.

    `played`: a round is on, and all ranks are in it. Only then do they exchange anything but orders.
    """

    def __init__(self, alone: bool = False) -> None:
        together = not alone and distributed.is_available() and distributed.is_initialized()
        self.size = distributed.get_world_size() if together else 1
        self.rank = distributed.get_rank() if together else 0
        self.played = False

    @property
    def part(self) -> tuple[int, int]:
        """Which part of every batch is this rank's, of how many."""
        return self.rank, self.size

    @contextlib.contextmanager
    def round(self) -> Iterator[None]:
        """A round that all ranks play."""
        self.played = True
        with self.chance():
            try:
                yield
            finally:
                self.played = False
        _told[0] = "played"

    def chance(self) -> AbstractContextManager[object]:
        """This rank's rows of what all draw."""
        return Part(*self.part) if self.size > 1 else nullcontext()

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the ranks into each tensor; one message for all of them. The ranks give equal shapes."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten().float() for tensor in tensors])
        distributed.all_reduce(flat)
        parts = torch.split(flat.div_(self.size), [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    @torch.no_grad()
    def share(self, network: nn.Module) -> None:
        """Give every rank the parameters and buffers of rank 0."""
        if self.size > 1:
            for tensor in (*network.parameters(), *network.buffers()):
                message = tensor.detach().contiguous()
                distributed.broadcast(message, src=0)
                tensor.copy_(message)

    def statistics(self, network: nn.Module) -> list[Tensor]:
        """The running values of a network that every rank has moved by its own share: the buffers of real numbers."""
        return [buffer for buffer in network.buffers() if buffer.is_floating_point()] if self.size > 1 else []

    def tell(self, order: str, words: str = "", content: bytes = b"") -> None:
        """Of rank 0, to all others: what to do next, and what they need for it."""
        if self.size == 1:
            return
        _told[0] = order
        text = f"{order}\n{words}".encode()
        _send(torch.tensor([len(text), len(content)]))
        for part in filter(None, (text, content)):
            _send(torch.frombuffer(bytearray(part), dtype=torch.uint8))

    @property
    def listens(self) -> bool:
        """Of rank 0: whether the others wait for an order, and not in the midst of a round, or at their end."""
        return self.size > 1 and _told[0] not in ("round", "end")

    def hear(self) -> tuple[str, str, bytes]:
        """Of all others: the next order, its words and its content, as rank 0 gave them."""
        sizes = torch.zeros(2, dtype=torch.int64)
        _send(sizes)
        parts = [torch.empty(n, dtype=torch.uint8) for n in sizes.tolist()]
        for part in parts:
            if len(part):
                _send(part)
        text, content = (part.numpy().tobytes() for part in parts)
        order, _, words = text.decode().partition("\n")
        return order, words, content


_orders: list[Any] = [None]  # the group that orders go through: gloo's, whatever gradients use
_told: list[str] = [""]  # the last order of all


def _send(tensor: Tensor) -> None:
    distributed.broadcast(tensor, src=0, group=_orders[0])


@contextlib.contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """The world that torchrun's environment describes, for as long as this is entered; of one process elsewhere.

    NCCL between GPUs, gloo between CPUs. Raises ValueError where the group cannot be formed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield World()
        return
    gpus = device != "cpu" and torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    store, rank, size = next(distributed.rendezvous("env://", timeout=PATIENCE))
    # torchrun may keep one store for all attempts, and with it the addresses of processes that are gone.
    store = distributed.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    backend = "nccl" if gpus else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    _orders[0] = distributed.new_group(backend="gloo", timeout=PATIENCE)
    _told[0] = ""
    try:
        yield World()
    finally:
        _orders[0] = None
        distributed.destroy_process_group()
