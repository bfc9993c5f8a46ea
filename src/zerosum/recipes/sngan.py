"""SNGAN: every weight matrix of D has norm 1 (Miyato et al. 2018, arXiv:1802.05957).

    W_SN = W / sigma(W),  sigma(W) the largest singular value, by a step of power iteration a look            eq. 8
    D lowers  E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))],    G lowers  -E[D(G(z))]                    eqs. 16, 17

A layer stretches nothing by more than the norm of its matrix, so D's slope is bounded whatever it learns: it cannot
run away from G, and no penalty needs a second derivative. A convolution's matrix is its kernel, reshaped (section 3):
the bound is fixed, but not 1. Spectral norm is PyTorch's; its power iteration takes a step whenever D looks.
"""

from typing import Literal

from pydantic import Field
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Loss, Player, adam
from zerosum.objectives.adversarial import hinge_discriminator_loss, hinge_generator_loss
from zerosum.recipes.duel import POINTS, Duel, Networks


class Config(Networks):
    """The networks are those that all small recipes share, D's under spectral norm."""

    minibatch: Literal["none"] = Field("none", description="D judges each example by itself, and its slope there")
    steps: int = Field(1, ge=1, description="turns of D a round (table 1, settings A to F: 1 or 5)")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (table 1: 1e-4 to 1e-3)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1 (table 1: 0.5 to 0.9; 0 with its ResNets)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2 (table 1: 0.9 to 0.999)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": POINTS,
    "paper": {"latent": 128, "width": 64, "steps": 5, "lr": 2e-4, "beta1": 0.0, "beta2": 0.9, "batch": 64},
}


class SNGAN(Duel):
    """Hinge loss, and a discriminator whose matrices have norm 1."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__(config, data)
        self.config = config
        for layer in self.D.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding):
                spectral_norm(layer)

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer, steps=self.config.steps),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.scores(batch)
        return Loss(adversarial=hinge_discriminator_loss(real, fake)).read(
            D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=hinge_generator_loss(self.score(self.fakes(batch), batch.y)))
