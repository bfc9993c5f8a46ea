"""A place at the table, one a rank: game, deck and trainer. Rank 0's is a `Session`; the others follow it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from zerosum import model
from zerosum.data.dataset import Dataset
from zerosum.data.deck import deck_of
from zerosum.play import checkpoint, gpu, precision
from zerosum.play.world import World
from zerosum.schedule import in_force
from zerosum.settings import Settings, resolve
from zerosum.table import trainer_of


class Seat:
    """What plays: as the settings have it after so many rounds, once it has sat down."""

    def __init__(self, dataset: Dataset):
        self.dataset, self.world = dataset, World()

    def sit_down(self, written: Settings, rounds: int = 0) -> None:
        """Everything as it is before the first round, by what is in force after so many of these settings."""
        self.written, self.settings = written, in_force(written, rounds)
        play, speed = self.settings.play, self.settings.speed
        if self.world.rank == 0:
            self.world.tell("sit", json.dumps([written.model_dump(mode="json"), rounds]))
        torch.manual_seed(play.seed)
        device = precision.choose_device(play.device)
        if device.type == "cpu" and speed.keep_memory:
            precision.keep_memory()
        elif device.type == "cuda":
            gpu.use_well(exact=play.precision == "float32")
        self.game: Any = model.build(self.settings.recipe, self.settings.game, self.dataset.spec).to(device=device)
        self.deck = deck_of(self.dataset, labelled=self.game.classes > 0, seed=play.seed, device=device)
        deal = partial(self.deck.deal, play.batch, self.world.part)
        self.trainer = trainer_of(self.game, deal, play, speed, self.world)

    def turns(self, share: float) -> None:
        """One round, of all ranks, at this share of the learning rates."""
        if self.world.rank == 0:
            self.world.tell("round", repr(share))
        self.trainer.pace(share)
        self.trainer.round()

    def state(self) -> dict[str, Any]:
        """All that the next round depends on."""
        return {"deck": self.deck.state_dict(), "trainer": self.trainer.state_dict()}

    def take(self, state: dict[str, Any]) -> None:
        """Go on where `state` was."""
        if self.world.size > 1 and self.world.rank == 0:
            self.world.tell("take", content=checkpoint.as_bytes({name: state[name] for name in ("deck", "trainer")}))
        self.trainer.load_state_dict(state["trainer"])
        self.trainer.pace(1.0)  # rates are those of the settings
        self.deck.load_state_dict(state["deck"])

    def follow(self, heard: tuple[str, str, bytes]) -> str:
        """Do what rank 0 says, first what was `heard`, until it says how the run ended. Signals are for rank 0."""
        orders: dict[str, Callable[[str, bytes], None]] = {
            "sit": lambda words, _: self.sit_down(settings_in(words), json.loads(words)[1]),
            "take": lambda _, content: self.take(checkpoint.from_bytes(content)),
            "round": lambda words, _: self._play_along(float(words)),
        }
        with _deaf():
            while heard[0] != "end":
                order, words, content = heard
                orders[order](words, content)
                heard = self.world.hear()
        return heard[1]

    def _play_along(self, share: float) -> None:
        self.turns(share)
        self.trainer.unread.clear()  # rank 0 reads them


def settings_in(words: str) -> Settings:
    """Those of the order to sit down."""
    written = json.loads(words)[0]
    return resolve(written.pop("recipe"), base=written)


@contextmanager
def _deaf() -> Iterator[None]:
    before = {name: signal.signal(name, signal.SIG_IGN) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
