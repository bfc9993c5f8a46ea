"""PacGAN: D judges m samples at once, so that a lack of diversity shows (Lin et al. 2018, arXiv:1712.04086).

    min_G max_D  E[log D(x_1, ..., x_m)] + E[log(1 - D(G(z_1), ..., G(z_m)))]                             section 2.2

A pack of m reals differs from a pack of m fakes far more than one real from one fake where G has lost modes: packing
punishes collapse (theorem 3). Packs are stacked along channels; nothing else changes. Labels are not used.
"""

from dataclasses import replace

from pydantic import Field
from torch import Tensor

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Loss, Player, adam
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.recipes.duel import POINTS, Duel, Networks


class Config(Networks):
    """The networks are those that all small recipes share; D's first layer takes packs."""

    pack: int = Field(2, ge=1, description="m, samples that D judges at once (section 4: 2, 3, 4); 1: no packing")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (section 4.2: 2e-4)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1 (section 4.2: 0.5; section 4.1: 0.8)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2 (the authors' code: 0.999)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": POINTS,
    "paper": {"pack": 4, "latent": 100, "width": 64, "lr": 2e-4, "beta2": 0.999, "batch": 64},
}


class PacGAN(Duel):
    """The first game, judged by the pack."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__(config, replace(data, classes=()), packed=config.pack)
        self.config = config

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.score(self.packs(batch.x)), self.score(self.packs(self.fakes(batch)))
        return Loss(adversarial=minimax_discriminator_loss(real, fake)).read(
            D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=non_saturating_generator_loss(self.score(self.packs(self.fakes(batch)))))

    def packs(self, x: Tensor) -> Tensor:
        """[n c ...] -> [n/m mc ...]; what is left over is not judged."""
        m = self.config.pack
        if len(x) < m:
            raise ValueError(f"a pack holds {m} examples and the batch only {len(x)}: raise batch, or lower pack")
        x = x[: len(x) // m * m]
        return x.reshape(len(x) // m, m * x.shape[1], *x.shape[2:])

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """A score a pack: [n/m]."""
        return self.score(self.packs(x))

    def realness(self, x: Tensor, y: Tensor | None = None) -> None:
        """D judges packs, not samples."""
