"""What each recipe on the shared networks adds, in numbers."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from zerosum.data.spec import Images, Points
from zerosum.game import Batch
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES
from zerosum.recipes.cgan import Joint

DIGITS = Images(1, 16, 16, tuple("0123456789"))


def build(name: str, spec=DIGITS, **changes):
    torch.manual_seed(0)
    sizes = {"hidden": (16,)} if isinstance(spec, Points) else {"width": 4}
    return RECIPES[name].game(RECIPES[name].config(**sizes, latent=5, **changes), spec)


def hand(spec=DIGITS, n: int = 8) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(n, *spec.shape) * 2 - 1, torch.arange(n) % 10 if spec.classes else None)


@pytest.mark.parametrize("name", ["cgan", "wgan", "wgan_gp", "lsgan", "sngan", "pacgan", "r1gan"])
def test_all_play_on_the_same_generator(name: str) -> None:
    """So that a table of them compares losses."""
    config = RECIPES[name].config()
    assert (config.latent, config.width, config.kernel, config.hidden) == (64, 32, 4, (128, 128, 128))
    spec = Images(1, 28, 28)
    shapes = {k: v.shape for k, v in RECIPES["r1gan"].game(RECIPES["r1gan"].config(), spec).G.named_parameters()}
    if name != "cgan":
        game = RECIPES[name].game(config, spec)
        assert {k: v.shape for k, v in game.G.named_parameters()} == shapes


def test_wgan_keeps_the_critic_in_the_box_and_moves_it_five_times() -> None:
    game, turns = build("wgan", clip=0.02), []
    critic = game.critic_loss
    game.critic_loss = lambda batch: turns.append(1) or critic(batch)
    trainer = Trainer(game, lambda: (hand().x, hand().y))
    trainer.round()
    assert len(turns) == 5
    weights = torch.cat([p.detach().flatten() for p in game.D.parameters()])
    assert weights.abs().max() == pytest.approx(0.02)
    assert torch.cat([p.detach().flatten() for p in game.G.parameters()]).abs().max() > 0.02, "G is not clipped"


def test_the_wasserstein_terms_are_the_papers() -> None:
    game, batch = build("wgan"), hand()
    real, fake = game.score(batch.x, batch.y), game.score(game.fakes(batch), batch.y)
    torch.testing.assert_close(game.critic_loss(batch).total, fake.mean() - real.mean())
    torch.testing.assert_close(game.generator_loss(batch).total, -fake.mean())


def test_a_critic_of_slope_one_pays_no_penalty() -> None:
    game = build("wgan_gp", Points(2))
    direction = torch.tensor([[0.6, 0.8]])
    game.D = nn.Linear(2, 1)
    with torch.no_grad():
        game.D.weight.copy_(direction)
    assert game.critic_loss(hand(Points(2))).terms["penalty"].item() == pytest.approx(0.0, abs=1e-10)
    with torch.no_grad():
        game.D.weight.copy_(3 * direction)
    assert game.critic_loss(hand(Points(2))).terms["penalty"].item() == pytest.approx(10 * (3 - 1) ** 2, rel=1e-5)


def test_every_matrix_has_spectral_norm_one() -> None:
    game, batch = build("sngan"), hand()
    for _ in range(30):  # power iteration takes a step a turn
        game.discriminator_loss(batch)
    game.eval()
    layers = [m for m in game.D.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)]
    assert len(layers) == 4, "two convolutions, the score, the label"
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item()
        assert largest == pytest.approx(1, abs=0.02)
    assert not any(hasattr(m, "parametrizations") for m in game.G.modules())


def test_lsgan_pulls_to_one_and_zero() -> None:
    game, batch = build("lsgan"), hand()
    real, fake = game.scores(batch)
    loss = game.discriminator_loss(batch)
    torch.testing.assert_close(loss.total, 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean())
    torch.testing.assert_close(game.generator_loss(batch).total, 0.5 * (fake - 1).square().mean())
    assert game.realness(batch.x, batch.y).min() >= 0


def test_sngan_plays_the_hinge() -> None:
    game, batch = build("sngan").eval(), hand()
    real, fake = game.scores(batch)
    expected = torch.clamp(1 - real, min=0).mean() + torch.clamp(1 + fake, min=0).mean()
    torch.testing.assert_close(game.discriminator_loss(batch).total, expected)
    torch.testing.assert_close(game.generator_loss(batch).total, -fake.mean())


@pytest.mark.parametrize("name", ["cgan", "pacgan"])
def test_the_first_game_is_played_as_ever(name: str) -> None:
    """-E[log sigma(real)] - E[log(1 - sigma(fake))], and -E[log sigma(fake)] for G: of labelled pictures, of packs."""
    game, batch = build(name), hand()
    sides = (batch.x, game.fakes(batch))
    real, fake = (game.score(game.packs(s)) if name == "pacgan" else game.score(s, batch.y) for s in sides)
    expected = softplus(-real).mean() + softplus(fake).mean()
    torch.testing.assert_close(game.discriminator_loss(batch).total, expected)
    torch.testing.assert_close(game.generator_loss(batch).total, softplus(-fake).mean())


@pytest.mark.parametrize("spec", [Images(2, 16, 16), Points(3)], ids=["pictures", "points"])
def test_packs_hold_neighbours_along_channels(spec) -> None:
    game = build("pacgan", spec, pack=3)
    x = torch.arange(7.0).reshape(-1, *[1] * len(spec.shape)).expand(-1, *spec.shape)
    packs = game.packs(x)
    assert packs.shape == (2, 3 * spec.shape[0], *spec.shape[1:])
    c = spec.shape[0]
    assert packs[1].reshape(3 * c, -1).mean(1).tolist() == [3.0] * c + [4.0] * c + [5.0] * c
    with pytest.raises(ValueError, match="a pack holds 3 examples and the batch only 2"):
        game.packs(x[:2])


def test_a_pack_of_one_is_the_plain_game() -> None:
    packed, plain = build("pacgan", Points(2), pack=1), build("r1gan", Points(2), gamma=0.0, coins=0)
    for a, b in zip(packed.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)
    batch = hand(Points(2))
    torch.manual_seed(2)
    loss = packed.discriminator_loss(batch)
    batch = hand(Points(2))
    torch.manual_seed(2)
    torch.testing.assert_close(loss.total, plain.discriminator_loss(batch).total)


@pytest.mark.parametrize("told", ["joint", "projection"])
def test_cgan_tells_both_players_the_label(told: str) -> None:
    game, batch = build("cgan", told=told), hand()
    z = game.noise(1)
    one, other = (game.eval().generate(z, torch.tensor([k])) for k in (3, 7))
    assert not torch.allclose(one, other)
    x = batch.x[:1]
    assert game.score(x, torch.tensor([3])) != game.score(x, torch.tensor([7]))
    assert isinstance(game.D, Joint) == (told == "joint")
