"""Settings that change in the course of a run: `play.changes` says from which round on which of them are others.

A treatment writes its changes there, so that config.yaml holds all that led to the model: played again, such a run
changes its settings at the same rounds.
"""

from __future__ import annotations

from typing import Any

import torch

from zerosum import model
from zerosum.data.spec import Points, Spec
from zerosum.sections import Play
from zerosum.settings import Settings, SettingsError, resolve
from zerosum.table import trainer_of

PLAYED = ("batch", "dynamics", "cooldown", "average", "precision", "pace", "augment", "pieces")
"""Settings of play that may change: how turns are taken. The others say which run it is, or how it is watched."""


def in_force(settings: Settings, rounds: int) -> Settings:
    """The settings after so many rounds. Raises SettingsError for a change that cannot be."""
    found = settings
    for round_, changes in sorted(settings.play.changes.items()):
        if round_ <= max(0, rounds):
            found = resolve(found.recipe, overrides=changes, base=found.model_dump(mode="json", exclude={"recipe"}))
    return found


def same_networks(a: Settings, b: Settings, spec: Spec) -> bool:
    """Whether a checkpoint of a run by the one can be gone on from by the other: its weights have the same shapes."""

    def shapes(settings: Settings) -> dict[str, torch.Size | None]:
        return {name: getattr(value, "shape", None) for name, value in _built(settings, spec).state_dict().items()}

    return shapes(a) == shapes(b)


def check(settings: Settings, spec: Spec) -> None:
    """Raises SettingsError for what cannot be played from some round on, or cannot change there."""
    for round_ in sorted({0, *settings.play.changes}):
        place = f"play.changes at round {round_}" if round_ in settings.play.changes else ""
        try:
            changed = in_force(settings, round_)
            _check_change(settings, changed)
            _check_play(changed, spec)
        except SettingsError as error:
            raise SettingsError(f"{place}: {error}" if place else str(error)) from error
        if round_ > 0 and not same_networks(in_force(settings, 0), changed, spec):
            raise SettingsError(
                f"{place} changes what networks are made of, and their weights would not fit: "
                "change that from the start (0), or in a run of its own"
            )


def _check_change(settings: Settings, changed: Settings) -> None:
    """Whether only such settings differ as may change."""
    if changed.data != settings.data:
        raise SettingsError("a run has one set of data, which does not change: name others in a run of their own")
    for name in Play.model_fields:
        if name not in PLAYED and getattr(changed.play, name) != getattr(settings.play, name):
            raise SettingsError(
                f"{name} is of the whole run: set play.{name} itself; of play may change {', '.join(PLAYED)}"
            )


def _check_play(settings: Settings, spec: Spec) -> None:
    """Whether the game can be played so: a trainer is built as for a round."""
    if settings.play.augment and isinstance(spec, Points):
        raise SettingsError(
            f"play.augment = {settings.play.augment:g} moves, cuts and recolours pictures, and the data are points: "
            "set it to 0"
        )
    trainer_of(_built(settings, spec), lambda: (torch.empty(0), None), settings.play, settings.speed)


def _built(settings: Settings, spec: Spec) -> Any:
    """The game with weights that are drawn now; no chance of the run is used up."""
    with torch.random.fork_rng(devices=[]):
        return model.build(settings.recipe, settings.game, spec)
