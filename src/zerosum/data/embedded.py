"""The sets that are made here: points, digits, pairs and domains. Nothing is read, nothing is fetched."""

from collections.abc import Callable

import torch
from torch import Tensor

from zerosum.data.dataset import DataError, Dataset
from zerosum.data.glyphs import glyphs
from zerosum.data.pairing import unpaired
from zerosum.data.request import SPLITS, Request
from zerosum.data.scenes import cityscape
from zerosum.data.spec import Images, Pairs, Points
from zerosum.data.styles import Drawn, bold, coloured, striped, strokes
from zerosum.data.toy import TOYS

PAIRS: dict[str, Callable[..., Drawn]] = {"strokes": strokes, "cityscape": cityscape}
DOMAINS: dict[str, Callable[..., Drawn]] = {"striped": striped, "coloured": coloured, "bold": bold}
_COLOURFUL = ("cityscape", "striped", "coloured")  # what they show is in their colours
_LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # as Pillow has it (ITU-R 601)


def made(name: str, request: Request) -> Dataset | None:
    """The set of this name, or None if none is made here."""
    if name in TOYS:
        return _toy(name, request)
    if name == "glyphs":
        return _glyphs(request)
    if name in PAIRS or name in DOMAINS:
        return _couple(name, request)
    return None


def _toy(name: str, request: Request) -> Dataset:
    request.refuse(name, "is points and has none", "size", "channels", "labels")
    toy = TOYS[name]()
    # Even seeds are for training, odd ones for testing: the two never share a stream.
    generator = torch.Generator().manual_seed(2 * request.seed + SPLITS.index(request.split))
    points = toy.sample(request.limit or (100_000 if request.split == "train" else 10_000), generator)
    return Dataset(name, Points(toy.dim, scale=float(points.square().mean().sqrt())), points, None)


def _glyphs(request: Request) -> Dataset:
    request.refuse("glyphs", "has its own", "labels")
    n = request.limit or (20_000 if request.split == "train" else 5_000)
    stream = SPLITS.index(request.split)
    images, digits, factors = glyphs(n, size=request.size or 28, seed=request.seed, stream=stream)
    images = _with_channels(images, request.channels)
    channels, height, width = images.shape[1:]
    spec = Images(channels, height, width, tuple("0123456789"))
    return Dataset("glyphs", spec, images, digits, factors=factors)


def _couple(name: str, request: Request) -> Dataset:
    """Pairs as they were drawn; domains in orders of their own, but for the test: there they stay side by side."""
    request.refuse(name, "has none", "labels")
    if request.channels == 1 and name in _COLOURFUL:
        raise DataError(f"got channels=1 for '{name}', which lives by its colours: leave it out, or take 'bold'")
    n = request.limit or (10_000 if request.split == "train" else 1_000)
    draw = PAIRS.get(name) or DOMAINS[name]
    stream = SPLITS.index(request.split)
    a, b, factors = draw(n, size=request.size or 32, seed=request.seed, stream=stream)
    a, b = _with_channels(a, request.channels), _with_channels(b, request.channels)
    pairs = Dataset(name, Pairs(Images(*a.shape[1:]), Images(*b.shape[1:])), a, None, (), factors, b)
    return pairs if name in PAIRS else unpaired(pairs, request)


def _with_channels(images: Tensor, channels: int | None) -> Tensor:
    """uint8 [n c h w] in gray, colour, or colour and no transparency; as it is if `channels` is None."""
    if channels in (None, images.shape[1]):
        return images
    if channels == 1:
        return (images * _LUMA).sum(1, keepdim=True).round_().to(torch.uint8)
    images = images.expand(-1, 3, -1, -1)
    return images.contiguous() if channels == 3 else torch.cat([images, torch.full_like(images[:, :1], 255)], 1)
