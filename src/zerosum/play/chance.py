"""Chance at a table of many: what one rank, or one piece of a batch, draws is its own rows of what all draw together.

So a game is the same on one rank or on eight, in one piece or in four: the noise, dropout masks and labels of example i
do not depend on who plays it. All draw the whole and keep their part; torch's generators therefore stay alike on all
ranks, and a checkpoint of one of them is a checkpoint of all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Draw = Callable[..., Tensor]


class Part(TorchFunctionMode):
    """While it is entered, torch's draws of [n ...] give the rows [index n, (index + 1) n) of a draw of [of n ...].

    What is drawn with a generator of its own (samples, film) is left alone, and so are draws of no rows.
    """

    def __init__(self, index: int, of: int):
        super().__init__()
        self.index, self.of = index, of

    def __torch_function__(
        self, func: Draw, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in FILLS and kwargs.get("generator") is None and args[0].ndim:
            return args[0].copy_(self._rows(func(self._whole(args[0]), *args[1:], **kwargs)))
        if func in LIKE and args[0].ndim:
            return self._rows(func(self._whole(args[0]), *args[1:], **kwargs))
        if func in SIZED and kwargs.get("generator") is None:
            sizes, others = _sizes(func, args, kwargs)
            if sizes:
                return self._rows(func(*others, (self.of * sizes[0], *sizes[1:]), **kwargs))
        return func(*args, **kwargs)

    def _whole(self, x: Tensor) -> Tensor:
        """Room for the rows of all, in the memory layout of x: it is along memory that numbers are drawn."""
        pictures = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        layout = torch.channels_last if pictures else torch.contiguous_format
        return torch.empty((self.of * len(x), *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=layout)

    def _rows(self, whole: Tensor) -> Tensor:
        n = len(whole) // self.of
        return whole[self.index * n : (self.index + 1) * n]


FILLS = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.random_, torch.Tensor.bernoulli_}
LIKE = {torch.randn_like, torch.rand_like, torch.randint_like}
SIZED = {torch.randn, torch.rand, torch.randint}


def _sizes(func: Draw, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[int, ...], Sequence[Any]]:
    """The sizes that a draw asks for, taken out of `kwargs` if they stand there, and its other arguments."""
    if "size" in kwargs:
        return tuple(kwargs.pop("size")), args
    if func is torch.randint or not isinstance(args[0], int):
        return tuple(args[-1]), args[:-1]
    return tuple(args), ()


class Chance:
    """The state of torch's generators at a device, to go back to. A round that is being captured never goes back."""

    def __init__(self, device: torch.device):
        self.device = device
        captured = device.type == "cuda" and torch.cuda.is_current_stream_capturing()
        self.states = {} if captured else chance(device)

    def again(self) -> None:
        if self.states:
            set_chance(self.states, self.device)


def chance(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's generators, on the CPU and on the device."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_chance(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
