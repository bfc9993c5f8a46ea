"""The opening of a run: all that is known before the first round. Nothing is played, and no loss evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from zerosum.data.dataset import Dataset
from zerosum.game import Game, Player
from zerosum.settings import Settings
from zerosum.span import Span

LOOKED = 1000  # pictures looked at, evenly spaced over the data
Kind = TypeVar("Kind", bound=nn.Module)


@dataclass(frozen=True)
class Opening:
    """Settings, game and data, and what can be read off them."""

    settings: Settings
    game: Game
    dataset: Dataset

    @property
    def play(self) -> Any:
        return self.settings.play

    def field(self, name: str) -> Any:
        """A setting of the recipe by its name; None where it has no such setting."""
        return getattr(self.settings.game, name, None)

    @cached_property
    def players(self) -> list[Player]:
        return self.game.players()

    @cached_property
    def asked(self) -> dict[str, set[str]]:
        """Of each player, the objectives and penalties that its loss names."""
        return {player.name: _objectives(self.game, player.loss) for player in self.players}

    @cached_property
    def judges(self) -> list[Player]:
        """The players against those whose networks make samples: none in a game of one player."""
        shipped = {id(self.game.get_submodule(name)) for name in self.game.ships}
        return [p for p in self.players if shipped.isdisjoint(map(id, p.networks))]

    @cached_property
    def slope_weight(self) -> float | None:
        """The weight of the penalty on D's slope: `gamma` or `weight`; None where no loss has such a term."""
        if not any("_penalty" in name for names in self.asked.values() for name in names):
            return None
        found = (self.field(name) for name in ("gamma", "weight"))
        return next((float(value) for value in found if value is not None), 1.0)

    @property
    def penalised(self) -> list[Player]:
        """The players that pay for their slope."""
        return [p for p in self.players if self.slope_weight and any("_penalty" in name for name in self.asked[p.name])]

    @cached_property
    def optimizers(self) -> dict[str, Optimizer]:
        """Each player's optimiser, of one number that is never moved."""
        return {player.name: player.optimizer([nn.Parameter(torch.zeros(1))]) for player in self.players}

    @property
    def rates(self) -> dict[str, float]:
        """Each player's learning rate, at its pace."""
        pace = self.play.pace
        return {name: o.param_groups[0]["lr"] * pace.get(name, 1.0) for name, o in self.optimizers.items()}

    @property
    def momentum(self) -> float:
        """The largest beta1 of any Adam; 0 where there is none."""
        return max(
            (o.param_groups[0]["betas"][0] for o in self.optimizers.values() if isinstance(o, Adam)), default=0.0
        )

    @property
    def images(self) -> float | None:
        """Examples that will be dealt, in alternating turns; None where the length is a time."""
        length = Span.parse(self.play.length)
        a_round = self.play.batch * max(player.steps for player in self.players)
        units = {"rounds": a_round, "images": 1, "kimg": 1000, "epochs": len(self.dataset)}
        return length.amount * units[length.unit] if length.unit in units else None

    @cached_property
    def pictures(self) -> list[Tensor]:
        """Some pictures of the data, and of their partners: uint8 [n c h w] each; nothing where data are points."""
        sides = [self.dataset.examples, self.dataset.partners]
        found = [side for side in sides if side is not None and side.dtype == torch.uint8]
        return [side[:: -(-len(side) // LOOKED)] for side in found]


def modules(networks: Iterable[nn.Module], kind: type[Kind]) -> list[Kind]:
    """Every layer of a kind in the networks."""
    return [module for network in networks for module in network.modules() if isinstance(module, kind)]


def last_layer(network: nn.Module) -> nn.Module:
    """The layer that was built last, which is where networks end."""
    return [module for module in network.modules() if next(module.children(), None) is None][-1]


def _objectives(game: Game, loss: Callable[..., Any]) -> set[str]:
    """The functions of `zerosum.objectives` in a loss's code, and in the methods of the game that it calls."""
    found: set[str] = set()
    waiting, seen = [getattr(loss, "__func__", loss)], set()
    while waiting:
        function = waiting.pop()
        if function in seen or not hasattr(function, "__code__"):
            continue
        seen.add(function)
        for name in _names(function.__code__):
            if getattr(function.__globals__.get(name), "__module__", "").startswith("zerosum.objectives."):
                found.add(name)
            waiting.append(getattr(type(game), name, None))
    return found


def _names(code: CodeType) -> set[str]:
    """Every name that code mentions, that of functions within it too."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))
