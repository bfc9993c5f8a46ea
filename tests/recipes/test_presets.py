"""What presets promise, in numbers."""

import pytest
from torch import nn

from zerosum.data.spec import Images
from zerosum.recipes import RECIPES
from zerosum.settings import resolve


def rates(game) -> dict[str, float]:
    return {player.name: player.optimizer(player.parameters()).param_groups[0]["lr"] for player in game.players()}


@pytest.mark.parametrize("given", [{}, {"length": "3 rounds"}])
def test_dcgan_mnist28(given) -> None:
    settings = resolve("dcgan", "mnist28", given)
    play = settings.play
    assert (settings.recipe, settings.data.source) == ("dcgan", "mnist")
    assert (play.batch, play.length, play.tiles) == (256, given.get("length", "50 epochs"), 16)
    assert (play.pictures, play.checkpoints, play.dynamics) == ("1 epoch", "15 epochs", "simultaneous")
    game = RECIPES["dcgan"].game(settings.game, Images(1, 28, 28))
    assert rates(game) == {"D": 1e-4, "G": 1e-4}


def test_gan_fashion() -> None:
    settings = resolve("gan", "fashion")
    assert (settings.data.source, settings.play.batch, settings.play.pictures) == ("fashion-mnist", 100, "1 epoch")
    game = RECIPES["gan"].game(settings.game, Images(1, 28, 28))
    assert rates(game) == {"D": 1e-4, "G": 1e-4}
    for network, last in ((game.G, nn.Tanh), (game.D, nn.Linear)):
        layers = list(network)
        assert {type(layer) for layer in layers[:-1]} == {nn.Linear, nn.LeakyReLU}
        assert type(layers[-1]) is last
