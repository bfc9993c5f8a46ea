"""pix2pix: a picture becomes another, as pairs of pictures show (Isola et al. 2017, arXiv:1611.07004).

    L_cGAN(G, D) = E_{x,y}[log D(x, y)] + E_x[log(1 - D(x, G(x)))]                                  eq. 1
    L_L1(G) = E_{x,y}||y - G(x)||_1                                                                 eq. 3
    G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G)                                              eq. 4

L1 holds what a picture shows in the large, but answers doubt with blur; D, which sees input and output together, patch
by patch, refuses the blur. There is no z: noise is dropout inside G, on when it translates too (section 3.1). Norms are
by picture (the paper's batch norm, its batch being one picture), so a translation never depends on its batch mates.
"""

from typing import Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from zerosum.data.spec import Pairs
from zerosum.game import Batch, Loss, Player, Translator, adam
from zerosum.networks.blocks import normal_
from zerosum.networks.patch import PatchGAN, largest_field
from zerosum.networks.unet import UNet
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss


class Config(BaseModel, frozen=True, extra="forbid"):
    """Section 3 and appendix 6 of the paper, at a width that two CPU cores can play."""

    width: int = Field(16, ge=1, description="channels next to the picture, doubled inwards 3 times (6.1: 64)")
    patch: Literal[1, 16, 34, 70, 142, 286] = Field(
        16, description="side of what D judges, in px; less where the picture is small (3.2.2: 70)"
    )
    sees_input: bool = Field(True, description="whether D is shown the input beside the output (eq. 1; eq. 2: not)")
    l1: float = Field(100.0, ge=0, description="lambda, weight of the L1 term (eq. 4; 3.3: 100)")
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial term (eq. 4: 1; table 1, L1: 0)")
    dropout: float = Field(0.5, ge=0, lt=1, description="noise: share zeroed in G's inner layers (6.1.1: 0.5)")
    lr: float = Field(2e-4, gt=0, description="Adam's learning rate, both players (3.3: 2e-4)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1, both players (3.3: 0.5)")


SMALL: dict[str, object] = {"source": "cityscape", "batch": 16, "lr": 1e-3, "cooldown": 0.5}
PRESETS: dict[str, dict[str, object]] = {
    "default": SMALL,
    # The rows of table 1.
    "l1": SMALL | {"adversarial": 0.0},
    "gan": SMALL | {"sees_input": False, "l1": 0.0},
    "cgan": SMALL | {"l1": 0.0},
    "l1_gan": SMALL | {"sees_input": False},
    # Sections 3.3 and 6, but for the jitter; that rates fall over the second half is the authors' code's.
    "paper": {
        "source": "cityscape",
        "size": 256,
        "width": 64,
        "patch": 70,
        "batch": 1,
        "length": "200 epochs",
        "cooldown": 0.5,
        "average": 0.0,
    },
}


class Pix2Pix(Translator):
    """A U-Net against a PatchGAN, on pairs."""

    def __init__(self, config: Config, pairs: Pairs):
        super().__init__()
        self.config = config
        channels, height, width = pairs.shape
        self.G = UNet(channels, pairs.b.channels, height, width, config.width, config.dropout)
        judged = pairs.b.channels + channels * config.sees_input
        self.D = PatchGAN(judged, largest_field(config.patch, height, width), config.width)
        normal_(self, 0.02)

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        """Eq. 1, halved, which slows D against G (section 3.3)."""
        assert batch.y is not None
        real, fake = self.score(batch.x, batch.y), self.score(batch.x, self.fakes(batch))
        return Loss(adversarial=minimax_discriminator_loss(real, fake) / 2).read(
            D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        assert batch.y is not None
        fakes = self.fakes(batch)
        return Loss(
            adversarial=self.config.adversarial * non_saturating_generator_loss(self.score(batch.x, fakes)),
            l1=self.config.l1 * (batch.y - fakes.float()).abs().mean(),
        )

    def fakes(self, batch: Batch) -> Tensor:
        """G(x): the same for both turns, as in eq. 4."""
        return batch.once("G(x)", lambda: self.G(batch.x), self.G)

    def score(self, x: Tensor, y: Tensor) -> Tensor:
        """D(x, y) of each patch: [n 1 h' w']; of y alone if D does not see the input (eq. 2)."""
        score: Tensor = self.D(torch.cat([x, y], 1) if self.config.sees_input else y)
        return score.float()

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The mean score of the patches of x, made from y."""
        assert y is not None
        return self.score(y, x).flatten(1).mean(1)

    def translate(self, x: Tensor, direction: str = "AtoB") -> Tensor:
        if direction != "AtoB":
            raise ValueError(f"pix2pix translates only AtoB, the way it was trained, not {direction}")
        translated: Tensor = self.G(x)
        return translated
