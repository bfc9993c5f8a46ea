"""Street scenes with their class maps: what a pair of pictures is, drawn from convex polygons, with every truth known.

A scene is a stack of polygons, far ones first: sky, buildings, the pavement, the road, trees, cars. Each belongs to one
class. The map paints every polygon in its class's colour of PALETTE; the picture paints it in a colour and a
texture of its own (windows, tiles, speckle, lane marks, shading), whose hue, phase and slope no map tells.
Who minimises the mean error from map to picture must therefore blur; who reads the classes off a picture hardly errs.
"""

import math

import torch
from torch import Tensor

from zerosum.data.chance import chance

CLASSES = ("sky", "building", "pavement", "road", "tree", "car")
PALETTE = torch.tensor(  # those colours of the Cityscapes set (Cordts et al. 2016), which many maps of streets share
    [[70, 130, 180], [70, 70, 70], [244, 35, 232], [128, 64, 128], [107, 142, 35], [0, 0, 142]], dtype=torch.uint8
)
SKY, BUILDING, PAVEMENT, ROAD, TREE, CAR = range(len(CLASSES))

_BLOCK = 100  # scenes that share one generator: the first n of a seed are the same whatever n is
_PIXELS = 1 << 19  # painted at once
_BUILDINGS, _TREES, _CARS = 5, 3, 2
_REGIONS = torch.tensor(  # the class of each polygon, far ones first; the sky is behind them all
    [SKY, *[BUILDING] * _BUILDINGS, PAVEMENT, ROAD, *[TREE] * (2 * _TREES), *[CAR] * (2 * _CARS)]
)
# What a class looks like: its mean colour, and the deviation of a polygon's own colour from it.
_COLOURS = torch.tensor(
    [[0.45, 0.65, 0.95], [0.66, 0.5, 0.4], [0.7, 0.68, 0.64], [0.3, 0.3, 0.33], [0.25, 0.5, 0.16], [0.0, 0.0, 0.0]]
)
_SPREADS = torch.tensor([0.06, 0.1, 0.03, 0.02, 0.05, 0.0])


class _Draws:
    """What is drawn for one block, always in the same order."""

    def __init__(self, seed: int, stream: int, block: int):
        self.generator = chance("cityscape", seed, stream, block)

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(_BLOCK, *shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(_BLOCK, *shape, generator=self.generator).clamp_(-2, 2)

    def sign(self, *shape: int) -> Tensor:
        return 2.0 * torch.randint(2, (_BLOCK, *shape), generator=self.generator) - 1


def cityscape(
    n: int, *, size: int | tuple[int, int] = 32, seed: int = 0, stream: int = 0
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """n class maps in the colours of PALETTE and the scenes they are of: two uint8 [n 3 h w]; factors:

    classes        uint8 [n h w], the index in CLASSES of every pixel: maps = PALETTE[classes]

    A seed gives the same bytes for every n; `stream` starts another sequence.

    >>> maps, scenes, factors = cityscape(2)
    >>> maps.shape, scenes.shape, factors["classes"].shape
    (torch.Size([2, 3, 32, 32]), torch.Size([2, 3, 32, 32]), torch.Size([2, 32, 32]))
    """
    height, width = (size, size) if isinstance(size, int) else size
    scenes = torch.empty(n, 3, height, width, dtype=torch.uint8)
    classes = torch.empty(n, height, width, dtype=torch.uint8)
    piece = min(_BLOCK, max(1, _PIXELS // (height * width)))  # a whole one is always painted: rounding never varies
    for first in range(0, n, _BLOCK):
        draws = _Draws(seed, stream, first // _BLOCK)
        street = _street(draws)
        polygons, looks = _polygons(draws, street), _looks(draws)
        for at in range(0, min(_BLOCK, n - first), piece):
            own = slice(at, at + piece)
            regions = _regions([polygon[own] for polygon in polygons], height, width)
            noise = torch.randn(len(regions), height, width, generator=draws.generator)
            painted = _paint(regions, looks[own], street[own], noise)
            to = slice(first + at, min(first + at + piece, first + _BLOCK, n))
            scenes[to], classes[to] = painted[: to.stop - to.start], _REGIONS.byte()[regions][: to.stop - to.start]
    return paint_map(classes), scenes, {"classes": classes}


def paint_map(classes: Tensor) -> Tensor:
    """Class maps in the colours of PALETTE: [n h w] -> uint8 [n 3 h w]."""
    return PALETTE[classes.long()].permute(0, 3, 1, 2).contiguous()


def _street(draws: _Draws) -> Tensor:
    """[block 4]: where the road vanishes (x, y), where it leaves the picture (left, right); in sides of it."""
    x, y = draws.between(0.35, 0.65), draws.between(0.4, 0.52)
    return torch.stack([x, y, x - draws.between(0.35, 0.55), x + draws.between(0.35, 0.55)], -1)


def _polygons(draws: _Draws, street: Tensor) -> list[Tensor]:
    """The corners of every polygon in front of the sky, clockwise: [block k 2] each, fractions of the picture."""
    x0, y0, left, right = street[:, :, None].unbind(1)  # [block 1]
    nought, one = torch.zeros_like(x0), torch.ones_like(x0)
    found = []
    for i in range(_BUILDINGS):
        start = i / _BUILDINGS + draws.between(-0.07, 0.05, 1)
        stop = (i + 1) / _BUILDINGS + draws.between(-0.05, 0.05, 1)
        rise = draws.between(0.45, 1.1, 1)

        def roof(x: Tensor, rise: Tensor = rise) -> Tensor:
            return y0 - rise * (0.12 + 0.75 * (x - x0).abs())

        found.append(_corners((start, roof(start)), (stop, roof(stop)), (stop, y0 + 0.05), (start, y0 + 0.05)))
    found.append(_corners((nought, y0), (one, y0), (one, one), (nought, one)))
    found.append(_corners((x0 - 0.03, y0), (x0 + 0.03, y0), (right, one), (left, one)))
    for depth in draws.between(0.05, 0.5, _TREES).sort(1).values.split(1, 1):
        found += _tree(draws, depth, street)
    for depth in draws.between(0.2, 0.8, _CARS).sort(1).values.split(1, 1):
        found += _car(draws, depth, street)
    return found


def _corners(*points: tuple[Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.cat(point, -1) for point in points], 1)


def _kerb(depth: Tensor, side: Tensor, street: Tensor) -> tuple[Tensor, Tensor]:
    """The point of the road's left (side -1) or right (1) edge at a depth from 0, the horizon, to 1: two [block 1]."""
    x0, y0, left, right = street[:, :, None].unbind(1)
    far, near = x0 + 0.03 * side, torch.where(side > 0, right, left)
    return far + depth * (near - far), y0 + depth * (1 - y0)


def _tree(draws: _Draws, depth: Tensor, street: Tensor) -> list[Tensor]:
    """A trunk and a crown of eight corners beside the road; one in five trees is away, out of the picture."""
    side, scale = draws.sign(1), 0.35 + depth
    x, y = _kerb(depth, side, street)
    x = x + side * scale * draws.between(0.06, 0.28, 1) + 9 * (draws.between(0, 1, 1) < 0.2)
    middle, half = y - scale * draws.between(0.38, 0.5, 1), 0.028 * scale
    trunk = _corners((x - half, middle), (x + half, middle), (x + half, y), (x - half, y))
    angle = torch.arange(8) * (math.pi / 4)
    radius = scale * draws.between(0.16, 0.24, 1) * draws.between(0.85, 1.1, 8)
    return [trunk, torch.stack([x + radius * angle.cos(), middle + 1.15 * radius * angle.sin()], -1)]


def _car(draws: _Draws, depth: Tensor, street: Tensor) -> list[Tensor]:
    """A body and a cabin on the road, in its lane; one in four cars is away."""
    side = draws.sign(1)
    kerb, y = _kerb(depth, side, street)
    middle = _kerb(depth, -side, street)[0].lerp(kerb, draws.between(0.68, 0.76, 1))
    x = middle + 9 * (draws.between(0, 1, 1) < 0.25)
    half = (kerb - middle).abs() * draws.between(0.75, 0.95, 1) + 0.03
    low, high = y - 0.75 * half, y - half * draws.between(1.2, 1.45, 1)
    body = _corners((x - half, low), (x + half, low), (x + half, y), (x - half, y))
    foot, top = 0.85 * half, draws.between(0.5, 0.7, 1) * half
    return [_corners((x - top, high), (x + top, high), (x + foot, low), (x - foot, low)), body]


def _looks(draws: _Draws) -> Tensor:
    """[block regions 7]: colour, and of the texture the direction (cos, sin), waves a side, phase."""
    count = len(_REGIONS)
    colours = _COLOURS[_REGIONS] + _SPREADS[_REGIONS][:, None] * draws.normal(count, 3)
    hue = draws.between(0, 1, count)
    vivid = ((hue[..., None] + torch.tensor([0, 1 / 3, 2 / 3])) * 2 * math.pi).cos().mul(0.5).add(0.5)
    colours[:, -2 * _CARS :] = 0.15 + 0.8 * vivid[:, -2 * _CARS :]
    colours[:, -2 * _CARS :: 2] = torch.tensor([0.1, 0.13, 0.2])  # the glass of a cabin
    colours[:, 8 : 8 + 2 * _TREES : 2] = torch.tensor([0.32, 0.2, 0.1])  # the wood of a trunk
    colours *= draws.between(0.85, 1.1)[:, None, None]  # the light of the day
    angle = draws.between(0, math.pi, count)
    waves, phase = draws.between(5, 8, count), draws.between(0, 1, count)
    return torch.cat([colours, torch.stack([angle.cos(), angle.sin(), waves, phase], -1)], -1)


def _regions(polygons: list[Tensor], height: int, width: int) -> Tensor:
    """Which polygon is seen at each pixel's centre: int64 [n h w], 0 where it is the sky."""
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    seen = torch.zeros(len(polygons[0]), height, width, dtype=torch.int64)
    for index, corners in enumerate(polygons, 1):
        (px, py), (qx, qy) = corners.unbind(-1), corners.roll(-1, 1).unbind(-1)
        # Right of every edge p -> q: (q - p) x (r - p) >= 0, which splits into a term of x and one of y.
        of_x = (py - qy)[..., None] * (x - px[..., None])  # [n k w]
        of_y = (qx - px)[..., None] * (y - py[..., None])  # [n k h]
        inside = (of_x[:, :, None] + of_y[..., None]).amin(1) >= 0
        seen.masked_fill_(inside, index)
    return seen


def _paint(regions: Tensor, looks: Tensor, street: Tensor, noise: Tensor) -> Tensor:
    """Every region in its colour and its class's texture: [n h w], [n regions 7], [n 4], [n h w] -> uint8 [n 3 h w]."""
    n, height, width = regions.shape
    own = looks.transpose(1, 2).gather(2, regions.reshape(n, 1, -1).expand(-1, 7, -1)).reshape(n, 7, height, width)
    colour, (cos, sin, waves, phase) = own[:, :3], own[:, 3:].unbind(1)
    side = min(height, width)
    x, y = torch.arange(width) / side, torch.arange(height)[:, None] / side
    turn = 2 * math.pi
    along = ((waves * (cos * x + sin * y) + phase) * turn).sin()
    across, down = ((waves * x + phase) * turn).sin(), ((waves * y + 2 * phase) * turn).sin()
    x0, y0, left, right = street[:, :, None, None].unbind(1)
    row, column = (torch.arange(height)[:, None] + 0.5) / height, (torch.arange(width) + 0.5) / width
    depth = ((row - y0) / (1 - y0)).clamp(0.02, 1)
    lane = (column - x0 - depth * ((left + right) / 2 - x0)).abs() < 0.012 + 0.03 * depth
    dash = lane & (((2.5 * depth.log() + phase) * turn).sin() > 0)
    clouds = (((0.15 * waves * (0.3 * x + y) + phase) * turn).sin() + 0.3 * along).clamp(0, 1)
    textures = torch.stack(
        [
            0.35 * row / y0 + 0.35 * clouds,  # sky: paler towards the horizon, and clouds
            0.08 * noise + (cos - 0.3).sign() * 0.5 * ((across > 0) & (down > -0.2)),  # building: windows, lit or dark
            0.18 * along + 0.03 * noise,  # pavement: tiles
            0.07 * noise + 1.8 * dash,  # road: speckle, and the marks of the lanes
            0.35 * noise + 0.25 * along,  # tree: leaves in clumps
            0.3 * along.clamp_min(0) + 0.03 * noise,  # car: shine
        ],
        1,
    )
    shade = textures.gather(1, _REGIONS[regions][:, None])
    return (colour * (1 + shade) * 255).clamp_(0, 255).round_().to(torch.uint8)
