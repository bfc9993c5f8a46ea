"""How players move, against steps and gradients that are known beforehand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD

from zerosum.checkup import moves
from zerosum.game import Batch, Game, Loss, Player
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES


def sgd(lr: float):
    return lambda parameters: SGD(parameters, lr=lr)


class Known(Game):
    """G = 2 and D = 3, one weight each; gradients are 1 and -4 wherever they are."""

    latent = 1

    def __init__(self, **turns: int):
        super().__init__()
        self.G, self.D = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.G.weight, 2.0)
        nn.init.constant_(self.D.weight, 3.0)
        self.turns = turns

    def players(self):
        return [
            Player("D", [self.D], lambda hand: Loss(adversarial=-4 * self.D(hand.x).mean()), sgd(0.1), **self.turns),
            Player("G", [self.G], lambda hand: Loss(adversarial=self.G(hand.x).mean()), sgd(0.1)),
        ]


def known(rounds: int, **turns: int) -> dict[str, dict[str, float]]:
    """What Steps finds of both players after so many rounds."""
    trainer = Trainer(Known(**turns), lambda: (torch.ones(2, 1), None))
    before = moves.Steps(trainer.movers)
    for _ in range(rounds):
        trainer.round()
    return {mover.player.name: before.since([mover], rounds) for mover in trainer.movers}


def test_a_step_is_the_change_over_the_weight_and_the_gradient_is_the_last() -> None:
    found = known(1)
    assert found["G"] == pytest.approx({"step": 0.1 / 1.9, "gradient": 1.0})
    assert found["D"] == pytest.approx({"step": 0.4 / 3.4, "gradient": 4.0})


def test_a_step_is_that_of_one_turn() -> None:
    assert known(2)["G"]["step"] == pytest.approx(0.2 / 1.8 / 2)
    assert known(1, steps=3)["D"]["step"] == pytest.approx(1.2 / 4.2 / 3)
    assert known(4, every=2)["D"]["step"] == pytest.approx(0.8 / 3.8 / 2)


def test_players_are_taken_together() -> None:
    trainer = Trainer(Known(), lambda: (torch.ones(2, 1), None))
    before = moves.Steps(trainer.movers)
    trainer.round()
    found = before.since(trainer.movers, 1)
    length = (1.9**2 + 3.4**2) ** 0.5
    assert moves.weight(trainer.movers) == pytest.approx(length)
    assert found == pytest.approx({"step": (0.1**2 + 0.4**2) ** 0.5 / length, "gradient": (1 + 16) ** 0.5})


def test_who_has_not_moved_has_step_0() -> None:
    trainer = Trainer(Known(), lambda: (torch.ones(2, 1), None))
    assert moves.Steps(trainer.movers).since(trainer.movers, 1) == {"step": 0.0, "gradient": 0.0}


def test_squares_of_all_that_is_given() -> None:
    assert moves.squares([torch.tensor([3.0, 4.0]), torch.tensor([[12.0]])]) == pytest.approx(169)
    assert moves.squares([]) == 0


@pytest.mark.parametrize(
    ("recipe", "expected"), [("cyclegan", ["G"]), ("infogan", ["G"]), ("vae", ["EG"]), ("r1gan", ["G"])]
)
def test_makers_move_what_samples_come_from(recipe: str, expected: list[str], small) -> None:
    from zerosum import run, settings

    chosen = settings.resolve(recipe, None, small(recipe))
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=10))
    movers = session.trainer.movers
    assert [mover.player.name for mover in moves.makers(session.game, movers)] == expected
    assert RECIPES[recipe].game is type(session.game)


# What reaches the samples ------------------------------------------------------------------------------------------


class Judged(Game):
    """G(x) = W x against a loss that is linear in samples: a sample's own gradient is known."""

    latent = 2

    def __init__(self, terms):
        super().__init__()
        self.G, self.terms = nn.Linear(2, 2), terms

    def players(self):
        return [Player("G", [self.G], lambda hand: Loss(**self.terms(self.G(hand.x))), sgd(0.1))]


def reaches(terms, n: int = 5) -> float:
    game = Judged(terms)
    found = moves.at_samples(game, game.players()[0], Batch(torch.randn(n, 2)))
    assert all(p.grad is None for p in game.parameters()), "nobody's gradient is touched"
    assert not game.G._forward_hooks
    return found


v = torch.tensor([3.0, 4.0])


@pytest.mark.parametrize("n", [1, 5, 64])
def test_a_samples_own_gradient_does_not_depend_on_how_many_there_are(n: int) -> None:
    assert reaches(lambda x: {"adversarial": (x @ v).mean()}, n) == pytest.approx(5)


def test_the_mean_is_of_lengths() -> None:
    own = torch.tensor([1.0, -1.0, 4.0, 0.0])
    assert reaches(lambda x: {"adversarial": (own * (x @ v)).mean()}, 4) == pytest.approx(5 * 6 / 4)


def test_only_the_adversarial_term_counts_and_all_of_them_where_there_is_none() -> None:
    assert reaches(lambda x: {"adversarial": (x @ v).mean(), "l1": 7 * x.sum()}) == pytest.approx(5)
    assert reaches(lambda x: {"fit": (x @ v).mean(), "more": (x @ v).mean()}) == pytest.approx(10)


def test_a_loss_that_samples_have_no_part_in() -> None:
    game = Judged(lambda x: {"adversarial": (game.G.weight**2).sum() + 0 * x.detach().sum()})
    assert moves.at_samples(game, game.players()[0], Batch(torch.randn(3, 2))) == 0.0
    alone = Judged(lambda x: {"adversarial": x.sum()})
    silent = Player("G", [alone.G], lambda hand: Loss(adversarial=alone.G.weight.sum()), sgd(0.1))
    assert moves.at_samples(alone, silent, Batch(torch.randn(3, 2))) == 0.0


def test_every_output_of_what_ships_counts() -> None:
    """Played twice in one loss, as CycleGAN's G is: both outputs are samples."""
    game = Judged(lambda x: {"adversarial": (x @ v).mean() + (game.G(torch.ones(4, 2)) @ (2 * v)).mean()})
    assert moves.at_samples(game, game.players()[0], Batch(torch.randn(4, 2))) == pytest.approx(15)


def test_what_is_not_finite_is_told_as_it_is() -> None:
    found = reaches(lambda x: {"adversarial": (x @ v).mean() * float("inf")})
    assert not found < float("inf")


def test_a_loss_that_breaks_leaves_no_hook_behind() -> None:
    def breaks(x):
        raise RuntimeError("no")

    game = Judged(breaks)
    with pytest.raises(RuntimeError, match="no"):
        moves.at_samples(game, game.players()[0], Batch(torch.randn(3, 2)))
    assert not game.G._forward_hooks
