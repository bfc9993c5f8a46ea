"""WGAN-GP: the critic's slope is 1 on the lines between reals and fakes (Gulrajani et al. 2017, arXiv:1704.00028).

    D lowers  E[D(G(z))] - E[D(x)] + lambda E[(||grad D(x^)||_2 - 1)^2],   x^ = x + t (G(z) - x), t ~ U[0, 1]    eq. 3
    G lowers  -E[D(G(z))]

The best critic has slope 1 almost everywhere on the lines that the best transport takes (proposition 1), so that is
asked for directly, in place of clipping, under which a critic learns simple functions only. No batch norm in D: the
penalty is each picture's own (section 4).
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Loss, Player, adam
from zerosum.objectives.adversarial import wasserstein_critic_loss, wasserstein_generator_loss
from zerosum.objectives.penalties import interpolates, wgan_gp_penalty
from zerosum.recipes.duel import POINTS, Duel, Networks


class Config(Networks):
    """The networks are those that all small recipes share."""

    minibatch: Literal["none"] = Field("none", description="D judges each example by itself, and its slope there")
    steps: int = Field(5, ge=1, description="n_critic, turns of D a round (algorithm 1: 5)")
    weight: float = Field(10.0, ge=0, description="lambda, of the penalty (algorithm 1: 10)")
    lr: float = Field(1e-3, gt=0, description="Adam's learning rate, both players (algorithm 1: 1e-4)")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's beta1 (algorithm 1: 0)")
    beta2: float = Field(0.9, ge=0, lt=1, description="Adam's beta2 (algorithm 1: 0.9)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": POINTS | {"weight": 0.1},
    "paper": {"latent": 128, "width": 64, "lr": 1e-4, "batch": 64, "size": 64},
}


class WGANGP(Duel):
    """A critic with slope 1 where it matters."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__(config, data)
        self.config = config

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.critic_loss, optimizer, steps=self.config.steps),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def critic_loss(self, batch: Batch) -> Loss:
        real, fake = self.scores(batch)
        between = interpolates(batch.x, self.fakes(batch))
        penalty = wgan_gp_penalty(self.score(between, batch.y), between)
        return Loss(adversarial=wasserstein_critic_loss(real, fake), penalty=self.config.weight * penalty)

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=wasserstein_generator_loss(self.score(self.fakes(batch), batch.y)))

    def realness(self, x: Tensor, y: Tensor | None = None) -> None:
        """A critic's score is no probability."""
