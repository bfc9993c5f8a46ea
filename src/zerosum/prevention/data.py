"""Data that a game learns badly from: too few, too dark, twice the same, or classes that hardly occur.

Each function says what is wrong with an opening, with its numbers and the reason; or nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.data.spec import Images
from zerosum.prevention.caution import Check
from zerosum.prevention.opening import Opening

VALUES = 2_000_000  # of the pictures looked at, for the range that they fill
BYTES = 2**28  # of the data that are searched for exact copies
DARK, HALF, BLANK, COPIED = 32, 112, 0.01, 0.1
FEW, RARE, SHARE = 1000, 10, 0.1  # pictures; examples of a class; of a class, over what an even one would have


def nearly_black(at: Opening) -> str | None:
    for side in at.pictures:
        _, high = _filled(side)
        if high < DARK:
            return (
                f"999 of 1,000 values of the pictures are {high} or less of 255: nearly black "
                "(12 bits in a file of 16?)"
            )
    return None


def upper_half(at: Opening) -> str | None:
    for side in at.pictures:
        low, high = _filled(side)
        if low >= HALF:
            return (
                f"the pictures fill only {low} to {high} of 255, the upper part of what G can make "
                "(values from 0 to 1 taken for -1 to 1?)"
            )
    return None


def blank_pictures(at: Opening) -> str | None:
    for side in at.pictures:
        blank = (side.amax((2, 3)) == side.amin((2, 3))).all(1)
        if blank.float().mean() >= BLANK:
            return (
                f"{int(blank.sum()):,} of {len(side):,} pictures looked at are of one shade, and G will make those too"
            )
    return None


def copies(at: Opening) -> str | None:
    if not isinstance(at.dataset.spec, Images):
        return None
    some = at.dataset.examples[: max(2, BYTES // at.dataset.spec.size)]
    again = len(some) - len({hash(picture.tobytes()) for picture in some.numpy()})
    if again >= COPIED * len(some):
        return f"{again:,} of {len(some):,} pictures are exact copies of others: G learns them so much the oftener"
    return None


def gray_in_colour(at: Opening) -> str | None:
    if not isinstance(at.dataset.spec, Images) or at.settings.data.channels is not None:
        return None
    (some,) = at.pictures
    if some.shape[1] == 3 and bool((some == some[:, :1]).all()):
        return "the three channels of every picture looked at are the same: G and D learn one picture thrice"
    return None


def few_pictures(at: Opening) -> str | None:
    augmented = bool(getattr(at.play, "augment", 0))
    if isinstance(at.dataset.spec, Images) and at.judges and len(at.dataset) < FEW and not augmented:
        return f"{len(at.dataset):,} pictures are few: D learns them by heart, and then has nothing to tell G"
    return None


def batch_beyond_data(at: Opening) -> str | None:
    if at.play.batch > len(at.dataset):
        return f"batch = {at.play.batch}, and there are {len(at.dataset)} examples: every batch holds some twice"
    return None


def one_class(at: Opening) -> str | None:
    if at.game.classes == 1:
        return f"there is one class, '{at.dataset.spec.classes[0]}': its label tells nobody anything"
    return None


def rare_class(at: Opening) -> str | None:
    if at.game.classes < 2 or at.dataset.labels is None:
        return None
    counts = torch.bincount(at.dataset.labels, minlength=at.game.classes)
    least = int(counts.argmin())
    n, even = int(counts[least]), len(at.dataset) / at.game.classes
    if n < RARE or n < SHARE * even:
        return f"class '{at.dataset.spec.classes[least]}' has {n:,} examples, an even share were {even:,.0f}"
    return None


def _filled(pictures: Tensor) -> tuple[int, int]:
    """The range that all but the lowest and the highest thousandth of the values lie in."""
    values = pictures.flatten()
    shares = torch.bincount(values[:: -(-len(values) // VALUES)].int(), minlength=256).cumsum(0)
    whole = int(shares[-1])
    return int((shares <= 0.001 * whole).sum()), int((shares < 0.999 * whole).sum())


CHECKS = (
    Check(nearly_black, "stretch the values to 0 to 255 before training"),
    Check(upper_half, "stretch the values to 0 to 255 before training"),
    Check(blank_pictures, "take them out"),
    Check(copies, "keep one of each, or what is held out was seen in training"),
    Check(gray_in_colour, "set channels to 1"),
    Check(
        few_pictures,
        "find more, or augment them; else set stop to auto, with cooldown = 0",
        "Karras et al. 2020, arXiv:2006.06676",
    ),
    Check(batch_beyond_data, "lower batch, or find more data"),
    Check(one_class, "take a recipe without labels, or more classes"),
    Check(rare_class, "find more of it, or leave the class out"),
)
