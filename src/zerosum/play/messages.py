"""What ranks tell each other within a round: gradients, and the statistics that batch norm takes of a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
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


class _Norm(torch.autograd.Function):
    """(x - mean) rstd weight + bias, where mean and rstd are those of all ranks, and functions of their x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, rstd: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, mean, rstd)
        scale = rstd * weight
        return torch.addcmul(_along(bias - mean * scale, x), x, _along(scale, x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, rstd = ctx.saved_tensors
        over, scale, examples = _but_channels(x), rstd * weight, x.numel() // x.shape[1]
        m = dy.mean(over)
        m_hat = ((dy * x).mean(over) - mean * m) * rstd  # of dy and the normed x
        d_weight, d_bias = m_hat * examples, m * examples
        m, m_hat = _mean_over_ranks(torch.cat([m, m_hat])).chunk(2)
        slope = scale * rstd * m_hat
        dx = torch.addcmul(_along(slope * mean - scale * m, x), x, _along(-slope, x)).addcmul_(dy, _along(scale, x))
        return dx, d_weight, d_bias, None, None


def _but_channels(x: Tensor) -> list[int]:
    return [0, *range(2, x.ndim)]


def _along(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.ndim - 2))


def _mean_over_ranks(values: Tensor) -> Tensor:
    mean = values.clone()
    distributed.all_reduce(mean)
    return mean.div_(distributed.get_world_size())


def norm_over_all(network: nn.Module, world: World) -> None:
    """From now on, batch norm takes its mean and variance of the whole batch of all ranks, where they play a round.

    Looks and samples, which one rank takes alone, take theirs as before; and so does a norm without weights or a
    running mean of its own, which no recipe has.
    """

    def forward(module: Any, x: Tensor) -> Tensor:
        if not (module.training and world.played):
            return type(module).forward(module, x)  # type: ignore[no-any-return]
        return _normed(module, x, world.size)

    if world.size > 1:
        for module in network.modules():
            if isinstance(module, _BatchNorm) and module.affine and module.running_mean is not None:
                module.forward = MethodType(forward, module)  # type: ignore[method-assign]


def _normed(norm: Any, x: Tensor, ranks: int) -> Tensor:
    """Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1, over all ranks; running values as torch keeps them.

    A message each way. It cannot be differentiated twice: no penalty on the slope of a judge that mixes its examples.
    """
    with torch.autocast(x.device.type, enabled=False):
        wide = x.float()
        with torch.no_grad():
            variance, mean = torch.var_mean(wide, _but_channels(x), correction=0)
            squares = variance.double() + mean.double().square()
            mean, squares = _mean_over_ranks(torch.cat([mean.double(), squares])).chunk(2)
            variance, mean = (squares - mean.square()).clamp(min=0).float(), mean.float()
            n = ranks * x.numel() // x.shape[1]
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * n / max(1, n - 1), norm.momentum)
            norm.num_batches_tracked += 1
        y: Tensor = _Norm.apply(wide, norm.weight, norm.bias, mean, (variance + norm.eps).rsqrt())  # type: ignore[no-untyped-call]
    return y.to(x.dtype)
