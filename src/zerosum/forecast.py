"""Before a run: how fast it will be, how long it takes, how much memory; and which precision is faster and as good."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from zerosum import model
from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck, TwoDecks, deck_of
from zerosum.play import gpu, precision
from zerosum.play.hand import Hand
from zerosum.play.trainer import NonFinite
from zerosum.play.world import World
from zerosum.schedule import in_force
from zerosum.settings import Settings
from zerosum.span import Span, duration
from zerosum.table import trainer_of

LONGEST = 20.0  # seconds of trying, whatever the run's length
SHARE = 0.01  # of the run's length, at most, for trying what is faster
WORTH = 1.15  # times as fast: less is not worth other rounding
ALIKE = 0.99  # cosine of gradients in bfloat16 and float32, of the same hand and chance
SHORT, FEW = 60.0, 300  # seconds and rounds of a run for which nothing is tried
WARM = {"cpu": 1, "cuda": 5}  # rounds that are not counted: the first; a GPU records its graph in some


@dataclass(frozen=True)
class Forecast:
    """What a run of these settings is like here."""

    precision: str
    images_per_second: float
    seconds: float
    """To the end of the length."""

    memory: int
    """Bytes at most: of the GPU, or of the whole process."""

    why: str
    """How the precision was chosen."""

    def __str__(self) -> str:
        size = f" · {self.memory / 2**30:.1f} GiB at most" if self.memory else ""
        return f"{self.images_per_second:,.0f} examples/s · {duration(self.seconds)} to play{size} · {self.why}"


class _Try:
    """A game like the run's, played as the settings say, on one rank's share of each batch."""

    def __init__(self, settings: Settings, dataset: Dataset, deck: Deck | TwoDecks, share: int):
        play = settings.play
        torch.manual_seed(play.seed)
        game: Any = model.build(settings.recipe, settings.game, dataset.spec).to(device=deck.device)
        here = play.model_copy(update={"batch": play.batch // share})
        self.trainer = trainer_of(game, lambda: deck.deal(here.batch), here, settings.speed, World(alone=True))
        self.warm = WARM[deck.device.type]
        self.times, self.broke = list[float](), False

    def round(self) -> None:
        """One round, and what it took, readings included."""
        start = time.perf_counter()
        self.trainer.round()
        try:
            self.trainer.collect()
        except NonFinite:  # the run itself will say so
            self.broke = True
        self.times.append(time.perf_counter() - start)

    def seconds(self) -> float:
        """A round takes: the median, without the first ones."""
        return statistics.median(self.times[self.warm :])

    def gradients(self, hand: Hand) -> list[Tensor]:
        """Every player's gradient on this hand, by the chance that all tries have."""
        torch.manual_seed(0)
        mine, found = Hand(hand.x, hand.y), []
        for mover in self.trainer.movers:
            mover.evaluate(mine, keep_graph=True)
            found.append(torch.cat([p.grad.flatten().float() for p in mover.parameters if p.grad is not None]))
        return found


def forecast(settings: Settings, dataset: Dataset, share: int = 1, longest: float = LONGEST) -> Forecast:
    """Play a few rounds of a game like the run's, in each precision in question, in turns.

    It takes `longest` seconds, or as few rounds as tell. Nothing of the run is touched, and no chance of it used up.
    Each of `share` ranks plays its share of the batch.
    """
    with _untouched(settings := in_force(settings, 0), dataset) as deck:
        return _tried(settings, dataset, deck, share, longest)


def quickly(settings: Settings, dataset: Dataset, share: int = 1) -> Forecast | None:
    """A forecast that takes at most 1 % of the run, or as few rounds as tell; None for a run too short for it."""
    settings = in_force(settings, 0)
    timed = Span.parse(settings.play.length).unit in ("seconds", "minutes")
    if not timed and _length(settings, dataset, 1.0) < FEW:
        return None
    with _untouched(settings, dataset) as deck:
        one = _Try(_in(settings, "float32"), dataset, deck, share)
        for _ in range(one.warm + 1):
            one.round()
        seconds = _length(settings, dataset, one.seconds())
        del one
        if seconds < SHORT:
            return None
        return _tried(settings, dataset, deck, share, min(LONGEST, SHARE * seconds))


def _tried(settings: Settings, dataset: Dataset, deck: Deck | TwoDecks, share: int, longest: float) -> Forecast:
    end, play = time.perf_counter() + longest, settings.play
    names = ["float32", "bfloat16"] if play.precision == "auto" else [play.precision]
    tries = {name: _Try(_in(settings, name), dataset, deck, share) for name in names}
    alike = _alike(Hand(*deck.deal(play.batch // share)), *tries.values())
    while min(len(each.times) - each.warm for each in tries.values()) < 1 or time.perf_counter() < end:
        for each in tries.values():
            each.round()
    name, why = _chosen(tries, alike) if len(tries) > 1 else (names[0], "as set")
    one = tries[name].seconds()
    return Forecast(name, play.batch / one, _length(settings, dataset, one), peak_memory(deck.device), why)


def chosen(settings: Settings, found: Forecast | None) -> Settings:
    """The settings with their precision decided: float32 where nothing was tried."""
    return _in(settings, found.precision if found else "float32") if settings.play.precision == "auto" else settings


def peak_memory(device: torch.device) -> int:
    """Bytes, at most, that the GPU held for us, or this process held, so far; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _alike(hand: Hand, one: _Try, other: _Try | None = None) -> float:
    """The least cosine of a player's gradients in both, from the first weights, which they have in common."""
    if other is None:
        return 1.0
    pairs = zip(one.gradients(hand), other.gradients(hand), strict=True)
    return min(float(cosine_similarity(a, b, 0)) for a, b in pairs)


def _chosen(tries: dict[str, _Try], alike: float) -> tuple[str, str]:
    """bfloat16 where it is faster and every player is told the same."""
    faster = tries["float32"].seconds() / tries["bfloat16"].seconds()
    if tries["bfloat16"].broke:
        return "float32", "in bfloat16 it breaks" if not tries["float32"].broke else "it breaks at once"
    told = f"{faster:.1f} times as fast, gradients {alike:.2%} alike"
    if faster >= WORTH and alike >= ALIKE:
        return "bfloat16", f"bfloat16 is {told}"
    return "float32", f"bfloat16 would be {told}"


def _length(settings: Settings, dataset: Dataset, one: float) -> float:
    """Seconds that the run's length takes where a round takes so long."""
    batch, span = settings.play.batch, Span.parse(settings.play.length)
    return one / span.share(span.progress(1, batch, batch / len(dataset), one))


def _in(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"play": settings.play.model_copy(update={"precision": name})})


@contextlib.contextmanager
def _untouched(settings: Settings, dataset: Dataset) -> Iterator[Deck | TwoDecks]:
    """The data on the run's device, which is used as the run will; torch's generators are put back."""
    device, play = precision.choose_device(settings.play.device), settings.play
    if device.type == "cuda":
        gpu.use_well(exact=play.precision == "float32")
    elif settings.speed.keep_memory:
        precision.keep_memory()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        labelled = model.build(settings.recipe, settings.game, dataset.spec).classes > 0
        yield deck_of(dataset, labelled=labelled, seed=play.seed, device=device)
