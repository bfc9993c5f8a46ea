"""The recipes: one paper a file, one line each in this table."""

from zerosum.recipes.dcgan import DCGAN
from zerosum.recipes.gan import GAN
from zerosum.recipes.r1gan import R1GAN
from zerosum.recipes.r3gan import R3GAN

RECIPES = {"gan": GAN, "dcgan": DCGAN, "r1gan": R1GAN, "r3gan": R3GAN}
DEFAULT = "r1gan"
