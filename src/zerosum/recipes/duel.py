"""What many papers share: one G and one D, small, told the labels where there are any. A paper's file adds its losses.

Where data are pictures the networks are DCGAN's (Radford et al. 2015), with no norm in D; where they are points, both
are multilayer perceptrons. G takes the label beside z, D by projection (Miyato & Koyama 2018, arXiv:1802.05637).
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game
from zerosum.networks.blocks import doublings, one_hot
from zerosum.networks.dcgan import Discriminator, Generator
from zerosum.networks.minibatch import Minibatch, MinibatchDeviation, MinibatchDiscrimination
from zerosum.networks.mlp import MLP

MINIBATCH: dict[str, Callable[[int], Minibatch] | None] = {
    "none": None,
    "discrimination": MinibatchDiscrimination,
    "deviation": MinibatchDeviation,
}
Sight = Literal["none", "discrimination", "deviation"]
SIGHT = "what D sees of its minibatch: none; discrimination (Salimans et al. 2016), deviation (Karras et al. 2018)"
POINTS: dict[str, object] = {"source": "ring", "latent": 20, "batch": 256, "average": 0.9}


class Networks(BaseModel, frozen=True, extra="forbid"):
    """Sizes are ours, for two CPU cores, and the same for every recipe that plays on them."""

    latent: int = Field(64, ge=1, description="numbers in z, normal")
    coins: int = Field(0, ge=0, description="where data are points: numbers of z that are +1 or -1, to part modes")
    width: int = Field(32, ge=1, description="channels next to the picture, doubled inwards")
    kernel: int = Field(4, ge=2, description="side of every kernel; a multiple of the stride leaves no checkerboard")
    hidden: tuple[int, ...] = Field((128, 128, 128), description="hidden layers of both players where data are points")
    minibatch: Sight = Field("none", description=SIGHT)


class Duel(Game):
    """One generator, one discriminator."""

    def __init__(self, config: Networks, data: Images | Points, *, packed: int = 1):
        super().__init__()
        self.latent, self.classes = config.latent, len(data.classes)
        sight = MINIBATCH[config.minibatch]
        self.sees_alone = sight is None
        if isinstance(data, Points):
            self.coins = config.coins
            self.G: nn.Module = MLP(config.latent, config.hidden, data.dim, leaky)
            self.D: nn.Module = MLP(packed * data.dim, config.hidden, 1, leaky, sight)
            return
        widths = [config.width * 2**i for i in range(doublings(data.height, data.width))]
        channels, height, width = data.shape
        kernel, strides = config.kernel, (2,) * len(widths)
        self.G = Generator(config.latent + self.classes, data.shape, widths[::-1], strides, kernel=kernel, slope=0.2)
        self.D = Discriminator(
            (packed * channels, height, width),
            widths,
            kernel=kernel,
            batch_norm=False,
            classes=self.classes,
            minibatch=sight,
        )

    def fakes(self, batch: Batch) -> Tensor:
        """G(z, y) with the labels of the reals; D's last fakes serve G's turn too: the losses ask for one p_z."""
        return batch.once("G(z)", lambda: self.generate(self.noise(len(batch)), batch.y), self.G)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(torch.cat([z, one_hot(y, self.classes)], 1) if self.classes and y is not None else z)

    def score(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """D(x, y) before any sigmoid: [n]."""
        return (self.D(x, y) if self.classes else self.D(x)).flatten().float()

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """D's scores of the reals and of the fakes: [n], [n]."""
        return self.score(batch.x, batch.y), self.score(self.fakes(batch), batch.y)

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.score(x, y)

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """None where D judges whole minibatches: what it says of one example depends on the others."""
        return self.score(x, y).sigmoid() if self.sees_alone else None


def leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)
