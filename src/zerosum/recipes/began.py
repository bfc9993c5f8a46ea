"""BEGAN: D is an autoencoder, and a thermostat keeps the players in balance (Berthelot et al. 2017, arXiv:1703.10717).

    L(v) = |v - D(v)|                                                                        section 3.1
    D lowers  L(x) - k_t L(G(z_D)),    G lowers  L(G(z_G))                                   section 3.4
    k_{t+1} = k_t + lambda_k (gamma L(x) - L(G(z_G))),   k in [0, 1]
    M = L(x) + |gamma L(x) - L(G(z_G))|                                                      section 3.4.1

D learns to give real pictures back and to spoil made ones; G makes what D gives back. Whoever wins is held back: k, how
much D cares for spoiling, moves until E[L(G(z))] = gamma E[L(x)]. A low gamma asks for pictures that D gives back far
better than real ones: cleaner, and fewer kinds. M falls as the game gets better, without anybody looking at samples.
"""

from collections.abc import Mapping

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.autoencoder import Decoder, Encoder
from zerosum.networks.blocks import doublings


class Config(BaseModel, frozen=True, extra="forbid"):
    """Sections 3.5 and 4.1 of the paper, at a width and a length that two CPU cores can play."""

    latent: int = Field(32, ge=1, description="numbers in z, from U(-1, 1), and in D's code h (section 4.1: 64)")
    width: int = Field(8, ge=1, description="channels n next to the picture (section 4.1: 128 for 128 px)")
    blocks: int = Field(1, ge=1, description="3x3 convolutions at each size of the picture (section 3.5: 2)")
    smallest: int = Field(4, ge=2, description="pictures are halved while their sides stay this long (section 4.1: 8)")
    gamma: float = Field(0.7, gt=0, le=1, description="diversity ratio E[L(G(z))] / E[L(x)] (section 4.2: 0.3 to 0.7)")
    lambda_k: float = Field(0.1, gt=0, description="how fast k follows the balance (section 3.4: 0.001)")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (section 4.1: 1e-4, then halved)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1, both players (not said)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5, "batch": 16},
    "paper": {
        "latent": 64,
        "gamma": 0.5,
        "width": 128,
        "blocks": 2,
        "smallest": 8,
        "lambda_k": 0.001,
        "lr": 1e-4,
        "batch": 16,
        "size": 128,
        "channels": 3,
    },
}


class BEGAN(Game):
    """Boundary equilibrium generative adversarial networks, with eta = 1. D gives no score, and so no probability."""

    augmentable = ()  # D paints pictures, and is measured by them

    k: Tensor

    def __init__(self, config: Config, data: Images):
        super().__init__()
        self.config, self.latent = config, config.latent
        size = {"stages": doublings(data.height, data.width, config.smallest) + 1, "blocks": config.blocks}
        self.G = Decoder(config.latent, data.shape, config.width, **size)
        self.D = nn.Sequential(
            Encoder(data.shape, config.latent, config.width, **size),
            Decoder(config.latent, data.shape, config.width, **size),
        )
        self.register_buffer("k", torch.zeros(()))

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.error(batch.x), self.error(self.fakes(batch))
        balance = self.config.gamma * real - fake
        return Loss(reconstruction=real, adversarial=-self.k * fake).read(
            balance=balance, convergence=real + balance.abs(), k=self.k.clone()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=self.error(self.fakes(batch)))

    def after_round(self, readings: Mapping[str, Tensor], hand: Batch) -> None:
        """The thermostat: k grows while G is ahead, so that D spoils more of what it makes."""
        if {"D.reconstruction", "G.adversarial"} <= readings.keys():
            balance = self.config.gamma * readings["D.reconstruction"] - readings["G.adversarial"]
            self.k.add_(self.config.lambda_k * balance).clamp_(0, 1)

    def error(self, v: Tensor) -> Tensor:
        """E[L(v)]: how far pictures [n c h w] are from what D makes of them, a mean over numbers too, so in 0..2."""
        return (v.float() - self.reconstruct(v).float()).abs().mean()

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """-L(x): the better D gives a picture back, the more it takes it for real."""
        return -(x.float() - self.reconstruct(x).float()).abs().flatten(1).mean(1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """D(x): what the autoencoder gives back of pictures [n c h w]."""
        reconstructed: Tensor = self.D(x)
        return reconstructed

    def fakes(self, batch: Batch) -> Tensor:
        """G(z); D's fakes serve G's turn too: the losses ask for one p_z, not for two z."""
        return batch.once("G(z)", lambda: self.generate(self.noise(len(batch))), self.G)

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z ~ U(-1, 1): [n latent]."""
        return 2 * torch.rand(n, self.latent, generator=generator, device=None if generator else self.device) - 1

    def as_noise(self, z: Tensor) -> Tensor:
        return z.clamp(-1, 1)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(z)
