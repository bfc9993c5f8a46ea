"""Convolutions on a CPU where torch's own waste it: thin ones, and those whose slope is a term of a loss.

A convolution is linear in the pictures x [n c H W] and in the weights w [o c k l], so what it says against any
y [n o h w] is a number that is linear in each of the three:

    T(x, w, y) = sum_{n o i j} y[n o i j] sum_{c a b} w[o c a b] x[n c, s i + a - p, s j + b - p]

Its partial slopes are all that there is: by y the convolution (`meet`), by x the transposed convolution (`spread`), by
w the gradient of the weights (`weigh`). The slopes of each of these are again the other two: hence penalties on slopes
(double backward) cost no more than first slopes do. torch differentiates its own `weigh` by a convolution whose
kernel is as large as the picture, which is 2 to 4 times as slow (the idea: Karras et al.'s conv2d_gradfix, 2021).

`spread` to few channels by a stride is where oneDNN is at 3 % of the processor's peak: a vector register holds
channels, and here is one. As one matrix product to all taps, and a sum of the taps a phase of the stride, it is 3 to 5
times as fast (28 px, one channel, 4x4 and 5x5 kernels, stride 2, batches of 64 and 256, Zen 5, one thread); with three
channels 1.3 to 1.7 times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

FEW = 3
"""Channels, at most, that are spread by matrix products."""

Sides = tuple[int, ...]


@dataclass(frozen=True)
class Form:
    """Which T: how the kernel steps, and the sides of x, which those of y do not tell."""

    stride: Sides
    padding: Sides
    kernel: Sides
    sides: Sides

    def is_thin(self, w: Tensor) -> bool:
        """Whether `spread` by these weights [o c k l] is made of matrix products."""
        return w.shape[1] <= FEW and min(self.stride) > 1

    def over(self, y: Tensor) -> list[int]:
        """Rows and columns of x that y's windows, from the first on, do not reach (`output_padding`)."""
        own = zip(self.sides, y.shape[2:], self.stride, self.padding, self.kernel, strict=True)
        return [side - ((steps - 1) * s - 2 * p + k) for side, steps, s, p, k in own]


def meet(x: Tensor, w: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """dT/dy: x [n c H W] -> [n o h w]."""
    y: Tensor = torch.ops.aten.convolution(x, w, bias, form.stride, form.padding, (1, 1), False, (0, 0), 1)
    return y


def spread(y: Tensor, w: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """dT/dx: y [n o h w] -> [n c H W]."""
    if not form.is_thin(w):
        x: Tensor = torch.ops.aten.convolution(y, w, bias, form.stride, form.padding, (1, 1), True, form.over(y), 1)
        return x
    x = summed_taps(y, w, form)
    return x if bias is None else x + bias[:, None, None]


def weigh(x: Tensor, y: Tensor, w: Tensor, form: Form) -> Tensor:
    """dT/dw, in the shape and layout of w: x [n c H W], y [n o h w] -> [o c k l]."""
    return _slopes(x, y, w, form, (False, True, False))[1]


def summed_taps(y: Tensor, w: Tensor, form: Form) -> Tensor:
    """`spread` as one matrix product [taps o] [o n h w] and a sum of taps for each phase of the stride.

    Tap (a, b) of y[i, j] lands on x[s i + a - p, s j + b - p]: in phase (a mod s, b mod s), shifted by (a // s, b // s)
    there. All phases have rows of one length, so that a shift is one step along memory.
    """
    (n, o, h, width), (c, k, across) = y.shape, w.shape[1:]
    (s, t), (p, q) = form.stride, form.padding
    rows = max(h + (k - 1) // s, -(-(form.sides[0] + p) // s))
    columns = max(width + (across - 1) // t, -(-(form.sides[1] + q) // t))
    taps = w.permute(2, 3, 1, 0).reshape(-1, o) @ y.permute(0, 2, 3, 1).reshape(-1, o).T
    taps = pad(taps.view(-1, n, h, width), (0, columns - width, 0, rows - h)).view(k, across, c, -1)
    phases = taps.new_zeros(s, t, *taps.shape[2:])
    for a in range(k):
        for b in range(across):
            shift = a // s * columns + b // t
            phases[a % s, b % t, :, shift:] += taps[a, b, :, : taps.shape[-1] - shift]
    x = phases.view(s, t, c, n, rows, columns).permute(3, 4, 0, 5, 1, 2).reshape(n, rows * s, columns * t, c)
    x = x[:, p : p + form.sides[0], q : q + form.sides[1]].contiguous()
    return x.permute(0, 3, 1, 2)


def _slopes(x: Tensor, y: Tensor, w: Tensor, form: Form, asked: tuple[bool, bool, bool]) -> tuple[Tensor, ...]:
    """torch's dT/dx, dT/dw and the sum of y over all but its channels; those that are asked for."""
    slopes: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        y, x, w, [w.shape[0]], form.stride, form.padding, (1, 1), False, (0, 0), 1, asked
    )
    return slopes


def _asked(ctx: Any) -> tuple[bool, bool, bool]:
    """Of the first three arguments of a Function, whose slope this backward pass is going to use.

    A pass asks for the mover's gradients only. torch's own functions see to that by themselves, one of ours has to ask;
    `needs_input_grad` tells what the graph could be asked for.
    """
    asked = [node is not None and _is_visited(node) for node, _ in ctx.next_functions]
    return (*asked, False)[:3]  # type: ignore[return-value]


def _is_visited(node: Any) -> bool:
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # it has no answer for a leaf that torch.autograd.grad was asked for: that one is
        return True


def play(function: type[Function], *given: Any) -> Tensor:
    """The function of these, in the graph."""
    answer: Tensor = function.apply(*given)  # type: ignore[no-untyped-call]
    return answer


class Meet(Function):
    """`meet`, with slopes of any order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, form: Form) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.form = form
        return meet(x, w, bias, form)

    @staticmethod
    def backward(ctx: Any, y: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), form, asked = ctx.saved_tensors, ctx.form, _asked(ctx)
        if not torch.is_grad_enabled() and not (asked[0] and form.is_thin(w)):  # all in one
            return *_slopes(x, y, w, form, asked), None
        return (
            play(Spread, y, w, None, form) if asked[0] else None,
            play(Weigh, x, y, w, form) if asked[1] else None,
            y.sum((0, 2, 3)) if asked[2] else None,
            None,
        )


class Spread(Function):
    """`spread`, with slopes of any order."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, bias: Tensor | None, form: Form) -> Tensor:
        ctx.save_for_backward(y, w)
        ctx.form = form
        return spread(y, w, bias, form)

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> tuple[Tensor | None, ...]:
        (y, w), form, asked = ctx.saved_tensors, ctx.form, _asked(ctx)
        return (
            play(Meet, x, w, None, form) if asked[0] else None,
            play(Weigh, x, y, w, form) if asked[1] else None,
            x.sum((0, 2, 3)) if asked[2] else None,
            None,
        )


class Weigh(Function):
    """`weigh`, with slopes of any order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, w: Tensor, form: Form) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.form = form
        return weigh(x, y, w, form)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, ...]:
        (x, y), form, asked = ctx.saved_tensors, ctx.form, _asked(ctx)
        return (
            play(Spread, y, v, None, form) if asked[0] else None,
            play(Meet, x, v, None, form) if asked[1] else None,
            None,
            None,
        )
