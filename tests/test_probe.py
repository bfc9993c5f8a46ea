"""The probe: what a player could gain by moving alone, against games whose best responses are known."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from zerosum import model, probe, run, settings
from zerosum.data import sources
from zerosum.data.deck import deck_of
from zerosum.game import Batch, Game, Loss, Player
from zerosum.play import checkpoint
from zerosum.play.dynamics import alternating
from zerosum.play.trainer import Trainer
from zerosum.recipes import RECIPES


class Number(nn.Module):
    def __init__(self, value: float):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


class Saddle(Game):
    """V(x, y) = (x - b)^2/2 + x y - y^2/2, b dealt with mean 0: x lowers it, y raises it.

    Best responses: x = b - y and y = x, so that the gains are (x + y - b)^2/2 and (x - y)^2/2; with b = 0 their sum,
    the duality gap, is x^2 + y^2.
    """

    ships = ("x",)

    def __init__(self, x: float, y: float):
        super().__init__()
        self.x, self.y = Number(x), Number(y)

    def players(self) -> list[Player]:
        step = partial(torch.optim.SGD, lr=0.5, momentum=0.1)
        lowers = Player("x", [self.x], lambda batch: Loss(value=self.value(batch)), step, steps=3)
        raises = Player("y", [self.y], lambda batch: Loss(value=-self.value(batch)), step, every=2)
        return [lowers, raises]

    def value(self, batch: Batch) -> torch.Tensor:
        x, y = self.x.value, self.y.value
        return ((x - batch.x).square() / 2).mean() + x * y - y.square() / 2


def still() -> tuple[torch.Tensor, None]:
    return torch.zeros(4, 1), None


def test_the_gains_of_a_saddle_are_those_of_the_formula():
    trainer = Trainer(Saddle(0.6, -1.0), still)
    x, y = (probe.best_response(trainer, name, still) for name in "xy")
    value = 0.6**2 / 2 - 0.6 - 0.5
    assert (x.before, y.before) == pytest.approx((value, -value))
    assert x.gain == pytest.approx((0.6 - 1.0) ** 2 / 2, abs=1e-6)
    assert y.gain == pytest.approx((0.6 + 1.0) ** 2 / 2, abs=1e-6)
    assert x.gain + y.gain == pytest.approx(0.6**2 + 1.0**2, abs=1e-6), "the duality gap"
    assert (x.before - x.after, x.low, x.high) == pytest.approx((x.gain,) * 3), "all hands are one: nothing is unsure"
    assert (x.player, x.turns, y.player) == ("x", 50, "y")
    assert x.best > 0


def test_in_the_equilibrium_nobody_gains():
    trainer = Trainer(Saddle(0.0, 0.0), still)
    assert [probe.best_response(trainer, name, still).gain for name in "xy"] == [0.0, 0.0]


def test_one_turn_is_one_step_whatever_the_game_plays():
    """dx = -lr (x + y): players of several turns a round, and those of each second round, take K turns."""
    trainer = Trainer(Saddle(0.6, -1.0), still)
    assert probe.best_response(trainer, "x", still, turns=1).gain == pytest.approx(0.08 - (0.8 - 1.0) ** 2 / 2)
    assert probe.best_response(trainer, "y", still, turns=1).gain == pytest.approx(1.28 - (0.6 + 0.2) ** 2 / 2)


def test_the_interval_holds_the_gain_of_other_hands():
    """With b ~ N(0, 1) the expected gain at (1, 1) is 2, and of 30 probes nearly all intervals hold it."""
    held, widths = 0, []
    for seed in range(30):
        chance = torch.Generator().manual_seed(seed)
        trainer = Trainer(Saddle(1.0, 1.0), still)
        for mover in trainer.movers:  # towards the expected best response, not to the last hand's
            mover.rates = [0.02]
        found = probe.best_response(
            trainer, "x", lambda chance=chance: (torch.randn(16, 1, generator=chance), None), turns=400
        )
        held += found.low <= 2.0 <= found.high
        widths.append(found.high - found.low)
    assert held >= 25
    assert 0.2 < sum(widths) / 30 < 3  # 2 t sd / sqrt(hands), with sd = 2/4 and 16 hands: 0.53


def test_turns_are_taken_at_full_rates_and_with_the_optimiser_as_it_stands():
    trainer = Trainer(Saddle(0.6, -1.0), still)
    before = probe.best_response(trainer, "y", still, turns=1).gain
    trainer.pace(0.0)
    assert probe.best_response(trainer, "y", still, turns=1).gain == pytest.approx(before)
    trainer.round()  # at rate 0: nobody moves, momentum does
    assert [mover.optimizer.param_groups[0]["lr"] for mover in trainer.movers] == [0.0, 0.0]
    assert probe.best_response(trainer, "y", still, turns=1).gain > before + 0.01


def test_nobody_gains_less_than_nothing():
    """At rates of 4 and 16 every step ends on the other side of the best response, and farther from it."""
    trainer = Trainer(Saddle(0.6, -0.5), still)
    trainer.movers[0].rates = [16.0]
    found = probe.best_response(trainer, "x", still)
    assert (found.best, found.gain, found.low, found.high) == (0, 0.0, 0.0, 0.0)
    assert found.before == found.after
    trainer.movers[0].rates = [0.3]
    assert probe.best_response(trainer, "x", still).gain == pytest.approx(0.1**2 / 2, abs=1e-6)


def test_the_best_point_of_the_turns_counts():
    """At a rate of 1 the first step ends at the best response, and momentum carries x past it."""
    trainer = Trainer(Saddle(1.0, 1.0), still)
    trainer.movers[0].rates = [1.0]
    found = probe.best_response(trainer, "x", still, turns=4)
    assert (found.best, found.gain) == (1, pytest.approx(2.0))


def test_a_player_at_rest_is_probed_with_short_steps_too():
    """At the full rate of 4 x goes astray, at a quarter of it the first step is the best response."""
    trainer = Trainer(Saddle(1.0, 1.0), still)
    trainer.movers[0].rates = [4.0]
    found = probe.best_response(trainer, "x", still, turns=4)
    assert (found.best, found.gain) == (1, pytest.approx(2.0))


def test_the_luckiest_of_the_answers_is_not_believed():
    """At (1, -1) x cannot gain: over many probes of noisy hands nothing is found, though answers were chosen."""
    gains, chosen = [], 0
    for seed in range(60):
        chance = torch.Generator().manual_seed(seed)
        trainer = Trainer(Saddle(1.0, -1.0), still)
        trainer.movers[0].rates = [0.2]
        found = probe.best_response(
            trainer, "x", lambda chance=chance: (torch.randn(4, 1, generator=chance), None), turns=8, hands=4
        )
        gains.append(found.gain)
        chosen += found.best > 0
    assert chosen > 15
    assert sum(gains) / 60 < 0


def small_session(**changes: object) -> run.Session:
    asked = {"source": "gaussian-1d", "limit": 2000, "batch": 64, "length": "20 rounds", "lr": 1e-3, "steps": 1}
    chosen = settings.resolve("gan", None, asked | changes)
    return run.Session(chosen, *run.data_and_held_out(chosen, most=1))


def state(session: run.Session, file: Path) -> bytes:
    """All that a session is, to the last bit."""
    gradients = [None if p.grad is None else p.grad.clone() for p in session.game.parameters()]
    modes = [module.training for module in session.game.modules()]
    deck = {"deck": session.deck.state_dict(), "last": session.deck.last}
    checkpoint.save(file, deck | {"trainer": session.trainer.state_dict(), "gradients": gradients, "modes": modes})
    return file.read_bytes()


def test_a_probe_changes_nothing_and_the_run_goes_on_as_without_it(tmp_path):
    probed, other = small_session(), small_session()
    for session in (probed, other):
        torch.manual_seed(7)
        for _ in range(3):
            session.round()
        if session is probed:
            before = state(session, tmp_path / "before")
            first = probe.of_session(session, turns=3, hands=3)
            assert state(session, tmp_path / "after") == before
            again = probe.of_session(session, turns=3, hands=3)
            assert [replace(p, seconds=0) for p in again] == [replace(p, seconds=0) for p in first]
        for _ in range(3):
            session.round()
    assert state(probed, tmp_path / "probed") == state(other, tmp_path / "other") != before
    assert {p.player for p in first} == {"D", "G"}


def test_who_does_not_move_gains_nothing_whatever_the_noise():
    """Loss before and after is on the same hands with the same z."""
    session = small_session()
    for mover in session.trainer.movers:
        mover.rates = [0.0]
    assert [(p.gain, p.low, p.high) for p in probe.of_session(session, turns=2, hands=3)] == [(0.0, 0.0, 0.0)] * 2


def test_every_player_is_dealt_the_same_hands(small):
    """G of r3gan is paired with reals: its loss shows which."""
    chosen = settings.resolve("r3gan", None, small("r3gan"))
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=1))
    deal = partial(copy.deepcopy(session.deck).deal, chosen.play.batch)
    last = probe.of_session(session, turns=2, hands=3)[-1]
    assert last.player == "G"
    alone = probe.best_response(session.trainer, "G", deal, turns=2, hands=3)
    assert replace(last, seconds=0) == replace(alone, seconds=0)


def test_a_discriminator_that_has_learnt_more_could_gain_less():
    torch.manual_seed(0)
    data = sources.load("gaussian-1d", limit=4000)
    chosen = settings.resolve("gan", None, {"source": "gaussian-1d"})
    deck = deck_of(data, labelled=False, seed=0, device=torch.device("cpu"))
    trainer = Trainer(model.build("gan", chosen.game, data.spec), lambda: deck.deal(256))
    new = probe.best_response(trainer, "D", lambda: deck.deal(256))
    for _ in range(200):
        alternating(trainer.movers[:1], trainer.deal)
    learnt = probe.best_response(trainer, "D", lambda: deck.deal(256))
    assert new.after == pytest.approx(learnt.after, abs=0.1), "both come near to the same best answer to this G"
    assert learnt.gain < 0.2 * new.gain
    assert learnt.high < new.low


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_player_of_every_game_can_be_probed(recipe, small, monkeypatch):
    seen, losses = [], probe._losses
    monkeypatch.setattr(probe, "_losses", lambda *asked: seen.append(losses(*asked)) or seen[-1])
    chosen = settings.resolve(recipe, None, small(recipe))
    session = run.Session(chosen, *run.data_and_held_out(chosen, most=1))
    found = probe.of_session(session, turns=2, hands=2)
    assert [p.player for p in found] == [mover.player.name for mover in session.trainer.movers]
    for p in found:
        assert p.low <= p.gain <= p.high
        assert p.before - p.after == pytest.approx(p.gain)
        assert (p.gain == 0) == (p.best == 0)
    for p, (_, still, *moved, _) in zip(found, zip(*[iter(seen)] * 7, strict=True), strict=True):
        assert all((loss != still).any() for loss in moved), f"{p.player} did not move"


def played(folder: Path, **changes: object) -> run.Session:
    asked = {"source": "gaussian-1d", "limit": 500, "batch": 32, "length": "6 rounds", "checkpoints": "50 %"}
    session = run.begin(settings.resolve("gan", None, asked | changes), folder)
    run.conduct(session, lambda row, progress: None)
    return session


def test_a_run_is_probed_at_every_checkpoint_that_was_kept(tmp_path):
    session = played(tmp_path / "run")
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    rows = probe.of_run(run.Folder.open(tmp_path / "run"), turns=3, hands=4)
    assert [(row["round"], row["player"]) for row in rows] == [(3, "D"), (3, "G"), (6, "D"), (6, "G")]
    for row, live in zip(rows[2:], probe.of_session(session, turns=3, hands=4), strict=True):
        assert (row["before"], row["after"], row["gain"]) == (live.before, live.after, live.gain)
        assert set(row) == {"round", "player", "turns", "best", "before", "after", "gain", "low", "high", "seconds"}
    assert {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()} == before


def test_what_cannot_be_probed_is_said(tmp_path):
    trainer = Trainer(Saddle(0.6, -1.0), still)
    with pytest.raises(ValueError, match="got player z, 50 turns, 16 hands; expected one of x, y"):
        probe.best_response(trainer, "z", still)
    with pytest.raises(ValueError, match="at least 1 and 2"):
        probe.best_response(trainer, "x", still, hands=1)
    chosen = settings.resolve("gan", None, {"source": "ring", "limit": 100})
    empty = run.Folder.create(tmp_path / "empty", "empty", chosen)
    with pytest.raises(run.RunError, match=r"no checkpoint in .*: a probe plays on from one"):
        probe.of_run(empty)
