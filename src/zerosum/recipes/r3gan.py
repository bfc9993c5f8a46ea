"""R3GAN: the modern baseline (Huang et al. 2024, arXiv:2501.05441).

    D lowers  E[softplus(D(G(z)) - D(x))] + gamma/2 E||grad D(x)||^2 + gamma/2 E||grad D(G(z))||^2
    G lowers  E[softplus(D(x) - D(G(z)))]     (eq. 2, as each player sees it; R1 and R2 of Mescheder et al. 2018)

Each real is paired with a fake: D learns to put the real above *its* fake, G to turn the pair round. No fake can win by
standing in the one place that D likes, so modes are not dropped; the two zero-centred penalties, every round, make the
game converge locally (proposition II). Networks are residual, without normalisation, with a linear output: an output
tanh lets no gradient through once G has gone all black. Conditional where the data has labels.
"""

from collections.abc import Mapping

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks import r3
from zerosum.networks.blocks import doublings
from zerosum.networks.mlp import MLP
from zerosum.objectives.adversarial import relativistic_discriminator_loss, relativistic_generator_loss
from zerosum.objectives.penalties import zero_centred_penalty


class Config(BaseModel, frozen=True, extra="forbid"):
    """Appendix D of the paper, at a width that two CPU cores can play."""

    latent: int = Field(64, ge=1, description="numbers in z, normal (table 9: 64)")
    widths: tuple[int, ...] = Field(
        (64, 32, 16), description="channels a stage, smallest picture first (table 9: 768 x 4)"
    )
    blocks: int = Field(1, ge=1, description="residual blocks a stage (table 9: 2)")
    expansion: int = Field(1, ge=1, description="how much wider a block is inside (section 4: 2)")
    group: int = Field(
        64, ge=1, description="channels a group of the 3x3 convolutions (section 4: 16; CPUs want one group)"
    )
    coins: int = Field(16, ge=0, description="where data are points: numbers of z that are +1 or -1, to part modes")
    hidden: tuple[int, ...] = Field((128, 128, 128), description="hidden layers of both players where data are points")
    gamma: float = Field(1.0, ge=0, description="weight of R1 and of R2 (table 9, stacked MNIST: 1 falling to 0.1)")
    lr: float = Field(1e-3, gt=0, description="Adam's learning rate, both players (table 9: 2e-4)")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's beta1 (table 9: 0)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2 (table 9: 0.9 rising to 0.99)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": {
        "source": "ring",
        "latent": 20,
        "gamma": 0.1,
        "lr": 2e-3,
        "beta1": 0.0,
        "batch": 256,
        "average": 0.9,
        "cooldown": 1.0,
    },
    "paper": {"widths": (768, 768, 768, 768), "blocks": 2, "expansion": 2, "group": 16, "batch": 512},
}


class R3GAN(Game):
    """Relativistic pairing, R1 and R2, residual networks."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__()
        self.config, self.latent, self.classes = config, config.latent, len(data.classes)
        if isinstance(data, Points):
            self.coins = config.coins
            self.G: nn.Module = MLP(config.latent, config.hidden, data.dim, lambda: nn.LeakyReLU(0.2))
            self.D: nn.Module = MLP(data.dim, config.hidden, 1, lambda: nn.LeakyReLU(0.2))
        else:
            doublings(data.height, data.width)  # refuses what is too small
            size = {
                "blocks": config.blocks,
                "expansion": config.expansion,
                "group": config.group,
                "classes": self.classes,
            }
            self.G = r3.Generator(config.latent, data.shape, config.widths, **size)
            self.D = r3.Discriminator(data.shape, config.widths, **size)
        self.middle: Tensor  # running mean of D's scores, between real and fake
        self.register_buffer("middle", torch.zeros(()))

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        x, fakes = batch.x.detach().requires_grad_(), self.fakes(batch).detach().float().requires_grad_()
        real, fake = self.score(x, batch.y), self.score(fakes, batch.y)
        middle = (real.mean() + fake.mean()) / 2
        return Loss(
            adversarial=relativistic_discriminator_loss(real, fake),
            r1=self.config.gamma * zero_centred_penalty(real, x),
            r2=self.config.gamma * zero_centred_penalty(fake, fakes),
        ).read(D_x=(real - middle).sigmoid().mean(), D_Gz=(fake - middle).sigmoid().mean(), middle=middle)

    def generator_loss(self, batch: Batch) -> Loss:
        real, fake = self.score(batch.x, batch.y), self.score(self.fakes(batch), batch.y)
        return Loss(adversarial=relativistic_generator_loss(real, fake))

    def fakes(self, batch: Batch) -> Tensor:
        """G(z, y) with the labels of the reals, so that a pair is of one class; D's fakes serve G's turn too."""
        return batch.once("G(z)", lambda: self.generate(self.noise(len(batch)), batch.y), self.G)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(z, y) if self.classes else self.G(z)

    def score(self, x: Tensor, y: Tensor | None) -> Tensor:
        return (self.D(x, y) if self.classes else self.D(x)).flatten().float()

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.score(x, y)

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """sigma(D(x) - middle): a relativistic score means something only against others."""
        return (self.score(x, y) - self.middle).sigmoid()

    def after_round(self, readings: Mapping[str, Tensor], hand: Batch) -> None:
        if "D.middle" in readings:
            self.middle.lerp_(readings["D.middle"], 0.05)
