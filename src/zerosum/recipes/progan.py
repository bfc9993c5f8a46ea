"""Progressive GAN: G and D grow together, from 4 px up (Karras et al. 2018, arXiv:1710.10196).

    D lowers  E[D(G(z))] - E[D(x)] + lambda E[(||grad D(x^)||_2 - 1)^2] + eps E[D(x)^2]     appendix A.1, on WGAN-GP's
    G lowers  -E[D(G(z))]                                                                   (Gulrajani et al. 2017)

The large and coarse is learnt first, where a picture has 16 pixels; then layers for finer detail are faded in, so
smoothly that what was learnt is never shaken (section 2). All layers have equalised learning rates (4.1), G has pixel
norm (4.2) in place of batch norm, and D sees how much its minibatch varies (3).
"""

from collections.abc import Mapping

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from zerosum.data.spec import Images
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.blocks import doublings
from zerosum.networks.progressive import Discriminator, Generator, enlarge, level_after
from zerosum.objectives.adversarial import wasserstein_critic_loss, wasserstein_generator_loss
from zerosum.objectives.penalties import interpolates, wgan_gp_penalty


class Config(BaseModel, frozen=True, extra="forbid"):
    """Sizes and lengths are ours, for two CPU cores; the ladder ends at the data's own size."""

    latent: int = Field(64, ge=1, description="numbers in z, normalised to the hypersphere (table 2: 512)")
    width: int = Field(8, ge=1, description="channels next to the picture, doubled inwards (A.2, 128 px: 32)")
    widest: int = Field(64, ge=1, description="most channels of a layer (table 2: 512)")
    stage_kimg: float = Field(10.0, ge=0, description="thousand pictures that a stage plays alone (A.2: 600)")
    fade_kimg: float = Field(10.0, gt=0, description="thousand pictures over which the next is faded in (A.2: 600)")
    weight: float = Field(10.0, ge=0, description="lambda, of the penalty (WGAN-GP: 10)")
    drift: float = Field(1e-3, ge=0, description="eps, which keeps D's scores near 0 (A.1: 0.001)")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate, both players (A.1: 0.001)")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's beta1 (A.1: 0)")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2 (A.1: 0.99)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"source": "glyphs", "size": 32, "batch": 32, "length": "85 kimg"},
    "paper": {
        # Section 6.1 and appendix A.2, for pictures of up to 128 px: 6 stages, 5 fades, 600 thousand pictures each.
        "size": 128,
        "latent": 512,
        "width": 32,
        "widest": 512,
        "stage_kimg": 600.0,
        "fade_kimg": 600.0,
        "lr": 1e-3,
        "batch": 16,
        "length": "6600 kimg",
    },
}


class ProGAN(Game):
    """WGAN-GP between two networks that grow."""

    def __init__(self, config: Config, data: Images):
        super().__init__()
        self.config, self.latent = config, config.latent
        self.last = doublings(data.height, data.width)  # the last stage: the data's own size
        widths = [min(config.widest, config.width * 2 ** (self.last - i)) for i in range(self.last + 1)]
        self.G = Generator(config.latent, data.shape, widths)
        self.D = Discriminator(data.shape, widths)
        self.shown = torch.tensor(0)  # real pictures that D was shown, on the CPU: nobody waits for it

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1, self.config.beta2)
        return [
            Player("D", [self.D], self.critic_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def critic_loss(self, batch: Batch) -> Loss:
        x, fakes = self.D.seen(batch.x), self.fakes(batch)
        real, fake = self.score(x), self.score(fakes)
        # The slope is that at pictures of full size, as in the authors' code: at half the side it is twice as long, so
        # that taken at the side at work it would be asked to double, at once, wherever a stage begins.
        # D sees the deviation of a minibatch, so a slope here has a share of the neighbours' scores in it, which the
        # penalty does not mean (Gulrajani et al. 2017, section 4). The paper takes it all the same.
        between = interpolates(self.full(x), self.full(fakes))
        return Loss(
            adversarial=wasserstein_critic_loss(real, fake),
            penalty=self.config.weight * wgan_gp_penalty(self.score(between), between),
            drift=self.config.drift * real.square().mean(),
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=wasserstein_generator_loss(self.score(self.fakes(batch))))

    def fakes(self, batch: Batch) -> Tensor:
        """G(z), of the side at work; D's fakes serve G's turn too: the losses ask for one p_z."""
        return batch.once("G(z)", lambda: self.G(self.noise(len(batch))), self.G)

    def score(self, x: Tensor) -> Tensor:
        """D(x): [n], of a minibatch of reals, or of fakes, never of both."""
        return self.D(x).float()

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """G(z), enlarged to the data's size: sheets and films have one size, however far G has grown."""
        return self.full(self.G(z))

    def full(self, x: Tensor) -> Tensor:
        return enlarge(x, self.G.ladder)

    def in_reach(self, x: Tensor) -> Tensor:
        return self.full(self.D.seen(x))

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.score(self.D.seen(x))

    def realness(self, x: Tensor, y: Tensor | None = None) -> None:
        """A critic's score is no probability."""

    def after_round(self, readings: Mapping[str, Tensor], hand: Batch) -> None:
        self.shown = self.shown + hand.whole
        steady, fade = 1000 * self.config.stage_kimg, 1000 * self.config.fade_kimg
        level = level_after(self.shown, steady, fade, self.last)
        self.G.set_extra_state(level)
        self.D.set_extra_state(level)

    def get_extra_state(self) -> Tensor:
        return self.shown

    def set_extra_state(self, state: Tensor) -> None:
        self.shown = state
