"""The table that a game is played at: names become a dynamics and a precision here, and nowhere deeper."""

from collections.abc import Callable

from torch import Tensor

from zerosum.game import Game
from zerosum.networks.augment import DiffAugment, augment
from zerosum.play import dynamics, precision
from zerosum.play.trainer import Trainer
from zerosum.settings import Play, SettingsError

DYNAMICS = {
    "alternating": dynamics.alternating,
    "simultaneous": dynamics.simultaneous,
    "extragradient": dynamics.extragradient,
}
PRECISIONS = {"float32": precision.full, "bfloat16": precision.bfloat16}


def trainer_of(game: Game, deal: Callable[[], tuple[Tensor, Tensor | None]], play: Play) -> Trainer:
    """The trainer that plays `game` as `play` says. Raises SettingsError where its players cannot be played so."""
    trainer = Trainer(
        game, deal, dynamics=DYNAMICS[play.dynamics], average=play.average, precision=PRECISIONS[play.precision]
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
    for mover in trainer.movers:
        mover.rates = [rate * play.pace.get(mover.player.name, 1.0) for rate in mover.rates]
        mover.pace(1.0)
    if play.augment:
        judges = [game.get_submodule(name) for name in game.augmentable if hasattr(game, name)]
        if not judges:
            raise SettingsError(f"play.augment = {play.augment:g}: no network of this game only judges: set it to 0")
        augment(judges, DiffAugment(play.augment))
    return trainer
