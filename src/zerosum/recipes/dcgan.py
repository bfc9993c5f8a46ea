"""DCGAN: the game with convolutions that train (Radford et al. 2015, arXiv:1511.06434).

    min_G max_D E_x[log D(x)] + E_z[log(1 - D(G(z)))],   G raises log D(G(z))          (Goodfellow et al. 2014)

What is new is the networks (section 3): strided convolutions in D, transposed ones in G, batch norm in both, no hidden
dense layers, ReLU in G with tanh at its end, LeakyReLU in D.
"""

from typing import Literal

from pydantic import BaseModel, Field
from torch import Tensor

from zerosum.data.spec import Images
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.blocks import doublings, glorot_, normal_
from zerosum.networks.dcgan import Discriminator, Generator
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.recipes.duel import MINIBATCH, SIGHT, Sight

INITIAL_WEIGHTS = {"normal": lambda network: normal_(network, 0.02), "glorot": glorot_}


class Config(BaseModel, frozen=True, extra="forbid"):
    """Section 4 of the paper, at a width that two CPU cores can play. Widths are those of the outermost stages."""

    latent: int = Field(100, ge=1, description="numbers in z, normal (section 4 and figure 1: 100, uniform)")
    generator_widths: tuple[int, ...] | None = Field(
        None, description="channels before each transposed convolution; none: doubles inwards from `width`"
    )
    generator_strides: tuple[int, ...] | None = Field(None, description="stride of each; none: 2 (figure 1)")
    discriminator_widths: tuple[int, ...] | None = Field(
        None, description="channels after each convolution; none: as G"
    )
    width: int = Field(32, ge=1, description="channels next to the picture (figure 1: 128)")
    kernel: int = Field(5, ge=2, description="side of every kernel (figure 1: 5)")
    generator_slope: float = Field(0.0, ge=0, lt=1, description="activation's slope in G; 0 is ReLU (section 3)")
    discriminator_slope: float = Field(0.2, ge=0, lt=1, description="LeakyReLU slope in D (section 4)")
    batch_norm: bool = Field(True, description="batch norm in D, but for its first layer (section 3)")
    norm_momentum: float = Field(0.1, gt=0, le=1, description="share of a new batch in G's running statistics")
    norm_eps: float = Field(1e-5, gt=0, description="added to variances in G")
    norm_features: bool = Field(False, description="norm G's projection number by number, not channel by channel")
    minibatch: Sight = Field("none", description=SIGHT)
    dropout: float = Field(0.0, ge=0, lt=1, description="after each convolution of D")
    weights: Literal["normal", "glorot"] = Field("normal", description="first weights: N(0, 0.02^2) (section 4)")
    lr: float = Field(2e-4, gt=0, description="Adam's learning rate, both players (section 4)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1, both players (section 4)")


PRESETS: dict[str, dict[str, object]] = {
    "minibatch": {"minibatch": "discrimination"},
    "paper": {"width": 128, "batch": 128},
    "mnist28": {
        # The network of the best-known DCGAN tutorial for MNIST. Keras pads one more row below than above where torch
        # pads above: the same function, mirrored.
        "generator_widths": (256, 128, 64),
        "generator_strides": (1, 2, 2),
        "discriminator_widths": (64, 128),
        "generator_slope": 0.3,
        "discriminator_slope": 0.3,
        "batch_norm": False,
        "norm_momentum": 0.01,
        "norm_eps": 1e-3,
        "norm_features": True,
        "dropout": 0.3,
        "weights": "glorot",
        "lr": 1e-4,
        "beta1": 0.9,
        "batch": 256,
        "source": "mnist",
        "length": "50 epochs",
        "pictures": "1 epoch",
        "tiles": 16,
        "checkpoints": "15 epochs",
        "keep": 4,
        "dynamics": "simultaneous",
        "average": 0.0,
    },
}


class DCGAN(Game):
    """Deep convolutional generative adversarial networks."""

    def __init__(self, config: Config, data: Images):
        super().__init__()
        self.config, self.latent = config, config.latent
        stages = doublings(data.height, data.width)
        widths = tuple(config.width * 2**i for i in range(stages))
        self.G = Generator(
            config.latent,
            data.shape,
            config.generator_widths or widths[::-1],
            config.generator_strides or (2,) * len(config.generator_widths or widths),
            kernel=config.kernel,
            slope=config.generator_slope,
            norm_momentum=config.norm_momentum,
            norm_eps=config.norm_eps,
            norm_features=config.norm_features,
        )
        self.D = Discriminator(
            data.shape,
            config.discriminator_widths or widths,
            kernel=config.kernel,
            slope=config.discriminator_slope,
            batch_norm=config.batch_norm,
            dropout=config.dropout,
            minibatch=MINIBATCH[config.minibatch],
        )
        INITIAL_WEIGHTS[config.weights](self)

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1)
        return [
            Player("D", [self.D], self.discriminator_loss, optimizer),
            Player("G", [self.G], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.D(batch.x).float(), self.judged_fakes(batch)
        return Loss(adversarial=minimax_discriminator_loss(real, fake)).read(
            D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean()
        )

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=non_saturating_generator_loss(self.judged_fakes(batch)))

    def judged_fakes(self, batch: Batch) -> Tensor:
        """D(G(z)) of one z a round: G plays on the fakes that D has just seen, judged anew if D has moved.

        The losses ask for one p_z, not for two z. D's running batch statistics follow every batch that it sees, G's
        turn's too, as in the authors' code; only sampling scores read them.
        """
        fakes = batch.once("G(z)", lambda: self.generate(self.noise(len(batch))), self.G)
        return batch.once("D(G(z))", lambda: self.D(fakes).float(), self.D, self.G)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(z)

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.D(x).float()

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """None where D judges whole minibatches: what it says of one example depends on the others."""
        return self.D(x).sigmoid() if self.config.minibatch == "none" else None
