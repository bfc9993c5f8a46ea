"""DDPM: noise is put on step by step; one network learns to take it off (Ho et al. 2020, arXiv:2006.11239).

    L_simple = E_{t, x_0, eps} || eps - eps_theta(sqrt(a_t) x_0 + sqrt(1 - a_t) eps, t) ||^2                    eq. 14

A game of one player, and a rival of the GAN: nothing is judged, the player guesses the noise eps in a noisy picture.
Sampling begins with noise alone and takes off what is guessed, in all T steps (algorithm 2) or in few (DDIM: Song et
al. 2020, arXiv:2010.02502, eq. 12). Where the data has labels the network is told them, but for a tenth of the time, so
that a guess can be pushed away from the one without (classifier-free guidance: Ho & Salimans 2022, arXiv:2207.12598).
"""

from itertools import pairwise

import torch
from pydantic import BaseModel, Field, model_validator
from torch import Tensor, nn

from zerosum.data.spec import Images, Points
from zerosum.game import Batch, Game, Loss, Player, adam
from zerosum.networks.timed import TimedMLP, TimedUNet
from zerosum.objectives.diffusion import diffused, guided, shares_left, step_back, without


class Config(BaseModel, frozen=True, extra="forbid"):
    """Sizes are ours, for two CPU cores; the paper's, for CIFAR-10, are in its preset."""

    widths: tuple[int, ...] = Field((32, 64), min_length=1, description="channels at each resolution (128, 256 x 3)")
    blocks: int = Field(1, ge=1, description="residual blocks at each resolution (appendix B: 2)")
    attention: tuple[int, ...] = Field((), description="resolutions with attention, 0 the finest (appendix B: 16 px)")
    patch: int = Field(2, ge=1, description="side of the squares of pixels taken as one (paper: 1)")
    dropout: float = Field(0.0, ge=0, lt=1, description="within residual blocks (appendix B: 0.1)")
    hidden: tuple[int, ...] = Field((128, 128, 128), description="hidden layers where data are points")
    diffusion_steps: int = Field(1000, ge=1, description="T, steps from data to noise (section 4: 1000)")
    beta_first: float = Field(1e-4, gt=0, lt=1, description="variance of the first step's noise (section 4: 1e-4)")
    beta_last: float = Field(0.02, gt=0, lt=1, description="of the last step's (section 4: 0.02)")
    sampling_steps: int = Field(50, ge=1, description="steps back to data (section 4: all; Song et al.: 10 to 100)")
    eta: float = Field(0.0, ge=0, le=1, description="chance on the way back: 0 is DDIM's none, 1 is DDPM's")
    guidance: float = Field(0.0, ge=0, description="w, how far a guess is pushed towards the label")
    label_dropout: float = Field(0.1, ge=0, le=1, description="share of examples dealt without label (p_uncond: 0.1)")
    lr: float = Field(2e-3, gt=0, description="Adam's learning rate (appendix B: 2e-4)")

    @model_validator(mode="after")
    def _not_more_steps_back_than_forth(self) -> "Config":
        if self.sampling_steps > self.diffusion_steps:
            raise ValueError(
                f"sampling_steps = {self.sampling_steps}, and there are but diffusion_steps = {self.diffusion_steps}"
            )
        return self


SPARSE: dict[str, object] = {"pictures": "25 %", "tiles": 20}  # each takes many passes of the network
SMALL: dict[str, object] = {"guidance": 1.0, "batch": 16, "average": 0.998, "cooldown": 0.5, "length": "4 minutes"}
ANCESTRAL: dict[str, object] = {"sampling_steps": 1000, "eta": 1.0}
SIZE: dict[str, object] = {"widths": (128, 256, 256, 256), "blocks": 2, "attention": (1,), "patch": 1, "dropout": 0.1}
PLAYED: dict[str, object] = {
    "source": "cifar10",
    "lr": 2e-4,
    "batch": 128,
    "average": 0.9999,
    "length": "800000 rounds",
}
PRESETS: dict[str, dict[str, object]] = {
    "default": SMALL | SPARSE,
    "ancestral": SMALL | SPARSE | ANCESTRAL,
    "points": {"source": "ring", "batch": 256, "average": 0.99, "cooldown": 0.5, "pictures": "5 %"},
    "paper": SIZE | PLAYED | SPARSE | ANCESTRAL,
}


class DDPM(Game):
    """Denoising diffusion, told the labels. `sampling_steps`, `eta` and `guidance` may be set anew before sampling."""

    ships = ("eps",)
    at_sampling = ("sampling_steps", "eta", "guidance")

    def __init__(self, config: Config, data: Images | Points):
        super().__init__()
        self.config, self.shape, self.latent, self.classes = config, data.shape, data.size, len(data.classes)
        self.sampling_steps, self.eta, self.guidance = config.sampling_steps, config.eta, config.guidance
        self.draws = 1 + (self.sampling_steps if self.eta else 0)
        self.bounded = isinstance(data, Images)
        if isinstance(data, Points):
            self.eps: nn.Module = TimedMLP(data.dim, config.hidden)
        else:
            sizes = config.widths, config.blocks, config.attention
            self.eps = TimedUNet(
                data.channels, *sizes, dropout=config.dropout, classes=self.classes, patch=config.patch
            )

    def players(self) -> list[Player]:
        return [Player("eps", [self.eps], self.noise_loss, adam(self.config.lr, 0.9))]

    def shares(self, t: Tensor, x: Tensor) -> Tensor:
        """a_t of every time [n], to broadcast with x: made anew, so there is nothing to save or to average."""
        config = self.config
        a = shares_left(config.diffusion_steps, config.beta_first, config.beta_last, x.device)
        return a[t].view(-1, *[1] * (x.dim() - 1))

    def noise_in(self, x: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """eps_theta(x_t, t, y) = sqrt(1 - a_t) x_t + sqrt(a_t) network.

        The more noise, the more x_t itself is the guess; the network says what is wrong with it, which is the v of
        Salimans & Ho 2022 (arXiv:2202.00512, appendix D). The paper's network says eps outright. The loss is the same.
        """
        return diffused(self.eps(x, t, y).float(), x, self.shares(t, x))

    def noise_loss(self, batch: Batch) -> Loss:
        """Eq. 14, the mean over the numbers of an example where the paper has the sum, as in the authors' code."""
        x, y = batch.x, batch.y
        t = torch.randint(1, self.config.diffusion_steps + 1, (len(x),), device=x.device)
        noise = torch.randn_like(x)
        noisy = diffused(x, noise, self.shares(t, x))
        if self.classes and y is not None:
            y = y.where(torch.rand(len(x), device=x.device) >= self.config.label_dropout, self.classes)
        return Loss(simple=(self.noise_in(noisy, t, y) - noise).square().mean())

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """x_T = z [n c*h*w] -> x_0 [n c h w], with nothing left to chance (eta 0); of any class if not told one."""
        return self.go_back(z, y, 0.0)

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """As every game's; with `eta` above 0, each step draws fresh noise after that of x_T."""
        y = self.labels(n, generator) if y is None else y
        was_training = self.training
        self.eval()
        try:
            z = self.noise(n, generator).to(self.device)
            return self.go_back(z, None if y is None else y.to(self.device), self.eta, generator)
        finally:
            self.train(was_training)

    def go_back(self, z: Tensor, y: Tensor | None, eta: float, generator: torch.Generator | None = None) -> Tensor:
        """From x_T = z to x_0 in `sampling_steps` even steps; pictures are believed to lie in [-1, 1]."""
        x, last, count = z.unflatten(1, self.shape), self.config.diffusion_steps, self.sampling_steps
        times = [(2 * i * last + count) // (2 * count) for i in range(count, -1, -1)]  # i T / S, rounded
        for t, before in pairwise(torch.full((len(x),), time, device=x.device) for time in times):
            a = self.shares(t, x)
            origin = without(x, self.guess(x, t, y), a)
            origin = origin.clamp(-1, 1) if self.bounded else origin
            fresh = self.noise(len(x), generator).to(x).unflatten(1, self.shape) if eta else None
            x = step_back(x, origin, fresh, a, self.shares(before, x), eta)
        return x

    def guess(self, x: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """The noise to take off: eps_theta, pushed away from the one without label where there is guidance (eq. 6)."""
        untold = torch.full_like(t, self.classes)
        if y is None or not self.guidance:
            return self.noise_in(x, t, untold if y is None else y)
        return guided(self.noise_in(x, t, y), self.noise_in(x, t, untold), self.guidance)
