"""What a game is: networks, players, and the loss that each player lowers in its turn.

A GAN is a game. Each player moves some networks, to lower a loss of its own, while the networks of the others stand
still. A `Game` declares this and nothing more: it never steps an optimiser, never calls `backward`, knows no device.
How a game is played is `zerosum.play`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

T = TypeVar("T")


class Batch:
    """The hand that is dealt for a turn: real examples `x` [n ...], and what goes with them as `y`, if anything:
    labels [n]; or pictures [n c h w], the partner of each, or as many of another domain.

    What a round derives once from the hand (the fakes, their scores) is kept with it, and dropped as soon as a network
    that it came from has moved. So the fakes of D's turn serve G's turn too, and a score of D is made anew when D has
    moved: sharing is exact whatever the order of turns.
    """

    def __init__(self, x: Tensor, y: Tensor | None = None):
        self.x, self.y = x, y
        self.whole = len(x)  # more where several ranks are dealt a batch together
        self._made: dict[str, tuple[Any, tuple[nn.Module, ...]]] = {}

    def __len__(self) -> int:
        return len(self.x)

    def once(self, name: str, make: Callable[[], T], *of: nn.Module) -> T:
        """`make()`, made at most once for this hand until one of the networks `of` that it comes from moves.

        What `make` draws must be its own: where it needs what another name made, ask for that before, not within.
        """
        if name not in self._made:
            self._made[name] = (make(), of)
        made: T = self._made[name][0]
        return made

    def forget(self, moved: Iterable[nn.Module]) -> None:
        """Drop what came from the networks that `moved`, or from a part of them."""
        gone = {part for network in moved for part in network.modules()}
        for name, (_, of) in list(self._made.items()):
            if not gone.isdisjoint(part for network in of for part in network.modules()):
                del self._made[name]


class Loss:
    """What one player minimises, by named terms; and what is only watched.

    >>> loss = Loss(adversarial=torch.tensor(1.0), r1=torch.tensor(0.5)).read(D_x=torch.tensor(0.7))
    >>> float(loss.total), sorted(loss.readings())
    (1.5, ['D_x', 'adversarial', 'r1'])
    """

    def __init__(self, **terms: Tensor):
        if not terms:
            raise ValueError("a Loss has no term: got Loss(), expected Loss(adversarial=...)")
        self.terms = terms
        self.watched: dict[str, Tensor] = {}

    def read(self, **watched: Tensor) -> Loss:
        """Add readings that are watched and not minimised. Raises ValueError for the name of a term."""
        if clash := self.terms.keys() & watched.keys():
            raise ValueError(f"{min(clash)} is a term of this loss: what is watched needs another name")
        self.watched.update({name: value.detach() for name, value in watched.items()})
        return self

    @property
    def total(self) -> Tensor:
        """The sum of the terms: the scalar that the player lowers."""
        first, *others = self.terms.values()
        return sum(others, start=first)

    def readings(self) -> dict[str, Tensor]:
        """Every term and watched value, detached: tensors on the device, so that nobody waits for them."""
        return {name: value.detach() for name, value in self.terms.items()} | self.watched


@dataclass(frozen=True)
class Player:
    """Who moves what, to lower which loss, how often.

    `loss` is a function of the hand and may be evaluated any number of times. `steps` is the number of turns a round
    (k in Goodfellow et al. 2014, n_critic in Arjovsky et al. 2017); with `every`, it plays only each n-th round.
    """

    name: str
    networks: Sequence[nn.Module]
    loss: Callable[[Batch], Loss]
    optimizer: Callable[[list[nn.Parameter]], Optimizer]
    steps: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.every < 1:
            raise ValueError(
                f"player {self.name}: steps = {self.steps}, every = {self.every}; both must be 1 or more, "
                "or the player never moves"
            )

    def parameters(self) -> list[nn.Parameter]:
        """The player's strategy: each trainable parameter of its networks, once."""
        unique = {id(p): p for network in self.networks for p in network.parameters() if p.requires_grad}
        return list(unique.values())


class Game(nn.Module):
    """Networks, players, and how to sample.

    A recipe gives `players` and `generate`, `judge` where a network judges, and `realness` where what
    it says is a probability; the rest is common.
    """

    latent: int
    """Numbers in z."""

    coins: int = 0
    """How many of them are fair coins, +1 or -1, and not normal: a G of coins can part modes without a bridge."""

    ships: tuple[str, ...] = ("G",)
    """The networks that sampling needs: averaged, checkpointed, shipped."""

    classes: int = 0
    """Number of labels that `generate` takes; 0 if the game is not conditional."""

    augmentable: tuple[str, ...] = ("D",)
    """The networks that see pictures only to judge them, so that pictures may be moved and recoloured before it."""

    at_sampling: tuple[str, ...] = ()
    """The settings that only sampling reads: they may be others for a trained game."""

    draws: int = 1
    """How many times `sample` asks for the noise of its n samples: who knows it can pass over samples unmade."""

    def players(self) -> list[Player]:
        """Who plays, in the order of their turns."""
        raise NotImplementedError(f"{type(self).__name__} must say who plays: define players()")

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I), the first of its numbers as coins: [n latent].

        On the CPU if its generator is given, so that a seed means the same everywhere.
        """
        z = torch.randn(n, self.latent, generator=generator, device=None if generator else self.device)
        z[:, : self.coins] = z[:, : self.coins].sign()
        return z

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """G(z) or G(z, y): [n ...] -> examples of the data's shape; images in [-1, 1]."""
        raise NotImplementedError(f"{type(self).__name__} must say how it generates: define generate()")

    def showcase(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The z that are pictured: as `noise`, unless a game has an order of its own to show (a code a column)."""
        return self.noise(n, generator)

    def as_noise(self, z: Tensor) -> Tensor:
        """The nearest z that `noise` could have dealt: who moves through the latent space stays in it."""
        return z

    def reconstruct(self, x: Tensor) -> Tensor | None:
        """Examples as the game's autoencoder gives them back, of the same shape; None where there is none."""
        return None

    def codes(self, x: Tensor) -> Tensor | None:
        """The codes that an inference network reads in each example, a category as its number: [n k]; None without."""
        return None

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """What the discriminator says of examples, in its own unit, more where it takes them for real; None without.

        One number an example, or fewer where it judges several at a time: [m]. `y` is what goes with them: labels, or
        the pictures that a translator makes them from.
        """
        return None

    def in_reach(self, x: Tensor) -> Tensor:
        """Real examples as the game could make them at its best now: as they are, or coarser while it still grows."""
        return x

    def realness(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """The probability that the discriminator calls each example real: [n], or None where nobody judges."""
        return None

    def labels(self, n: int, generator: torch.Generator | None = None) -> Tensor | None:
        """Labels to ask for: uniform over the classes, [n]; None if the game is not conditional."""
        if not self.classes:
            return None
        return torch.randint(self.classes, (n,), generator=generator, device=None if generator else self.device)

    def after_round(self, readings: Mapping[str, Tensor], hand: Batch) -> None:
        """Move what is neither a parameter nor a player's: BEGAN's k, a pool of fakes, the stage of a growing network.

        `readings` are means over all ranks, by "player.term"; `hand` is the last dealt, with what it still keeps.
        """

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """n samples: [n ...]. Labels `y` [n] where the game is conditional (drawn if not given).

        Batch statistics are never used: a sample does not depend on its neighbours.
        """
        y = self.labels(n, generator) if y is None else y
        was_training = self.training
        self.eval()
        try:
            z = self.noise(n, generator).to(self.device)
            return self.generate(z, None if y is None else y.to(self.device))
        finally:
            self.train(was_training)


class Translator(Game):
    """A game that turns pictures into pictures: what it makes needs a picture to begin from, not noise alone."""

    latent = 0

    directions: tuple[str, ...] = ("AtoB",)
    """The ways it can translate: from the pictures dealt as `x` to those dealt as `y`, and back ("BtoA") if it can."""

    def translate(self, x: Tensor, direction: str = "AtoB") -> Tensor:
        """The pictures [n c h w] in [-1, 1] as the other domain has them: [n c' h w] in [-1, 1]; any height, width."""
        raise NotImplementedError(f"{type(self).__name__} must say how it translates: define translate()")

    def sample(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        raise ValueError(f"{type(self).__name__} makes pictures out of pictures, not out of noise: use translate")


def adam(lr: float, beta1: float = 0.5, beta2: float = 0.999) -> Callable[[list[nn.Parameter]], Optimizer]:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) for a player; one fused step over all its parameters."""

    def build(parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=lr, betas=(beta1, beta2), fused=True)

    return build
