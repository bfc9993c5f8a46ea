"""InfoGAN: a generator whose code stays readable (Chen et al. 2016, arXiv:1606.03657).

    min_{G,Q} max_D  V(D, G) - lambda L_I(G, Q)                                                              eq. 6
    L_I(G, Q) = E[log Q(c | G(z, c))] + H(c)  <=  I(c; G(z, c))                                              eq. 5

Q, a player on D's trunk, reads back G's code c, a category and numbers from U(-1, 1); Q and G are paid for it. Not in
the paper: D, and Q for the category, see pictures moved a little (`jitter`), so that a category is what a picture is,
not how it leans; the trunk is moved by D alone, not bent to the code.
"""

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.blocks import doublings
from zerosum.networks.dcgan import Discriminator, Generator
from zerosum.networks.jitter import Jitter
from zerosum.networks.mlp import MLP
from zerosum.objectives.adversarial import minimax_discriminator_loss, non_saturating_generator_loss
from zerosum.objectives.information import categorical_information, continuous_information
from zerosum.recipes.duel import leaky


class Config(BaseModel, frozen=True, extra="forbid"):
    """Appendix C.1 (MNIST) of the paper, at a width that two CPU cores can play."""

    latent: int = Field(16, ge=1, description="numbers of z that are noise, normal (appendix C.1: 62)")
    categories: int = Field(10, ge=2, description="K, values of the categorical code (section 7.2: 10)")
    continuous: int = Field(2, ge=0, description="numbers of the code that are from U(-1, 1) (section 7.2: 2)")
    weight: float = Field(1.0, ge=0, description="lambda of the categorical code (section 6: 1)")
    continuous_weight: float = Field(0.1, ge=0, description="lambda of the continuous codes (section 6: smaller)")
    jitter: float = Field(0.3, ge=0, le=1, description="how far pictures are moved before they are judged (paper: 0)")
    width: int = Field(16, ge=1, description="channels next to the picture, doubled inwards (appendix C.1: 64)")
    kernel: int = Field(4, ge=2, description="side of every kernel (appendix C.1: 4)")
    hidden: tuple[int, ...] = Field((128, 128), description="hidden layers of G and the trunk where data are points")
    code_width: int = Field(128, ge=1, description="Q's hidden layer, beyond the trunk (appendix C.1: 128)")
    lr_d: float = Field(1e-3, gt=0, description="Adam's learning rate of D and of Q (appendix C.1: 2e-4)")
    lr_g: float = Field(2e-3, gt=0, description="Adam's learning rate of G (appendix C.1: 1e-3)")
    betas: tuple[float, float] = Field((0.5, 0.99), description="Adam's betas, both players (not said)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"cooldown": 0.5, "tiles": 100},
    "points": {"source": "ring", "categories": 8, "continuous": 1, "latent": 4, "batch": 256, "average": 0.9},
    "paper": {"latent": 62, "jitter": 0.0, "width": 64, "lr_d": 2e-4, "lr_g": 1e-3, "batch": 128, "tiles": 100},
}


class InfoGAN(Game):
    """Information maximizing generative adversarial nets. Labels are never looked at."""

    def __init__(self, config: Config, data: Images | Points):
        super().__init__()
        self.config, self.latent = config, config.latent + config.categories + config.continuous
        self.augmentable = ()  # Q reads codes in what the trunk sees, and one of them may be the colour
        self.jitter = Jitter(config.jitter * isinstance(data, Images))
        outputs = config.categories + 2 * config.continuous
        if isinstance(data, Points):
            self.G: nn.Module = MLP(self.latent, config.hidden, data.dim, leaky)
            self.trunk: nn.Module = nn.Sequential(MLP(data.dim, config.hidden[:-1], config.hidden[-1], leaky), leaky())
            self.D = nn.Linear(config.hidden[-1], 1)
            self.Q: nn.Module = MLP(config.hidden[-1], (config.code_width,), outputs, leaky)
        else:
            widths = [config.width * 2**i for i in range(doublings(data.height, data.width))]
            self.G = Generator(self.latent, data.shape, widths[::-1], (2,) * len(widths), kernel=config.kernel)
            judge = Discriminator(data.shape, widths, kernel=config.kernel)
            self.trunk, self.D = judge.features, judge.score
            inner = [nn.Linear(self.D.in_features, config.code_width, bias=False), nn.BatchNorm1d(config.code_width)]
            self.Q = nn.Sequential(*inner, leaky(), nn.Linear(config.code_width, outputs))

    def players(self) -> list[Player]:
        c = self.config
        return [
            Player("D", [self.trunk, self.D], self.discriminator_loss, adam(c.lr_d, *c.betas)),
            Player("Q", [self.Q], self.information_loss, adam(c.lr_d, *c.betas)),
            Player("G", [self.G], self.generator_loss, adam(c.lr_g, *c.betas)),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        real, fake = self.score(self.trunk(self.jitter(batch.x))), self.score(self.fakes(batch)[2])
        loss = Loss(adversarial=minimax_discriminator_loss(real, fake))
        return loss.read(D_x=real.sigmoid().mean(), D_Gz=fake.sigmoid().mean())

    def information_loss(self, batch: Batch) -> Loss:
        """-lambda L_I, in nats: of the category at most ln K; the continuous codes say how a picture leans."""
        z, fakes, moved = self.fakes(batch)
        _, category, numbers = self.parts(z)
        still = batch.once("trunk(G(z))", lambda: self.trunk(fakes), self.trunk, self.G)
        (logits, _, _), (_, mean, log_deviation) = self.read(moved), self.read(still)
        L_I = categorical_information(logits, category), continuous_information(mean, log_deviation, numbers)
        loss = Loss(information=-self.config.weight * L_I[0] - self.config.continuous_weight * L_I[1])
        return loss.read(L_I_categorical=L_I[0], L_I_continuous=L_I[1])

    def generator_loss(self, batch: Batch) -> Loss:
        score = self.score(self.fakes(batch)[2])
        return Loss(adversarial=non_saturating_generator_loss(score), information=self.information_loss(batch).total)

    def fakes(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """z, G(z), and what the trunk sees of the fakes, moved a little: [n f]."""
        z = batch.once("z", lambda: self.noise(len(batch)))
        fakes = batch.once("G(z)", lambda: self.generate(z), self.G)
        return z, fakes, batch.once("moved", lambda: self.trunk(self.jitter(fakes)), self.trunk, self.G)

    def score(self, features: Tensor) -> Tensor:
        return self.D(features).flatten().float()

    def read(self, features: Tensor) -> tuple[Tensor, ...]:
        """Q(c|x): logits of the category [n K], means and log deviations of the continuous codes [n k]."""
        return self.Q(features).float().split([self.config.categories, *[self.config.continuous] * 2], 1)

    def codes(self, x: Tensor) -> Tensor:
        logits, mean, _ = self.read(self.trunk(x))
        return torch.cat([logits.argmax(1, keepdim=True), mean], 1)

    def parts(self, z: Tensor) -> tuple[Tensor, ...]:
        """z = [noise | one-hot category | continuous codes]: views of its three parts."""
        return z.split([self.config.latent, self.config.categories, self.config.continuous], 1)

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        z = torch.randn(n, self.latent, generator=generator, device=None if generator else self.device)
        _, category, numbers = self.parts(z)
        # Which of K normal numbers is the largest is uniform.
        category.copy_(category.argmax(1, keepdim=True) == torch.arange(self.config.categories, device=z.device))
        numbers.uniform_(-1, 1, generator=generator)
        return z

    def showcase(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z for a sheet with a column for each category: [n latent]. A row shares its noise and continuous codes."""
        k, rows = self.config.categories, -(-n // self.config.categories)
        z = self.noise(rows, generator).repeat_interleave(k, 0)[:n]
        self.parts(z)[1].copy_(torch.eye(k, device=z.device).repeat(rows, 1)[:n])
        return z

    def as_noise(self, z: Tensor) -> Tensor:
        noise, category, numbers = self.parts(z)
        nearest = category == category.max(1, keepdim=True).values
        return torch.cat([noise, nearest.to(z), numbers.clamp(-1, 1)], 1)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(z)

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.score(self.trunk(x))

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.judge(x).sigmoid()
