"""The recipes: one paper a file, one line each in this table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from zerosum.data.spec import Domains, Images, Pairs, Points
from zerosum.game import Game
from zerosum.recipes import (
    began,
    cgan,
    cyclegan,
    dcgan,
    ddpm,
    gan,
    infogan,
    lsgan,
    pacgan,
    pix2pix,
    progan,
    r1gan,
    r3gan,
    sngan,
    vae,
    wgan,
    wgan_gp,
)


@dataclass(frozen=True)
class Recipe:
    """One paper: its game, built from its config and the data's shape, and what a person wants to know of it first."""

    game: Callable[..., Game]
    config: type[BaseModel]
    presets: Mapping[str, Mapping[str, object]]
    paper: str
    takes: tuple[type, ...]
    labelled: bool = False
    """Whether it cannot play without labels."""

    @property
    def needs(self) -> str:
        """What data it plays on, in words."""
        return " or ".join(KINDS[kind] for kind in self.takes) + " with labels" * self.labelled

    @property
    def example(self) -> str:
        """An embedded set that it plays on."""
        return {Images: "glyphs", Points: "ring", Pairs: "cityscape", Domains: "striped"}[self.takes[0]]


KINDS = {
    Images: "images of 8 px and more",
    Points: "points",
    Pairs: "pairs of images",
    Domains: "two domains of images",
}

RECIPES = {
    "gan": Recipe(gan.GAN, gan.Config, gan.PRESETS, "Goodfellow et al. 2014", (Images, Points)),
    "dcgan": Recipe(dcgan.DCGAN, dcgan.Config, dcgan.PRESETS, "Radford et al. 2015", (Images,)),
    "cgan": Recipe(cgan.CGAN, cgan.Config, cgan.PRESETS, "Mirza & Osindero 2014", (Images,), labelled=True),
    "wgan": Recipe(wgan.WGAN, wgan.Config, wgan.PRESETS, "Arjovsky et al. 2017", (Images, Points)),
    "wgan_gp": Recipe(wgan_gp.WGANGP, wgan_gp.Config, wgan_gp.PRESETS, "Gulrajani et al. 2017", (Images, Points)),
    "lsgan": Recipe(lsgan.LSGAN, lsgan.Config, lsgan.PRESETS, "Mao et al. 2017", (Images, Points)),
    "sngan": Recipe(sngan.SNGAN, sngan.Config, sngan.PRESETS, "Miyato et al. 2018", (Images, Points)),
    "pacgan": Recipe(pacgan.PacGAN, pacgan.Config, pacgan.PRESETS, "Lin et al. 2018", (Images, Points)),
    "progan": Recipe(progan.ProGAN, progan.Config, progan.PRESETS, "Karras et al. 2018", (Images,)),
    "infogan": Recipe(infogan.InfoGAN, infogan.Config, infogan.PRESETS, "Chen et al. 2016", (Images, Points)),
    "began": Recipe(began.BEGAN, began.Config, began.PRESETS, "Berthelot et al. 2017", (Images,)),
    "r1gan": Recipe(r1gan.R1GAN, r1gan.Config, r1gan.PRESETS, "Mescheder et al. 2018", (Images, Points)),
    "r3gan": Recipe(r3gan.R3GAN, r3gan.Config, r3gan.PRESETS, "Huang et al. 2024", (Images, Points)),
    "pix2pix": Recipe(pix2pix.Pix2Pix, pix2pix.Config, pix2pix.PRESETS, "Isola et al. 2017", (Pairs,)),
    "cyclegan": Recipe(cyclegan.CycleGAN, cyclegan.Config, cyclegan.PRESETS, "Zhu et al. 2017", (Domains,)),
    "vae": Recipe(vae.VAE, vae.Config, vae.PRESETS, "Kingma & Welling 2014", (Images, Points)),
    "ddpm": Recipe(ddpm.DDPM, ddpm.Config, ddpm.PRESETS, "Ho et al. 2020", (Images, Points)),
}
DEFAULT = "r1gan"
