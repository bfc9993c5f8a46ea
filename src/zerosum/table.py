"""The table that a game is played at: names become a dynamics and a precision here, and nowhere deeper."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from zerosum.game import Game
from zerosum.networks.augment import DiffAugment, augment
from zerosum.play import dynamics, gpu, precision
from zerosum.play.capture import Captured
from zerosum.play.compiling import Compiled
from zerosum.play.layers import quicken
from zerosum.play.matmul import by_onednn, onednn_is_better
from zerosum.play.one_backward import OneBackward
from zerosum.play.trainer import Trainer
from zerosum.play.world import World
from zerosum.sections import Play, Speed
from zerosum.settings import SettingsError

DYNAMICS = {
    "alternating": dynamics.alternating,
    "simultaneous": dynamics.simultaneous,
    "extragradient": dynamics.extragradient,
}
LARGE = 4_000_000  # multiplications of a product, from which on oneDNN's are faster; on two small layers they lose
_onednn_is_better = cache(onednn_is_better)  # of this machine: asked once
PRECISIONS = {"float32": precision.full, "bfloat16": precision.bfloat16, "auto": precision.full}


def trainer_of(
    game: Game,
    deal: Callable[[], tuple[Tensor, Tensor | None]],
    play: Play,
    speed: Speed | None = None,
    world: World | None = None,
) -> Trainer:
    """The trainer that plays `game` as `play` and `speed` say. Raises SettingsError where its players cannot play so.

    A precision that is still to be chosen is float32.
    """
    speed = speed or Speed()
    laid_out(game, speed)
    trainer = Trainer(
        game,
        deal,
        dynamics=_dynamics(game, play, speed),
        average=play.average,
        precision=PRECISIONS[play.precision],
        pieces=play.pieces,
        world=world,
        during=by_onednn if speed.onednn and _products_are_large(game, play.batch) and _onednn_is_better() else None,
    )
    _check(trainer, play)
    _use(trainer, speed)
    for mover in trainer.movers:
        mover.rates = [rate * play.pace.get(mover.player.name, 1.0) for rate in mover.rates]
        mover.pace(1.0)
    if play.augment:
        judges = [game.get_submodule(name) for name in game.augmentable if hasattr(game, name)]
        if not judges:
            raise SettingsError(f"play.augment = {play.augment:g}: no network of this game only judges: set it to 0")
        augment(judges, DiffAugment(play.augment))
    return trainer


def _dynamics(game: Game, play: Play, speed: Speed) -> dynamics.Dynamics:
    found: Any = DYNAMICS[play.dynamics]
    if speed.one_backward and play.dynamics != "alternating":
        found = partial(found, field=OneBackward())
    if speed.compile:
        found = Compiled(found, game)
    if speed.graphs and game.device.type == "cuda":
        found = Captured(found, game, gpu.CudaGraphs(game.device))
    return found


def laid_out(game: Game, speed: Speed) -> None:
    """The game's networks in the memory layout, and by the kernels, that are fastest on its device."""
    if speed.channels_last:
        game.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if speed.layers and game.device.type == "cpu":
        quicken(game)


def _products_are_large(game: Game, batch: int) -> bool:
    """Whether multiplying is what a matrix product takes long for, and not the call."""
    largest = max((p.numel() for p in game.parameters() if p.ndim == 2), default=0)
    return game.device.type == "cpu" and batch * largest >= LARGE


def _use(trainer: Trainer, speed: Speed) -> None:
    """What of the machine the players may use."""
    if not speed.fused:
        for mover in trainer.movers:
            for group in mover.optimizer.param_groups:
                group["fused"], group["foreach"] = False, False


def _check(trainer: Trainer, play: Play) -> None:
    """Whether these players can be played so, and so many ranks and pieces share the batch."""
    ranks = trainer.world.size
    if play.batch % (ranks * play.pieces):
        whole = ranks * play.pieces
        raise SettingsError(
            f"play.batch = {play.batch} does not divide among {ranks} ranks in {play.pieces} pieces each: "
            f"set it to {max(1, round(play.batch / whole)) * whole}"
        )
    names = [mover.player.name for mover in trainer.movers]
    busy = [mover.player.name for mover in trainer.movers if mover.player.steps > 1]
    if busy and play.dynamics != "alternating":
        raise SettingsError(
            f"{play.dynamics} dynamics moves each player once a round, but {busy[0]} asks for more turns: "
            "set its steps to 1, or play.dynamics to alternating"
        )
    for name, share in play.pace.items():
        if name not in names or not 0 < share < float("inf"):
            raise SettingsError(
                f"play.pace = {{{name}: {share:g}}}: expected players of this game ({', '.join(names)}) and numbers "
                "above 0"
            )
