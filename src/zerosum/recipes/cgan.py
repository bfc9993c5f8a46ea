"""cGAN: ask for what you want (Mirza & Osindero 2014, arXiv:1411.1784).

    min_G max_D  E[log D(x|y)] + E[log(1 - D(G(z|y)|y))]                                                        eq. 2

Both players are told the label y: G beside z, D beside what it has seen of the picture, in one joint hidden layer
(section 3.2, figure 1). D then refuses a picture that is real enough but not what was asked for. `projection` tells D
otherwise: the label's embedding is projected on its features (Miyato & Koyama 2018, arXiv:1802.05637, eq. 3).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from zerosum.data.spec import Images
from zerosum.game import Batch, Loss, Player, adam
from zerosum.networks.dcgan import Discriminator
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.recipes.duel import Duel, Networks, leaky


class Config(Networks):
    """The networks are those that all small recipes share; the paper's are perceptrons."""

    told: Literal["joint", "projection"] = Field("joint", description="how D learns the label (figure 1: joint)")
    label_width: int = Field(50, ge=1, description="numbers that stand for a label there (section 4.1: 50)")
    joint: int = Field(240, ge=1, description="width of D's joint layer (section 4.1: 240)")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (section 4.1: SGD from 0.1)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1 (section 4.1: momentum 0.5 rising to 0.7)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "projection": {"told": "projection", "cooldown": 0.5},
    "paper": {"latent": 100, "batch": 100},
}


class Joint(nn.Module):
    """Pictures [n c h w], labels [n] -> one score [n]: features and label meet in a hidden layer."""

    def __init__(self, D: Discriminator, classes: int, label_width: int, width: int):
        super().__init__()
        self.features, self.label = D.features, nn.Embedding(classes, label_width)
        inputs = D.score.in_features + label_width
        self.score = nn.Sequential(nn.Linear(inputs, width), leaky(), nn.Linear(width, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.score(torch.cat([self.features(x), self.label(y)], 1)).squeeze(1)


class CGAN(Duel):
    """Both players are told the label."""

    def __init__(self, config: Config, data: Images):
        super().__init__(config, data)
        self.config = config
        if config.told == "joint":
            assert isinstance(self.D, Discriminator)
            self.D = Joint(self.D, self.classes, config.label_width, config.joint)

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.scores(batch)
        return Loss(adversarial=minimax_discriminator_loss(real, fake)).read(
            D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=non_saturating_generator_loss(self.score(self.fakes(batch), batch.y)))
