"""GAN: a forger and a judge (Goodfellow et al. 2014, arXiv:1406.2661).

    min_G max_D V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))]                                  eq. 1

D learns to tell real from fake, G learns to be taken for real; at the best G, D is 1/2 everywhere (proposition 1).
Both are multilayer perceptrons. Early on log(1 - D(G(z))) is flat, so G raises log D(G(z)) instead (section 3): the
default here; `minimax` is the value function itself.
"""

from typing import Literal

from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.mlp import MLP
from zerosum.objectives.adversarial import (
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
)
from zerosum.recipes.duel import MINIBATCH, SIGHT, Sight

GENERATOR_LOSSES = {"non_saturating": non_saturating_generator_loss, "minimax": minimax_generator_loss}


class Config(BaseModel, frozen=True, extra="forbid"):
    """The numbers of the paper, where it gives them."""

    latent: int = Field(100, ge=1, description="numbers in z, normal (paper: 100, uniform)")
    generator_widths: tuple[int, ...] = Field(
        (256, 512), description="hidden layers of G (the authors' code: 1200, 1200)"
    )
    discriminator_widths: tuple[int, ...] = Field(
        (512, 256), description="hidden layers of D (the authors' code: 240, 240 maxout)"
    )
    slope: float = Field(0.2, ge=0, lt=1, description="LeakyReLU slope in G and D (paper: ReLU in G, maxout in D)")
    generator_loss: Literal["non_saturating", "minimax"] = Field("non_saturating", description="section 3 / eq. 1")
    minibatch: Sight = Field("none", description=SIGHT)
    steps: int = Field(1, ge=1, description="k, turns of D a round (algorithm 1: 1)")
    lr: float = Field(2e-4, gt=0, description="Adam's learning rate, both players (paper: SGD with momentum)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1, both players")


PRESETS: dict[str, dict[str, object]] = {
    "points": {
        "source": "gaussian-1d",
        "latent": 2,
        "generator_widths": (128, 128),
        "discriminator_widths": (128, 128),
        "steps": 3,  # D near its best at all times, as the proofs of section 4 have it
        "lr": 2e-3,
        "beta1": 0.0,
        "batch": 128,
        "average": 0.99,
        "cooldown": 0.5,
        "length": "1 minute",
    },
    "minimax": {"generator_loss": "minimax"},
    "non_saturating": {"generator_loss": "non_saturating"},
    "minibatch": {"minibatch": "discrimination"},
    "paper": {"generator_widths": (1200, 1200), "discriminator_widths": (240, 240), "batch": 100},
    "fashion": {
        "generator_widths": (256, 512, 1024),
        "discriminator_widths": (1024, 512, 256),
        "lr": 1e-4,
        "beta1": 0.9,
        "batch": 100,
        "source": "fashion-mnist",
        "length": "100 epochs",
        "pictures": "1 epoch",
    },
}


class GAN(Game):
    """Generative adversarial nets."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__()
        self.config, self.shape, self.latent = config, data.shape, config.latent

        def leaky() -> nn.Module:
            return nn.LeakyReLU(config.slope)

        self.G = MLP(config.latent, config.generator_widths, data.size, leaky)
        if isinstance(data, Images):
            self.G.append(nn.Tanh())
        self.D = MLP(data.size, config.discriminator_widths, 1, leaky, MINIBATCH[config.minibatch])

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer, steps=self.config.steps),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.D(batch.x).float(), self.D(self.fakes(batch)).float()
        return Loss(adversarial=minimax_discriminator_loss(real, fake)).read(
            D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=GENERATOR_LOSSES[self.config.generator_loss](self.D(self.fakes(batch))))

    def fakes(self, batch: Batch) -> Tensor:
        """Each turn deals its own z (algorithm 1)."""
        return self.generate(self.noise(len(batch)))

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(z).unflatten(1, self.shape)

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.D(x).float().squeeze(1)

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """None where D judges whole minibatches: what it says of one example depends on the others."""
        return self.D(x).sigmoid().squeeze(1) if self.config.minibatch == "none" else None
