"""LSGAN: fakes are pulled to the boundary however sure D is (Mao et al. 2017, arXiv:1611.04076).

    D lowers  1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2],    G lowers  1/2 E[(D(G(z)) - c)^2]                 eq. 2

With a = 0, b = c = 1 (eq. 9). A log loss is flat for a fake that already passes for real; the square still pulls it to
where the reals are. With b - c = 1 and b - a = 2 it would be the Pearson divergence (section 3.2.1).
"""

from pydantic import Field
from torch import Tensor

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Loss, Player, adam
from zerosum.objectives.adversarial import least_squares_discriminator_loss, least_squares_generator_loss
from zerosum.recipes.duel import POINTS, Duel, Networks


class Config(Networks):
    """The networks are those that all small recipes share."""

    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (section 4.1: 0.001)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1 (section 4.1: 0.5)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2 (the authors' code: 0.999)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": POINTS,
    "paper": {"latent": 1024, "width": 64, "kernel": 5, "lr": 1e-3, "beta2": 0.999, "batch": 64, "size": 112},
}


class LSGAN(Duel):
    """Least squares in place of the log."""

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
        real, fake = self.scores(batch)
        return Loss(adversarial=least_squares_discriminator_loss(real, fake)).read(D_x=real.mean(), D_Gz=fake.mean())

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=least_squares_generator_loss(self.score(self.fakes(batch), batch.y)))

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """D's score itself, which is meant to be 1 for reals and 0 for fakes."""
        return self.score(x, y).clamp(0, 1) if self.sees_alone else None
