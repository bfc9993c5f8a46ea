"""What ranks tell each other within a round: gradients, and the statistics that batch norm takes of a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zerosum.play.world import World

BUCKET = 2**22  # numbers in a message: a large network's first ones are on their way while the others are made


class Gradients:
    """The means over the ranks of a player's gradients, sent while the backward pass still makes others.

    They come about in the opposite order of the parameters, and are sent so, in buckets: one as soon as it is full. The
    order of the messages is the same on all ranks, whatever comes first.
    """

    def __init__(self, world: World, parameters: Sequence[nn.Parameter]):
        self.world = world
        self.buckets: list[list[nn.Parameter]] = [[]]
        for p in reversed(parameters):
            if sum(q.numel() for q in self.buckets[-1]) > BUCKET:
                self.buckets.append([])
            self.buckets[-1].append(p)
        self._missing: list[set[int]] = []
        self._under_way: list[tuple[list[Tensor], Tensor, Any]] = []
        if world.size > 1 and len(self.buckets) > 1:
            for p in parameters:
                p.register_post_accumulate_grad_hook(self._arrived)  # type: ignore[no-untyped-call]

    def expect(self) -> None:
        """The next backward pass makes what is to be sent."""
        if self.world.size > 1 and self.world.played:
            self._missing = [{id(p) for p in bucket} for bucket in self.buckets]
            self._under_way = []

    def average(self) -> None:
        """After it: send what is left, and put the means in place."""
        while len(self._under_way) < len(self._missing):
            self._send()
        for gradients, flat, message in self._under_way:
            message.wait()
            at = 0
            for gradient in gradients:
                part = flat[at : (at := at + gradient.numel())]
                gradient.copy_(part.div_(self.world.size).view_as(gradient))
        self._missing, self._under_way = [], []

    def _arrived(self, p: Tensor) -> None:
        for missing in self._missing:
            missing.discard(id(p))
        while len(self._under_way) < len(self._missing) and not self._missing[len(self._under_way)]:
            self._send()

    @torch.no_grad()
    def _send(self) -> None:
        """The next bucket, without the parameters that have no gradient, on all ranks alike."""
        bucket = self.buckets[len(self._under_way)]
        gradients = [p.grad for p in bucket if p.grad is not None]
        flat = torch.cat([g.flatten().float() for g in gradients] or [torch.zeros(1, device=bucket[0].device)])
        self._under_way.append((gradients, flat, distributed.all_reduce(flat, async_op=True)))


class _Mean(torch.autograd.Function):
    """The mean over the ranks, as a function of what each of them gives: its gradient is a mean over ranks too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        mean = values.clone()
        distributed.all_reduce(mean)
        return mean.div_(distributed.get_world_size())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        mean: Tensor = _Mean.apply(gradients[0])  # type: ignore[no-untyped-call]
        return mean


def norm_over_all(network: nn.Module, world: World) -> None:
    """From now on, batch norm takes its mean and variance of the whole batch of all ranks, where they play a round.

    Looks and samples, which one rank takes alone, take theirs as before.
    """

    def forward(module: Any, x: Tensor) -> Tensor:
        if not (module.training and world.played):
            return type(module).forward(module, x)  # type: ignore[no-any-return]
        return _normed(module, x, world.size)

    if world.size > 1:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.forward = MethodType(forward, module)  # type: ignore[method-assign]


def _normed(norm: Any, x: Tensor, ranks: int) -> Tensor:
    """Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1, over all ranks; running values as torch keeps them."""
    over = [0, *range(2, x.ndim)]
    shape = [1, -1, *[1] * (x.ndim - 2)]
    with torch.autocast(x.device.type, enabled=False):
        wide = x.float()
        mean: Tensor = _Mean.apply(wide.mean(over))  # type: ignore[no-untyped-call]
        centred = wide - mean.view(shape)
        variance: Tensor = _Mean.apply(centred.square().mean(over))  # type: ignore[no-untyped-call]
        with torch.no_grad():
            n = ranks * x.numel() // x.shape[1]
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * n / max(1, n - 1), norm.momentum)
            norm.num_batches_tracked += 1
        y: Tensor = centred * (variance + norm.eps).rsqrt().view(shape)
        if norm.affine:
            y = y * norm.weight.view(shape) + norm.bias.view(shape)
    return y.to(x.dtype)
