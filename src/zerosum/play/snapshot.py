"""All that a round changes, as it was: to go back to, and to tell how far two rounds are apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zerosum.game import Game
from zerosum.play.chance import Chance
from zerosum.play.dynamics import Mover

Tensors = dict[str, list[Tensor]]


def changing(game: Game, movers: Sequence[Mover]) -> Tensors:
    """Every tensor that a round of these movers changes, by what it is: parameters, buffers, an optimiser's."""
    found: Tensors = {"parameters": [p for m in movers for p in m.parameters], "buffers": list(game.buffers())}
    for state in (state for m in movers for state in m.optimizer.state.values()):
        for name, value in state.items():
            if isinstance(value, Tensor):
                found.setdefault(name, []).append(value)
    return found


@torch.no_grad()
def apart(a: Tensors, b: Tensors) -> dict[str, float]:
    """The Euclidean distance of two states, kind by kind."""

    def squared(x: Tensor, y: Tensor) -> float:
        return float((x.double() - y.double()).square().sum())

    return {kind: sum(map(squared, a[kind], b[kind])) ** 0.5 for kind in a}


class Snapshot:
    """The tensors that a round changes, and chance."""

    def __init__(self, game: Game, movers: Sequence[Mover]):
        self.live = changing(game, movers)
        self.kept, self.chance = self.now(), Chance(game.device)

    def now(self) -> Tensors:
        """Copies of the same tensors as they are now."""
        return {kind: [t.detach().clone() for t in tensors] for kind, tensors in self.live.items()}

    @torch.no_grad()
    def again(self) -> None:
        """Go back to it."""
        for kind, tensors in self.live.items():
            for live, kept in zip(tensors, self.kept[kind], strict=True):
                live.copy_(kept)
        self.chance.again()
