"""pix2pix: its losses are the paper's formulas, its ablations are numbers, and it translates any size."""

import pytest
import torch
from torch.nn.functional import softplus

from zerosum.data.spec import Images, Pairs
from zerosum.game import Batch
from zerosum.networks.unet import Noise
from zerosum.play.dynamics import Mover
from zerosum.play.hand import Hand
from zerosum.play.ownership import check_ownership
from zerosum.play.precision import bfloat16, full
from zerosum.play.trainer import Trainer
from zerosum.recipes.pix2pix import PRESETS, Config, Pix2Pix

PAIRS = Pairs(Images(1, 16, 16), Images(3, 16, 16))


def build(spec=PAIRS, **changes) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(Config(**{"width": 4, "patch": 16, "dropout": 0.0} | changes), spec)


def deal(spec=PAIRS, n=6):
    chance = torch.Generator().manual_seed(1)
    return tuple(torch.rand(n, *side.shape, generator=chance) * 2 - 1 for side in (spec.a, spec.b))


@pytest.mark.parametrize("sees_input", [True, False])
def test_terms_and_gradients_are_the_papers(sees_input: bool) -> None:
    """Eq. 1 (or 2, of y alone) halved for D; for G, -log D(x, G(x)) + lambda |y - G(x)|."""
    game, (x, y) = build(sees_input=sees_input, l1=7.0, adversarial=3.0), deal()
    with torch.no_grad():
        for p in game.parameters():
            p.add_(torch.randn_like(p) / p[0].numel() ** 0.5)
    made = game.G(x)
    seen = (lambda picture: torch.cat([x, picture], 1)) if sees_input else (lambda picture: picture)
    real, fake = game.D(seen(y)), game.D(seen(made))
    terms = {
        "D": {"adversarial": (softplus(-real).mean() + softplus(fake).mean()) / 2},
        "G": {"adversarial": 3 * softplus(-fake).mean(), "l1": 7 * (y - made).abs().mean()},
    }
    for player in game.players():
        loss = player.loss(Batch(x, y))
        assert loss.terms.keys() == terms[player.name].keys()
        for name, value in terms[player.name].items():
            torch.testing.assert_close(loss.terms[name], value, rtol=1e-4, atol=1e-5)
        mover = Mover(player, full(game.device))
        mover.evaluate(Hand(x, y))
        slopes = torch.autograd.grad(sum(terms[player.name].values()), mover.parameters, retain_graph=True)
        for p, slope in zip(mover.parameters, slopes, strict=True):
            torch.testing.assert_close(p.grad, slope, rtol=1e-3, atol=1e-4 * max(1.0, float(slope.abs().max())))


@pytest.mark.parametrize(
    ("preset", "terms", "judged"),
    [
        ("default", (True, True), 4),
        ("l1", (False, True), 4),
        ("gan", (True, False), 3),
        ("cgan", (True, False), 4),
        ("l1_gan", (True, True), 3),
    ],
)
def test_the_ablations_of_table_1_are_presets(preset: str, terms, judged: int) -> None:
    """Which terms count, and how many channels D sees: of 1 in and 3 out."""
    changes = {k: v for k, v in PRESETS[preset].items() if k in Config.model_fields} | {"width": 4}
    game, (x, y) = build(**changes), deal()
    assert game.D[0].in_channels == judged
    loss = game.generator_loss(Batch(x, y))
    assert (float(loss.terms["adversarial"].detach()) > 0, float(loss.terms["l1"].detach()) > 0) == terms


def test_the_fakes_of_ds_turn_serve_gs_turn_too() -> None:
    game, hand = build(dropout=0.5), Hand(*deal())
    made = []
    game.G.register_forward_hook(lambda module, given, out: made.append(out))
    for player in game.players():
        mover = Mover(player, full(game.device))
        mover.evaluate(hand)
        mover.step([hand])
    assert len(made) == 1


@pytest.mark.parametrize("spec", [Pairs(Images(1, 17, 26), Images(3, 17, 26)), Pairs(Images(3, 8, 8), Images(1, 8, 8))])
def test_it_plays_and_translates_any_size(spec: Pairs) -> None:
    game = build(spec, patch=70, dropout=0.5)
    check_ownership(game)
    trainer = Trainer(game, lambda: deal(spec), precision=bfloat16)
    for _ in range(2):
        trainer.round()
    assert all(value.dtype == torch.float32 for _, row in trainer.unread for value in row.values())
    trainer.collect()
    with torch.no_grad():
        for size in (spec.shape[1:], (33, 20)):
            made = trainer.average.game.translate(torch.rand(2, spec.a.channels, *size) * 2 - 1)
            assert made.shape == (2, spec.b.channels, *size)
            assert made.abs().max() <= 1


def test_a_translation_does_not_depend_on_its_neighbours() -> None:
    game, (x, _) = build().eval(), deal()
    with torch.no_grad():
        torch.testing.assert_close(game.translate(x)[2:3], game.translate(x[2:3]), rtol=1e-4, atol=1e-6)


def test_dropout_is_its_only_noise_and_stays_on() -> None:
    game, (x, _) = build(dropout=0.5).eval(), deal()
    assert any(isinstance(module, Noise) for module in game.G.modules())
    with torch.no_grad():
        torch.manual_seed(3)
        first, second = game.translate(x), game.translate(x)
        torch.manual_seed(3)
        assert torch.equal(game.translate(x), first)
    assert not torch.equal(first, second)


def test_it_learns_what_pairs_show() -> None:
    """A picture of two halves and its negative: after 40 rounds the mean error is a quarter of what it was."""
    spec = Pairs(Images(1, 8, 8), Images(1, 8, 8))
    chance = torch.Generator().manual_seed(0)

    def negatives():
        x = (torch.rand(8, 1, 1, 2, generator=chance) * 2 - 1).repeat_interleave(4, 3).expand(-1, -1, 8, -1)
        return x, -x

    trainer = Trainer(build(spec, lr=5e-3), negatives)
    for _ in range(40):
        trainer.round()
    errors = [row["G.l1"] for _, row in trainer.collect()]
    assert sum(errors[-5:]) < sum(errors[:5]) / 4


def test_there_is_no_way_back_and_nothing_out_of_noise() -> None:
    game, (x, _) = build(), deal()
    with pytest.raises(ValueError, match="pix2pix translates only AtoB, the way it was trained, not BtoA"):
        game.translate(x, "BtoA")
    with pytest.raises(ValueError, match="use translate"):
        game.sample(3)
