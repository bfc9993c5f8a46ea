"""Prevention: settings that are known to go wrong are told before the first round, each with its reason and remedy.

A check reads settings, the modules of the built game, its players and the data; never the name of the recipe. What is
usual for a recipe, and its presets, raise no caution.
"""

from zerosum.data.dataset import Dataset
from zerosum.game import Game
from zerosum.prevention import data, networks, play
from zerosum.prevention.caution import Caution, Check
from zerosum.prevention.opening import Opening
from zerosum.settings import Settings, SettingsError

__all__ = ["CHECKS", "Caution", "Check", "cautions", "check"]

CHECKS = play.CHECKS + networks.CHECKS + data.CHECKS


def cautions(settings: Settings, game: Game, dataset: Dataset) -> list[Caution]:
    """Everything known to go wrong with a run of these settings; fatal first. `game` is built, `dataset` trained on."""
    at = Opening(settings, game, dataset)
    found = [caution for one in CHECKS if (caution := one(at))]
    return sorted(found, key=lambda caution: not caution.fatal)


def check(settings: Settings, game: Game, dataset: Dataset) -> list[Caution]:
    """The cautions that a run may be played with. Raises SettingsError for one with which it cannot be."""
    found = cautions(settings, game, dataset)
    if found and found[0].fatal:
        raise SettingsError(str(found[0]))
    return found
