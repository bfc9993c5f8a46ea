"""Handwriting-like digits drawn from strokes, with every factor of variation known.

A digit is a few points; each is moved a little; smooth strokes run through them; the whole is scaled, slanted, turned
and shifted; a round pen of some width draws it, white on black, with soft edges one pixel wide.

The pen is drawn by a trick that makes it a matrix product. A straight stroke, blurred with a Gaussian of deviation s,
is F = exp(-d^2 / 2 s^2) at distance d. The blurred strokes are a sum over small segments of products of a function of x
and one of y, hence a product of two thin matrices; d = s sqrt(-2 log F) gives the distance back, and ink ends where
d = width / 2. Where strokes cross, F adds up and ink runs a little, as it does on paper.
"""

import math

import torch
from torch import Tensor

from zerosum.data.chance import chance
from zerosum.data.strokes import STYLES, pen

_BLOCK = 1000  # glyphs that share one generator: the first n of a seed are the same whatever n is
_CHUNK = 50  # glyphs drawn at once: small enough for the cache; always a full one, so that rounding never varies
_MOST_STYLES = max(len(styles) for styles in STYLES)
_POINTS = [  # [digit][style] -> control points
    [len({point for stroke in strokes for point in stroke}) for strokes in styles] + [0] * (_MOST_STYLES - len(styles))
    for styles in STYLES
]
_MOST = max(max(counts) for counts in _POINTS)
_HEIGHT = 0.66  # of a digit at scale 1, as a fraction of the picture's smaller side
_JITTER = 0.028  # deviation of a control point, in heights of the digit
_BLUR = 0.55  # deviation s as a fraction of the pen's radius


def glyphs(
    n: int,
    *,
    size: int | tuple[int, int] = 28,
    seed: int = 0,
    stream: int = 0,
    widths: tuple[float, float] = (0.06, 0.13),
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """n digits: uint8 [n 1 h w], labels int64 [n], factors, each [n] or [n k]:

    digit, style   int64
    width          of the pen, as a fraction of the smaller side, uniform in `widths`
    slant          tangent of the lean to the right, N(0.12, 0.2^2)
    rotation       clockwise, radians, N(0, 0.1^2)
    scale          [n 2] of x and y, N(1, 0.1^2) each
    shift          [n 2] in x and y (down), as a fraction of the smaller side, N(0, 0.03^2) each
    jitter         [n 2k] offsets x, y of the control points, in heights of the digit; 0 beyond the style's own points

    Normal factors are cut at 2 deviations. A seed gives the same bytes for every n; `stream` starts another sequence.
    Other `widths` draw the same digits with other pens: a digit that had the widest pen still has it.

    >>> images, labels, factors = glyphs(3)
    >>> images.shape, factors["shift"].shape
    (torch.Size([3, 1, 28, 28]), torch.Size([3, 2]))
    """
    height, width = (size, size) if isinstance(size, int) else size
    blocks = [_block(seed, stream, start // _BLOCK, widths) for start in range(0, n, _BLOCK)]
    images = torch.empty(n, 1, height, width, dtype=torch.uint8)
    for index, block in enumerate(blocks):
        first = index * _BLOCK
        images[first : first + _BLOCK, 0] = _draw(block, min(n - first, _BLOCK), height, width)
    factors = {name: torch.cat([block[name] for block in blocks])[:n] for name in blocks[0]}
    return images, factors["digit"], factors


def _block(seed: int, stream: int, block: int, widths: tuple[float, float]) -> dict[str, Tensor]:
    """The factors of one block of glyphs."""
    generator = chance("glyphs", seed, stream, block)

    def normal(*shape: int) -> Tensor:
        return torch.randn(_BLOCK, *shape, generator=generator).clamp_(-2, 2)

    digit = torch.randint(10, (_BLOCK,), generator=generator)
    counts = torch.tensor([len(styles) for styles in STYLES])[digit]
    style = (torch.rand(_BLOCK, generator=generator) * counts).long()
    own = torch.tensor([count for counts in _POINTS for count in counts])[digit * _MOST_STYLES + style]
    jitter = _JITTER * normal(_MOST, 2) * (torch.arange(_MOST) < own[:, None])[..., None]
    return {
        "digit": digit,
        "style": style,
        "width": widths[0] + (widths[1] - widths[0]) * torch.rand(_BLOCK, generator=generator),
        "slant": 0.12 + 0.2 * normal(),
        "rotation": 0.1 * normal(),
        "scale": 1 + 0.1 * normal(2),
        "shift": 0.03 * normal(2),
        "jitter": jitter.flatten(1),
    }


def _segments(block: dict[str, Tensor], places: int) -> tuple[Tensor, Tensor]:
    """Midpoints and vectors of the pen's small segments, in heights of the digit: two [block places 2]."""
    middle, along = torch.empty(_BLOCK, places, 2), torch.empty(_BLOCK, places, 2)
    for digit, styles in enumerate(STYLES):
        for style in range(len(styles)):
            which = ((block["digit"] == digit) & (block["style"] == style)).nonzero()[:, 0]
            own = pen(digit, style, places)
            jitter = block["jitter"][which].reshape(len(which), -1, 2)[:, : len(own.controls)]
            controls = own.controls + jitter
            middle[which], along[which] = own.middle @ controls, own.along @ controls
    return middle, along


def _placed(block: dict[str, Tensor], vectors: Tensor) -> Tensor:
    """Scaled, then slanted, then turned: [block places 2] in heights -> fractions of the smaller side."""
    x, y = (_HEIGHT * vectors * block["scale"][:, None]).unbind(-1)
    x = x - block["slant"][:, None] * y
    cos, sin = block["rotation"].cos()[:, None], block["rotation"].sin()[:, None]
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1)


def _draw(block: dict[str, Tensor], n: int, height: int, width: int) -> Tensor:
    """The first n glyphs of a block: uint8 [n h w]."""
    side = min(height, width)
    places = max(64, math.ceil(64 * side / 28))  # about one a pixel, and no further apart than 2 s
    middle, along = _segments(block, places)
    middle = (_placed(block, middle) + block["shift"][:, None]) * side
    lengths = _placed(block, along).norm(dim=-1) * side
    radius = block["width"] * side / 2
    chunks = [
        _ink(middle[at : at + _CHUNK], lengths[at : at + _CHUNK], radius[at : at + _CHUNK], height, width)
        for at in range(0, n, _CHUNK)
    ]
    return torch.cat(chunks)[:n]


def _ink(middle: Tensor, lengths: Tensor, radius: Tensor, height: int, width: int) -> Tensor:
    """[c p 2], [c p], [c], all in pixels from the centre -> uint8 [c h w]."""
    blur = (_BLUR * radius)[:, None, None]
    across = torch.arange(width) - (width - 1) / 2
    down = torch.arange(height) - (height - 1) / 2
    x = ((across - middle[..., :1]) / blur).square_().mul_(-0.5).exp_()  # [c p w]
    y = ((down - middle[..., 1:]) / blur).square_().mul_(-0.5).exp_()  # [c p h]
    y *= lengths[..., None] / (blur * math.sqrt(2 * math.pi))
    field = y.transpose(1, 2) @ x  # [c h w]: exp(-d^2 / 2 blur^2) near a straight stroke
    distance = field.clamp_(1e-30, 1).log_().mul_(-2).sqrt_().mul_(blur)
    edge = (radius[:, None, None] + 0.5 - distance).clamp_(0, 1)
    return edge.square().mul_(3 - 2 * edge).mul_(255).round_().to(torch.uint8)
