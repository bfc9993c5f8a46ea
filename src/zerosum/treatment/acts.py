"""What a treatment can change: for the `act` of each remedy, a function from a run's opening to settings.

It gives nothing where the act does not apply: the game has no such setting, or is played so already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerosum.data.spec import Points
from zerosum.game import Player
from zerosum.prevention.opening import Opening
from zerosum.settings import Settings, SettingsError, resolve

Changes = dict[str, Any]
Act = Callable[[Opening], Changes]

TIMES, MUCH = 4.0, 16.0  # a player's learning rate is multiplied or divided by it
PENALTY = 10.0  # so many times the weight of a penalty
AUGMENTED = 0.5  # of what D sees


def paced(at: Opening, players: Sequence[Player], times: float) -> Changes:
    """These players' learning rates, so many times."""
    pace = {player.name: at.play.pace.get(player.name, 1.0) * times for player in players}
    return {"play.pace": at.play.pace | pace} if pace else {}


def makers(at: Opening) -> list[Player]:
    """The players whose networks make samples: all that do not judge."""
    return [player for player in at.players if player not in at.judges]


def stronger_penalty(at: Opening) -> Changes:
    """Ten times the weight of the penalty on D's slope; where it is 0, what the recipe usually has."""
    if at.slope_weight is None:
        return {}
    name = next((name for name in ("gamma", "weight") if at.field(name) is not None), None)
    if name is None:
        return {}
    usual = type(at.settings.game).model_fields[name].default
    weight = PENALTY * at.slope_weight or usual
    return {f"game.{name}": weight} if weight else {}


def non_saturating(at: Opening) -> Changes:
    return {"game.generator_loss": "non_saturating"} if at.field("generator_loss") == "minimax" else {}


def minibatch(at: Opening) -> Changes:
    return {"game.minibatch": "deviation"} if at.field("minibatch") == "none" else {}


def augment(at: Opening) -> Changes:
    """Of pictures, where a network only judges them."""
    judged = any(hasattr(at.game, name) for name in at.game.augmentable)
    if at.play.augment or not judged or isinstance(at.dataset.spec, Points):
        return {}
    return {"play.augment": AUGMENTED}


def full_precision(at: Opening) -> Changes:
    return {"play.precision": "float32"} if at.play.precision == "bfloat16" else {}


def alternating(at: Opening) -> Changes:
    return {"play.dynamics": "alternating"} if at.play.dynamics != "alternating" else {}


ACTS: dict[str, Act] = {
    "slow-maker": lambda at: paced(at, makers(at), 1 / TIMES),
    "slow-both": lambda at: paced(at, at.players, 1 / TIMES),
    "much-slower": lambda at: paced(at, at.players, 1 / MUCH),
    "much-faster": lambda at: paced(at, at.players, MUCH),
    "fast-maker": lambda at: paced(at, makers(at), TIMES),
    "fast-judge": lambda at: paced(at, at.judges, TIMES),
    "stronger-penalty": stronger_penalty,
    "non-saturating": non_saturating,
    "minibatch": minibatch,
    "augment": augment,
    "full-precision": full_precision,
    "alternating": alternating,
}


def changes(act: str, at: Opening) -> Changes:
    """What this act changes in a run: nothing where it does not apply, or where the recipe refuses the value."""
    found = ACTS[act](at)
    try:
        changed(at.settings, found)
    except SettingsError:
        return {}
    return found


def possible(at: Opening) -> list[str]:
    """The acts that would change something in this run."""
    return [act for act in ACTS if changes(act, at)]


def changed(settings: Settings, values: Changes) -> Settings:
    """The settings with these values in place of theirs. Raises SettingsError for what is refused."""
    return resolve(settings.recipe, overrides=values, base=settings.model_dump(mode="json", exclude={"recipe"}))


def value_of(settings: Settings, key: str) -> Any:
    """What is set at 'play.pace': as config.yaml would hold it."""
    section, _, field = key.partition(".")
    return settings.model_dump(mode="json")[section][field]
