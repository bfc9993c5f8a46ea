"""Every recipe's terms, readings and gradients against its paper's formulas, written out by hand from its networks.

softplus(-t) is -log sigma(t), and softplus(t) is -log(1 - sigma(t)). Parameters are drawn anew and wide, so that scores
differ and a sign counts; the noise is fixed.
"""

import pytest
import torch
from torch.nn.functional import one_hot, softplus

from zerosum.data.spec import Images, Points
from zerosum.game import Batch
from zerosum.play.dynamics import Mover
from zerosum.play.hand import Hand
from zerosum.play.precision import full
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES

TEN, PLAIN, POINTS = Images(1, 16, 17, tuple("0123456789")), Images(3, 16, 16), Points(2)
SMALL = {"width": 4, "widths": (8, 4), "group": 4, "generator_widths": (16,), "discriminator_widths": (16,)}
SMALL |= {"hidden": (16,), "latent": 5, "coins": 2}


def half_squared_slope(scores, x):
    """1/2 E ||grad||^2, with its graph."""
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return 0.5 * (slope**2).sum(dim=tuple(range(1, x.dim()))).mean()


def gan(game, x, y, z):
    real, fake = game.D(x)[:, 0], game.D(game.G(z).reshape(x.shape))[:, 0]
    g = {"non_saturating": softplus(-fake).mean(), "minimax": -softplus(fake).mean()}[game.config.generator_loss]
    d = {"adversarial": softplus(-real).mean() + softplus(fake).mean()}
    return {"D": d, "G": {"adversarial": g}}, {"D_x": real.sigmoid().mean(), "D_Gz": fake.sigmoid().mean()}


def dcgan(game, x, y, z):
    real, fake = game.D(x), game.D(game.G(z))
    d = {"adversarial": softplus(-real).mean() + softplus(fake).mean()}
    g = {"adversarial": softplus(-fake).mean()}
    return {"D": d, "G": g}, {"D_x": real.sigmoid().mean(), "D_Gz": fake.sigmoid().mean()}


def r1gan(game, x, y, z):
    x = x.clone().requires_grad_()
    if game.classes:
        real, fake = game.D(x, y), game.D(game.G(torch.cat([z, one_hot(y, 10).float()], 1)), y)
    else:
        real, fake = game.D(x).flatten(), game.D(game.G(z)).flatten()
    d = {
        "adversarial": softplus(-real).mean() + softplus(fake).mean(),
        "r1": game.config.gamma * half_squared_slope(real, x),
    }
    g = {"adversarial": softplus(-fake).mean()}
    return {"D": d, "G": g}, {"D_x": real.sigmoid().mean(), "D_Gz": fake.sigmoid().mean()}


def r3gan(game, x, y, z):
    labels = (y,) if game.classes else ()
    x, fakes = x.clone().requires_grad_(), game.G(z, *labels)
    real, fake = game.D(x, *labels).flatten(), game.D(fakes, *labels).flatten()
    middle = torch.cat([real, fake]).mean()
    d = {
        "adversarial": softplus(fake - real).mean(),
        "r1": game.config.gamma * half_squared_slope(real, x),
        "r2": game.config.gamma * half_squared_slope(fake, fakes),
    }
    g = {"adversarial": softplus(real - fake).mean()}
    watched = {"D_x": (real - middle).sigmoid().mean(), "D_Gz": (fake - middle).sigmoid().mean(), "middle": middle}
    return {"D": d, "G": g}, watched


CASES = [
    *((gan, spec, {"generator_loss": loss}) for spec in (TEN, PLAIN, POINTS) for loss in ("non_saturating", "minimax")),
    (dcgan, TEN, {}),
    (dcgan, PLAIN, {}),
    (dcgan, PLAIN, {"batch_norm": False, "weights": "glorot"}),
    *((formulas, spec, {"gamma": 3.0}) for formulas in (r1gan, r3gan) for spec in (TEN, PLAIN, POINTS)),
]


def build(name, spec, **changes):
    """A game whose parameters are wide awake, x, y and z."""
    torch.manual_seed(0)
    recipe = RECIPES[name]
    fields = {k: v for k, v in SMALL.items() if k in recipe.config.model_fields}
    if name == "dcgan":
        fields = {"width": 4, "latent": 5}
    game = recipe.game(recipe.config(**fields | changes), spec)
    with torch.no_grad():
        for p in game.parameters():
            p.add_(torch.randn_like(p) / p[0].numel() ** 0.5)
    x = torch.rand(6, *spec.shape) * 2 - 1
    y = torch.tensor([3, 1, 4, 1, 5, 9]) if game.classes else None
    return game, x, y, game.noise(6)


@pytest.mark.parametrize(
    ("formulas", "spec", "changes"),
    CASES,
    ids=[f"{f.__name__} on {'x'.join(map(str, s.shape))}, {len(s.classes)} classes {c or ''}" for f, s, c in CASES],
)
def test_terms_readings_and_gradients_are_the_papers(formulas, spec, changes) -> None:
    game, x, y, z = build(formulas.__name__, spec, **changes)
    game.noise = lambda n, generator=None: z
    terms, watched = formulas(game, x, y, z)
    assert [player.name for player in game.players()] == ["D", "G"]
    for player in game.players():
        mine = terms[player.name]
        loss = player.loss(Batch(x, y))
        assert loss.terms.keys() == mine.keys()
        assert loss.watched.keys() == (watched.keys() if player.name == "D" else set())
        for name, value in mine.items():
            assert float(value.detach().abs()) > 1e-3, "the formula must count"
            torch.testing.assert_close(loss.terms[name], value, rtol=1e-4, atol=1e-5)
        for name, value in loss.watched.items():
            torch.testing.assert_close(value, watched[name].detach(), rtol=1e-4, atol=1e-5)

        mover = Mover(player, full(game.device))
        mover.evaluate(Hand(x, y))
        slopes = torch.autograd.grad(sum(mine.values()), mover.parameters, retain_graph=True)
        for p, slope in zip(mover.parameters, slopes, strict=True):
            torch.testing.assert_close(p.grad, slope, rtol=1e-3, atol=1e-4 * max(1.0, float(slope.abs().max())))


JUDGED = ("gan", "dcgan", "cgan", "infogan", "wgan", "wgan_gp", "lsgan", "sngan", "pacgan", "progan", "r1gan", "r3gan")


def test_every_game_with_scores_is_judged_here() -> None:
    """The others have tests of their own: translators, an autoencoder for a judge, one player alone."""
    assert RECIPES.keys() - JUDGED == {"began", "pix2pix", "cyclegan", "vae", "ddpm"}


def judged(game, name: str, x, y):
    """D's scores of pictures as G makes them."""
    if name in ("gan", "dcgan", "r3gan"):
        return game.D(x)
    if name == "infogan":
        return game.score(game.trunk(x))
    if name == "progan":
        return game.score(x)
    return game.score(game.packs(x) if name == "pacgan" else x, y)


@pytest.mark.parametrize("name", JUDGED)
def test_g_wants_its_fakes_to_be_taken_for_real(name) -> None:
    """A step of G against its gradient raises D's mean score of the fakes; lsgan's brings it nearer to 1."""
    alone = {"weight": 0.0, "continuous_weight": 0.0, "jitter": 0.0} if name == "infogan" else {}
    game, x, y, z = build(name, TEN if name == "cgan" else PLAIN, **alone)
    game.noise = lambda n, generator=None: z
    if name == "sngan":
        game.D.eval()  # no step of power iteration between the looks

    def taken_for_real():
        scores = judged(game, name, game.generate(z, y), y)
        return -(scores - 1).square().mean() if name == "lsgan" else scores.mean()

    before = taken_for_real()
    mover = Mover(game.players()[-1], full(game.device))
    mover.evaluate(Hand(x, y))
    moved = [p for p in mover.parameters if p.grad is not None]
    with torch.no_grad():
        length = torch.stack([p.grad.norm() for p in moved]).norm()
        for p in moved:
            p.sub_(p.grad / length, alpha=0.01)
    assert taken_for_real() > before


def test_minimax_is_flat_where_d_is_sure_and_non_saturating_is_not() -> None:
    slopes = {}
    for loss in ("minimax", "non_saturating"):
        game, x, y, _ = build("gan", POINTS, generator_loss=loss)
        with torch.no_grad():
            game.D[-1].bias.fill_(-20.0)  # D is sure of every fake
        mover = Mover(game.players()[1], full(game.device))
        mover.evaluate(Hand(x, y))
        slopes[loss] = max(float(p.grad.abs().max()) for p in mover.parameters)
    assert slopes["minimax"] < 1e-4 < 1e-2 < slopes["non_saturating"]


@pytest.mark.parametrize(("name", "draws"), [("gan", 2), ("dcgan", 1), ("r1gan", 1), ("r3gan", 1)])
def test_how_often_z_is_drawn_a_round(name, draws) -> None:
    """gan deals z to each turn (algorithm 1); in the others D's fakes serve G's turn too."""
    game, x, y, z = build(name, PLAIN)
    drawn = []
    game.noise = lambda n, generator=None: drawn.append(n) or z
    Trainer(game, lambda: (x, y)).round()
    assert drawn == [6] * draws


@pytest.mark.parametrize("name", ["gan", "dcgan", "cgan", "infogan", "sngan", "r1gan", "r3gan"])
def test_realness_is_the_sigmoid_of_the_score(name) -> None:
    game, x, y, _ = build(name, TEN if name == "cgan" else PLAIN)
    game.eval()
    score = judged(game, name, x, y).flatten()
    if name == "r3gan":
        game.middle.fill_(0.75)
        score = score - 0.75
    torch.testing.assert_close(game.realness(x, y), 1 / (1 + torch.exp(-score)))


@pytest.mark.parametrize("name", ["wgan", "wgan_gp", "pacgan", "progan", "began", "vae", "ddpm"])
def test_where_nobody_says_how_likely_there_is_no_realness(name) -> None:
    game, x, _, _ = build(name, PLAIN)
    assert game.realness(x) is None


def test_r3gans_middle_moves_by_a_twentieth_of_the_gap() -> None:
    game, x, y, _ = build("r3gan", POINTS)
    assert float(game.middle) == 0
    game.middle.fill_(2.0)
    game.after_round({"D.middle": torch.tensor(4.0)}, Batch(x))
    assert float(game.middle) == pytest.approx(2.1)
    game.after_round({"G.adversarial": torch.tensor(4.0)}, Batch(x))  # a round in which D did not play
    assert float(game.middle) == pytest.approx(2.1)
    trainer = Trainer(game, lambda: (x, y))
    trainer.round()
    ((_, row),) = trainer.collect()
    assert float(game.middle) == pytest.approx(2.1 + 0.05 * (row["D.middle"] - 2.1))
