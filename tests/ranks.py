"""One rank of two: plays every recipe on its own share of the data, and writes what its networks became.

python tests/two_ranks.py RANK FOLDER
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed, nn

from test_games import PAIRS, SPECS, build, dealer
from zerosum.game import Game, Loss, Player
from zerosum.play.trainer import Trainer


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


def main() -> None:
    torch.set_num_threads(1)
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    became = {}
    line = Line()
    trainer = Trainer(line, lambda: (torch.full((2, 1), float(2 + 4 * rank)), None), average=0.0)
    trainer.round()
    became["line"] = line.G.weight.detach().clone()
    became["line.value"] = torch.tensor(trainer.collect()[0][1]["G.value"])
    seen = set()
    for name, spec in PAIRS:
        if name in seen:
            continue
        seen.add(name)
        game = build(name, SPECS[spec], seed=rank)  # other first weights: rank 0's are taken
        trainer = Trainer(game, dealer(game, SPECS[spec], seed=rank), average=0.5)
        torch.manual_seed(10 + rank)
        for _ in range(2):
            trainer.round()
        for whose, each in (("game", game), ("average", trainer.average.game)):
            values = (*each.named_parameters(), *each.named_buffers())
            became |= {f"{name}.{whose}.{k}": v.detach().contiguous().clone() for k, v in values}
        for k, number in trainer.collect()[-1][1].items():
            became[f"{name}.reading.{k}"] = torch.tensor(number)
    save_file(became, folder / f"{rank}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
