"""One rank of some: plays every recipe on its share of common hands, and writes what its networks became.

python tests/ranks.py RANK SIZE FOLDER
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed, nn

from test_games import PAIRS, SPECS, build, dealer
from zerosum.game import Game, Loss, Player
from zerosum.play.messages import BUCKET
from zerosum.play.trainer import Trainer
from zerosum.play.world import World, joined

BATCH, ROUNDS = 16, 1


class Line(Game):
    """One player fits a line to its hand by plain gradient descent: what the mean gradient is can be said."""

    ships, latent = ("G",), 1

    def __init__(self):
        super().__init__()
        self.G = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.G.weight)

    def players(self):
        descent = torch.optim.SGD
        return [Player("G", [self.G], lambda batch: Loss(value=self.G(batch.x).mean()), lambda p: descent(p, lr=1.0))]


class Wide(Game):
    """Gradients of several messages, the second layer's on their way before the first's are made; one never comes."""

    ships, latent = ("G",), 1

    def __init__(self):
        super().__init__()
        side = 4 + int((BUCKET / 2) ** 0.5)
        self.G = nn.Sequential(*[nn.Linear(side, side, bias=False) for _ in range(4)])
        self.G.unused = nn.Parameter(torch.ones(3))
        self.side = side

    def players(self):
        return [Player("G", [self.G], self.loss, partial(torch.optim.SGD, lr=0.1))]

    def loss(self, batch):
        return Loss(value=self.G(batch.x.expand(-1, self.side)).square().mean())


def descending(game: Game) -> Game:
    """The game with plain gradient descent: Adam makes a step of every gradient, were it rounding alone."""
    players = [replace(player, optimizer=partial(torch.optim.SGD, lr=0.01)) for player in game.players()]
    game.players = lambda: players
    return game


def share(deal, world: World):
    """This rank's part of what is dealt to all."""

    def part():
        return tuple(None if side is None else side.chunk(world.size)[world.rank] for side in deal())

    return part


def play(world: World) -> dict[str, torch.Tensor]:
    became = {}
    line = Line()
    trainer = Trainer(line, lambda: (torch.full((2, 1), float(2 + 4 * world.rank)), None), average=0.0)
    trainer.round()
    became["line"] = line.G.weight.detach().clone()
    became["line.value"] = torch.tensor(trainer.collect()[0][1]["G.value"])
    torch.manual_seed(0)
    wide = Wide()
    trainer = Trainer(wide, share(lambda: (torch.arange(16.0)[:, None] / 16, None), world), average=0.0)
    assert world.size == 1 or len(trainer.movers[0].gradients.buckets) > 2
    trainer.round()
    became["wide"] = torch.stack([layer.weight.detach().double().square().sum() for layer in wide.G])
    seen = set()
    for name, spec in PAIRS:
        if name in seen:
            continue
        seen.add(name)
        game = descending(build(name, SPECS[spec], seed=world.rank))  # other first weights: rank 0's are taken
        deal = dealer(game, SPECS[spec], n=BATCH, seed=0)
        trainer = Trainer(game, share(deal, world), average=0.5, pieces=(world.size == 1 and int(sys.argv[4])) or 1)
        torch.manual_seed(10)
        for _ in range(ROUNDS):
            trainer.round()
        for whose, each in (("game", game), ("average", trainer.average.game)):
            values = (*each.named_parameters(), *each.named_buffers())
            became |= {f"{name}.{whose}.{k}": v.detach().contiguous().clone() for k, v in values}
        for k, number in trainer.collect()[-1][1].items():
            became[f"{name}.reading.{k}"] = torch.tensor(number)
    return became


def main() -> None:
    torch.set_num_threads(1)
    rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    if size > 1:
        distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=size)
    with joined() as world:
        save_file(play(world), folder / f"{rank}.safetensors")
    if size > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
