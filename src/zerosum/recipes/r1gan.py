"""R1GAN: the game that converges, because D is held flat at the data (Mescheder et al. 2018, arXiv:1801.04406).

    D lowers  -E[log D(x)] - E[log(1 - D(G(z)))] + gamma/2 E_x||grad D(x)||^2,    G lowers  -E[log D(G(z))]     eq. 9

Without the penalty the players circle around the equilibrium; with it they spiral in (theorem 4.1). The networks are
small: DCGAN's (Radford et al. 2015), with no norm in D, whose slope at one picture may not depend on another. Where the
data has labels both players are told them: G beside z, D by projection (Miyato & Koyama 2018, arXiv:1802.05637).
"""

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.blocks import doublings, one_hot
from zerosum.networks.dcgan import Discriminator, Generator
from zerosum.networks.mlp import MLP
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.objectives.penalties import zero_centred_penalty


class Config(BaseModel, frozen=True, extra="forbid"):
    """Sizes are ours, for two CPU cores; the paper's pictures are 256 px and more."""

    latent: int = Field(64, ge=1, description="numbers in z, normal (section 6.2: 256)")
    width: int = Field(32, ge=1, description="channels next to the picture, doubled inwards")
    kernel: int = Field(4, ge=2, description="side of every kernel; a multiple of the stride leaves no checkerboard")
    coins: int = Field(16, ge=0, description="where data are points: numbers of z that are +1 or -1, to part modes")
    hidden: tuple[int, ...] = Field((128, 128, 128), description="hidden layers of both players where data are points")
    gamma: float = Field(1.0, ge=0, description="weight of the penalty (section 6.2: 10, for 256 px)")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (section 6.2: RMSProp, 1e-4)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1 (RMSProp has none)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2 (RMSProp's alpha: 0.99)")


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
}


class R1GAN(Game):
    """Non-saturating loss and R1, small networks, told the labels."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__()
        self.config, self.latent, self.classes = config, config.latent, len(data.classes)
        if isinstance(data, Points):
            self.coins = config.coins
            self.G: nn.Module = MLP(config.latent, config.hidden, data.dim, lambda: nn.LeakyReLU(0.2))
            self.D: nn.Module = MLP(data.dim, config.hidden, 1, lambda: nn.LeakyReLU(0.2))
        else:
            widths = [config.width * 2**i for i in range(doublings(data.height, data.width))]
            strides = (2,) * len(widths)
            inputs = config.latent + self.classes
            self.G = Generator(inputs, data.shape, widths[::-1], strides, kernel=config.kernel, slope=0.2)
            self.D = Discriminator(data.shape, widths, kernel=config.kernel, batch_norm=False, classes=self.classes)

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        x = batch.x.detach().requires_grad_()
        real, fake = self.score(x, batch.y), self.score(self.fakes(batch), batch.y)
        return Loss(
            adversarial=minimax_discriminator_loss(real, fake), r1=self.config.gamma * zero_centred_penalty(real, x)
        ).read(D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean())

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=non_saturating_generator_loss(self.score(self.fakes(batch), batch.y)))

    def fakes(self, batch: Batch) -> Tensor:
        """G(z, y) with the labels of the reals; D's fakes serve G's turn too: the losses ask for one p_z."""
        return batch.once("G(z)", lambda: self.generate(self.noise(len(batch)), batch.y), self.G)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(torch.cat([z, one_hot(y, self.classes)], 1) if self.classes and y is not None else z)

    def score(self, x: Tensor, y: Tensor | None) -> Tensor:
        return (self.D(x, y) if self.classes else self.D(x)).flatten().float()

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.score(x, y).sigmoid()
