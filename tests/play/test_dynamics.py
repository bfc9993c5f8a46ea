"""What a mover and the dynamics do with optimisers: the pace of learning rates, and ExtraAdam to the last moment."""

import numpy as np
import pytest
import torch
from torch import nn

from zerosum import run
from zerosum.game import Game, Loss, Player, adam
from zerosum.play.dynamics import extragradient
from zerosum.play.trainer import Trainer
from zerosum.settings import resolve


class Bilinear(Game):
    """G lowers g d, D raises it."""

    def __init__(self, lr_d=0.3, lr_g=0.1, beta1=0.5, beta2=0.9):
        super().__init__()
        self.D, self.G = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
        self.D.weight.data.fill_(0.7)
        self.G.weight.data.fill_(-0.4)
        self.optimizers = adam(lr_d, beta1, beta2), adam(lr_g, beta1, beta2)

    def players(self):
        return [
            Player("D", [self.D], lambda batch: Loss(value=-self.value()), self.optimizers[0]),
            Player("G", [self.G], lambda batch: Loss(value=self.value()), self.optimizers[1]),
        ]

    def value(self):
        return (self.D.weight * self.G.weight).sum()


def nothing():
    return torch.zeros(1, 1), None


def rates(trainer):
    return [group["lr"] for mover in trainer.movers for group in mover.optimizer.param_groups]


def test_pace_is_a_share_of_each_players_own_rate() -> None:
    trainer = Trainer(Bilinear(), nothing)
    trainer.movers[0].optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.8})
    trainer.movers[0].rates.append(0.8)
    assert rates(trainer) == [0.3, 0.8, 0.1]
    trainer.pace(0.5)
    assert rates(trainer) == [0.15, 0.4, 0.05]
    trainer.pace(0.5)
    assert rates(trainer) == [0.15, 0.4, 0.05], "a share of the player's own rate, not of the last one"
    trainer.pace(0.0)
    trainer.pace(1)
    assert rates(trainer) == [0.3, 0.8, 0.1]


def test_a_slowed_state_is_paced_by_the_players_own_rates() -> None:
    slowed, resumed = Trainer(Bilinear(), nothing), Trainer(Bilinear(), nothing)
    slowed.pace(0.25)
    resumed.load_state_dict(slowed.state_dict())
    assert rates(resumed) == [0.075, 0.025]
    resumed.pace(1)
    assert rates(resumed) == [0.3, 0.1]


@pytest.mark.parametrize("cooldown", [0.0, 0.5])
def test_rates_fall_to_nothing_over_the_cooldown(cooldown, small, tmp_path, monkeypatch) -> None:
    """The last half of 20 rounds: round r of 0 ... 19 is played at min(1, (1 - r / 20) / 0.5)."""
    monkeypatch.setattr("zerosum.pictures.curves", lambda rows, path: None)
    monkeypatch.setattr("zerosum.session.pictures.Film.write", lambda film, path: None)
    changes = small("gan") | {"source": "ring", "length": "20 rounds", "cooldown": cooldown, "lr": 0.01}
    session = run.begin(resolve("gan", overrides=changes), tmp_path / "run")
    seen, play = [], session.trainer.round

    def watched():
        seen.append(rates(session.trainer))
        play()

    session.trainer.round = watched
    assert run.conduct(session, lambda row, progress: None) == "finished"
    expected = [min(1.0, (1 - r / 20) / cooldown) if cooldown else 1.0 for r in range(20)]
    assert [d for d, _ in seen] == pytest.approx([0.01 * share for share in expected])
    assert [g for _, g in seen] == [d for d, _ in seen]
    assert not cooldown or seen[-1][0] == pytest.approx(0.001)


def test_extragradient_with_adam_is_extra_adam() -> None:
    """Gidel et al. 2019, algorithm 4, in numpy: both looks of a round move both moments and the count."""
    rates_, betas, eps = np.array([0.3, 0.1]), (0.5, 0.9), 1e-8
    w, m, v, t = np.array([0.7, -0.4]), np.zeros(2), np.zeros(2), 0
    game = Bilinear(*rates_, *betas)
    trainer = Trainer(game, nothing, dynamics=extragradient)
    for _ in range(2):
        trainer.round()
        origin = w
        for _ in range(2):
            field = np.array([-w[1], w[0]])  # d(-dg)/dd, d(dg)/dg
            t += 1
            m = betas[0] * m + (1 - betas[0]) * field
            v = betas[1] * v + (1 - betas[1]) * field**2
            w = origin - rates_ * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    assert [game.D.weight.item(), game.G.weight.item()] == pytest.approx(w.tolist(), rel=1e-9)
    for i, mover in enumerate(trainer.movers):
        (state,) = mover.optimizer.state.values()
        assert float(state["step"]) == t == 4
        assert float(state["exp_avg"]) == pytest.approx(m[i], rel=1e-9)
        assert float(state["exp_avg_sq"]) == pytest.approx(v[i], rel=1e-9)
