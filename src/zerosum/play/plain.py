"""The plain loop: a round as tutorials write it, for any game. What is fast is checked against it, and measured by it.

Everything in float32, in the layout that torch gives it; one backward pass through all that a loss is made of; fakes
detached for a player that did not make them; torch's own step, parameter by parameter; every reading waited for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from zerosum.game import Game, Player
from zerosum.play.hand import Hand

T = TypeVar("T")
Deal = Callable[[], tuple[Tensor, Tensor | None]]
Numbers = dict[str, float]


class PlainHand(Hand):
    """The fakes of one draw for every turn, detached for whoever did not make them; a score of them is made anew."""

    def __init__(self, x: Tensor, y: Tensor | None, owners: dict[nn.Module, str]):
        super().__init__(x, y)
        self.owners, self.player = owners, ""

    def turn_of(self, player: Player) -> None:
        self.player = player.name
        for name, (_, of) in list(self._made.items()):
            if len(self._owners(of)) > 1:
                del self._made[name]

    def once(self, name: str, make: Callable[[], T], *of: nn.Module) -> T:
        made, owners = super().once(name, make, *of), self._owners(of)
        theirs = owners and self.player not in owners
        return made.detach() if theirs and isinstance(made, Tensor) else made  # type: ignore[return-value]

    def _owners(self, of: Sequence[nn.Module]) -> set[str]:
        return {self.owners[network] for network in of}


class Plain:
    """Plays `game` round by round on what `deal` gives, as `Trainer` does, and with the same readings.

    `average` is the decay of the shipped networks' moving average; 0 keeps none.
    """

    def __init__(
        self,
        game: Game,
        deal: Deal,
        *,
        dynamics: Literal["alternating", "simultaneous", "extragradient"] = "alternating",
        average: float = 0.0,
    ):
        self.game, self.deal_examples, self.turns, self.decay = game, deal, TURNS[dynamics], average
        self.players = game.players()
        self.optimizers = {player.name: _as_torch_has_it(player) for player in self.players}
        self.owners = {
            module: player.name
            for player in self.players
            for network in player.networks
            for module in network.modules()
        }
        shipped = [game.get_submodule(name) for name in game.ships] if average else []
        self.average = [(copy.deepcopy(network).requires_grad_(False), network) for network in shipped]
        self.rounds = 0
        self.readings: list[Numbers] = []

    def deal(self) -> PlainHand:
        x, y = self.deal_examples()
        self.hand = PlainHand(x.contiguous(), y, self.owners)
        return self.hand

    def round(self) -> None:
        """Every player's turns once."""
        playing = [player for player in self.players if self.rounds % player.every == 0]
        found = self.turns(self, playing) if playing else {}
        with torch.no_grad():
            self._follow()
            self.game.after_round(found, self.hand)
        self.rounds += 1
        self.readings.append({name: value.item() for name, value in found.items()})

    def _alternating(self, playing: list[Player]) -> dict[str, Tensor]:
        hands = [self.deal() for _ in range(max(player.steps for player in playing))]
        found: dict[str, Tensor] = {}
        for player in playing:
            for hand in hands[-player.steps :]:
                found |= self._look(player, hand)
                self._step(player, hands)
        return found

    def _simultaneous(self, playing: list[Player]) -> dict[str, Tensor]:
        hand = self.deal()
        found = self._look_together(playing, hand)
        for player in playing:
            self._step(player, [hand])
        return found

    def _extragradient(self, playing: list[Player]) -> dict[str, Tensor]:
        hand = self.deal()
        self._look_together(playing, hand)
        parameters = [p for player in playing for p in player.parameters()]
        start = [p.detach().clone() for p in parameters]
        for player in playing:
            self._step(player, [hand])
        found = self._look_together(playing, self.deal())
        with torch.no_grad():
            for p, origin in zip(parameters, start, strict=True):
                p.copy_(origin)
        for player in playing:
            self._step(player, [])
        return found

    def _look(self, player: Player, hand: PlainHand) -> dict[str, Tensor]:
        """Leave the gradient of the player's loss on all that it is made of."""
        hand.turn_of(player)
        self.game.zero_grad()
        loss = player.loss(hand)
        loss.total.backward()  # type: ignore[no-untyped-call]
        return {f"{player.name}.{name}": value for name, value in loss.readings().items()}

    def _look_together(self, playing: list[Player], hand: PlainHand) -> dict[str, Tensor]:
        """Leave every player's own gradient on its parameters."""
        found: dict[str, Tensor] = {}
        own: list[tuple[nn.Parameter, Tensor | None]] = []
        for player in playing:
            found |= self._look(player, hand)
            own += [(p, p.grad) for p in player.parameters()]
        for p, gradient in own:
            p.grad = gradient
        return found

    def _step(self, player: Player, hands: Sequence[PlainHand]) -> None:
        self.optimizers[player.name].step()
        for hand in hands:
            hand.forget(player.networks)

    def _follow(self) -> None:
        """The average moves."""
        for average, network in self.average:
            for mean, p in zip(average.parameters(), network.parameters(), strict=True):
                mean.mul_(self.decay).add_(p, alpha=1 - self.decay)
            for held, buffer in zip(average.buffers(), network.buffers(), strict=True):
                held.copy_(buffer)


TURNS = {"alternating": Plain._alternating, "simultaneous": Plain._simultaneous, "extragradient": Plain._extragradient}


def _as_torch_has_it(player: Player) -> Optimizer:
    """The player's optimiser as torch steps it where nothing is asked for."""
    optimizer = player.optimizer(player.parameters())
    for group in optimizer.param_groups:
        group["fused"] = group["foreach"] = None
    return optimizer


def loader(examples: Tensor, beside: Tensor | None, batch: int) -> Deal:
    """Batches of ready float tensors from torch's DataLoader, shuffled, over and over.

    Raises ValueError where the examples make no batch.
    """
    if len(examples) < batch:
        raise ValueError(f"{len(examples)} examples make no batch of {batch}: give more, or set batch lower")
    parts = [examples] if beside is None else [examples[: len(beside)], beside[: len(examples)]]
    batches = DataLoader(TensorDataset(*parts), batch, shuffle=True, drop_last=True)
    epoch = iter(batches)

    def deal() -> tuple[Tensor, Tensor | None]:
        nonlocal epoch
        dealt = next(epoch, None)
        if dealt is None:
            epoch = iter(batches)
            dealt = next(epoch)
        return dealt[0], dealt[1] if len(dealt) > 1 else None

    return deal
