"""What the average follows: parameters wherever they are held, and buffers as they stand."""

import torch
from torch import nn

from zerosum.data.spec import Images
from zerosum.game import Game
from zerosum.play.averaging import Average
from zerosum.play.trainer import Trainer
from zerosum.recipes.dcgan import DCGAN, Config


def test_buffers_are_copied_bit_for_bit() -> None:
    torch.manual_seed(0)
    game = DCGAN(Config(width=4, latent=5), Images(1, 16, 16))
    start = {name: b.clone() for name, b in game.G.named_buffers()}
    trainer = Trainer(game, lambda: (torch.rand(6, 1, 16, 16), None), average=0.9)
    for _ in range(2):
        trainer.round()
        copied = dict(trainer.average.game.G.named_buffers())
        assert any(name.endswith("running_mean") for name in copied)
        for name, live in game.G.named_buffers():
            assert torch.equal(copied[name], live), name
            assert copied[name] is not live
            assert not torch.equal(live, start[name]), f"{name} did not move: nothing is tested"


def test_a_parameter_held_by_the_game_itself_is_averaged() -> None:
    class Scaled(Game):
        def __init__(self):
            super().__init__()
            self.G, self.scale = nn.Linear(1, 1), nn.Parameter(torch.tensor(1.0))
            self.register_buffer("count", torch.tensor(1))

    game = Scaled()
    average = Average(game, 0.5)
    with torch.no_grad():
        game.scale.fill_(11.0)
    game.count.fill_(7)
    assert float(average.game.scale) == 1.0
    average.update(0)  # b = min(0.5, 1/10)
    torch.testing.assert_close(average.game.scale.detach(), torch.tensor(0.1 * 1 + 0.9 * 11))
    assert int(average.game.count) == 7
    average.update(1000)
    torch.testing.assert_close(average.game.scale.detach(), torch.tensor(0.5 * 10 + 0.5 * 11))
