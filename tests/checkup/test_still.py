"""A game that is asked is afterwards as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from zerosum.checkup.still import untouched
from zerosum.game import Game
from zerosum.networks.blocks import Dropout


class Restless(Game):
    """Everything that an evaluation can move: running statistics, power iteration, dropout's chance, a counter."""

    latent = 6

    def __init__(self) -> None:
        super().__init__()
        self.G = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), Dropout(0.5))
        self.D = spectral_norm(nn.Linear(6, 3))
        self.register_buffer("k", torch.zeros(()))

    def generate(self, z, y=None):
        self.k += 1
        return self.D(self.G(z)) + torch.randn(len(z), 1)


@pytest.fixture
def game() -> Restless:
    torch.manual_seed(0)
    made = Restless()
    made.generate(torch.randn(4, 6)).sum().backward()
    made.G.eval()
    made.G[1].train()
    return made


@contextmanager
def unmoved(game: Game) -> Iterator[None]:
    """Fails if what is within changes anything of the game, or uses up chance."""

    def state():
        kept = {name: value.clone() for name, value in game.state_dict().items()}
        kept |= {f"{name}'s gradient": p.grad.clone() for name, p in game.named_parameters()}
        return kept | {"chance": torch.get_rng_state()}, [module.training for module in game.modules()]

    before, modes = state()
    yield
    after, modes_after = state()
    assert before.keys() == after.keys()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert modes_after == modes


def test_the_fixture_would_move(game: Restless) -> None:
    """Without `untouched`, each of those changes: the test below tells something."""
    kept = {name: b.clone() for name, b in game.named_buffers()}
    game.train()
    game.generate(torch.randn(8, 6))
    moved = {name for name, b in game.named_buffers() if not torch.equal(b, kept[name])}
    assert {"k", "G.1.running_mean", "G.1.running_var", "G.1.num_batches_tracked"} < moved
    assert any(name.endswith("._u") for name in moved)


def test_afterwards_a_game_is_as_it_was(game: Restless) -> None:
    z = torch.randn(8, 6)
    with unmoved(game), torch.no_grad(), untouched(game):
        assert all(module.training for module in game.modules()), "played as in a round"
        game.generate(z)
        assert game.k == 2


def test_also_after_an_exception(game: Restless) -> None:
    def breaks(z):
        game.generate(z)
        raise RuntimeError("midway")

    with unmoved(game), pytest.raises(RuntimeError, match="midway"), untouched(game):
        breaks(torch.randn(8, 6))


def test_also_one_within_another(game: Restless) -> None:
    with unmoved(game), torch.no_grad(), untouched(game):
        game.generate(torch.randn(8, 6))
        with unmoved(game), untouched(game):
            game.generate(torch.randn(8, 6))


def test_two_askings_of_one_game_give_one_answer(game: Restless) -> None:
    z, found = torch.randn(8, 6), []
    for seed in (0, 0, 1):
        with torch.no_grad(), untouched(game, seed):
            found.append(game.generate(z))
        torch.randn(3)  # the run goes on
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
