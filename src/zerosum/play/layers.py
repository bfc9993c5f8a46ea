"""Layers that play faster on a CPU than torch plays them: the same function of the same weights, rounding apart.

    1x1, to or from few channels                 a matrix product
    stride 1, large kernel, small pictures       `spectral`, where it takes a quarter of the multiplications
    strided, few channels on the larger side     `convolution`: their spreading by matrix products
    any in a network whose slope is penalised    `convolution`: slopes of slopes at half the cost

What each is worth was measured with one thread of a Zen 5 (torch 2.13, oneDNN 3.12), and stands with each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from zerosum.play.convolution import FEW, Form, Meet, Spread, play
from zerosum.play.spectral import Grid, convolve, convolve_transposed, is_worth_it

WORK = 10_000_000
"""Multiplications from which on slopes of slopes of our own gain more than a Function in Python costs (0.1 ms)."""

SPREAD = 4_000_000
"""Products of taps from which on their sum gains more than it costs (0.4 ms)."""

TAPS = 16
"""Of a kernel, from which on `spectral` is asked whether it is worth it."""


def quicken(game: nn.Module) -> list[str]:
    """From now on these convolutions of the game, by their names here, play faster on the CPU.

    Parameters, their names and the state that is saved stay as they are; a deep copy plays by its own weights; without
    gradients all is as before. Layers with groups, dilation or another padding than zeros are left alone.
    """
    quickened = []
    for name, layer in game.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) or not _is_plain(layer):
            continue
        # Of the layer's numbers, not of its weight: spectral norm moves its estimate whenever that is looked at.
        thin, small = layer.out_channels <= FEW and min(layer.stride) > 1, _is_for_small_pictures(layer)
        if isinstance(layer, nn.Conv2d):
            pointwise = _is_pointwise(layer) and min(layer.in_channels, layer.out_channels) <= FEW
            way = _pointwise if pointwise else _by_transform if small else _by_form
            layer._conv_forward = MethodType(way, layer)  # type: ignore[method-assign]
        elif thin or small:
            layer.forward = MethodType(_transposed, layer)  # type: ignore[method-assign]
        else:
            continue
        quickened.append(name)
    for network in game.children():
        outlook = Outlook()
        for part in network.modules():
            part.outlook = outlook  # type: ignore[assignment]
        network.register_forward_pre_hook(_look_ahead)
    return quickened


@dataclass
class Outlook:
    """What a network and its layers know of the pass they are in. A copy of the network has a copy of it."""

    penalised: bool = False
    """Whether slopes of slopes are ahead: for only then are Functions in Python worth it for all convolutions."""


def _look_ahead(network: Any, given: tuple[Any, ...]) -> None:
    """Pictures that take gradients themselves are about to have the slope at them penalised."""
    x = given[0] if given else None
    network.outlook.penalised = isinstance(x, Tensor) and x.requires_grad and x.is_leaf


def _is_plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    usual: bool = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return usual and not isinstance(layer.padding, str)


def _is_pointwise(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == layer.stride == (1, 1) and layer.padding == (0, 0)


def _is_for_small_pictures(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return layer.stride == (1, 1) and math.prod(layer.kernel_size) >= TAPS


def _pointwise(layer: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """conv2d by one pixel: a matrix product over channels."""
    if not _is_usual(x):
        return _by_torch(layer, x, w, bias)
    return linear(x.permute(0, 2, 3, 1), w.flatten(1), bias).permute(0, 3, 1, 2)


def _by_transform(layer: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """conv2d of stride 1, by Fourier's transform where that is worth it."""
    grid = Grid(tuple(x.shape[2:]), layer.kernel_size, layer.padding)
    if not _is_usual(x) or not is_worth_it(grid, len(x), layer.in_channels, layer.out_channels):
        return _by_form(layer, x, w, bias)
    dtype = _precision(x)
    with torch.autocast("cpu", enabled=False):
        return convolve(x, w, bias, grid, dtype)


def _by_form(layer: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """conv2d with slopes of our own, where they gain more than they cost."""
    c, stride = layer.in_channels, layer.stride
    thin = c <= FEW and min(stride) > 1
    if not (thin or layer.outlook.penalised) or not _is_usual(x):
        return _by_torch(layer, x, w, bias)
    if w.numel() * x.numel() < (SPREAD * c if thin else WORK) * c * stride[0] * stride[1]:
        return _by_torch(layer, x, w, bias)
    dtype, form = _precision(x), Form(stride, layer.padding, layer.kernel_size, tuple(x.shape[2:]))
    return play(Meet, x.to(dtype), w.to(dtype), None if bias is None else bias.to(dtype), form)


def _by_torch(layer: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    y: Tensor = nn.Conv2d._conv_forward(layer, x, w, bias)
    return y


def _transposed(layer: Any, y: Tensor, output_size: list[int] | None = None) -> Tensor:
    """What `nn.ConvTranspose2d.forward` returns."""
    w, bias, dtype = layer.weight, layer.bias, _precision(y)
    kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
    if _is_usual(y) and output_size is None:
        own = zip(y.shape[2:], stride, padding, kernel, layer.output_padding, strict=True)
        sides = tuple((h - 1) * s - 2 * p + k + over for h, s, p, k, over in own)
        grid, form = (
            Grid(sides, layer.kernel_size, layer.padding),
            Form(stride, layer.padding, layer.kernel_size, sides),
        )
        if stride == (1, 1) and is_worth_it(grid, len(y), w.shape[1], len(w)):
            with torch.autocast("cpu", enabled=False):
                return convolve_transposed(y, w, bias, grid, dtype)
        if form.is_thin(w) and y.numel() * math.prod(kernel) > SPREAD:
            return play(Spread, y.to(dtype), w.to(dtype), None if bias is None else bias.to(dtype), form)
    x: Tensor = nn.ConvTranspose2d.forward(layer, y, output_size)
    return x


def _is_usual(x: Tensor) -> bool:
    """Pictures [n c h w] of a game that is played, on a CPU; anything else is torch's own business.

    Samples are made without gradients, so that a game in play and its file make the same ones, bit for bit.
    """
    return torch.is_grad_enabled() and x.device.type == "cpu" and x.dim() == 4 and x.numel() > 0


def _precision(x: Tensor) -> torch.dtype:
    """What autocast would compute in; x's own without it."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
