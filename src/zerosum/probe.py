"""How much could a player still gain, if only it moved? A probe by best response, beside the run and not in it.

    gain = loss(w_me, w_others) - min_w loss(w, w_others)

In an equilibrium nobody gains by moving alone. Where one player's loss is what the other's is not (V and -V), both
gains together are the duality gap max_D V(D, G) - min_G V(D, G) (Grnarova et al. 2019, arXiv:1811.05512), which is 0
in equilibrium alone; where it is not, as with the non-saturating loss of G, they still say who is behind. The minimum
is looked for in a few turns, as in that paper, so that the true gain is rather more than what is found. Nobody can
gain less than nothing: the player as it is counts as an answer too. Which answer is best is told by other hands than
those that say what it gains, for the luckiest of several always looks better than it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from zerosum.checkup.still import untouched
from zerosum.folder import Folder, RunError, check_same
from zerosum.game import Batch, Game
from zerosum.metrics.interval import mean
from zerosum.play import checkpoint
from zerosum.play.checkpoint import Checkpoints
from zerosum.play.dynamics import Mover, alternating
from zerosum.play.hand import Hand
from zerosum.play.trainer import Trainer
from zerosum.run import data_of
from zerosum.session import Session

TURNS, HANDS = 50, 16
PACES = (1.0, 0.25)  # shares of its learning rates: at full ones a player that a cooldown brought to rest goes astray
ANSWERS = 4  # points of the turns, evenly spaced, that are tried as a best response
Deal = Callable[[], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Probe:
    """What up to `turns` of one player alone were worth: its mean loss before and after, on the same hands.

    `best` is the turn after which it answered best; 0 where it gained nothing by any. `gain` is how much lower its loss
    got, with a 95 % interval over hands: 0 where `best` is, and otherwise below 0 by the chance of these hands only.
    """

    player: str
    turns: int
    best: int
    before: float
    after: float
    gain: float
    low: float
    high: float
    seconds: float


def best_response(trainer: Trainer, player: str, deal: Deal, turns: int = TURNS, hands: int = HANDS) -> Probe:
    """Let a copy of `player` alone take so many turns, and compare its loss on hands that it did not learn from.

    The turns are taken with the optimiser as it stands, once at the full learning rates, as before any cooldown, and
    once at a quarter; over the second half rates fall to 0, so that the player comes to rest. Of ANSWERS points on each
    way, and of where it began, that one counts whose loss is lowest on as many hands again.
    `deal` gives what the trainer is dealt, and is used up: give a copy of the run's deck. Of the trainer nothing
    changes, nor is any of torch's chance used. What moves after a round only (BEGAN's k) stands still too.

    Raises ValueError for a player that is not in the game, and for fewer than 1 turn or 2 hands.
    """
    names = [mover.player.name for mover in trainer.movers]
    if player not in names or turns < 1 or hands < 2:
        raise ValueError(
            f"got player {player}, {turns} turns, {hands} hands; expected one of {', '.join(names)}, at least 1 and 2"
        )
    start, device = perf_counter(), trainer.game.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        held, others = ([deal() for _ in range(hands)] for _ in range(2))
        before = _losses(*_alone(trainer, names.index(player)), held)
        best, game, mover = _answer(trainer, names.index(player), deal, turns, others)
        after = _losses(game, mover, held)
    gain = mean("gain", before - after, "lower")
    seconds = round(perf_counter() - start, 3)
    return Probe(
        player, turns, best, float(before.mean()), float(after.mean()), gain.value, gain.low, gain.high, seconds
    )


def of_session(session: Session, turns: int = TURNS, hands: int = HANDS) -> list[Probe]:
    """A probe of every player of a session as it is now, on hands from a copy of its deck. It can play on."""
    deck, found = copy.deepcopy(session.deck), []
    for mover in session.trainer.movers:
        deck.load_state_dict(session.deck.state_dict())  # to every player the same hands
        deal = partial(deck.deal, session.settings.play.batch)
        found.append(best_response(session.trainer, mover.player.name, deal, turns, hands))
    return found


def of_run(folder: Folder, turns: int = TURNS, hands: int = HANDS) -> list[dict[str, Any]]:
    """A row for every player at every checkpoint that was kept: its round, and what `Probe` says. Nothing is written.

    Raises RunError where there is no checkpoint, or for one of another run; DataError, DamagedFile.
    """
    paths = Checkpoints(folder.checkpoints, keep=1).paths()
    if not paths:
        raise RunError(
            f"no checkpoint in {folder.checkpoints}: a probe plays on from one; the first of a run is saved when a "
            "share of its length is played (setting checkpoints)"
        )
    settings = folder.settings()
    session = Session(settings, data_of(settings))
    rows = []
    for path in paths:
        state = checkpoint.load(path)
        rounds: int = state["trainer"]["rounds"]
        check_same(state, session.identity(rounds), folder)
        session.sit_down(settings, rounds)
        session.trainer.load_state_dict(state["trainer"])
        session.deck.load_state_dict(state["deck"])
        rows += [{"round": rounds} | asdict(probe) for probe in of_session(session, turns, hands)]
    return rows


def _alone(trainer: Trainer, place: int) -> tuple[Game, Mover]:
    """A copy of the game, and in it the mover of that place, who takes one turn a round."""
    run = trainer.movers[place]
    game = copy.deepcopy(trainer.game).train()
    mover = Mover(replace(game.players()[place], steps=1, every=1), run.precision, trainer.world)
    mover.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    mover.rates = list(run.rates)
    return game, mover


def _answer(
    trainer: Trainer, place: int, deal: Deal, turns: int, hands: Sequence[tuple[Tensor, Tensor | None]]
) -> tuple[int, Game, Mover]:
    """The game and the mover at the point where its loss on these hands is lowest, and after which turn that is.

    0 is where it began.
    """
    game, mover = _alone(trainer, place)
    best, lowest, answer = 0, float(_losses(game, mover, hands).mean()), copy.deepcopy(game.state_dict())
    for pace in PACES:
        game, mover = _alone(trainer, place)
        torch.manual_seed(0)
        for turn in range(1, turns + 1):
            mover.pace(pace * min(1.0, 2 * (turns + 1 - turn) / turns))
            alternating([mover], lambda: Hand(*deal()))
            if turn in {round(turns * i / ANSWERS) for i in range(1, ANSWERS + 1)}:
                loss = float(_losses(game, mover, hands).mean())
                if loss < lowest:
                    best, lowest, answer = turn, loss, copy.deepcopy(game.state_dict())
    game.load_state_dict(answer)
    return best, game, mover


def _losses(game: Game, mover: Mover, hands: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
    """What the player minimises on each hand, with noise that follows from the hand's number: float64 [hands]."""
    totals = []
    for seed, (x, y) in enumerate(hands):
        with untouched(game, seed), mover.precision():
            totals.append(mover.player.loss(Batch(x, y)).total.detach().double().cpu())
    return torch.stack(totals)
