"""Which networks are compiled: those that have no second derivative to give, where a C++ compiler is at hand."""

import copy
import shutil

import pytest
import torch
from torch import nn

from zerosum.game import Game, Loss, Player, adam
from zerosum.objectives.penalties import zero_centred_penalty
from zerosum.play.compiling import Compiled
from zerosum.play.dynamics import alternating
from zerosum.play.trainer import Trainer


class Network(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class Sloped(Game):
    """D's slope is penalised, G's is not."""

    def __init__(self):
        super().__init__()
        self.latent = 2
        self.G = Network(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(8, 2))
        self.D = Network(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    def players(self):
        return [Player("D", [self.D], self.d_loss, adam(0.01)), Player("G", [self.G], self.g_loss, adam(0.01))]

    def d_loss(self, batch):
        x = batch.x.detach().requires_grad_()
        real = self.D(x).flatten()
        return Loss(adversarial=self.D(self.fakes(batch)).mean() - real.mean(), r1=zero_centred_penalty(real, x))

    def g_loss(self, batch):
        return Loss(adversarial=-self.D(self.fakes(batch)).mean())

    def fakes(self, batch):
        return batch.once("G(z)", lambda: self.G(self.noise(len(batch))), self.G)


def trainer(compiled):
    torch.manual_seed(0)
    game, numbers = Sloped(), torch.Generator().manual_seed(1)
    dynamics = Compiled(alternating, game) if compiled else alternating
    return Trainer(game, lambda: (torch.randn(16, 2, generator=numbers), None), dynamics=dynamics)


def play(trainer, rounds):
    torch.manual_seed(2)
    for _ in range(rounds):
        trainer.round()
    return trainer.collect()


@pytest.mark.filterwarnings("ignore:.*jit.*:DeprecationWarning")  # of torch by torch
def test_the_network_without_a_penalty_is_compiled_and_the_rounds_are_the_same() -> None:
    fast, plain = trainer(True), trainer(False)
    rows = play(fast, 4)
    if shutil.which("g++") is None:
        assert fast.dynamics.networks == []
        assert set(fast.dynamics.why) == {"G", "D"}
    else:
        assert fast.dynamics.networks == ["G"]
        assert set(fast.dynamics.why) == {"D"}
        assert "double backward" in fast.dynamics.why["D"]
        assert fast.dynamics.told.startswith("not compiled: D, since ")
    for (_, row), (_, other) in zip(rows, play(plain, 4), strict=True):
        assert row == pytest.approx(other, abs=1e-5)
    assert fast.state_dict()["game"].keys() == plain.state_dict()["game"].keys()
    assert copy.deepcopy(fast.game).G._compiled_call_impl is None, "an average, a probe: each plays as it is"


def test_what_comes_out_otherwise_is_not_compiled(monkeypatch) -> None:
    """The first round, and all after it, are those of networks as they are."""

    def wrong(network, **options):
        network._compiled_call_impl = lambda x: type(network).forward(network, 1.01 * x)

    monkeypatch.setattr(Network, "compile", wrong)
    fast, plain = trainer(True), trainer(False)
    assert play(fast, 4) == play(plain, 4)
    assert fast.dynamics.networks == []
    assert all(why.startswith("gradients differ by 0.0") for why in fast.dynamics.why.values())


def test_pieces_are_played_without(monkeypatch) -> None:
    fast, plain = trainer(True), trainer(False)
    fast.pieces = plain.pieces = 2
    assert play(fast, 2) == play(plain, 2)
    assert fast.dynamics.networks == []
    assert set(fast.dynamics.why) == {"Sloped"}
