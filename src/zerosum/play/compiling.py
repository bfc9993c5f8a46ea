"""Networks through torch.compile, each where its players' losses come out the same.

A compiled network has no second derivative, so that one whose slope a loss penalises is played as it is. Whether the
rest comes out the same is found out in the first round, network by network, on the first hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from zerosum.game import Game
from zerosum.play.dynamics import Deal, Dynamics, Mover, Readings
from zerosum.play.hand import Hand
from zerosum.play.snapshot import Snapshot

AGREE = 1e-3  # between a player's gradients with a network compiled and not, in float32, as a share of their norm


class Compiled:
    """A dynamics that plays as `dynamics` does, on networks that are compiled where that gives the same gradients.

    `why` tells of each network that is not, why. State dicts, and copies of the game, know nothing of it.
    """

    def __init__(self, dynamics: Dynamics, game: Game):
        self.dynamics, self.game = dynamics, game
        self.networks: list[str] = []
        self.why: dict[str, str] = {}

    @property
    def told(self) -> str | None:
        """In words, if some network is played as it is."""
        return (
            "not compiled: " + "; ".join(f"{name}, since {why}" for name, why in self.why.items()) if self.why else None
        )

    def __call__(self, movers: Sequence[Mover], deal: Deal) -> Readings:
        if self.networks or self.why:
            return self.dynamics(movers, deal)
        hand = deal()
        if movers[0].world.size > 1 or len(hand.pieces) > 1:
            self.why[type(self.game).__name__] = "each rank, or piece of a batch, draws its rows of common chance"
        else:
            self._try(Snapshot(self.game, movers), hand)
        return self.dynamics(movers, chain([hand], iter(deal, None)).__next__)

    def _try(self, start: Snapshot, hand: Hand) -> None:
        plain = self._gradients(start, hand)
        for name, network in self.game.named_children():
            if type(network).__module__.startswith("torch."):
                self.why[name] = "torch compiles no container of its own"  # at the first call; later it might
                continue
            try:
                network.compile(options={"fallback_random": True})  # the same chance as without
                difference = _difference(self._gradients(start, hand), plain)
                if difference <= AGREE:
                    self.networks.append(name)
                    continue
                self.why[name] = f"gradients differ by {difference:.2g} of their norm"
            except Exception as error:  # whatever stands against compiling it, it can be played
                self.why[name] = (str(error).splitlines() or [type(error).__name__])[0]
            network._compiled_call_impl = None  # torch has no word for it: play it as it was
        start.again()

    def _gradients(self, start: Snapshot, hand: Hand) -> list[tuple[Tensor, ...]]:
        """Each player's own gradients, all from the same start."""
        found = []
        for player in self.game.players():
            start.again()
            total = player.loss(Hand(hand.x, hand.y, whole=hand.whole)).total
            parameters = player.parameters()
            found.append(torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True))
        start.again()
        return found


def _difference(found: Sequence[Sequence[Tensor]], plain: Sequence[Sequence[Tensor]]) -> float:
    """The largest of any player."""

    def flat(gradients: Sequence[Tensor]) -> Tensor:
        return torch.cat([g.flatten() for g in gradients])

    pairs = [(flat(one), flat(other)) for one, other in zip(found, plain, strict=True)]
    shares = [float((a - b).norm() / b.norm().clamp(min=1e-30)) for a, b in pairs]
    return max(share if share == share else float("inf") for share in shares)
