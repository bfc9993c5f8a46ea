"""The recipes: one paper a file, one line each in this table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from zerosum.data.spec import Images, Points
from zerosum.game import Game
from zerosum.recipes import dcgan, gan, r1gan, r3gan


@dataclass(frozen=True)
class Recipe:
    """One paper: its game, built from its config and the data's shape, and what a person wants to know of it first."""

    game: Callable[..., Game]
    config: type[BaseModel]
    presets: Mapping[str, Mapping[str, object]]
    paper: str
    takes: tuple[type, ...]

    @property
    def needs(self) -> str:
        """What data it plays on, in words."""
        return " or ".join({Images: "images of 8 px and more", Points: "points"}[kind] for kind in self.takes)


RECIPES = {
    "gan": Recipe(gan.GAN, gan.Config, gan.PRESETS, "Goodfellow et al. 2014", (Images, Points)),
    "dcgan": Recipe(dcgan.DCGAN, dcgan.Config, dcgan.PRESETS, "Radford et al. 2015", (Images,)),
    "r1gan": Recipe(r1gan.R1GAN, r1gan.Config, r1gan.PRESETS, "Mescheder et al. 2018", (Images, Points)),
    "r3gan": Recipe(r3gan.R3GAN, r3gan.Config, r3gan.PRESETS, "Huang et al. 2024", (Images, Points)),
}
DEFAULT = "r1gan"
