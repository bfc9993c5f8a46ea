"""The loops that are timed: the one that `train` plays, the plain one of the same networks, and the machine's best."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from zerosum import model
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Points
from zerosum.forecast import chosen, forecast, peak_memory
from zerosum.networks.blocks import Dropout, Flatten, GroupNorm, Unflatten
from zerosum.play.matmul import by_onednn, onednn_is_better
from zerosum.play.one_backward import OneBackward
from zerosum.play.plain import Plain, loader
from zerosum.play.precision import choose_device
from zerosum.run import data_of
from zerosum.seat import Seat
from zerosum.settings import Settings

MOST = 20_000  # examples that the plain loop holds as floats


class Loop:
    """Rounds of one kind, timed by CPU time where one thread plays, so that other work on the machine counts less."""

    device: torch.device

    def __init__(self, settings: Settings):
        self.device = choose_device(settings.play.device)
        self.before = peak_memory(self.device)

    def round(self) -> None:
        raise NotImplementedError

    def read(self) -> None:
        """Wait for the readings, where the loop did not wait in each round."""

    def play(self, rounds: int) -> float:
        """Seconds that so many rounds took."""
        alone = torch.get_num_threads() == 1 and self.device.type == "cpu"
        clock = time.process_time if alone else time.perf_counter
        start = clock()
        for _ in range(rounds):
            self.round()
        self.read()
        return clock() - start

    def memory(self) -> int:
        """Bytes, at most, that data, networks and rounds took so far; of the GPU where there is one."""
        return peak_memory(self.device) - self.before


class Fast(Loop):
    """As `train` plays."""

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self.seat = Seat(data_of(settings))
        self.seat.sit_down(settings)

    def round(self) -> None:
        self.seat.turns(1.0)

    def read(self) -> None:
        self.seat.trainer.collect()

    def idle(self) -> dict[str, str]:
        """The switches that are off, or change nothing here, and why; after a round."""
        speed, dynamics = self.seat.settings.speed, self.seat.trainer.dynamics
        found = {} if self._pictures() else dict.fromkeys(("channels_last", "layers"), "no pictures")
        if self.device.type == "cpu":
            found["graphs"] = "no GPU"
            if self.seat.trainer.during is nullcontext:
                small = onednn_is_better()
                found["onednn"] = "its products are small" if small else "not as exact and faster here"
        else:
            found |= dict.fromkeys(("layers", "onednn", "keep_memory"), "for a CPU")
        if platform.libc_ver()[0] != "glibc":
            found["keep_memory"] = "for glibc"
        if self.seat.settings.play.dynamics == "alternating":
            found["one_backward"] = "players move one after another"
        elif isinstance(dynamics, partial) and isinstance(field := dynamics.keywords["field"], OneBackward):
            found |= {} if field.exact else {"one_backward": "not exact for these losses"}
        return found | {name: "off" for name, on in speed if not on}

    def _pictures(self) -> bool:
        return any(p.ndim == 4 for p in self.seat.game.parameters())


class PlainLoop(Loop):
    """The same game by the plain loop: torch's own layers in torch's own layout, float32, a DataLoader of floats."""

    def __init__(self, settings: Settings):
        super().__init__(settings)
        dataset, play = data_of(settings), settings.play
        torch.manual_seed(play.seed)
        game = model.build(settings.recipe, settings.game, dataset.spec)
        as_torch_has_them(game)
        game.to(self.device)
        deal = loader(*_floats(dataset, labelled=game.classes > 0), play.batch)
        self.plain = Plain(game, lambda: _to(self.device, *deal()), dynamics=play.dynamics, average=play.average)

    def round(self) -> None:
        self.plain.round()

    def operations(self) -> int:
        """Floating point operations of the matrix products and convolutions in one round; a multiply-add is two."""
        with _Counted() as counted:
            self.plain.round()
        return counted.operations


class Choice:
    """The settings with their precision decided, as before a run, but with so many seconds to find out."""

    def __init__(self, settings: Settings, seconds: float):
        found = forecast(settings, data_of(settings), longest=seconds)
        self.settings, self.why = chosen(settings, found), found.why

    def made(self) -> tuple[Settings, str]:
        return self.settings, self.why


class Peak(Loop):
    """Products of large square matrices, by the fastest library: the most that this machine does."""

    def most(self, name: str) -> float:
        """Operations a second in this precision: the best of several products."""
        n = 2048 if self.device.type == "cpu" else 8192
        self.a, self.b = torch.randn(2, n, n, device=self.device, dtype=getattr(torch, name))
        with by_onednn() if self.device.type == "cpu" and onednn_is_better() else nullcontext():
            return max(2 * n**3 / self.play(1) for _ in range(8))

    def round(self) -> None:
        torch.mm(self.a, self.b)

    def read(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class _Counted(TorchDispatchMode):
    """Counts the floating point operations of what it sees, by torch's formulas."""

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            self.operations += count(*args, **(kwargs or {}), out_val=made)
        return made


def as_torch_has_them(network: nn.Module) -> None:
    """Exchange the layers that are ours for torch's, and begin each convolution in torch's layout."""
    for name, child in network.named_children():
        if exchange := OURS.get(type(child)):
            setattr(network, name, exchange(child))
        as_torch_has_them(child)
    if isinstance(network, nn.Conv2d | nn.ConvTranspose2d):
        network.register_forward_pre_hook(lambda _, given: (given[0].contiguous(), *given[1:]))


def _group_norm(norm: nn.GroupNorm) -> nn.Module:
    made = nn.GroupNorm(norm.num_groups, norm.num_channels, norm.eps, norm.affine)
    made.load_state_dict(norm.state_dict())
    return made


OURS: dict[type, Callable[[Any], nn.Module]] = {
    Dropout: lambda ours: nn.Dropout(ours.p),
    Flatten: lambda ours: nn.Flatten(),
    GroupNorm: _group_norm,
    Unflatten: lambda ours: nn.Unflatten(1, ours.shape),
}


def _floats(dataset: Dataset, *, labelled: bool) -> tuple[Tensor, Tensor | None]:
    """What a DataLoader is given: pictures in [-1, 1] [n c h w], points over their scale; labels or partners."""
    beside = dataset.labels if labelled else dataset.partners
    return _float(dataset, dataset.examples[:MOST]), None if beside is None else _float(dataset, beside[:MOST])


def _float(dataset: Dataset, values: Tensor) -> Tensor:
    if values.dtype == torch.uint8:
        return values / 127.5 - 1
    return values / dataset.spec.scale if isinstance(dataset.spec, Points) and values.is_floating_point() else values


def _to(device: torch.device, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
    return x.to(device), None if y is None else y.to(device)
