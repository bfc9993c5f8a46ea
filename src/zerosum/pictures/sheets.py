"""Sheets of samples, as they are or with D's belief in each; and the bytes they are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zerosum.pictures.look import FAKE, HAIRLINE, INK, MUTED, REAL, UNSURE

TILE = 60  # pixels: small samples are enlarged to about this, where a digit is read without effort
WIDEST = 1200  # pixels: a sheet is not enlarged beyond; it fits a laptop's screen


def to_uint8(images: Tensor) -> np.ndarray:
    """Images [n c h w] in [-1, 1] as bytes [n h w c]: -1 -> 0, 1 -> 255, to the nearest, clamped; NaN is gray."""
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(f"got {images.dtype} of shape {tuple(images.shape)}, expected floats [n c h w] in [-1, 1]")
    unit = images.detach().float().nan_to_num(nan=0.0).clamp(-1, 1)
    pixels: np.ndarray = ((unit + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels


def grid(images: np.ndarray, columns: int | None = None, zoom: int | None = None, padding: int = 2) -> Image.Image:
    """A sheet of images, uint8 [n h w c], row by row, c = 1 (gray), 3 (RGB) or 4 (RGBA, laid on white).

    By default the sheet is nearly square, and `zoom` (each pixel becomes zoom x zoom, none is blurred) brings small
    images to about 60 pixels. No sheet of its own choice is wider than 1200 pixels, unless one image alone is.
    """
    return _sheet(_rgb(images), columns, zoom, padding)[0]


def scored_grid(
    images: np.ndarray,
    scores: Sequence[float] | np.ndarray,
    columns: int | None = None,
    zoom: int | None = None,
    padding: int = 6,
    sort: bool = False,
) -> Image.Image:
    """A `grid` where a bar and a number under each image say how real D holds it, scores [n] in [0, 1].

    `sort` puts the most believed first. A score that is NaN (a D that diverged) is shown as such, and sorted last.
    """
    believed = np.asarray(scores, dtype=float).reshape(-1)
    if len(believed) != len(images) or np.any((believed < 0) | (believed > 1)):
        raise ValueError(
            f"got {len(believed)} scores for {len(images)} images, from {believed.min(initial=np.inf):g} to "
            f"{believed.max(initial=-np.inf):g}; expected one in [0, 1] for each: apply sigmoid to logits"
        )
    order = np.argsort(-believed, kind="stable") if sort else np.arange(len(believed))
    sheet, corners, (width, height) = _sheet(_rgb(images)[order], columns, zoom, padding, footer=22, narrowest=36)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for (x, y), score in zip(corners, believed[order], strict=True):
        bar = y + height + 3
        draw.rectangle((x, bar, x + width - 1, bar + 3), fill=HAIRLINE)
        if score > 0:
            draw.rectangle((x, bar, x + max(round(score * width), 1) - 1, bar + 3), fill=_belief_colour(score))
        text = "nan" if math.isnan(score) else f"{score:.0%}".replace("%", " %")
        draw.text((x + width / 2, bar + 6), text, fill=INK, font=font, anchor="mt")
    return sheet


def _rgb(images: np.ndarray) -> np.ndarray:
    """Gray, RGB or RGBA bytes [n h w c] -> RGB bytes [n h w 3]."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape:
        raise ValueError(
            f"got {images.dtype} of shape {images.shape}, expected uint8 [n h w c], none of them 0 and c 1, 3 or 4: "
            "to_uint8 makes it from a tensor [n c h w] in [-1, 1]"
        )
    if images.shape[3] == 4:
        opaque = images[..., 3:].astype(float) / 255
        images = (images[..., :3] * opaque + 255 * (1 - opaque)).round().astype(np.uint8)
    return np.broadcast_to(images, (*images.shape[:3], 3))


def _sheet(
    tiles: np.ndarray, columns: int | None, zoom: int | None, padding: int, footer: int = 0, narrowest: int = 0
) -> tuple[Image.Image, list[tuple[int, int]], tuple[int, int]]:
    """Tiles [n h w 3] on paper, with `footer` rows below each: the sheet, the tiles' corners (x, y), a tile's size."""
    if (columns is not None and columns < 1) or (zoom is not None and zoom < 1) or padding < 0:
        raise ValueError(f"got {columns} columns, zoom {zoom}, padding {padding}; expected at least 1, 1 and 0")
    n, h, w, _ = tiles.shape
    wished = zoom or max(round(TILE / max(h, w)), 1)
    if columns is None:
        fitting = max((WIDEST - padding) // (max(w, narrowest) + padding), 1)
        cell = (max(w * wished, narrowest) + padding, h * wished + footer + padding)
        columns = min(range(min(n, fitting), 0, -1), key=lambda columns: _unrest(n, columns, *cell))
    if zoom is None:
        zoom = max(min(wished, ((WIDEST - padding) // columns - padding) // w), 1)
    tiles = tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)
    h, w = h * zoom, w * zoom
    cell = max(w, narrowest)
    rows = math.ceil(n / columns)
    size = (rows * (h + footer + padding) + padding, columns * (cell + padding) + padding)
    paper = np.full((*size, 3), 255, np.uint8)
    corners = []
    for i, tile in enumerate(tiles):
        x = padding + i % columns * (cell + padding) + (cell - w) // 2
        y = padding + i // columns * (h + footer + padding)
        paper[y : y + h, x : x + w] = tile
        corners.append((x, y))
    return Image.fromarray(paper), corners, (w, h)


def _unrest(n: int, columns: int, width: int, height: int) -> float:
    """How far a sheet of n cells is from a full square: 32 digits are better 8 by 4 than 6 by 6 with 4 missing."""
    rows = math.ceil(n / columns)
    missing = rows * columns - n
    return abs(math.log(columns * width / (rows * height))) + (0.6 + missing / n if missing else 0.0)


def _belief_colour(score: float) -> tuple[int, int, int]:
    """The colour of D's belief: FAKE at 0, UNSURE at 1/2, REAL at 1, straight lines between; MUTED for NaN."""
    if math.isnan(score):
        return _channels(MUTED)
    start, end = (FAKE, UNSURE) if score < 0.5 else (UNSURE, REAL)
    part = 2 * score if score < 0.5 else 2 * score - 1
    r, g, b = (round(p + part * (q - p)) for p, q in zip(_channels(start), _channels(end), strict=True))
    return r, g, b


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
