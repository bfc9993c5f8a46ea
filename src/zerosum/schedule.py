"""Settings that change in the course of a run: `play.changes` says from which round on which of them are others.

A treatment writes its changes there, so that config.yaml holds all that led to the model: played again, such a run
changes its settings at the same rounds.
"""

from __future__ import annotations

import torch

from zerosum import model
from zerosum.data.spec import Spec
from zerosum.settings import Settings, SettingsError, resolve


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
        game = model.build(settings.recipe, settings.game, spec)
        return {name: getattr(value, "shape", None) for name, value in game.state_dict().items()}

    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and no chance of the run is used up
        return shapes(a) == shapes(b)


def check(settings: Settings, spec: Spec) -> None:
    """Raises SettingsError for a change that cannot be: of the data, or of networks that have begun to play."""
    for round_ in sorted(settings.play.changes):
        changed = in_force(settings, round_)
        if changed.data != settings.data:
            raise SettingsError(f"play.changes at round {round_} changes the data: a run has one, name others anew")
        if round_ > 0 and not same_networks(in_force(settings, 0), changed, spec):
            raise SettingsError(
                f"play.changes at round {round_} changes what networks are made of, and their weights would not fit: "
                "change that from the start (0), or in a run of its own"
            )
