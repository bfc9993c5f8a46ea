"""WGAN: the critic measures a distance, and G shortens it (Arjovsky et al. 2017, arXiv:1701.07875).

    W(p_data, p_g) = max_{||D||_L <= 1} E[D(x)] - E[D(G(z))],    G lowers it: -E[D(G(z))]                eq. 2, alg. 1

The earth mover's distance moves smoothly with G even where p_data and p_g do not overlap, so a critic near its best
still teaches, and its loss tells how far G is. D is kept K-Lipschitz, for some K, by clipping its weights after each of
its turns.
"""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Loss, Player
from zerosum.objectives.adversarial import wasserstein_critic_loss, wasserstein_generator_loss
from zerosum.recipes.duel import POINTS, Duel, Networks


class Config(Networks):
    """The networks are those that all small recipes share."""

    steps: int = Field(5, ge=1, description="n_critic, turns of D a round (algorithm 1: 5)")
    clip: float = Field(0.1, gt=0, description="c: weights of D stay in [-c, c] (algorithm 1: 0.01)")
    lr: float = Field(1e-3, gt=0, description="RMSProp's learning rate, both players (algorithm 1: 5e-5)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": POINTS | {"clip": 0.1},
    "paper": {"latent": 100, "width": 64, "clip": 0.01, "lr": 5e-5, "batch": 64, "size": 64},
}


class WGAN(Duel):
    """A critic with clipped weights."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__(config, data)
        self.config = config

    def players(self) -> list[Player]:
        lr = self.config.lr
        return [
            Player("D", [self.D], self.critic_loss, rmsprop(lr, clip=self.config.clip), steps=self.config.steps),
            Player("G", [self.G], self.generator_loss, rmsprop(lr)),
        ]

    def critic_loss(self, batch: Batch) -> Loss:
        real, fake = self.scores(batch)
        return Loss(adversarial=wasserstein_critic_loss(real, fake))

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=wasserstein_generator_loss(self.score(self.fakes(batch), batch.y)))

    def realness(self, x: Tensor, y: Tensor | None = None) -> None:
        """A critic's score is no probability."""


def rmsprop(lr: float, clip: float | None = None) -> Callable[[list[nn.Parameter]], Optimizer]:
    """RMSProp for a player (algorithm 1), whose every step ends with the parameters in [-clip, clip]."""

    def build(parameters: list[nn.Parameter]) -> Optimizer:
        optimizer = RMSprop(parameters, lr=lr)
        if clip is not None:
            optimizer.register_step_post_hook(lambda *_: clip_(parameters, clip))
        return optimizer

    return build


@torch.no_grad()
def clip_(parameters: list[nn.Parameter], c: float) -> None:
    for p in parameters:
        p.clamp_(-c, c)
