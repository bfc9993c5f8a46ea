"""One backward pass for both losses: the same gradients where it may be used, and never where it may not."""

from functools import partial

import pytest
import torch
from torch import nn

from zerosum.game import Game, Loss, Player
from zerosum.networks.blocks import Dropout
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.play.dynamics import Mover, extragradient, field, simultaneous
from zerosum.play.hand import Hand
from zerosum.play.one_backward import OneBackward
from zerosum.play.precision import full
from zerosum.play.trainer import Trainer


class Shared(Game):
    """A game whose losses share fakes and their scores; `D` as given."""

    latent = 3

    def __init__(self, *middle: nn.Module, direct: float = 0.0, scale: float = 1.0):
        super().__init__()
        torch.manual_seed(0)
        self.G = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))
        self.D = nn.Sequential(nn.Linear(4, 8), *middle, nn.LeakyReLU(0.2), nn.Linear(8, 1))
        self.direct, self.scale = direct, scale

    def players(self):
        descent = partial(torch.optim.SGD, lr=0.1)
        return [Player("D", [self.D], self.d, descent), Player("G", [self.G], self.g, descent)]

    def fakes(self, batch):
        return batch.once("G(z)", lambda: self.G(self.noise(len(batch))), self.G)

    def judged(self, batch):
        fakes = self.fakes(batch)
        return batch.once("D(G(z))", lambda: self.scale * self.D(fakes).flatten(), self.D, self.G)

    def d(self, batch):
        return Loss(adversarial=minimax_discriminator_loss(self.D(batch.x).flatten(), self.judged(batch)))

    def g(self, batch):
        fakes = self.fakes(batch)  # a loss of G's may look at its samples too, not only at what D says
        return Loss(a=non_saturating_generator_loss(self.judged(batch)), b=self.direct * fakes.square().mean())


def gradients(game: Game, rule) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    movers = [Mover(player, full(game.device)) for player in game.players()]
    torch.manual_seed(1)
    readings = rule(movers, Hand(torch.randn(6, 4)))
    return {name: p.grad.clone() for name, p in game.named_parameters()}, readings


@pytest.mark.parametrize("middle", [(), (Dropout(0.3),)], ids=["plain", "with dropout"])
@pytest.mark.parametrize("direct", [0.0, 2.0])
def test_the_gradients_are_the_same(middle, direct: float) -> None:
    game, one = Shared(*middle, direct=direct), OneBackward()
    wanted, told = gradients(game, field)
    found, same = gradients(game, one)
    assert one.exact
    assert {k: float(v) for k, v in told.items()} == {k: float(v) for k, v in same.items()}
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=2e-6, atol=1e-8, msg=name)


def test_d_is_gone_through_once(monkeypatch) -> None:
    passes = []

    class Counted(nn.Module):
        def forward(self, x):
            x.register_hook(lambda gradient: passes.append(len(gradient)))
            return x * 1

    game = Shared(Counted())
    gradients(game, field)
    plain, _ = len(passes), passes.clear()
    one = OneBackward()
    gradients(game, one)  # and finds out that it may
    passes.clear()
    gradients(game, one)
    assert (plain, len(passes)) == (3, 2), "the reals and the fakes for D, the fakes for G; then only the first two"


class Mixing(nn.Module):
    """Each example sees a little of the others."""

    def forward(self, x):
        return x + 0.01 * x.mean(0)


@pytest.mark.parametrize("middle", [nn.BatchNorm1d(8), Mixing()], ids=["batch norm", "a hundredth of the mean"])
def test_a_judge_that_mixes_samples_is_found_out(middle) -> None:
    plain, game, one = Shared(middle), Shared(middle), OneBackward()
    before = {name: b.clone() for name, b in game.named_buffers()}
    wanted, _ = gradients(plain, field)
    moved = {name: b.clone() for name, b in plain.named_buffers()}
    for name, b in game.named_buffers():
        b.copy_(before[name])
    found, _ = gradients(game, one)
    assert one.exact is False
    assert all(torch.equal(found[name], gradient) for name, gradient in wanted.items()), "bit for bit: nothing was used"
    assert all(torch.equal(b, moved[name]) for name, b in game.named_buffers()), "statistics moved as they would have"


@pytest.mark.parametrize("scale", [40.0, 400.0])
def test_a_judge_that_is_sure_still_teaches_g(scale: float) -> None:
    """Where D's own gradient at a fake is next to nothing, even 0 in float32, G's is not."""
    game, one = Shared(scale=scale), OneBackward()
    with torch.no_grad():
        game.D[-1].bias.fill_(-3)  # scores of -120 and below
    wanted, _ = gradients(game, field)
    found, _ = gradients(game, one)
    assert one.exact
    assert wanted["G.0.weight"].abs().max() > 0.01
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("rule", [simultaneous, extragradient])
def test_a_trained_game_is_the_same(rule) -> None:
    became = []
    for field_ in (field, OneBackward()):
        game = Shared(Dropout(0.2))
        data = torch.Generator().manual_seed(3)
        deal = lambda data=data: (torch.randn(8, 4, generator=data), None)  # noqa: E731
        trainer = Trainer(game, deal, dynamics=partial(rule, field=field_))
        torch.manual_seed(4)
        for _ in range(20):
            trainer.round()
        became.append([p.detach() for p in game.parameters()])
    for one, other in zip(*became, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_hand_in_pieces_is_played_as_usual() -> None:
    game, one = Shared(), OneBackward()
    movers = [Mover(player, full(game.device)) for player in game.players()]
    one(movers, Hand(torch.randn(6, 4)))
    assert one.exact
    hand = Hand(torch.randn(6, 4))
    hand.divide(2, {})
    torch.manual_seed(1)
    one(movers, hand)
    found = [p.grad.clone() for p in game.parameters()]
    torch.manual_seed(1)
    field(movers, hand)
    assert all(torch.equal(p.grad, g) for p, g in zip(game.parameters(), found, strict=True))


def test_where_both_graphs_do_not_fit_the_round_is_played_in_pieces() -> None:
    game, wanted = Shared(), Shared()
    trainers = []
    for each, field_ in ((wanted, field), (game, OneBackward())):
        data = torch.Generator().manual_seed(3)
        deal = lambda data=data: (torch.randn(8, 4, generator=data), None)  # noqa: E731
        trainers.append(Trainer(each, deal, dynamics=partial(simultaneous, field=field_)))
    judged = game.judged

    def short(batch):
        if trainers[1].rounds == 2 and len(batch) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return judged(batch)

    game.judged = short
    for trainer in trainers:
        torch.manual_seed(4)
        for _ in range(4):
            trainer.round()
    assert trainers[1].pieces == 2
    for one, other in zip(wanted.parameters(), game.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
