"""The trainer plays rounds. It has no branch for any recipe.

deal -> each player's turns: loss, gradient of the mover only, step -> average -> after_round
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from zerosum.game import Game
from zerosum.play.averaging import Average
from zerosum.play.chance import chance, set_chance
from zerosum.play.dynamics import Dynamics, Mover, Readings, alternating
from zerosum.play.hand import Hand
from zerosum.play.messages import norm_over_all
from zerosum.play.ownership import check_ownership
from zerosum.play.precision import Precision, full
from zerosum.play.world import World


class NonFinite(ArithmeticError):
    """A term or a reading was NaN or infinite: in which round, of which player."""

    def __init__(self, round_: int, reading: str, value: float):
        self.round, self.reading, self.value = round_, reading, value
        player, _, term = reading.partition(".")
        super().__init__(f"round {round_}: {term} of player {player} is {value}")


class Trainer:
    """Plays `game` round by round on what `deal` gives: (examples [n ...], labels [n] or None).

    Everything that must resume is in `state_dict`: weights, average, optimisers, torch's generators, rounds.
    The dealer keeps its own state. Nothing inside `round` waits for the device; `collect` does.

    Where torch.distributed is at work, every rank has a trainer of the same game, which the caller deals its share of
    each batch. Ranks draw their rows of common chance; gradients, readings and running statistics are averaged, batch
    norm is taken over all: they play what one process would, and hold the same networks.

    A hand is played in `pieces`, one after another; where memory gives out there are more of them from then on.
    """

    hand: Hand  # the last one dealt

    def __init__(
        self,
        game: Game,
        deal: Callable[[], tuple[Tensor, Tensor | None]],
        *,
        dynamics: Dynamics = alternating,
        average: float = 0.999,
        pieces: int = 1,
        precision: Callable[[torch.device], Precision] = full,
        world: World | None = None,
        during: Callable[[], AbstractContextManager[None]] | None = None,
    ):
        check_ownership(game)
        self.game = game
        self.dynamics = dynamics
        self.world = world or World()
        norm_over_all(game, self.world)
        self.movers = [Mover(player, precision(game.device), self.world) for player in game.players()]
        self.average = Average(game, average)
        self.rounds, self.pieces = 0, pieces
        self._shared = False
        self.during = during or nullcontext  # what is the machine's own, and put back after each round
        self._deal = deal
        self.unread: list[tuple[int, Readings]] = []  # of the rounds since the last `collect`

    def deal(self) -> Hand:
        x, y = self._deal()
        self.hand = Hand(x, y, whole=len(x) * self.world.size)
        if self.pieces > 1:
            self.hand.divide(self.pieces, {})
        return self.hand

    def pace(self, share: float) -> None:
        """Play on at this share of every player's learning rates: 1 is full, towards 0 the game comes to rest."""
        for mover in self.movers:
            mover.pace(share)

    def round(self) -> None:
        """Every player's turns once."""
        playing = [mover for mover in self.movers if self.rounds % mover.player.every == 0]
        with self.world.round(), self.during():
            if not self._shared:  # ranks begin from the weights of rank 0
                self.world.share(self.game)
                self.world.share(self.average.game)
                self._shared = True
            readings = self.dynamics(playing, self.deal) if playing else {}
            self.world.average([*readings.values(), *self.world.statistics(self.game)])
            self.average.update(self.rounds)
            with torch.no_grad():
                self.game.after_round(readings, self.hand)
        self.rounds += 1
        self.pieces = len(self.hand.pieces)
        self.unread.append((self.rounds, readings))

    def collect(self) -> list[tuple[int, dict[str, float]]]:
        """The readings of the rounds since the last call, as (round, numbers): here we wait for the device, once.

        Raises NonFinite at the first round that has a value that is not a number, or infinite.
        """
        unread, self.unread = self.unread, []
        values = [value for _, readings in unread for value in readings.values()]
        numbers = iter(torch.stack([v.double() for v in values]).tolist() if values else [])
        rows = [(round_, {name: next(numbers) for name in readings}) for round_, readings in unread]
        for round_, row in rows:
            for name, number in row.items():
                if not abs(number) < float("inf"):
                    raise NonFinite(round_, name, number)
        return rows

    def check(self) -> None:
        """Raises NonFinite where a weight is not a number, or infinite."""
        for mover in self.movers:
            if not all(bool(p.detach().isfinite().all()) for p in mover.parameters):
                raise NonFinite(self.rounds, f"{mover.player.name}.a weight", float("nan"))

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and containers of them: all that the next round depends on, but the dealer."""
        return {
            "rounds": self.rounds,
            "game": self.game.state_dict(),
            "average": self.average.game.state_dict(),
            "optimizers": {mover.player.name: mover.optimizer.state_dict() for mover in self.movers},
            "chance": chance(self.game.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """All that `state_dict` gave; but an optimiser's numbers (beta1 ...) stay the players', save for its rate."""
        self.game.load_state_dict(state["game"])
        self.average.game.load_state_dict(state["average"])
        for mover in self.movers:
            groups = mover.optimizer.param_groups
            own = [{name: group[name] for name in group if name not in ("params", "lr")} for group in groups]
            mover.optimizer.load_state_dict(state["optimizers"][mover.player.name])
            for group, numbers in zip(mover.optimizer.param_groups, own, strict=True):
                group.update(numbers)
        set_chance(state["chance"], self.game.device)
        self.rounds = state["rounds"]


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every reading over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}
