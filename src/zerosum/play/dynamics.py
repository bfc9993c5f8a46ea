"""The order and rule of turns. A dynamics plays one round: it deals hands to movers and returns the round's readings.

With v(w) the field of every player's own gradient at the joint strategy w, and step size h:

    simultaneous    w' = w - h v(w)
    alternating     one player after the other, each at the strategies the last one left
    extragradient   w~ = w - h v(w);  w' = w - h v(w~)     (Korpelevich 1976; Gidel et al. 2019, arXiv:1802.10551)
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zerosum.game import Batch, Loss, Player
from zerosum.play.chance import Chance
from zerosum.play.hand import Hand, finer
from zerosum.play.messages import Gradients
from zerosum.play.precision import Precision, is_out_of_memory
from zerosum.play.world import World

Readings = dict[str, Tensor]
Deal = Callable[[], Hand]


class Mover:
    """A player at the table: it can evaluate its loss, and step. Only its own parameters ever change."""

    def __init__(self, player: Player, precision: Precision, world: World | None = None):
        self.player, self.world = player, world or World()
        self.parameters = player.parameters()
        self.optimizer = player.optimizer(self.parameters)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.precision = precision
        self.gradients = Gradients(self.world, self.parameters)

    def loss(self, hand: Batch) -> Loss:
        """The player's loss, with numbers held as the table has it."""
        with self.precision():
            return self.player.loss(hand)

    def evaluate(self, hand: Hand, keep_graph: bool = False) -> Readings:
        """Leave the gradient of the player's loss on its own parameters; nobody else's gradient is asked for.

        Where memory does not suffice the hand is divided, and the pieces' gradients are added up: the same gradient,
        but for networks that see more than one example at a time (batch norm).
        """
        start, drawn, short = Chance(hand.x.device), hand.drawn, ""  # words: an error would hold on to the memory
        while True:
            try:
                return self._evaluate(hand, start, keep_graph)
            except (RuntimeError, MemoryError, ValueError) as error:
                count = finer(len(hand.pieces), len(hand))
                if not is_out_of_memory(error) or count is None:
                    if not short or is_out_of_memory(error):
                        raise
                    raise MemoryError(short) from error  # a pack, say, does not fit into so small a piece
                short = str(error)
                if self.world.size > 1:  # the others are on their way to a message that this rank would not send
                    words = f"rank {self.world.rank} ran out of memory: play a batch in pieces, --set pieces={count}"
                    raise MemoryError(words) from error
            hand.divide(count, drawn)
            start.again()

    def _evaluate(self, hand: Hand, start: Chance, keep_graph: bool) -> Readings:
        for p in self.parameters:
            p.grad = None
        count, means = len(hand.pieces), dict[str, Tensor]()
        for piece in hand.pieces:
            if piece is not hand.pieces[0]:
                start.again()  # every piece draws its rows of the same
            with piece.chance():
                loss = self.loss(piece)
            if piece is hand.pieces[-1]:
                self.gradients.expect()
            total = loss.total if count == 1 else loss.total / count
            total.backward(inputs=self.parameters, retain_graph=keep_graph)  # type: ignore[no-untyped-call]
            if count == 1:
                return self.done(loss)
            for name, value in loss.readings().items():
                means[name] = means[name] + value / count if name in means else value / count
            piece.free()
        return self.done(Loss(**means))

    def done(self, loss: Loss) -> Readings:
        """The readings of a loss whose gradient is in place on this rank: now it is that of all."""
        self.gradients.average()
        return {f"{self.player.name}.{name}": value for name, value in loss.readings().items()}

    def pace(self, share: float) -> None:
        """Play on at this share of the player's own learning rates."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share

    def step(self, hands: Sequence[Batch]) -> None:
        """Move along the gradient, and let the hands forget what came from the networks as they were."""
        self.optimizer.step()
        for hand in hands:
            hand.forget(self.player.networks)


Dynamics = Callable[[Sequence[Mover], Deal], Readings]


def alternating(movers: Sequence[Mover], deal: Deal) -> Readings:
    """Each player takes its `steps` turns, then the next. A player's last turn and the next player's share a hand."""
    hands = [deal() for _ in range(max(mover.player.steps for mover in movers))]
    readings: Readings = {}
    for mover in movers:
        for hand in hands[-mover.player.steps :]:
            readings |= mover.evaluate(hand)
            mover.step(hands)
    return readings


def field(movers: Sequence[Mover], hand: Hand) -> Readings:
    """Every player's own gradient at the joint strategy."""
    readings: Readings = {}
    for mover in movers:
        # What the hand keeps (fakes, scores) is one graph that several losses run through.
        readings |= mover.evaluate(hand, keep_graph=mover is not movers[-1])
    return readings


Field = Callable[[Sequence[Mover], Hand], Readings]


def simultaneous(movers: Sequence[Mover], deal: Deal, field: Field = field) -> Readings:
    """Every player looks at the same strategies and the same hand; then all move at once."""
    _one_turn_each(movers, "simultaneous")
    hand = deal()
    readings = field(movers, hand)
    for mover in movers:
        mover.step([hand])
    return readings


def extragradient(movers: Sequence[Mover], deal: Deal, field: Field = field) -> Readings:
    """All look ahead by one step, and move from where they were by the gradient found there.

    With Adam both looks move the moments (ExtraAdam: Gidel et al. 2019, algorithm 4).
    """
    _one_turn_each(movers, "extragradient")
    hand = deal()
    field(movers, hand)
    start = [p.detach().clone() for mover in movers for p in mover.parameters]
    for mover in movers:
        mover.step([hand])
    readings = field(movers, deal())
    with torch.no_grad():
        for p, origin in zip((p for mover in movers for p in mover.parameters), start, strict=True):
            p.copy_(origin)
    for mover in movers:
        mover.step([])
    return readings


def _one_turn_each(movers: Sequence[Mover], name: str) -> None:
    for mover in movers:
        if mover.player.steps > 1:
            raise ValueError(
                f"{name} dynamics moves each player once a round, but {mover.player.name} asks for "
                f"{mover.player.steps} steps: set its steps to 1, or play with alternating dynamics"
            )
