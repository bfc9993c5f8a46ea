"""At the table: whose learning rate is what, and who can be played how."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop

from zerosum.data.spec import Images
from zerosum.game import Game, Loss, Player
from zerosum.play.dynamics import extragradient, simultaneous
from zerosum.play.one_backward import OneBackward
from zerosum.recipes import RECIPES
from zerosum.sections import Play, Speed
from zerosum.settings import SettingsError, resolve
from zerosum.table import DYNAMICS, trainer_of


class Two(Game):
    """Two weights with gradient 1 and learning rate 0.1, whoever plays how."""

    latent = 1

    def __init__(self, steps: int = 1):
        super().__init__()
        self.D, self.G, self.steps = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False), steps
        for network in (self.D, self.G):
            nn.init.zeros_(network.weight)

    def players(self):
        return [
            Player("D", [self.D], lambda hand: Loss(a=self.D(hand.x).mean()), sgd, steps=self.steps),
            Player("G", [self.G], lambda hand: Loss(a=self.G(hand.x).mean()), sgd),
        ]


def sgd(parameters):
    return SGD(parameters, lr=0.1)


def moved(rounds: int = 1, share: float = 1.0, steps: int = 1, **play) -> tuple[float, float]:
    """How far D and G went down."""
    game = Two(steps)
    trainer = trainer_of(game, lambda: (torch.ones(2, 1), None), Play(**play))
    if share != 1:
        trainer.pace(share)
    for _ in range(rounds):
        trainer.round()
    return -float(game.D.weight.detach()), -float(game.G.weight.detach())


def test_without_a_pace_everybody_plays_at_the_recipes_rates() -> None:
    assert moved() == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        ({"D": 2.0}, (0.2, 0.1)),
        ({"G": 0.5}, (0.1, 0.05)),
        ({"D": 4, "G": 0.25}, (0.4, 0.025)),
    ],
)
def test_a_players_step_is_its_pace_times_as_long(pace, expected) -> None:
    assert moved(pace=pace) == pytest.approx(expected)
    assert moved(rounds=3, pace=pace) == pytest.approx([3 * step for step in expected])


def test_a_cooldown_slows_the_paced_too() -> None:
    assert moved(share=0.5, pace={"D": 2.0}) == pytest.approx((0.1, 0.05))


def test_a_pace_counts_at_every_turn() -> None:
    assert moved(steps=3, pace={"D": 0.5}) == pytest.approx((0.15, 0.1))


def test_who_does_not_play_is_refused_and_told_who_does() -> None:
    with pytest.raises(SettingsError, match=r"\{Q: 2\}: expected players of this game \(D, G\) and numbers above 0"):
        moved(pace={"Q": 2.0})


@pytest.mark.parametrize("share", [0.0, -1.0, float("inf"), float("nan")])
def test_a_pace_is_above_0_and_finite(share: float) -> None:
    with pytest.raises(SettingsError, match=r"play\.pace = \{G: .*numbers above 0"):
        moved(pace={"D": 1.0, "G": share})


def test_a_pace_may_be_set_like_any_setting() -> None:
    assert resolve("r1gan", None, {"pace": {"D": 2}}).play.pace == {"D": 2.0}
    with pytest.raises(SettingsError, match="pace"):
        resolve("r1gan", None, {"pace": {"D": "fast"}})


@pytest.mark.parametrize("optimizer", [Adam, RMSprop, SGD])
def test_what_a_checkpoint_holds_of_an_optimiser_are_its_moments_not_its_numbers(optimizer) -> None:
    """Of two games that differ in such a number, one goes on as the other did: with its own."""
    number = {"betas": (0.9, 0.8)} if optimizer is Adam else {"weight_decay": 0.5}

    class Other(Two):
        def players(self):
            return [replace(player, optimizer=partial(optimizer, lr=0.1, **self.more)) for player in super().players()]

    def table(more):
        game = Other()
        game.more = more
        return trainer_of(game, lambda: (torch.ones(2, 1), None), Play())

    before, after = table({}), table(number)
    before.round()
    after.load_state_dict(before.state_dict())
    for old, new in zip(before.movers, after.movers, strict=True):
        for name, value in number.items():
            assert new.optimizer.param_groups[0][name] == value != old.optimizer.param_groups[0][name]
        moments = old.optimizer.state_dict()["state"]
        assert str(new.optimizer.state_dict()["state"]) == str(moments)


def test_dynamics_are_the_named_ones_and_several_turns_need_the_alternating() -> None:
    game = Two()
    for name, rule in (("simultaneous", simultaneous), ("extragradient", extragradient)):
        assert DYNAMICS[name] is rule
        found = trainer_of(game, lambda: (torch.ones(2, 1), None), Play(dynamics=name)).dynamics
        assert found.func is rule
        assert isinstance(found.keywords["field"], OneBackward)
        plain = trainer_of(game, lambda: (torch.ones(2, 1), None), Play(dynamics=name), Speed(one_backward=False))
        assert plain.dynamics is rule
        with pytest.raises(SettingsError, match=f"{name} dynamics moves each player once a round, but D asks for more"):
            moved(steps=2, dynamics=name)
    assert moved(steps=2) == pytest.approx((0.2, 0.1))


def test_a_batch_divides_among_pieces() -> None:
    with pytest.raises(SettingsError, match=r"batch = 64 does not divide among 1 ranks in 3 pieces each: set it to 63"):
        moved(pieces=3)
    assert moved(pieces=2) == pytest.approx((0.1, 0.1))


def test_switches_of_speed() -> None:
    """Each does what it says; which numbers are the same is for test_fast."""
    settings = resolve("dcgan", "mnist28", {})
    spec = Images(1, 28, 28)

    def table(**speed: bool):
        game = RECIPES["dcgan"].game(settings.game, spec)
        return trainer_of(game, lambda: (torch.zeros(4, 1, 28, 28), None), settings.play, Speed(**speed))

    on, off = table(), table(channels_last=False, fused=False, layers=False, one_backward=False)
    for trainer, is_on in ((on, True), (off, False)):
        weight = trainer.game.get_parameter("D.features.3.weight")
        assert weight.is_contiguous(memory_format=torch.channels_last) is is_on
        assert trainer.movers[0].optimizer.param_groups[0]["fused"] is is_on
        quickened = [m for m in trainer.game.modules() if "forward" in vars(m) or "_conv_forward" in vars(m)]
        assert bool(quickened) is is_on
