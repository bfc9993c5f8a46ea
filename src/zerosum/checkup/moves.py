"""How the players move: step over weight, gradients, and what of G's gradient reaches the samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zerosum.game import Batch, Game, Player
from zerosum.play.dynamics import Mover

Row = dict[str, float]


def makers(game: Game, movers: Sequence[Mover]) -> list[Mover]:
    """The players who move a network that samples come from; all others judge or read."""
    ships = {id(p) for name in game.ships for p in getattr(game, name).parameters()}
    return [mover for mover in movers if any(id(p) in ships for p in mover.parameters)]


class Steps:
    """The players' weights before some rounds, to be compared with those after."""

    def __init__(self, movers: Sequence[Mover]):
        self.before = {mover.player.name: [p.detach().clone() for p in mover.parameters] for mover in movers}

    def since(self, movers: Sequence[Mover], rounds: int) -> Row:
        """`step`: |w' - w| / |w'| a turn; `gradient`: |g| of the last turn; of all these players together."""
        step, gradient, turns = 0.0, 0.0, 1.0
        for mover in movers:
            before = self.before[mover.player.name]
            moved = torch._foreach_sub([p.detach() for p in mover.parameters], before)
            step += squares(moved)
            gradient += squares([p.grad for p in mover.parameters if p.grad is not None])
            turns = max(turns, mover.player.steps * rounds / mover.player.every)
        return {"step": step**0.5 / max(weight(movers), 1e-12) / turns, "gradient": gradient**0.5}


def weight(movers: Sequence[Mover]) -> float:
    """|w|, of all that these players move."""
    return squares([p.detach() for mover in movers for p in mover.parameters]) ** 0.5


def squares(tensors: Sequence[Tensor]) -> float:
    """The sum of all squares: here we wait for the device."""
    if not tensors:
        return 0.0
    return float(torch.stack(torch._foreach_norm(list(tensors))).double().square().sum())


def at_samples(game: Game, player: Player, hand: Batch) -> float:
    """The mean length of a sample's own gradient of the player's adversarial term; of its whole loss if it has none.

    The loss is a mean over the hand: n times the gradient is the sample's own. All outputs of the networks that
    samples come from count as samples. Not finite where it is not.
    """
    outputs: list[Tensor] = []

    def keep(network: nn.Module, given: tuple[object, ...], made: object) -> None:
        if isinstance(made, Tensor) and made.requires_grad:
            outputs.append(made)

    hooks = [getattr(game, name).register_forward_hook(keep) for name in game.ships]
    try:
        loss = player.loss(hand)
    finally:
        for hook in hooks:
            hook.remove()
    if not outputs:
        return 0.0
    found = torch.autograd.grad(loss.terms.get("adversarial", loss.total), outputs, allow_unused=True)
    lengths = [(g.float() * len(g)).flatten(1).norm(dim=1).mean() for g in found if g is not None]
    return float(torch.stack(lengths).sum()) if lengths else 0.0
