"""The cases: each a disease, its cause in settings or data, and the change that undoes it. No reading is faked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SMALL = {"generator_widths": (128, 256), "discriminator_widths": (256, 128)}
NARROW = {"width": 16, "cooldown": 0.0}


@dataclass(frozen=True)
class Case:
    """A sick run. `sources` are data that show it, an embedded set first; `rounds` are enough for it on a CPU.

    `cure` are the settings that a cured run has in place of the sick one's. `spoilt` names what is done to the data.
    """

    disease: str
    cause: str
    recipe: str
    sources: tuple[str, ...]
    rounds: int
    settings: Mapping[str, Any]
    cure: Mapping[str, Any] = field(default_factory=dict)
    spoilt: str | None = None
    also: tuple[str, ...] = ()
    """Names that are as right for this cause."""


PICTURES, TOYS = ("glyphs", "mnist"), ("ring", "grid")
_ALL = (
    Case(
        "mode-collapse",
        "G learns 20 times as fast as D, with momentum 0.9",
        "gan",
        PICTURES,
        1200,
        SMALL | {"pace": {"G": 20.0}, "beta1": 0.9},
        {"pace": {}, "beta1": 0.5, "lr": 1e-3},
    ),
    Case(
        "partial-collapse",
        "noise of a single number",
        "r1gan",
        PICTURES,
        700,
        NARROW | {"latent": 1},
        {"latent": 64},
    ),
    Case(
        "mode-hopping",
        "G learns 10 times as fast as D on separate modes",
        "gan",
        TOYS,
        1500,
        {"pace": {"G": 10.0}, "cooldown": 0.0},
        {"pace": {}},
        also=("mode-collapse", "partial-collapse", "oscillation"),
    ),
    Case(
        "vanishing-gradient",
        "the minimax loss against a D with 5 turns a round at 5 times the rate",
        "gan",
        PICTURES,
        600,
        SMALL | {"generator_loss": "minimax", "steps": 5, "pace": {"D": 5.0}},
        {"generator_loss": "non_saturating", "steps": 1, "pace": {}},
    ),
    Case(
        "d-overpowers",
        "D learns 50 times as fast as G",
        "lsgan",
        PICTURES,
        500,
        NARROW | {"pace": {"G": 0.02}},
        {"pace": {}},
    ),
    Case(
        "g-overpowers",
        "a D of two neurons",
        "gan",
        PICTURES,
        1200,
        SMALL | {"discriminator_widths": (2,)},
        {"discriminator_widths": (256, 128), "lr": 1e-3},
    ),
    Case(
        "oscillation",
        "both move at once, with momentum 0.9 and no penalty",
        "r1gan",
        TOYS,
        1500,
        {"gamma": 0.0, "dynamics": "simultaneous", "beta1": 0.9, "lr": 5e-3, "cooldown": 0.0},
        {"gamma": 0.1, "dynamics": "alternating", "beta1": 0.0, "lr": 2e-3},
        also=("mode-hopping",),
    ),
    Case(
        "divergence",
        "a Wasserstein critic without its penalty",
        "wgan_gp",
        TOYS,
        600,
        {"weight": 0.0, "lr": 5e-3, "steps": 2, "cooldown": 0.0},
        {"weight": 10.0, "lr": 2e-3},
    ),
    Case("non-finite", "a learning rate of 10^12", "gan", ("ring", "mnist"), 200, {"lr": 1e12}, {"lr": 2e-3}),
    Case(
        "dead-start",
        "ReLU without a slope, and first steps so large that it dies",
        "gan",
        PICTURES,
        600,
        SMALL | {"slope": 0.0, "lr": 0.05},
        {"slope": 0.2, "lr": 1e-3},
        also=("learning-rate-too-high",),
    ),
    Case("d-memorises", "200 pictures", "r1gan", PICTURES, 600, NARROW | {"limit": 200}, {"limit": None}),
    Case(
        "g-copies",
        "20 pictures",
        "r1gan",
        PICTURES,
        700,
        NARROW | {"limit": 20},
        {"limit": None},
        also=("d-memorises",),
    ),
    Case(
        "batch-statistics-leak",
        "running statistics that take in 0.02 % of a batch",
        "dcgan",
        PICTURES,
        500,
        {"width": 16, "norm_momentum": 0.0002},
        {"norm_momentum": 0.1},
    ),
    Case(
        "checkerboard",
        "kernels of 3 at a stride of 2",
        "dcgan",
        PICTURES,
        400,
        {"width": 16, "kernel": 3},
        {"kernel": 4},
    ),
    Case("label-ignored", "shuffled labels", "cgan", PICTURES, 500, NARROW, {}, spoilt="shuffled"),
    Case(
        "learning-rate-too-high",
        "a learning rate of 0.1",
        "r1gan",
        PICTURES,
        500,
        NARROW | {"lr": 0.1},
        {"lr": 2e-3},
    ),
    Case(
        "learning-rate-too-low", "a learning rate of 2e-6", "r1gan", PICTURES, 400, NARROW | {"lr": 2e-6}, {"lr": 2e-3}
    ),
    Case(
        "wrong-range",
        "12-bit pictures in 16-bit files: 1/16 of the light",
        "r1gan",
        PICTURES,
        400,
        NARROW,
        {},
        spoilt="dark",
    ),
)
CASES = {case.disease: case for case in _ALL}

Healthy = tuple[str, str, int, Mapping[str, Any]]
HEALTHY: tuple[Healthy, ...] = (
    ("gan", "glyphs", 4000, SMALL | {"lr": 5e-4}),
    ("gan", "ring", 2000, {}),
    ("gan", "gaussian-1d", 2000, {}),
    ("dcgan", "glyphs", 700, {"width": 16}),
    ("dcgan", "mnist", 700, {"width": 16}),
    ("cgan", "glyphs", 700, NARROW),
    ("cgan", "mnist", 700, NARROW),
    ("wgan", "mnist", 250, NARROW),
    ("wgan_gp", "glyphs", 200, NARROW),
    ("wgan_gp", "ring", 600, {}),
    ("lsgan", "glyphs", 700, NARROW),
    ("lsgan", "mnist", 700, NARROW),
    ("sngan", "mnist", 500, NARROW),
    ("pacgan", "glyphs", 700, NARROW),
    ("pacgan", "grid", 1500, {}),
    ("progan", "glyphs", 1100, {"size": 16, "stage_kimg": 5.0, "fade_kimg": 5.0}),
    ("infogan", "mnist", 600, {}),
    ("began", "glyphs", 1500, {"width": 4, "gamma": 0.9}),
    ("r1gan", "glyphs", 700, NARROW),
    ("r1gan", "mnist", 700, NARROW),
    ("r1gan", "grid", 1500, {}),
    ("r3gan", "ring", 1200, {}),
    ("pix2pix", "cityscape", 300, {}),
    ("cyclegan", "striped", 400, {}),
    ("vae", "mnist", 800, {}),
    ("vae", "glyphs", 800, {}),
    ("ddpm", "glyphs", 250, {"sampling_steps": 10}),
    ("ddpm", "ring", 1200, {"sampling_steps": 20}),
)
"""Runs in which nothing is wrong: recipe, data, rounds, settings; every recipe is there."""
