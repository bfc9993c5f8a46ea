"""CycleGAN: two domains without pairs, and there and back again is where one began (Zhu et al. 2017, arXiv:1703.10593).

    G: X -> Y, F: Y -> X;  D_Y tells G(x) from y, D_X tells F(y) from x
    L_GAN(G, D_Y) = E_y[log D_Y(y)] + E_x[log(1 - D_Y(G(x)))]                                       eq. 1
    L_cyc(G, F) = E_x||F(G(x)) - x||_1 + E_y||G(F(y)) - y||_1                                       eq. 2
    G*, F* = arg min_{G,F} max_{D_X,D_Y} L_GAN(G, D_Y) + L_GAN(F, D_X) + lambda L_cyc(G, F)         eq. 3, 4
    L_identity(G, F) = E_y||G(y) - y||_1 + E_x||F(x) - x||_1                                        section 5.2

The judges see to it that G(x) looks like a y; the cycle, that it still tells which x it came from. Played with least
squares in place of logarithms, D's halved (section 4); D judges fakes out of a pool of the last ones (Shrivastava et
al. 2017, arXiv:1612.07828, section 2.3), so that the players do not chase each other in circles. Norms are by picture.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field
from torch import Tensor

from zerosum.data.spec import Domains
from zerosum.game import Batch, Loss, Player, Translator, adam
from zerosum.networks import translator
from zerosum.networks.blocks import normal_
from zerosum.networks.patch import PatchGAN, largest_field
from zerosum.networks.pool import Pool
from zerosum.objectives.adversarial import least_squares_discriminator_loss, least_squares_generator_loss


class Config(BaseModel, frozen=True, extra="forbid"):
    """Section 4 and appendix 7 of the paper, at a width that two CPU cores can play."""

    width: int = Field(8, ge=1, description="channels next to the picture in G and F (7.2: 64)")
    judge_width: int = Field(16, ge=1, description="channels next to the picture in D_X and D_Y (7.2: 64)")
    blocks: int = Field(2, ge=0, description="residual blocks of G and F (section 4: 6 for 128 px, 9 for 256)")
    patch: Literal[1, 16, 34, 70, 142, 286] = Field(
        34, description="side of what the judges judge, in px; less where the picture is small (section 4: 70)"
    )
    cycle: float = Field(10.0, ge=0, description="lambda, weight of the cycle (section 4: 10)")
    identity: float = Field(
        0.5, ge=0, description="weight of the identity term, in lambdas, if both have as many channels (5.2: 0.5)"
    )
    pool: int = Field(50, ge=0, description="fakes of each kind kept for the judges (section 4: 50); 0: none")
    lr: float = Field(2e-4, gt=0, description="Adam's learning rate, both players (section 4: 2e-4)")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's beta1, both players (the authors' code: 0.5)")


PRESETS: dict[str, dict[str, object]] = {
    "default": {"source": "striped", "batch": 4, "lr": 1e-3, "cooldown": 0.5},
    # Section 4 and 7.1: 9 blocks for 256 px, 200 epochs, the second half of them with rates that fall to 0.
    "paper": {
        "source": "striped",
        "size": 256,
        "width": 64,
        "judge_width": 64,
        "blocks": 9,
        "patch": 70,
        "batch": 1,
        "length": "200 epochs",
        "cooldown": 0.5,
        "average": 0.0,
    },
}


class CycleGAN(Translator):
    """Two translators that undo each other, against a judge of each domain."""

    ships, augmentable = ("G", "F"), ("D_X", "D_Y")
    directions = ("AtoB", "BtoA")

    def __init__(self, config: Config, domains: Domains):
        super().__init__()
        self.config = config
        a, b = domains.a, domains.b
        self.identity = config.cycle * config.identity * (a.channels == b.channels)  # G(y) = y needs y to be an x too
        self.G = translator.Translator(a.channels, b.channels, config.width, config.blocks)
        self.F = translator.Translator(b.channels, a.channels, config.width, config.blocks)
        self.D_X = PatchGAN(a.channels, largest_field(config.patch, a.height, a.width), config.judge_width)
        self.D_Y = PatchGAN(b.channels, largest_field(config.patch, b.height, b.width), config.judge_width)
        normal_(self, 0.02)
        self.pool_X, self.pool_Y = Pool(a.shape, config.pool), Pool(b.shape, config.pool)

    def players(self) -> list[Player]:
        optimizer = adam(self.config.lr, self.config.beta1)
        return [
            Player("D", [self.D_X, self.D_Y], self.discriminator_loss, optimizer),
            Player("G", [self.G, self.F], self.generator_loss, optimizer),
        ]

    def discriminator_loss(self, batch: Batch) -> Loss:
        """Each judge lowers 1/2 E[(D(real) - 1)^2] + 1/2 E[D(fake)^2] of fakes out of the pools."""
        assert batch.y is not None
        (pooled_x, _), (pooled_y, _) = self.judged(batch)
        real_x, fake_x = self.D_X(batch.x).float(), self.D_X(pooled_x).float()
        real_y, fake_y = self.D_Y(batch.y).float(), self.D_Y(pooled_y).float()
        loss = least_squares_discriminator_loss(real_x, fake_x) + least_squares_discriminator_loss(real_y, fake_y)
        real, fake = (real_x.mean() + real_y.mean()) / 2, (fake_x.mean() + fake_y.mean()) / 2
        return Loss(adversarial=loss).read(D_x=real, D_Gz=fake)

    def generator_loss(self, batch: Batch) -> Loss:
        """E[(D(fake) - 1)^2], without the half of Mao et al.; the cycle; the identity."""
        x, y = batch.x, batch.y
        assert y is not None
        fake_y, fake_x, weight = self.there(batch), self.back(batch), self.config.cycle
        scores_y, scores_x = self.D_Y(fake_y).float(), self.D_X(fake_x).float()
        terms = {
            "adversarial": 2 * (least_squares_generator_loss(scores_y) + least_squares_generator_loss(scores_x)),
            "cycle": weight * (l1(self.F(fake_y), x) + l1(self.G(fake_x), y)),
        }
        if self.identity:
            terms["identity"] = self.identity * (l1(self.G(y), y) + l1(self.F(x), x))
        return Loss(**terms)

    def there(self, batch: Batch) -> Tensor:
        """G(x), the same in both turns."""
        return batch.once("G(x)", lambda: self.G(batch.x), self.G)

    def back(self, batch: Batch) -> Tensor:
        """F(y), the same in both turns."""
        return batch.once("F(y)", lambda: self.F(batch.y), self.F)

    def judged(self, batch: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Of F(y) and of G(x): what the judge is shown, and what the pool will hold. Drawn once a hand."""
        return batch.once("pools", lambda: (self.pool_X(self.back(batch)), self.pool_Y(self.there(batch))))

    def after_round(self, readings: Mapping[str, Tensor], hand: Batch) -> None:
        if "D.adversarial" in readings:
            (_, self.pool_X.held), (_, self.pool_Y.held) = self.judged(hand)

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The mean score of the patches of x, as a picture of Y."""
        return self.D_Y(x).float().flatten(1).mean(1)

    def translate(self, x: Tensor, direction: str = "AtoB") -> Tensor:
        if direction not in self.directions:
            raise ValueError(f"cyclegan translates {' and '.join(self.directions)}, not {direction}")
        translated: Tensor = self.G(x) if direction == "AtoB" else self.F(x)
        return translated


def l1(a: Tensor, b: Tensor) -> Tensor:
    return (a.float() - b).abs().mean()
