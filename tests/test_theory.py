"""The trainer on the one GAN that is solved by hand: the Dirac-GAN (Mescheder et al. 2018, arXiv:1801.04406).

Real data is a point at 0, G puts its point at theta, D scores C(x) = psi x. With slope = f'(0), the score's pull at the
equilibrium (0, 0), and gamma, the weights of R1 and R2 together, the field of a round is, to first order,

    d psi / dt = -gamma psi - slope theta
    d theta / dt = slope psi                lambda = -gamma/2 +- sqrt(gamma^2/4 - slope^2)

The trainer, its objectives, penalties, dynamics and torch's SGD are the real ones; no formula here is taken from them.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zerosum.game import Batch, Game, Loss, Player
from zerosum.objectives import adversarial
from zerosum.objectives.penalties import interpolates, wgan_gp_penalty, zero_centred_penalty
from zerosum.play.dynamics import Dynamics, alternating, extragradient, simultaneous
from zerosum.play.trainer import Trainer

# --- the game


@dataclass(frozen=True)
class Losses:
    """What D and G lower, each of (real scores, fake scores)."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    slope: float
    """f'(0), by hand: how hard D's loss pulls on a fake's score at the equilibrium, and G's loss the other way."""
    rest: float = 0.0
    """The score at the equilibrium: C(x) = psi x + rest."""


LOSSES = {
    # d/dt softplus(t) = sigma(t), which is 1/2 at 0
    "minimax": Losses(
        adversarial.minimax_discriminator_loss, lambda real, fake: adversarial.minimax_generator_loss(fake), 1 / 2
    ),
    "non-saturating": Losses(
        adversarial.minimax_discriminator_loss,
        lambda real, fake: adversarial.non_saturating_generator_loss(fake),
        1 / 2,
    ),
    "relativistic": Losses(adversarial.relativistic_discriminator_loss, adversarial.relativistic_generator_loss, 1 / 2),
    # d/dt t^2/2 at 1/2, where D rests between its targets 0 and 1; G's pull is 1/2 - 1
    "least squares": Losses(
        adversarial.least_squares_discriminator_loss,
        lambda real, fake: adversarial.least_squares_generator_loss(fake),
        1 / 2,
        rest=1 / 2,
    ),
    # d/dt max(0, 1 + t) for t > -1, and d/dt t
    "hinge": Losses(
        adversarial.hinge_discriminator_loss, lambda real, fake: adversarial.hinge_generator_loss(fake), 1.0
    ),
    "Wasserstein": Losses(
        adversarial.wasserstein_critic_loss, lambda real, fake: adversarial.wasserstein_generator_loss(fake), 1.0
    ),
}


class Theta(nn.Module):
    """G: every z -> theta."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), 1)


class Psi(nn.Module):
    """D: x [n 1] -> psi x + rest [n]."""

    def __init__(self, rest: float) -> None:
        super().__init__()
        self.psi, self.rest = nn.Parameter(torch.zeros((), dtype=torch.float64)), rest

    def forward(self, x: Tensor) -> Tensor:
        return (self.psi * x + self.rest).flatten()


class Dirac(Game):
    """D lowers its loss + r1 R1 + r2 R2 + gp WGAN-GP, G lowers its own; both by plain gradient steps of size h."""

    latent = 1

    def __init__(
        self,
        losses: Losses,
        h: float,
        *,
        r1: float = 0.0,
        r2: float = 0.0,
        gp: float = 0.0,
        turns: int = 1,
        order: str = "DG",
    ):
        super().__init__()
        self.G, self.D = Theta(), Psi(losses.rest)
        self.losses, self.h, self.turns, self.order = losses, h, turns, order
        self.r1, self.r2, self.gp = r1, r2, gp

    def players(self) -> list[Player]:
        def sgd(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, lr=self.h)

        players = {
            "D": Player("D", [self.D], self.discriminator_loss, sgd, steps=self.turns),
            "G": Player("G", [self.G], self.generator_loss, sgd),
        }
        return [players[name] for name in self.order]

    def discriminator_loss(self, batch: Batch) -> Loss:
        x = batch.x.detach().requires_grad_()
        real = self.D(x)
        terms = {"adversarial": self.losses.discriminator(real, self.fake_scores(batch))}
        if self.r1:
            terms["r1"] = self.r1 * zero_centred_penalty(real, x)
        if self.r2:
            fakes = self.fakes(batch).detach().requires_grad_()
            terms["r2"] = self.r2 * zero_centred_penalty(self.D(fakes), fakes)
        if self.gp:
            between = interpolates(x, self.fakes(batch))
            terms["gp"] = self.gp * wgan_gp_penalty(self.D(between), between)
        return Loss(**terms)

    def generator_loss(self, batch: Batch) -> Loss:
        return Loss(adversarial=self.losses.generator(self.D(batch.x), self.fake_scores(batch)))

    def fakes(self, batch: Batch) -> Tensor:
        return batch.once("G(z)", lambda: self.generate(batch.x), self.G)

    def fake_scores(self, batch: Batch) -> Tensor:
        return batch.once("C(G(z))", lambda: self.D(self.fakes(batch)), self.G, self.D)

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.G(z)


class Table:
    """A Dirac-GAN and the real trainer that plays it."""

    def __init__(self, game: Dirac, dynamics: Dynamics, n: int = 4):
        zeros = torch.zeros(n, 1, dtype=torch.float64)
        self.game, self.trainer = game, Trainer(game, lambda: (zeros, None), dynamics=dynamics, average=0.0)

    def put(self, psi: float, theta: float) -> Table:
        with torch.no_grad():
            self.game.D.psi.fill_(psi)
            self.game.G.theta.fill_(theta)
        return self

    def play(self, rounds: int) -> np.ndarray:
        """(psi, theta) after each round: [rounds 2]."""
        path = np.empty((rounds, 2))
        for place in path:
            self.trainer.round()
            place[:] = self.game.D.psi.item(), self.game.G.theta.item()
        self.trainer.collect()  # raises if a reading was not finite
        return path

    def jacobian(self, step: float = 1e-3) -> np.ndarray:
        """Of one round at (0, 0): [[psi'/psi, psi'/theta], [theta'/psi, theta'/theta]], to fourth order in `step`."""

        def central(e: float) -> np.ndarray:
            ends = [self.put(*place).play(1)[0] for place in ((e, 0), (-e, 0), (0, e), (0, -e))]
            return np.stack([ends[0] - ends[1], ends[2] - ends[3]], axis=1) / (2 * e)

        return (4 * central(step / 2) - central(step)) / 3


def radius(path: np.ndarray) -> np.ndarray:
    return np.hypot(path[..., 0], path[..., 1])


# --- what theory says


def eigenvalues(gamma: float, slope: float) -> tuple[complex, complex]:
    """Of the field at (0, 0): -gamma/2 +- sqrt(gamma^2/4 - f'(0)^2) (Mescheder et al. 2018, section 3)."""
    root = cmath.sqrt(gamma**2 / 4 - slope**2)
    return -gamma / 2 + root, -gamma / 2 - root


def simultaneous_radius(h: float, gamma: float, slope: float) -> float:
    """w' = (1 + h A) w: max |1 + h lambda|."""
    return max(abs(1 + h * lam) for lam in eigenvalues(gamma, slope))


def extragradient_radius(h: float, gamma: float, slope: float) -> float:
    """w' = w + h A (w + h A w): max |1 + h lambda + h^2 lambda^2|."""
    return max(abs(1 + h * lam + (h * lam) ** 2) for lam in eigenvalues(gamma, slope))


def alternating_radius(h: float, gamma: float, slope: float, turns: int = 1) -> float:
    """k turns psi <- q psi - h slope theta, q = 1 - h gamma, then theta <- theta + h slope psi. With
    s = 1 + q + ... + q^(k-1), the round has determinant q^k and trace 1 + q^k - (h slope)^2 s.

    Its eigenvalues are a pair of modulus q^(k/2) while trace^2 < 4 q^k.
    """
    q = 1 - h * gamma
    half_trace = (1 + q**turns - (h * slope) ** 2 * sum(q**i for i in range(turns))) / 2
    root = cmath.sqrt(half_trace**2 - q**turns)
    return max(abs(half_trace + root), abs(half_trace - root))


DYNAMICS: dict[str, tuple[Dynamics, int, Callable[[float, float, float], float]]] = {
    "simultaneous": (simultaneous, 1, simultaneous_radius),
    "alternating": (alternating, 1, alternating_radius),
    "alternating 5 D": (alternating, 5, lambda h, gamma, slope: alternating_radius(h, gamma, slope, turns=5)),
    "extragradient": (extragradient, 1, extragradient_radius),
}

PENALTIES: dict[str, dict[str, float]] = {
    "no penalty": {},
    "R1 0.3": {"r1": 0.3},
    "R1 1": {"r1": 1.0},  # critical where f'(0) = 1/2
    "R1 2": {"r1": 2.0},  # critical where f'(0) = 1
    "R2 0.3": {"r2": 0.3},
    "R1 + R2 0.5": {"r1": 0.5, "r2": 0.5},  # doubles the damping: as R1 1
}


def spectral_radius(matrix: np.ndarray) -> float:
    """Of a 2 x 2 matrix. At a double root, a rounding of 1e-16 under the square root would be an error of 1e-8."""
    half_trace, determinant = np.trace(matrix) / 2, matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    inside = half_trace**2 - determinant
    if inside < -1e-12:
        return math.sqrt(determinant)
    return abs(half_trace) + math.sqrt(inside if inside > 1e-12 else 0.0)


# --- one round


@pytest.mark.parametrize("h", [0.2, 0.05], ids="h {}".format)
@pytest.mark.parametrize("dynamics", DYNAMICS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_spectral_radius_of_a_round(loss: str, penalty: str, dynamics: str, h: float) -> None:
    """The round's Jacobian at the equilibrium has the spectral radius that theory gives it."""
    play, turns, closed_form = DYNAMICS[dynamics]
    table = Table(Dirac(LOSSES[loss], h, turns=turns, **PENALTIES[penalty]), play)
    gamma, slope = sum(PENALTIES[penalty].values()), LOSSES[loss].slope
    assert spectral_radius(table.jacobian()) == pytest.approx(closed_form(h, gamma, slope), rel=0, abs=1e-10)


@pytest.mark.parametrize(
    ("dynamics", "gamma", "slope", "textbook"),
    [
        ("simultaneous", 0, 1, lambda h: math.sqrt(1 + h**2)),  # bilinear: outwards
        ("alternating", 0, 1, lambda h: 1.0),  # bilinear: around
        ("alternating 5 D", 0, 1, lambda h: 1.0),
        ("extragradient", 0, 1, lambda h: math.sqrt((1 - h**2) ** 2 + h**2)),  # bilinear: inwards
        ("simultaneous", 0, 1 / 2, lambda h: math.sqrt(1 + h**2 / 4)),
        ("alternating", 0, 1 / 2, lambda h: 1.0),
        ("simultaneous", 0.3, 1 / 2, lambda h: math.sqrt(1 - 0.3 * h + h**2 / 4)),
        ("alternating", 0.3, 1 / 2, lambda h: math.sqrt(1 - 0.3 * h)),
        ("alternating 5 D", 0.3, 1 / 2, lambda h: (1 - 0.3 * h) ** 2.5),
        ("simultaneous", 1, 1 / 2, lambda h: 1 - h / 2),  # critical
        ("simultaneous", 2, 1, lambda h: 1 - h),  # critical
        ("extragradient", 1, 1 / 2, lambda h: 1 - h / 2 + h**2 / 4),
        ("simultaneous", 2, 1 / 2, lambda h: 1 - h * (1 - math.sqrt(3) / 2)),  # over-damped: slower than critical
    ],
)
@pytest.mark.parametrize("h", [0.2, 0.05], ids="h {}".format)
def test_closed_forms_are_the_textbooks(
    dynamics: str, gamma: float, slope: float, textbook: Callable[[float], float], h: float
) -> None:
    """The general formulas above reduce to the known ones (Mescheder et al. 2018; Gidel et al. 2019)."""
    assert DYNAMICS[dynamics][2](h, gamma, slope) == pytest.approx(textbook(h), rel=0, abs=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_field_has_mescheders_jacobian(loss: str, gamma: float) -> None:
    """(M - 1) / h of a simultaneous round is [[-gamma, -f'(0)], [f'(0), 0]]: signs, halves and who pulls whom."""
    h, slope = 0.2, LOSSES[loss].slope
    found = (Table(Dirac(LOSSES[loss], h, r1=gamma), simultaneous).jacobian() - np.eye(2)) / h
    np.testing.assert_allclose(found, [[-gamma, -slope], [slope, 0]], rtol=0, atol=1e-10)


@pytest.mark.parametrize("order", ["DG", "GD"])
@pytest.mark.parametrize("turns", [1, 5])
def test_order_of_turns(order: str, turns: int) -> None:
    """An alternating round is the product of the players' own moves, the first mover's rightmost."""
    h, gamma, slope = 0.2, 0.3, 1 / 2
    d_turn, g_turn = np.array([[1 - h * gamma, -h * slope], [0, 1]]), np.array([[1, 0], [h * slope, 1]])
    d_turns = np.linalg.matrix_power(d_turn, turns)
    game = Dirac(LOSSES["non-saturating"], h, r1=gamma, turns=turns, order=order)
    np.testing.assert_allclose(
        Table(game, alternating).jacobian(),
        g_turn @ d_turns if order == "DG" else d_turns @ g_turn,
        rtol=0,
        atol=1e-10,
    )


# --- 500 rounds

SCHEDULES = {"simultaneous": (simultaneous, 1), "alternating": (alternating, 1), "alternating 5 D": (alternating, 5)}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("loss", "penalty", "printed"),
    [
        ("minimax", {}, ("3.10", "1.42", "1.85")),
        ("Wasserstein", {}, ("2.56e4", "1.40", "1.06")),
        ("Wasserstein", {"gp": 0.35}, ("1.80", "1.22", "0.72")),  # 2 w (|psi| - 1): their 0.7
        ("non-saturating", {}, ("0.640", "0.284", "0.139")),
        ("minimax", {"r1": 0.3}, ("2.6e-6", "2.3e-7", "9e-34")),
        ("minimax", {"r1": 1.0}, ("9.5e-22", "7.5e-17", "5.1e-12")),
        ("minimax", {"r1": 2.0}, ("1.3e-6", "1.9e-6", "3.5e-6")),
        ("non-saturating", {"r1": 0.3}, ("2.2e-6", "1.5e-7", "4e-34")),
    ],
    ids=["GAN", "WGAN", "WGAN-GP", "NS", "GAN + R1 0.3", "GAN + R1 1", "GAN + R1 2", "NS + R1 0.3"],
)
def test_radius_after_500_rounds(loss: str, penalty: dict[str, float], printed: tuple[str, ...], schedule: str) -> None:
    """From (theta, psi) = (1, 1) with h = 0.2, to the printed digits.

    As the GAN_stability notebooks play: G moves first, and their D calls fakes high, so that their psi is minus ours.
    """
    dynamics, turns = SCHEDULES[schedule]
    game = Dirac(LOSSES[loss], 0.2, turns=turns, order="GD", **penalty)
    found = radius(Table(game, dynamics, n=1).put(-1, 1).play(500))[-1]
    number = printed[list(SCHEDULES).index(schedule)]
    digits = len(number.partition("e")[0].replace(".", "").lstrip("0"))
    assert float(f"{found:.{digits}g}") == float(number)


# --- beyond the linear theory: the non-saturating loss without a penalty
#
# To third order, with r^2 = psi^2 + theta^2 averaged over a turn of the cycle, d(r^2)/dt = -r^4/8 in continuous time.


@pytest.mark.parametrize(("h", "rounds"), [(0.2, 2000), (0.1, 2500)])
def test_alternating_non_saturating_decays_as_a_power(h: float, rounds: int) -> None:
    """r = sqrt(8 / (h n)) after n rounds, wherever it came from: eigenvalues on the circle, and yet it converges."""
    found = radius(Table(Dirac(LOSSES["non-saturating"], h), alternating, n=1).put(1, 1).play(rounds))
    turn = round(2 * math.pi / (h / 2))
    law = np.sqrt(8 / (h * np.arange(rounds - turn + 1, rounds + 1)))
    assert found[-turn:].mean() == pytest.approx(law.mean(), rel=0.02)


@pytest.mark.parametrize("start", [1.5, 0.15], ids=["from outside", "from inside"])
def test_simultaneous_non_saturating_ends_on_a_limit_cycle(start: float) -> None:
    """Its radius is sqrt(2 h): there the loss pulls in by h r^4/8 a round, and the step throws out by (h r / 2)^2."""
    h, rounds = 0.2, 1000
    found = radius(Table(Dirac(LOSSES["non-saturating"], h), simultaneous, n=1).put(start, 0).play(rounds))
    turn = round(2 * math.pi / (h / 2))
    assert found[-turn:].mean() == pytest.approx(math.sqrt(2 * h), rel=0.02)
    np.testing.assert_allclose(found[-turn:], math.sqrt(2 * h), rtol=0.02)


@pytest.mark.parametrize("start", [0.1, 0.2, 0.4], ids=["from inside", "on it", "from outside"])
def test_simultaneous_non_saturating_nears_its_limit_cycle(start: float) -> None:
    """With d(r^2)/dt = h r^2/4 - r^4/8, 1/r^2 nears 1/(2 h) as e^(-h t/4): at h = 0.02, r nears 0.2, at that rate."""
    h, rounds = 0.02, 1300
    found = radius(Table(Dirac(LOSSES["non-saturating"], h), simultaneous, n=1).put(start, 0).play(rounds))
    turn = round(2 * math.pi / (h / 2))
    first, last = (1 / found[part].mean() ** 2 - 1 / (2 * h) for part in (slice(turn), slice(-turn, None)))
    if start == 0.2:
        np.testing.assert_allclose(found, math.sqrt(2 * h), rtol=0.002)
    else:
        assert last / first == pytest.approx(math.exp(-h * h * (rounds - turn) / 4), rel=0.002)


# --- min max x y: the Wasserstein game without a penalty is psi theta, which D lowers and G raises


@pytest.mark.parametrize("h", [0.2, 0.05], ids="h {}".format)
@pytest.mark.parametrize(
    ("order", "turns"), [("DG", 1), ("GD", 1), ("DG", 5)], ids=["D first", "G first", "D first, 5 turns"]
)
def test_bilinear_alternating_cycles(order: str, turns: int, h: float) -> None:
    """With k turns of D, psi^2 + k theta^2 -+ k h psi theta never changes (- if D moves first, + if G does).

    So with k = 1 the radius stays in a band, r^2 in Q / (1 +- h/2), and the play never nears the equilibrium.
    """
    path = Table(Dirac(LOSSES["Wasserstein"], h, turns=turns, order=order), alternating, n=1).put(1, 1).play(200)
    psi, theta = np.vstack([[1, 1], path]).T
    sign = -1 if order == "DG" else 1
    kept = psi**2 + turns * theta**2 + sign * turns * h * psi * theta
    np.testing.assert_allclose(kept, 1 + turns + sign * turns * h, rtol=0, atol=1e-12)
    if turns == 1:
        low, high = math.sqrt(kept[0] / (1 + h / 2)), math.sqrt(kept[0] / (1 - h / 2))
        found = radius(path)
        assert low - 1e-12 < found.min() < low * 1.001
        assert high * 0.999 < found.max() < high + 1e-12


@pytest.mark.parametrize("h", [0.2, 0.05], ids="h {}".format)
@pytest.mark.parametrize(
    ("dynamics", "factor"),
    [(simultaneous, lambda h: complex(1, h)), (extragradient, lambda h: complex(1 - h**2, h))],
    ids=["simultaneous diverges", "extragradient converges"],
)
def test_bilinear_spirals(dynamics: Dynamics, factor: Callable[[float], complex], h: float) -> None:
    """Each round multiplies psi + i theta by 1 + i h (simultaneous) or 1 + i h - h^2 (extragradient), exactly.

    So the radius grows by sqrt(1 + h^2) a round, or shrinks by sqrt((1 - h^2)^2 + h^2).
    """
    rounds = 300
    psi, theta = Table(Dirac(LOSSES["Wasserstein"], h), dynamics, n=1).put(1, 1).play(rounds).T
    theory = complex(1, 1) * factor(h) ** np.arange(1, rounds + 1)
    np.testing.assert_allclose((psi + 1j * theta) / theory, 1, rtol=0, atol=1e-12)
    rate = math.sqrt(1 + h**2) if dynamics is simultaneous else math.sqrt((1 - h**2) ** 2 + h**2)
    assert np.hypot(psi, theta)[-1] == pytest.approx(math.sqrt(2) * rate**rounds, rel=1e-12)


# --- WGAN-GP


@pytest.mark.parametrize("start", [1e-6, 1.0], ids=["from near", "from afar"])
@pytest.mark.parametrize("dynamics", [simultaneous, alternating], ids=["simultaneous", "alternating"])
@pytest.mark.parametrize(("weight", "h"), [(0.35, 0.2), (10.0, 0.02)])
def test_wgan_gp_does_not_converge(weight: float, h: float, dynamics: Dynamics, start: float) -> None:
    """Of two rounds in a row, one ends at least 2 w h / (2 + h (1 + 2 w)) from the equilibrium, w the penalty's weight.

    D's step there is h |theta + 2 w (|psi| - 1) sign psi| >= h (2 w (1 - r) - r) within a radius r, and at most 2 r if
    it ends within r too (the idea of Mescheder et al. 2018, section 3).
    """
    found = radius(Table(Dirac(LOSSES["Wasserstein"], h, gp=weight), dynamics, n=1).put(start, start).play(150))
    bound = 2 * weight * h / (2 + h * (1 + 2 * weight))
    assert bound > 0.05
    assert np.maximum(found[1:], found[:-1]).min() >= bound
