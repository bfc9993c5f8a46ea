"""The shapes of what is dealt: all that a recipe may know of the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Images:
    """Pictures: dealt as float [n channels height width] in [-1, 1]; with labels [n], numbers of `classes`, if any."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def size(self) -> int:
        """Numbers in one example."""
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class Points:
    """Vectors: dealt as float [n dim], over `scale`, the root mean square of the data's numbers; never labelled."""

    dim: int
    scale: float = 1.0
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int]:
        return (self.dim,)

    @property
    def size(self) -> int:
        """Numbers in one example."""
        return self.dim


@dataclass(frozen=True)
class Pairs:
    """Pictures and their partners: dealt as x [n a.channels h w] and y [n b.channels h w], both in [-1, 1]."""

    a: Images
    b: Images
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.a.shape


@dataclass(frozen=True)
class Domains:
    """Two sets of pictures: dealt as x from the one and y from the other, which have nothing to do with each other."""

    a: Images
    b: Images
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.a.shape


Spec = Images | Points | Pairs | Domains
