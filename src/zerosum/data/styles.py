"""Digits in two styles each: plain ones beside dressed ones, drawn from the same strokes, so that every truth is known.

Each function draws n digits twice: two uint8 [n c h w], picture i of the one belonging to picture i of the other, and
the factors of `glyphs`. A seed gives the same bytes for every n; `stream` starts another sequence.
"""

import math

import torch
from torch import Tensor

from zerosum.data.chance import chance
from zerosum.data.glyphs import glyphs

Size = int | tuple[int, int]
Drawn = tuple[Tensor, Tensor, dict[str, Tensor]]

_THIN = 1.3  # width in pixels of the pen that draws a skeleton
_LIGHT, _BOLD = (0.05, 0.08), (0.13, 0.17)  # widths of a light and of a bold pen, as fractions of the smaller side
_STRIPES = 6.0  # a side
_STRIPE = (255, 40, 70)  # as red as white is: the red plane of a striped digit is the plain digit
_BLOCK = 1000  # hues that share one generator


def strokes(n: int, *, size: Size = 32, seed: int = 0, stream: int = 0) -> Drawn:
    """Skeletons [n 1 h w], and the digits [n 3 h w] in rainbow ink; factors also "hue", where the rainbow begins.

    Neither how wide the pen is nor the hue can be told from a skeleton.

    >>> skeletons, digits, factors = strokes(2)
    >>> skeletons.shape, digits.shape
    (torch.Size([2, 1, 32, 32]), torch.Size([2, 3, 32, 32]))
    """
    side = min((size, size) if isinstance(size, int) else size)
    thin = glyphs(n, size=size, seed=seed, stream=stream, widths=(_THIN / side, _THIN / side))[0]
    ink, _, factors = glyphs(n, size=size, seed=seed, stream=stream)
    hue = _hues(n, seed, stream)
    along = _diagonal(ink.shape[2], ink.shape[3])
    return thin, _tinted(ink, _vivid(hue[:, None, None] + 0.35 * along)), factors | {"hue": hue}


def striped(n: int, *, size: Size = 32, seed: int = 0, stream: int = 0) -> Drawn:
    """White digits and the same in red and white stripes, always the same ones: two [n 3 h w]; dressed[:, 0] = plain.

    >>> plain, dressed, _ = striped(2)
    >>> torch.equal(plain[:, 0], dressed[:, 0])
    True
    """
    ink, _, factors = glyphs(n, size=size, seed=seed, stream=stream)
    red = (2 * math.pi * _STRIPES * _diagonal(ink.shape[2], ink.shape[3])).sin() > 0
    colours = torch.where(red, torch.tensor(_STRIPE)[:, None, None] / 255, 1.0)  # [3 h w]
    return ink.repeat(1, 3, 1, 1), _tinted(ink, colours), factors


def coloured(n: int, *, size: Size = 32, seed: int = 0, stream: int = 0) -> Drawn:
    """White digits and the same each in one colour: two [n 3 h w]; dressed.amax(1) = plain; factors also "hue".

    >>> plain, dressed, _ = coloured(2)
    >>> torch.equal(plain[:, 0], dressed.amax(1))
    True
    """
    ink, _, factors = glyphs(n, size=size, seed=seed, stream=stream)
    hue = _hues(n, seed, stream)
    return ink.repeat(1, 3, 1, 1), _tinted(ink, _vivid(hue[:, None, None])), factors | {"hue": hue}


def bold(n: int, *, size: Size = 32, seed: int = 0, stream: int = 0) -> Drawn:
    """Digits drawn with a light pen, and with a bold one, the wider the wider that was: two [n 1 h w].

    The factor "width" is the light pen's.

    >>> plain, dressed, _ = bold(2)
    >>> plain.shape, bool((dressed >= plain).all())
    (torch.Size([2, 1, 32, 32]), True)
    """
    ink, _, factors = glyphs(n, size=size, seed=seed, stream=stream, widths=_LIGHT)
    return ink, glyphs(n, size=size, seed=seed, stream=stream, widths=_BOLD)[0], factors


def _hues(n: int, seed: int, stream: int) -> Tensor:
    """One hue a digit, uniform in 0 .. 1."""
    blocks = range(-(-n // _BLOCK))
    return torch.cat([torch.rand(_BLOCK, generator=chance("hues", seed, stream, block)) for block in blocks])[:n]


def _diagonal(height: int, width: int) -> Tensor:
    """How far each pixel lies down the diagonal, in smaller sides from the centre: [h w]."""
    x, y = torch.arange(width) - (width - 1) / 2, torch.arange(height) - (height - 1) / 2
    return (x + y[:, None]) / (math.sqrt(2) * min(height, width))


def _vivid(hue: Tensor) -> Tensor:
    """The full colour of each hue, its largest part 1 and its smallest 0.15: [...] -> [... 3 at dim 1]."""
    thirds = torch.tensor([0.0, 2 / 3, 1 / 3]).reshape(3, *[1] * (hue.ndim - 1))
    away = ((hue[:, None] + thirds + 0.5) % 1 - 0.5).abs() * 6  # 0 where a part is strongest, 3 where it is weakest
    return (2 - away).clamp(0.15, 1)


def _tinted(ink: Tensor, colours: Tensor) -> Tensor:
    """White ink [n 1 h w] in colours that broadcast to [n 3 h w]: uint8."""
    return (ink * colours).round_().to(torch.uint8)
