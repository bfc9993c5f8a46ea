"""Moving through the latent space: from one z to another, and sums of meanings (Radford et al. 2015, section 6)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def arc(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """From a [d] to b [d] along the sphere: [steps d], both ends included.

        z(t) = sin((1 - t) w) / sin w  a + sin(t w) / sin w  b,    w the angle between a and b   (Shoemake 1985)

    Normal noise in many dimensions lies near a sphere: the straight line would pass through lengths that G has never
    seen (White 2016, arXiv:1609.04468). Where a and b point the same or opposite ways there is no one arc: a line.
    """
    t = torch.linspace(0, 1, steps, dtype=a.dtype)[:, None]
    cosine = (a @ b / (a.norm() * b.norm()).clamp_min(1e-12)).clamp(-1, 1)
    angle = cosine.arccos()
    if angle.sin() < 1e-4:
        return torch.lerp(a, b, t)
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def walk(stops: Tensor, steps: int) -> Tensor:
    """Through the stops [k d] and back to the first, `steps` to each: [k steps d], ready to be a film that repeats."""
    arcs = [arc(a, b, steps + 1)[:-1] for a, b in zip(stops, stops.roll(-1, 0), strict=True)]
    return torch.cat(arcs)


@dataclass(frozen=True)
class Term:
    """One term of a sum of meanings: added or taken away; a label, or the numbers of samples picked by hand."""

    sign: int
    label: str | None = None
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.label if self.label is not None else "#" + ",".join(map(str, self.numbers))


def parse_sum(text: str) -> list[Term]:
    """'smiling woman - woman + man', or '#3,8,12 - #5 + #1,2' -> its terms. Raises ValueError for anything else.

    A sign stands between spaces, so that a label may have one inside.

    >>> [str(term) for term in parse_sum("#3,8 - #5 + T-shirt")]
    ['#3,8', '#5', 'T-shirt']
    """
    parts = re.split(r"(?:^|\s+)([+-])\s+", text.strip())
    words, signs = parts[0::2], ["+", *parts[1::2]]
    if not words[0]:  # it begins with a sign
        words, signs = words[1:], signs[1:]
    terms = []
    for sign, word in zip(signs, words, strict=True):
        numbered = re.fullmatch(r"#(\d+(?:,\s*\d+)*)", word)
        if not word or (word.startswith("#") and not numbered):
            raise ValueError(f"'{text}' is no sum: expected terms such as 'woman' or '#3,8,12' with ' + ' and ' - '")
        numbers = tuple(int(number) for number in numbered[1].split(",")) if numbered else ()
        terms.append(Term(1 if sign == "+" else -1, None if numbered else word, numbers))
    if len(terms) < 2:
        raise ValueError(f"'{text}' has one term: expected two or more, such as 'smiling woman - woman + man'")
    return terms


def sum_of_means(signs: Sequence[int], exemplars: Sequence[Tensor]) -> Tensor:
    """sum_i sign_i mean(z of term i): exemplars [n_i d] each -> [d]. One z alone means little, a mean does (fig. 7)."""
    means = torch.stack([z.mean(0) for z in exemplars])
    return (torch.tensor(signs, dtype=means.dtype)[:, None] * means).sum(0)


def around(z: Tensor, n: int, spread: float = 0.25, generator: torch.Generator | None = None) -> Tensor:
    """z [d] itself and n - 1 neighbours, each number moved by up to +-spread (Radford et al. 2015, fig. 7): [n d]."""
    moves = torch.rand(n, len(z), generator=generator) * 2 - 1
    moves[0] = 0
    return z + spread * moves
