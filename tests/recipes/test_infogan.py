"""What is InfoGAN's own: how z is dealt and laid out, what Q reads, and who is paid for it."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from zerosum.data.spec import Images, Points
from zerosum.game import Batch
from zerosum.play.dynamics import Mover
from zerosum.play.hand import Hand
from zerosum.play.precision import full
from zerosum.recipes.infogan import Config, InfoGAN

SPECS = {"pictures": Images(1, 16, 17, tuple("0123456789")), "colours": Images(3, 16, 16), "points": Points(2)}


def build(spec, **config):
    torch.manual_seed(0)
    small = {"width": 4, "latent": 5, "hidden": (16, 12), "categories": 4, "continuous": 2, "jitter": 0.0}
    game = InfoGAN(Config(**small | config), spec)
    with torch.no_grad():
        for p in game.parameters():
            p.add_(torch.randn_like(p) / p[0].numel() ** 0.5)
    return game, torch.rand(6, *spec.shape) * 2 - 1


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
def test_terms_readings_and_gradients_are_the_papers(spec) -> None:
    game, x = build(spec, weight=0.7, continuous_weight=0.3)
    z = game.noise(6)
    game.noise = lambda n, generator=None: z
    k, c = z[:, 5:9].argmax(1), z[:, 9:]
    real, features = game.D(game.trunk(x))[:, 0], game.trunk(game.G(z))
    fake, q = game.D(features)[:, 0], game.Q(features)
    categorical = q[:, :4].log_softmax(1)[torch.arange(6), k].mean() + math.log(4)
    normal = torch.distributions.Normal(q[:, 4:6], q[:, 6:].exp())
    continuous = (normal.log_prob(c) + math.log(2)).sum(1).mean()
    information = -0.7 * categorical - 0.3 * continuous
    terms = {
        "D": {"adversarial": softplus(-real).mean() + softplus(fake).mean()},
        "Q": {"information": information},
        "G": {"adversarial": softplus(-fake).mean(), "information": information},
    }
    watched = {
        "D": {"D_x": real.sigmoid().mean(), "D_Gz": fake.sigmoid().mean()},
        "Q": {"L_I_categorical": categorical, "L_I_continuous": continuous},
        "G": {},
    }
    for player in game.players():
        loss = player.loss(Batch(x))
        torch.testing.assert_close(loss.terms, terms[player.name], rtol=1e-4, atol=1e-5)
        expected = {name: value.detach() for name, value in watched[player.name].items()}
        torch.testing.assert_close(loss.watched, expected, rtol=1e-4, atol=1e-5)
        mover = Mover(player, full(game.device))
        mover.evaluate(Hand(x))
        slopes = torch.autograd.grad(sum(terms[player.name].values()), mover.parameters, retain_graph=True)
        for p, slope in zip(mover.parameters, slopes, strict=True):
            torch.testing.assert_close(p.grad, slope, rtol=1e-3, atol=1e-4 * max(1.0, float(slope.abs().max())))


def test_q_and_g_raise_the_information() -> None:
    """Eq. 6: G and Q are paid for L_I; D, which owns the trunk, is not."""
    game, x = build(Points(2), weight=50.0, continuous=0)
    z = game.noise(6)
    game.noise = lambda n, generator=None: z

    def information():
        return float(game.information_loss(Batch(x)).watched["L_I_categorical"])

    for player in game.players()[1:]:
        before, mover = information(), Mover(player, full(game.device))
        mover.evaluate(Hand(x))
        with torch.no_grad():
            length = torch.stack([p.grad.norm() for p in mover.parameters if p.grad is not None]).norm()
            for p in mover.parameters:
                p.sub_(p.grad / length, alpha=0.01)
        assert information() > before, player.name
    judge = Mover(game.players()[0], full(game.device))
    assert {id(p) for p in judge.parameters} == {id(p) for part in (game.trunk, game.D) for p in part.parameters()}
    assert "information" not in judge.player.loss(Batch(x)).terms


def test_z_is_noise_a_category_and_numbers_from_minus_1_to_1() -> None:
    game, _ = build(Points(2))
    assert game.latent == 5 + 4 + 2
    z = game.noise(8000, torch.Generator().manual_seed(0))
    assert torch.equal(z, game.noise(8000, torch.Generator().manual_seed(0)))
    noise, category, numbers = game.parts(z)
    assert float(noise.std()) == pytest.approx(1, abs=0.03)
    assert torch.equal(category.sum(1), torch.ones(8000))
    assert set(category.unique().tolist()) == {0.0, 1.0}
    assert category.mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.02)
    assert float(numbers.abs().max()) <= 1
    assert float(numbers.var()) == pytest.approx(1 / 3, rel=0.03)


def test_the_showcase_has_a_column_a_category_and_a_row_one_noise() -> None:
    game, _ = build(Points(2))
    z = game.showcase(10, torch.Generator().manual_seed(0))
    assert z.shape == (10, game.latent)
    noise, category, numbers = game.parts(z)
    assert category.argmax(1).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert torch.equal(category.sum(1), torch.ones(10))
    for first, last in ((0, 3), (4, 7), (8, 9)):
        assert torch.equal(noise[first], noise[last])
        assert torch.equal(numbers[first], numbers[last])
    assert not torch.equal(noise[0], noise[4])


def test_codes_are_what_q_reads_of_each_example_alone() -> None:
    game, x = build(SPECS["pictures"], jitter=0.5)
    game.eval()
    with torch.no_grad():
        codes, alone = game.codes(x), game.codes(x[2:3])
        logits, means, _ = game.read(game.trunk(x))
    assert codes.shape == (6, 1 + 2)
    assert torch.equal(codes[:, 0], logits.argmax(1).float())
    assert torch.equal(codes[:, 1:], means)
    torch.testing.assert_close(codes[2:3], alone)


def test_jitter_is_for_the_judges_and_never_for_samples() -> None:
    game, x = build(SPECS["pictures"], jitter=0.5)
    game.eval()
    z = game.noise(3)
    with torch.no_grad():
        assert torch.equal(game.generate(z), game.generate(z))
        assert torch.equal(game.realness(x), game.realness(x))
        assert not torch.equal(game.trunk(game.jitter(x)), game.trunk(game.jitter(x)))


def test_without_continuous_codes_their_information_is_nothing() -> None:
    game, x = build(Points(2), continuous=0)
    loss = game.players()[1].loss(Batch(x))
    assert float(loss.watched["L_I_continuous"]) == 0
    assert game.latent == 5 + 4
