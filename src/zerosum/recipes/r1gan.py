"""R1GAN: the game that converges, because D is held flat at the data (Mescheder et al. 2018, arXiv:1801.04406).

    D lowers  -E[log D(x)] - E[log(1 - D(G(z)))] + gamma/2 E_x||grad D(x)||^2,    G lowers  -E[log D(G(z))]     eq. 9

Without the penalty the players circle around the equilibrium; with it they spiral in (theorem 4.1). The networks are
small: DCGAN's (Radford et al. 2015), with no norm in D, whose slope at one picture may not depend on another.
"""

from typing import Literal

from pydantic import Field

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Loss, Player, adam
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.objectives.penalties import zero_centred_penalty
from zerosum.recipes.duel import Duel, Networks


class Config(Networks):
    """The paper's pictures are 256 px and more."""

    minibatch: Literal["none"] = Field("none", description="D judges each example by itself, and its slope there")
    coins: int = Field(16, ge=0, description="where data are points: numbers of z that are +1 or -1, to part modes")
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


class R1GAN(Duel):
    """Non-saturating loss and R1."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__(config, data)
        self.config = config

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
