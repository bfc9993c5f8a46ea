"""CycleGAN: its losses are the paper's formulas, its pools are kept once a round, and it goes both ways."""

import copy

import pytest
import torch

from zerosum.data.spec import Domains, Images
from zerosum.game import Batch
from zerosum.play.dynamics import Mover, simultaneous
from zerosum.play.hand import Hand
from zerosum.play.ownership import check_ownership
from zerosum.play.precision import bfloat16, full
from zerosum.play.trainer import Trainer
from zerosum.recipes.cyclegan import Config, CycleGAN

DOMAINS = Domains(Images(3, 16, 16), Images(3, 16, 16))


def build(spec=DOMAINS, **changes) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(Config(**{"width": 4, "judge_width": 4, "blocks": 1, "patch": 16} | changes), spec)


def dealer(spec=DOMAINS, n=6):
    chance = torch.Generator().manual_seed(1)
    return lambda: tuple(torch.rand(n, *side.shape, generator=chance) * 2 - 1 for side in (spec.a, spec.b))


@pytest.mark.parametrize("identity", [0.5, 0.0])
def test_terms_and_gradients_are_the_papers(identity: float) -> None:
    """Section 4: (D(G(x)) - 1)^2 for G; (D(y) - 1)^2 + D(G(x))^2, halved, for D; eq. 2 and section 5.2 in L1."""
    game, (x, y) = build(identity=identity, cycle=7.0), dealer()()
    with torch.no_grad():
        for p in game.parameters():
            p.add_(torch.randn_like(p) / p[0].numel() ** 0.5)
    G, F, D_X, D_Y = game.G, game.F, game.D_X, game.D_Y
    d = ((D_Y(y) - 1) ** 2).mean() + (D_Y(G(x)) ** 2).mean() + ((D_X(x) - 1) ** 2).mean() + (D_X(F(y)) ** 2).mean()
    g = {
        "adversarial": ((D_Y(G(x)) - 1) ** 2).mean() + ((D_X(F(y)) - 1) ** 2).mean(),
        "cycle": 7 * ((F(G(x)) - x).abs().mean() + (G(F(y)) - y).abs().mean()),
    }
    if identity:
        g["identity"] = 3.5 * ((G(y) - y).abs().mean() + (F(x) - x).abs().mean())
    terms = {"D": {"adversarial": d / 2}, "G": g}
    for player in game.players():
        loss = player.loss(Batch(x, y))
        assert loss.terms.keys() == terms[player.name].keys()
        for name, value in terms[player.name].items():
            assert float(value.detach()) > 1e-3, "the formula must count"
            torch.testing.assert_close(loss.terms[name], value, rtol=1e-4, atol=1e-5)
        mover = Mover(player, full(game.device))
        mover.evaluate(Hand(x, y))
        slopes = torch.autograd.grad(sum(terms[player.name].values()), mover.parameters, retain_graph=True)
        for p, slope in zip(mover.parameters, slopes, strict=True):
            torch.testing.assert_close(p.grad, slope, rtol=1e-3, atol=1e-4 * max(1.0, float(slope.abs().max())))


def test_two_players_move_two_networks_each() -> None:
    game = build()
    check_ownership(game)
    assert {p.name: list(p.networks) for p in game.players()} == {"D": [game.D_X, game.D_Y], "G": [game.G, game.F]}
    trainer = Trainer(game, dealer())
    assert {name.partition(".")[0] for name, _ in trainer.average.game.named_parameters()} == {"G", "F"}


def test_judges_see_the_pool_and_it_is_kept_once_a_round() -> None:
    """The loss may be asked any number of times: it draws once a hand, and only the end of the round keeps the draw."""
    game, hand = build(pool=8), Hand(*dealer()())
    for pool in (game.pool_X, game.pool_Y):
        pool.held = torch.full((8, 3, 16, 16), 0.5)
    first = game.discriminator_loss(hand).total
    assert torch.equal(first, game.discriminator_loss(hand).total)
    assert (game.pool_X.held == 0.5).all()
    shown = hand.once("pools", lambda: pytest.fail("drawn twice"))[1][0]
    old = (shown == 0.5).flatten(1).all(1)
    assert 0 < int(old.sum()) < 6
    assert not shown.requires_grad
    made = game.there(hand).detach().clone()
    for player in game.players():
        mover = Mover(player, full(game.device))
        mover.evaluate(hand)
        mover.step([hand])
    with torch.no_grad():
        game.after_round({"D.adversarial": first.detach()}, hand)
    new = ~(game.pool_Y.held == 0.5).flatten(1).all(1)
    assert int(new.sum()) == int(old.sum()), "as many went in as came out"
    assert all(any(torch.equal(kept, fake) for fake in made) for kept in game.pool_Y.held[new]), "fakes of D's turn"


def test_without_ds_turn_pools_rest() -> None:
    game, hand = build(), Hand(*dealer()())
    game.after_round({}, hand)
    assert len(game.pool_X.held) == len(game.pool_Y.held) == 0


@pytest.mark.parametrize("dynamics", [None, simultaneous])
def test_resume_is_exact_pools_and_all(dynamics) -> None:
    def trainer(deal):
        given = {} if dynamics is None else {"dynamics": dynamics}
        return Trainer(build(pool=9), deal, **given)

    straight = trainer(dealer())
    torch.manual_seed(7)
    for _ in range(5):
        straight.round()
    deal = dealer()
    first = trainer(deal)
    torch.manual_seed(7)
    for _ in range(3):
        first.round()
    state = copy.deepcopy(first.state_dict())
    assert len(state["game"]["pool_X._extra_state"]) == 9
    resumed = trainer(deal)
    torch.manual_seed(99)
    resumed.load_state_dict(state)
    for _ in range(2):
        resumed.round()
    assert straight.collect()[3:] == resumed.collect()
    for key, value in straight.state_dict()["game"].items():
        assert torch.equal(value, resumed.game.state_dict()[key]), key
    assert "pool_X._extra_state" not in straight.average.game.state_dict(), "what ships has no pools"


@pytest.mark.parametrize(("a", "b"), [(Images(1, 17, 26), Images(3, 17, 26)), (Images(3, 8, 8), Images(3, 8, 8))])
def test_it_plays_and_translates_any_size_both_ways(a: Images, b: Images) -> None:
    spec = Domains(a, b)
    trainer = Trainer(build(spec, patch=70), dealer(spec), precision=bfloat16)
    for _ in range(2):
        trainer.round()
    assert all(value.dtype == torch.float32 for _, row in trainer.unread for value in row.values())
    assert trainer.game.pool_X.held.dtype == torch.float32
    trainer.collect()
    game = trainer.average.game
    with torch.no_grad():
        for size in (a.shape[1:], (33, 20)):
            there = game.translate(torch.rand(3, a.channels, *size) * 2 - 1, "AtoB")
            back = game.translate(there, "BtoA")
            assert there.shape == (3, b.channels, *size)
            assert back.shape == (3, a.channels, *size)
            assert max(float(there.abs().max()), float(back.abs().max())) <= 1
            torch.testing.assert_close(game.translate(there[1:2], "BtoA"), back[1:2], rtol=1e-4, atol=1e-5)


def test_what_differs_in_channels_has_no_identity() -> None:
    spec = Domains(Images(1, 16, 16), Images(3, 16, 16))
    assert build(spec).generator_loss(Batch(*dealer(spec)())).terms.keys() == {"adversarial", "cycle"}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="cyclegan translates AtoB and BtoA, not up"):
        build().translate(torch.zeros(1, 3, 16, 16), "up")


def test_it_finds_the_way_without_pairs() -> None:
    """White squares on black, black ones on white: after 60 rounds a translation is nearer its hidden truth."""
    chance = torch.Generator().manual_seed(0)

    def squares(n):
        x = torch.full((n, 1, 8, 8), -1.0)
        for picture, (top, left) in zip(x, torch.randint(0, 6, (n, 2), generator=chance).tolist(), strict=True):
            picture[:, top : top + 3, left : left + 3] = 1
        return x

    spec = Domains(Images(1, 8, 8), Images(1, 8, 8))
    game = build(spec, identity=0.0, lr=5e-3, blocks=0)
    trainer = Trainer(game, lambda: (squares(4), -squares(4)), average=0.9)
    for _ in range(60):
        trainer.round()
    x = squares(20)
    with torch.no_grad():
        made = trainer.average.game.translate(x)
    assert (made + x).abs().mean() < 0.25 * (2 * x).abs().mean()
