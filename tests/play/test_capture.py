"""Rounds that are replayed: the same rounds to the last bit, and plain ones where they would not be.

The recorder of these tests keeps the function and calls it again: what a CUDA graph does to the tensors, without one.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from zerosum.data import sources
from zerosum.data.deck import deck_of
from zerosum.game import Game, Loss, Player, adam
from zerosum.play.capture import WARM, Captured
from zerosum.play.dynamics import alternating, extragradient, simultaneous
from zerosum.play.gpu import use_well
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.settings import resolve


class Again:
    """Records by keeping the function: a replay calls it, and leaves the new values where the first ones were."""

    def __init__(self):
        self.recorded = self.replayed = 0

    def stream(self):
        return nullcontext()

    def rehearsal(self):
        return nullcontext()

    def record(self, function):
        self.recorded += 1
        first = function()

        def replay():
            self.replayed += 1
            for name, value in function().items():
                first[name].copy_(value)

        return first, replay


class FromTensors(Again):
    """As a graph does, a replay reads the learning rates out of the tensors that they were recorded with."""

    def record(self, function):
        first, replay = super().record(function)

        def read():
            with function.__self__.rates_as_tensors():
                replay()

        return first, read


class Numb(Again):
    """A replay does nothing."""

    def record(self, function):
        return function(), lambda: None


class Unlucky(Again):
    """A replay draws other numbers than the plain round."""

    def record(self, function):
        first, replay = super().record(function)

        def other():
            torch.rand(1)
            replay()

        return first, other


class Refusing(Again):
    """Says in the rehearsal that a round waits for the device, half-way through a round."""

    @contextmanager
    def rehearsal(self):
        yield
        raise RuntimeError("called a synchronizing CUDA operation\nand more words")


def table(recipe, small, recorder=None, dynamics=alternating, **more):
    """A trainer of a tiny game on its example data, captured where there is a recorder."""
    settings = resolve(recipe, overrides=small(recipe) | more)
    dataset = sources.load(settings.data.source, limit=settings.data.limit)
    torch.manual_seed(0)
    game = RECIPES[recipe].game(settings.game, dataset.spec)
    deck = deck_of(dataset, labelled=game.classes > 0, seed=0, device=torch.device("cpu"))
    played = Captured(dynamics, game, recorder) if recorder else dynamics
    return Trainer(game, lambda: deck.deal(8), dynamics=played, average=0.9)


def play(trainer, rounds, pace=None):
    """The readings of so many rounds, on the same chance for every trainer."""
    torch.manual_seed(7)
    for i in range(rounds):
        if pace:
            trainer.pace(pace(i))
        trainer.round()
    return trainer.collect()


def same(a, b):
    """Fails where two states differ in a bit."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        assert type(a) is type(b)
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize(
    ("recipe", "dynamics"),
    [
        ("r1gan", alternating),
        ("dcgan", alternating),
        ("sngan", alternating),
        ("wgan_gp", alternating),
        ("wgan", alternating),
        ("cgan", simultaneous),
        ("began", alternating),
        ("r3gan", extragradient),
        ("infogan", alternating),
        ("ddpm", alternating),
    ],
)
def test_replayed_rounds_are_the_plain_ones(recipe, dynamics, small) -> None:
    recorder = Again()
    plain, captured = table(recipe, small, None, dynamics), table(recipe, small, recorder, dynamics)
    rows = play(plain, WARM + 6)
    assert play(captured, WARM + 6) == rows
    same(captured.state_dict(), plain.state_dict())
    assert captured.dynamics.why is None
    assert (recorder.recorded, recorder.replayed) == (1, 1 + 5), "one for the check, then every round after that one"


def test_rates_follow_the_pace_without_a_new_recording(small) -> None:
    recorder = FromTensors()
    rate = {"lr": 2**-9}  # a number that float32 has exactly, and so are its sixteenths
    plain, captured = table("r1gan", small, **rate), table("r1gan", small, recorder, **rate)

    def pace(i):
        return 1 - i / 16

    assert play(captured, 12, pace) == play(plain, 12, pace)
    same(captured.state_dict(), plain.state_dict())  # where rates are numbers
    assert recorder.recorded == 1


class Lazy(Game):
    """G, in two turns, lowers (g - 3 x)^2; D follows g, each second round only."""

    ships = ("G",)

    def __init__(self):
        super().__init__()
        self.G, self.D = nn.Linear(1, 1), nn.Linear(1, 1)
        self.register_buffer("seen", torch.zeros(()))

    def players(self):
        return [
            Player("D", [self.D], self.d_loss, adam(0.1), every=2),
            Player("G", [self.G], self.g_loss, adam(0.1), steps=2),
        ]

    def d_loss(self, batch):
        return Loss(follow=(self.D(batch.x) - self.fakes(batch)).square().mean())

    def g_loss(self, batch):
        return Loss(near=(self.fakes(batch) - 3 * batch.x).square().mean())

    def fakes(self, batch):
        return batch.once("fakes", lambda: self.G(batch.x + self.noise_of(batch)), self.G)

    def noise_of(self, batch):
        return batch.once("noise", lambda: torch.randn_like(batch.x))

    def after_round(self, readings, hand):
        """What the round has drawn for the hand is still with it."""
        self.seen += self.noise_of(hand).mean() + hand.x.mean()


def lazy(recorder=None, kind=None, sizes=(8,)):
    torch.manual_seed(1)
    game = (kind or Lazy)()
    numbers = torch.Generator().manual_seed(2)
    count = iter(range(10**6))

    def deal():
        return torch.randn(sizes[min(next(count) // 20, len(sizes) - 1)], 1, generator=numbers), None

    dynamics = Captured(alternating, game, recorder) if recorder else alternating
    return Trainer(game, deal, dynamics=dynamics)


def test_each_set_of_players_has_its_recording() -> None:
    recorder = Again()
    plain, captured = lazy(), lazy(recorder)
    assert play(captured, 20) == play(plain, 20)
    same(captured.state_dict(), plain.state_dict())
    assert set(captured.dynamics.recordings) == {("D", "G"), ("G",)}
    assert recorder.recorded == 2


def test_hands_of_another_size_are_recorded_anew() -> None:
    recorder = Again()
    plain, captured = lazy(sizes=(8, 5)), lazy(recorder, sizes=(8, 5))
    assert play(captured, 20) == play(plain, 20)
    same(captured.state_dict(), plain.state_dict())
    assert recorder.recorded == 4


def test_a_state_that_is_loaded_is_played_on_exactly() -> None:
    """Also at a table that has recorded: its graphs know the tensors of the optimisers as they were."""
    plain, captured = lazy(), lazy(Again())
    play(plain, 5)
    saved = plain.state_dict()
    play(captured, 20)
    for trainer in (plain, captured):
        numbers = torch.Generator().manual_seed(3)
        trainer._deal = lambda numbers=numbers: (torch.randn(8, 1, generator=numbers), None)
        trainer.load_state_dict(copy.deepcopy(saved))
    assert play(captured, 20) == play(plain, 20)
    same(captured.state_dict(), plain.state_dict())
    assert captured.dynamics.recorder.recorded == 4


@pytest.mark.parametrize(
    ("recorder", "why"),
    [
        (Numb(), "a replayed round is not a plain one: parameters differ by "),
        (Unlucky(), "a replayed round is not a plain one: parameters differ by "),
        (Refusing(), "a round cannot be recorded: called a synchronizing CUDA operation"),
    ],
)
def test_what_replays_otherwise_is_not_used(recorder, why, small) -> None:
    plain, captured = table("r1gan", small), table("r1gan", small, recorder)
    assert play(captured, 8) == play(plain, 8)
    same(captured.state_dict(), plain.state_dict())
    assert captured.dynamics.why.startswith(why)
    assert not captured.dynamics.recordings


def test_a_wrong_reading_is_seen() -> None:
    class Deaf(Again):
        def record(self, function):
            return {name: value + 0.1 for name, value in function().items()}, function

    captured = lazy(Deaf())
    assert play(captured, 10) == play(lazy(), 10)
    assert captured.dynamics.why == "a replayed round is not a plain one: D.follow is off by 0.1"


class Replacing(Lazy):
    """Puts another tensor in the place of a buffer: a graph would go on reading the old one."""

    def g_loss(self, batch):
        self.seen = self.seen + 1
        return super().g_loss(batch)


class Drawing(Lazy):
    """Keeps a number that no tensor holds."""

    def get_extra_state(self):
        return torch.tensor(1.0)

    def set_extra_state(self, state):
        pass


def test_games_that_a_graph_cannot_follow_are_played_plainly(small) -> None:
    replacing = lazy(Again(), Replacing)
    play(replacing, 10)
    assert replacing.dynamics.why == "a round cannot be recorded: buffers are replaced by others"
    assert lazy(Again(), Drawing).dynamics.why == "Drawing keeps state beside its tensors"
    growing = table("progan", small, Again())
    assert growing.dynamics.why == "ProGAN keeps state beside its tensors"
    assert play(growing, 6) == play(table("progan", small), 6)


def test_several_ranks_play_plainly() -> None:
    captured = Captured(lambda movers, deal: {"played": len(movers)}, Lazy(), Again())
    assert captured([SimpleNamespace(world=SimpleNamespace(size=2))], lambda: None) == {"played": 1}
    assert captured.why == "several ranks play"


def test_a_gpu_multiplies_in_tf32_unless_it_must_be_exact() -> None:
    try:
        use_well(exact=False)
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.benchmark
        use_well(exact=True)
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = False, True


def test_a_batch_in_pieces_is_played_plainly(small) -> None:
    plain, captured = table("r1gan", small), table("r1gan", small, Again())
    plain.pieces = captured.pieces = 2
    assert play(captured, 6) == play(plain, 6)
    assert captured.dynamics.why == "batches are played in pieces"


def test_where_memory_gives_out_in_a_recording_the_round_is_played_plainly(small) -> None:
    class Full(Again):
        def record(self, function):
            raise torch.OutOfMemoryError("CUDA out of memory")

    plain, captured = table("r1gan", small), table("r1gan", small, Full())
    assert play(captured, 6) == play(plain, 6)
    same(captured.state_dict(), plain.state_dict())
    assert captured.dynamics.why == "a round cannot be recorded: CUDA out of memory"
    assert captured.pieces == 1


class Large(Lazy):
    """From its fifth round on, memory suffices for half of a batch."""

    rounds = 0

    def d_loss(self, batch):
        if self.rounds >= 4 and len(batch) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().d_loss(batch)

    def after_round(self, readings, hand):
        self.rounds += 1


def test_where_memory_gives_out_in_a_rehearsal_the_batch_is_played_in_pieces() -> None:
    plain, captured = lazy(kind=Large), lazy(Again(), Large)
    assert play(captured, 12) == play(plain, 12)
    same(captured.state_dict(), plain.state_dict())
    assert captured.dynamics.why == "batches are played in pieces"
    assert captured.pieces == 2


def test_an_error_of_the_game_is_not_hidden() -> None:
    captured = lazy(Again())
    play(captured, 2)

    def broken(batch):
        raise ValueError("a loss that cannot be")

    for mover in captured.movers:
        object.__setattr__(mover.player, "loss", broken)
    with pytest.raises(ValueError, match="a loss that cannot be"):
        play(captured, 10)
