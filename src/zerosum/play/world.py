"""The ranks that play one game together: the processes of torch.distributed's default group, or this one alone.

A `Trainer` plays on ranks where its caller deals each its own share and seeds each for noise of its own. The commands
and `zerosum.train` play in one process.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn


class World:
    """All ranks of the default process group; a world of one where there is none."""

    def __init__(self) -> None:
        together = distributed.is_available() and distributed.is_initialized()
        self.size = distributed.get_world_size() if together else 1
        self.rank = distributed.get_rank() if together else 0

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
                distributed.broadcast(tensor.data, src=0)

    def statistics(self, network: nn.Module) -> list[Tensor]:
        """The running values of a network that every rank has moved by its own share: the buffers of real numbers."""
        return [buffer for buffer in network.buffers() if buffer.is_floating_point()] if self.size > 1 else []
