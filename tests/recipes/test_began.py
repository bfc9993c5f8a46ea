"""The thermostat of BEGAN: k, the balance, and the measure of convergence."""

from itertools import pairwise

import pytest
import torch

from zerosum.data.spec import Images
from zerosum.game import Batch
from zerosum.networks.autoencoder import Decoder, Encoder, halvings
from zerosum.play.dynamics import Mover
from zerosum.play.hand import Hand
from zerosum.play.precision import full
from zerosum.play.trainer import Trainer
from zerosum.recipes.began import BEGAN, Config


def build(shape=(1, 16, 17), **config):
    torch.manual_seed(0)
    game = BEGAN(Config(**{"width": 4, "latent": 5} | config), Images(*shape))
    return game, torch.rand(6, *shape) * 2 - 1


def test_terms_readings_and_gradients_are_the_papers() -> None:
    game, x = build(gamma=0.3)
    game.k.fill_(0.7)
    z = game.noise(6)
    game.noise = lambda n, generator=None: z
    fakes = game.G(z)
    real, fake = (x - game.D(x)).abs().mean(), (fakes - game.D(fakes)).abs().mean()
    d, g = (player.loss(Batch(x)) for player in game.players())
    torch.testing.assert_close(d.terms, {"reconstruction": real, "adversarial": -0.7 * fake})
    torch.testing.assert_close(g.terms, {"adversarial": fake})
    balance = 0.3 * real.detach() - fake.detach()
    expected = {"balance": balance, "convergence": real.detach() + balance.abs(), "k": torch.tensor(0.7)}
    torch.testing.assert_close(d.watched, expected)
    for player, total in zip(game.players(), (real - 0.7 * fake, fake), strict=True):
        mover = Mover(player, full(game.device))
        mover.evaluate(Hand(x))
        slopes = torch.autograd.grad(total, mover.parameters, retain_graph=True)
        torch.testing.assert_close([p.grad for p in mover.parameters], list(slopes))


@pytest.mark.parametrize(
    ("k", "real", "fake", "after"),
    [(0.5, 0.8, 0.2, 0.52), (0.5, 0.2, 0.3, 0.48), (0.0, 0.1, 0.9, 0.0), (1.0, 2.0, 0.0, 1.0)],
)
def test_k_follows_the_balance_and_stays_in_its_bounds(k, real, fake, after) -> None:
    """k + lambda_k (gamma L(x) - L(G(z))), gamma = 1/2, lambda_k = 0.1."""
    game, _ = build(gamma=0.5, lambda_k=0.1)
    game.k.fill_(k)
    game.after_round(
        {"D.reconstruction": torch.tensor(real), "G.adversarial": torch.tensor(fake)}, Batch(torch.zeros(1))
    )
    assert float(game.k) == pytest.approx(after)


def test_k_rests_in_a_round_that_one_player_sits_out() -> None:
    game, _ = build()
    game.k.fill_(0.25)
    for readings in ({"D.reconstruction": torch.tensor(1.0)}, {"G.adversarial": torch.tensor(1.0)}):
        game.after_round(readings, Batch(torch.zeros(1)))
    assert float(game.k) == 0.25


def test_the_reading_of_k_is_that_of_its_round() -> None:
    """k moves in place after each round: what was read before must not move with it."""
    game, x = build(gamma=0.5, lambda_k=0.5)
    trainer = Trainer(game, lambda: (x, None))
    for _ in range(4):
        trainer.round()
    rows = [row for _, row in trainer.collect()]
    assert rows[0]["D.k"] == 0
    for row, following in pairwise(rows):
        expected = row["D.k"] + 0.5 * (0.5 * row["D.reconstruction"] - row["G.adversarial"])
        assert following["D.k"] == pytest.approx(min(max(expected, 0), 1), abs=1e-6)
    assert len({row["D.k"] for row in rows}) > 1


def test_z_is_uniform() -> None:
    game, _ = build(latent=50)
    z = game.noise(2000, torch.Generator().manual_seed(0))
    assert z.shape == (2000, 50)
    assert -1 <= float(z.min()) < -0.999
    assert 0.999 < float(z.max()) <= 1
    assert float(z.var()) == pytest.approx(1 / 3, rel=0.01)
    assert torch.equal(z, game.noise(2000, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 26), (1, 9, 31), (3, 8, 8)], ids=str)
def test_pictures_of_any_size_come_back_in_it(shape) -> None:
    game, x = build(shape)
    assert game.sample(2).shape == (2, *shape)
    assert game.reconstruct(x).shape == x.shape
    code = game.D[0](x)
    assert code.shape == (6, 5), "all that D keeps of a picture"


def test_halvings_round_up_and_the_networks_follow_them() -> None:
    assert halvings(17, 26, 2) == [(17, 26), (9, 13), (5, 7)]
    encoder = Encoder((1, 17, 26), 5, 4, stages=3, blocks=2)
    decoder = Decoder(5, (1, 17, 26), 4, stages=3, blocks=2)
    assert encoder[-1].in_features == 3 * 4 * 5 * 7
    assert decoder.project[0].out_features == 4 * 5 * 7
    convolutions = [m for m in encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [4, 4, 4, 8, 8, 8, 12, 12, 12], "channels grow linearly"


def test_an_autoencoder_that_gives_everything_back_leaves_nothing_to_lower() -> None:
    game, x = build()
    game.D = torch.nn.Identity()
    assert float(game.error(x)) == 0
    assert game.realness(x) is None, "D says how well it knows a picture, not how likely it is real"
