"""A whole round as one CUDA graph: recorded once, then replayed without Python, where that does the same.

A round is hundreds of small kernels; a GPU has done each before the CPU has asked for the next. A graph asks for all of
them at once. What Python does in a round is then done no more: hands are copied to where the recorded ones lay, rates
are tensors, readings are copied out. `Captured` plays plain rounds first, records, and compares a replayed round with a
plain one from the same state; what cannot be recorded, or comes out otherwise, is played plainly, and `why` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.game import Game
from zerosum.play.dynamics import Deal, Dynamics, Mover, Readings
from zerosum.play.gpu import Recorder
from zerosum.play.hand import Drawn, Hand
from zerosum.play.snapshot import Snapshot, Tensors, apart, changing

WARM = 3  # plain rounds before a recording: kernels are chosen, optimisers have their state
AGREE = 1e-3  # of a round's own change: how far a replayed round may be from a plain one from the same state
NOISE = 3  # or so many times as far as two plain rounds are apart, where kernels add up in no fixed order


class Still(Hand):
    """A hand whose tensors stay where they are. It is never divided: a graph is of one size."""

    def divide(self, count: int, drawn: Drawn) -> None:
        raise torch.OutOfMemoryError("memory does not suffice for a graph")


class Recording:
    """A round of these movers on hands like these, recorded."""

    def __init__(self, dynamics: Dynamics, movers: Sequence[Mover], hands: Sequence[Hand]):
        self.dynamics, self.movers = dynamics, movers
        self.places = [(hand.x.clone(), None if hand.y is None else hand.y.clone(), hand.whole) for hand in hands]
        self.states = [(mover.optimizer.state, mover.precision) for mover in movers]
        self.rates = [
            (group, torch.full((), group["lr"], device=mover.parameters[0].device))
            for mover in movers
            for group in mover.optimizer.param_groups
        ]
        self.paces = [group["lr"] for group, _ in self.rates]

    def once(self) -> Readings:
        """The round, on hands that lie in place."""
        self.hands = [Still(x, y, whole=whole) for x, y, whole in self.places]
        return self.dynamics(self.movers, iter(self.hands).__next__)

    def record(self, recorder: Recorder) -> None:
        self.readings, self.replay = recorder.record(self.once)

    def fits(self, hands: Sequence[Hand]) -> bool:
        """Whether it is a round on such hands, by the same optimisers, with numbers held the same."""
        same = [(mover.optimizer.state, mover.precision) for mover in self.movers]
        return all(a is b and c is d for (a, c), (b, d) in zip(same, self.states, strict=True)) and all(
            _form(hand.x, hand.y, hand.whole) == _form(*place) for hand, place in zip(hands, self.places, strict=True)
        )

    def play(self, hands: Sequence[Hand]) -> Readings:
        """The round again, on these hands and at the learning rates of now."""
        for hand, (x, y, _) in zip(hands, self.places, strict=True):
            x.copy_(hand.x)
            if y is not None and hand.y is not None:
                y.copy_(hand.y)
        for i, (group, rate) in enumerate(self.rates):
            if group["lr"] != self.paces[i]:
                self.paces[i] = group["lr"]
                rate.fill_(group["lr"])
        self.replay()
        for hand, still in zip(hands, self.hands, strict=True):
            hand._made = dict(still._made)  # `after_round` sees it
        return {name: value.clone() for name, value in self.readings.items()}

    @contextmanager
    def rates_as_tensors(self) -> Iterator[None]:
        """Learning rates as a graph reads them: where `play` puts those of now. State dicts have numbers."""
        words: list[dict[str, Any]] = [
            {k: group[k] for k in ("lr", "capturable") if k in group} for group, _ in self.rates
        ]
        for group, rate in self.rates:
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = rate.is_cuda
        try:
            yield
        finally:
            for (group, _), before in zip(self.rates, words, strict=True):
                group.update(before)


def _form(x: Tensor, y: Tensor | None, whole: int) -> tuple[Any, ...]:
    return whole, *((None if t is None else (t.shape, t.stride(), t.dtype)) for t in (x, y))


def _on_device(movers: Sequence[Mover]) -> None:
    """An optimiser's count of steps lies where the step is made: a graph cannot count on the CPU."""
    for mover in movers:
        for p, state in mover.optimizer.state.items():
            if isinstance(state.get("step"), Tensor):
                state["step"] = state["step"].to(p.device)


@dataclass
class Trial:
    """A recording; and where its rehearsal, a plain round, and its first replay came to from the same start."""

    recording: Recording
    start: Snapshot
    rehearsed: tuple[Tensors, Readings]
    replayed: tuple[Tensors, Readings]

    def difference(self, readings: Readings) -> str | None:
        """What differs between the replayed round and the plain one that was just played, if anything."""
        end, states = self.start.live, (self.start.kept, self.rehearsed[0], self.replayed[0])
        change, noise, error = (apart(state, end) for state in states)
        for kind in end:
            if not error[kind] <= max(AGREE * change[kind], NOISE * noise[kind]):
                return f"{kind} differ by {error[kind]:.2g}, where a round moves them by {change[kind]:.2g}"
        for name, value in readings.items():
            off, usual = (abs(float(found[1][name] - value)) for found in (self.replayed, self.rehearsed))
            if not off <= max(AGREE * max(1.0, abs(float(value))), NOISE * usual):
                return f"{name} is off by {off:.2g}"
        return None


class Captured:
    """A dynamics that plays as `dynamics` does, replaying rounds where that is the same; `why` says why it does not.

    Each set of movers that play a round together has a recording of its own: a player that plays only each n-th round
    is no exception. A hand of another shape, or an optimiser that has loaded another state, asks for a new one. A game
    that keeps state beside its tensors (`get_extra_state`: the stage of a growing network, a pool of fakes) is played
    plainly, and so is one that several ranks play, or in pieces.
    """

    def __init__(self, dynamics: Dynamics, game: Game, recorder: Recorder):
        self.dynamics, self.game, self.recorder = dynamics, game, recorder
        self.recordings: dict[tuple[str, ...], Recording] = {}  # by who plays
        self.why: str | None = next(
            (
                f"{name or type(game).__name__} keeps state beside its tensors"
                for name, module in game.named_modules()
                if type(module).get_extra_state is not nn.Module.get_extra_state
            ),
            None,
        )
        self._dealt: dict[tuple[str, ...], list[int]] = {}  # the hands that each plain round took

    @property
    def told(self) -> str | None:
        """In words, if rounds are played plainly."""
        return self.why and f"rounds are not one CUDA graph: {self.why}"

    def __call__(self, movers: Sequence[Mover], deal: Deal) -> Readings:
        if movers[0].world.size > 1:
            self.why = "several ranks play"
        if self.why is not None:
            return self.dynamics(movers, deal)
        with self.recorder.stream():
            return self._round(movers, deal)

    def _round(self, movers: Sequence[Mover], deal: Deal) -> Readings:
        who = tuple(mover.player.name for mover in movers)
        dealt = self._dealt.setdefault(who, [])

        def counted() -> Hand:
            dealt[-1] += 1
            return deal()

        if len(dealt) < WARM:
            dealt.append(0)
            return self.dynamics(movers, counted)
        hands = [deal() for _ in range(dealt[-1])]
        recording = self.recordings.get(who)
        if recording is not None and recording.fits(hands):
            return recording.play(hands)
        trial = self._tried(movers, hands)
        readings = self.dynamics(movers, iter(hands).__next__)
        if trial is not None and (difference := trial.difference(readings)):
            self.why = f"a replayed round is not a plain one: {difference}"
        elif trial is not None:
            self.recordings[who] = trial.recording
        return readings

    def _tried(self, movers: Sequence[Mover], hands: Sequence[Hand]) -> Trial | None:
        """A round recorded and replayed, and all put back as it was. None, and `why`, where that cannot be done."""
        if any(len(hand.pieces) > 1 for hand in hands):
            self.why = "batches are played in pieces"
            return None
        start = None
        try:
            _on_device(movers)
            start = Snapshot(self.game, movers)
            return self._trial(Recording(self.dynamics, movers, hands), start, hands)
        except Exception as error:  # whatever stands against a recording, the round can be played
            words = str(error).splitlines() or [type(error).__name__]
            self.why = f"a round cannot be recorded: {words[0]}"
            return None
        finally:
            if start is not None:
                start.again()

    def _trial(self, recording: Recording, start: Snapshot, hands: Sequence[Hand]) -> Trial:
        with recording.rates_as_tensors():
            with self.recorder.rehearsal():
                readings = recording.once()
            rehearsed = start.now(), readings
            start.again()
            recording.record(self.recorder)
        for kind, tensors in changing(self.game, recording.movers).items():
            if any(a is not b for a, b in zip(tensors, start.live[kind], strict=True)):
                raise RuntimeError(f"{kind} are replaced by others")
        start.again()
        readings = recording.play([Hand(hand.x, hand.y, whole=hand.whole) for hand in hands])
        return Trial(recording, start, rehearsed, (start.now(), readings))
