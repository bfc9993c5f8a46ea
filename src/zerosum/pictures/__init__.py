"""Pictures of a game: sheets of samples with D's belief in each, toys with D's landscape, films, curves.

One look everywhere: white paper, gray ink, and one scale for what D believes, red (fake) over amber to green (real). No
colour stands alone: next to it is a number, a name or a line style. Pictures are `PIL.Image` in RGB; every file appears
whole or not at all.
"""

from zerosum.pictures.curves import curves
from zerosum.pictures.film import Film
from zerosum.pictures.look import captioned, save, whole
from zerosum.pictures.sheets import grid, scored_grid, to_uint8
from zerosum.pictures.toys import Judge, points_picture

__all__ = [
    "Film",
    "Judge",
    "captioned",
    "curves",
    "grid",
    "points_picture",
    "save",
    "scored_grid",
    "to_uint8",
    "whole",
]
