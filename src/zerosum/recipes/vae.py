"""VAE: a code for every example, and an example for every code (Kingma & Welling 2014, arXiv:1312.6114).

    log p(x) >= E_{z ~ q(z|x)}[log p(x|z)] - KL(q(z|x) || N(0, I)),    z = mu(x) + sigma(x) eps          eqs. 3, 4, 10

A game of one player, and a rival of the GAN: nothing is judged. E tells a code and how sure it is of it, G tells the
example back, and both raise the same bound: G's account of x, less the nats that the code costs. Decoders are the
paper's: Bernoulli for pictures, whose grays in [0, 1] count as probabilities (appendix C.1), Gaussian for points (C.2).
"""

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.blocks import doublings
from zerosum.networks.dcgan import Discriminator, Generator
from zerosum.networks.mlp import MLP
from zerosum.objectives.reconstruction import bernoulli_log_likelihood, gaussian_kl, gaussian_log_likelihood


class Config(BaseModel, frozen=True, extra="forbid"):
    """The numbers of the paper, where it gives them; the convolutions are ours."""

    latent: int = Field(20, ge=1, description="numbers in z, normal (figure 2: 3 to 200)")
    width: int = Field(32, ge=1, description="channels next to the picture, doubled inwards")
    kernel: int = Field(4, ge=2, description="side of every kernel; a multiple of the stride leaves no checkerboard")
    dense: bool = Field(False, description="perceptrons for pictures too, no convolutions (the paper's)")
    hidden: tuple[int, ...] = Field((500,), description="hidden layers of a perceptron (section 5: 500 for MNIST)")
    lr: float = Field(3e-3, gt=0, description="Adam's learning rate (section 5: Adagrad, 0.01 to 0.1)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5},
    "points": {
        "source": "ring",
        "latent": 2,
        "hidden": (128, 128),
        "lr": 1e-3,
        "batch": 256,
        "average": 0.99,
        "cooldown": 0.5,
    },
    "paper": {"source": "mnist", "dense": True, "lr": 1e-3, "batch": 100, "length": "20 epochs"},
}


class VAE(Game):
    """Auto-encoding variational Bayes."""

    ships = ("E", "G")

    def __init__(self, config: Config, data: Images | Points):
        super().__init__()
        self.config, self.latent, self.shape = config, config.latent, data.shape
        self.pictures = isinstance(data, Images)
        self.E: nn.Module
        self.G: nn.Module
        if isinstance(data, Images) and not config.dense:
            widths = [config.width * 2**i for i in range(doublings(data.height, data.width))]
            body = Discriminator(data.shape, widths, kernel=config.kernel, slope=0.2)
            self.E = nn.Sequential(body.features, nn.Linear(body.score.in_features, 2 * config.latent))
            self.G = Generator(
                config.latent, data.shape, widths[::-1], (2,) * len(widths), kernel=config.kernel, slope=0.2
            )
            del self.G[-1]  # its tanh: p(x|z) is taken from logits
        else:
            told = data.size if self.pictures else 2 * data.size  # logits; a mean and the logarithm of a variance
            self.E = MLP(data.size, config.hidden, 2 * config.latent, nn.Tanh)
            self.G = MLP(config.latent, config.hidden[::-1], told, nn.Tanh)

    def players(self) -> list[Player]:
        return [Player("EG", [self.E, self.G], self.loss, adam(self.config.lr, 0.9))]

    def loss(self, batch: Batch) -> Loss:
        """Minus the bound, in nats an example."""
        likelihood, kl = self.bound(batch.x)
        return Loss(reconstruction=-likelihood.mean(), kl=kl.mean()).read(elbo=(likelihood - kl).mean())

    def bound(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z) for one z ~ q(z|x), and KL(q(z|x) || N(0, I)), each [n] in nats: the bound is their difference."""
        mean, log_variance = self.encode(x)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        told = self.G(z).float()
        if self.pictures:
            likelihood = bernoulli_log_likelihood((x + 1) / 2, told.view_as(x))
        else:
            likelihood = gaussian_log_likelihood(x, *told.chunk(2, 1))
        return likelihood, gaussian_kl(mean, log_variance)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the variance of q(z|x): each [n latent]."""
        mean, log_variance = self.E(x).float().chunk(2, 1)
        return mean, log_variance

    def codes(self, x: Tensor) -> Tensor:
        """The likeliest code of each example: [n latent]."""
        return self.encode(x)[0]

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The mean of p(x|z): of a pixel 2p - 1, in (-1, 1)."""
        told = self.G(z)
        mean = (told / 2).tanh() if self.pictures else told.chunk(2, 1)[0]
        return mean.unflatten(1, self.shape) if mean.dim() == 2 else mean

    def reconstruct(self, x: Tensor) -> Tensor:
        """Each example told back by way of its likeliest code: [n ...] -> [n ...]."""
        return self.generate(self.codes(x))
