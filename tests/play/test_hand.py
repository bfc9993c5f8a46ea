"""A hand in pieces: the same gradient in less memory; and what happens where memory gives out."""

import subprocess
import sys
from functools import partial

import pytest
import torch
from torch import nn

from zerosum.game import Game, Loss, Player
from zerosum.play.dynamics import Mover
from zerosum.play.hand import Hand, finer
from zerosum.play.precision import full, is_out_of_memory
from zerosum.play.trainer import Trainer


class Noisy(Game):
    """D and G on noise that is drawn in a turn; the fakes of a round are made once."""

    latent = 3

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.D, self.G = nn.Linear(2, 1), nn.Linear(3, 2)
        self.made, self.most = [], 10**9

    def players(self):
        descent = partial(torch.optim.SGD, lr=0.1)
        return [Player("D", [self.D], self.d, descent), Player("G", [self.G], self.g, descent)]

    def fakes(self, batch):
        return batch.once("G(z)", lambda: self.generate(self.noise(len(batch))), self.G)

    def generate(self, z, y=None):
        if len(z) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.made.append(z)
        return self.G(z)

    def d(self, batch):
        at = batch.x + torch.randn_like(batch.x)
        return Loss(a=self.D(at).square().mean() + self.D(self.fakes(batch)).mean()).read(D_x=self.D(at).mean())

    def g(self, batch):
        return Loss(a=self.D(self.fakes(batch)).square().mean())


def rounds(n: int = 3, pieces: int = 1, most: int = 10**9) -> tuple[Noisy, Trainer, list]:
    game = Noisy()
    game.most = most
    data = torch.Generator().manual_seed(1)
    trainer = Trainer(game, lambda: (torch.randn(12, 2, generator=data), None), pieces=pieces)
    torch.manual_seed(2)
    for _ in range(n):
        trainer.round()
    return game, trainer, trainer.collect()


@pytest.mark.parametrize("pieces", [2, 3, 12])
def test_pieces_play_the_same_game(pieces: int) -> None:
    game, _, rows = rounds()
    other, trainer, others = rounds(pieces=pieces)
    assert trainer.pieces == pieces
    assert {len(z) for z in other.made} == {12 // pieces}
    for (_, row), (_, same) in zip(rows, others, strict=True):
        assert row == pytest.approx(same, rel=1e-5, abs=1e-6)
    for p, q in zip(game.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
    # D's fakes and G's are made of the same noise, though a piece lets go of them in between
    assert torch.equal(torch.cat(other.made[:pieces]), torch.cat(other.made[pieces : 2 * pieces]))
    assert torch.equal(torch.cat(other.made[:pieces]), game.made[0])


@pytest.mark.parametrize(("most", "pieces"), [(6, 2), (4, 3), (3, 4), (2, 6)])
def test_where_memory_gives_out_the_batch_is_halved_and_the_game_is_the_same(most: int, pieces: int) -> None:
    game, _, rows = rounds()
    other, trainer, others = rounds(most=most)
    assert trainer.pieces == pieces
    assert [row for _, row in others] == [pytest.approx(row, rel=1e-5, abs=1e-6) for _, row in rows]
    for p, q in zip(game.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)


def test_two_examples_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        rounds(most=1)


def test_a_game_that_cannot_be_played_in_so_small_pieces_ran_out_of_memory(monkeypatch) -> None:
    """That is what its user has to mend, and not the size of a piece."""
    draw = Noisy.noise

    def noise(game, n, generator=None):
        if n < 4:
            raise ValueError(f"a pack holds 4 examples and the batch only {n}")
        return draw(game, n, generator)

    monkeypatch.setattr(Noisy, "noise", noise)
    assert rounds(most=4)[1].pieces == 3
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        rounds(most=3)


def test_other_errors_are_not_taken_for_it() -> None:
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    game = Noisy()
    mover = Mover(game.players()[0], full(game.device))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        mover.evaluate(Hand(torch.zeros(4, 5)))


def test_the_next_number_of_pieces() -> None:
    assert [finer(1, 64), finer(2, 64), finer(1, 12), finer(2, 12), finer(4, 12)] == [2, 4, 2, 3, 6]
    assert [finer(6, 12), finer(1, 7), finer(1, 1)] == [None] * 3, "two examples are the least"


SHORT = """
import resource, torch
from functools import partial
from torch import nn
from zerosum.game import Game, Loss, Player
from zerosum.play.trainer import Trainer
torch.set_num_threads(1)

class Wide(Game):
    latent = 1
    def __init__(self):
        super().__init__()
        self.G = nn.Linear(16, 1, bias=False)
        nn.init.ones_(self.G.weight)
    def players(self):
        return [Player("G", [self.G], self.loss, partial(torch.optim.SGD, lr=1.0))]
    def loss(self, batch):  # 64 KiB an example
        return Loss(a=self.G(batch.x[:, None].expand(-1, 1024, 16).mul(2.0)).mean())

trainer = Trainer(Wide(), lambda: (torch.ones(2**13, 16), None), average=0.0)
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)  # the batch takes 512 MiB and more
trainer.round()
print(trainer.pieces, float(trainer.game.G.weight.mean()), trainer.collect()[0][1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system's limit on a process is asked for")
def test_the_systems_own_memory_gives_out() -> None:
    told = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    pieces, weight, *_ = told.stdout.split()
    assert int(pieces) >= 2
    assert float(weight) == pytest.approx(1 - 2)
    assert "'G.a': 32.0" in told.stdout
