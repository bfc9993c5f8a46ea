"""The one look of all pictures: its colours, captions, plain axes; and files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER, INK, MUTED, HAIRLINE = "#ffffff", "#333333", "#8a8a8a", "#e4e4e4"
FAKE, UNSURE, REAL = "#c8402f", "#e9a83c", "#1f8a62"  # darker at the ends: told apart without red and green, too
GENERATED = "#3f4fc4"
SERIES = ("#3f6fd1", "#e0782f", "#7b4fb5", "#1d9a8a", "#c2407f", "#9a7b1f", "#5a6472", "#4aa3df")


def save(image: Image.Image, path: str | Path, info: Mapping[str, str] | None = None) -> Path:
    """Write a PNG, whole or not at all, with `info` as its text metadata, e.g. {"seed": "0", "round": "500"}."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"got {path.name}, expected a name that ends in .png")
    metadata = PngImagePlugin.PngInfo()
    for key, text in (info or {}).items():
        metadata.add_text(key, text)
    with whole(path) as unfinished:
        image.save(unfinished, "png", pnginfo=metadata)
    return path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name in the same folder to write to; it becomes `path` at the end, or is removed when the writing fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def captioned(frame: Image.Image, caption: str) -> Image.Image:
    """The frame above a strip with the caption, in a font that is small enough for it."""
    paper = Image.new("RGB", (frame.width, frame.height + 24), PAPER)
    paper.paste(frame)
    fonts = [ImageFont.load_default(points) for points in (14, 12, 10, 8)]
    font = next((font for font in fonts if font.getlength(caption) <= frame.width - 8), fonts[-1])
    ImageDraw.Draw(paper).text((4, frame.height + 12), caption, fill=INK, font=font, anchor="lm")
    return paper


def plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(HAIRLINE)
    axes.tick_params(colors=MUTED, labelsize=8, length=0)


def legend_below(axes: Axes, drop: float) -> None:
    """Names of the curves or points, in one line below the axes; `drop` is the share of their height to go down."""
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (0, -drop), "borderaxespad": 0, "borderpad": 0.4}
    names = axes.legend(**place, ncols=3, frameon=False, fontsize=8.5, labelcolor=INK, handlelength=1.4, markerscale=2)
    for handle in names.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def drawn(figure: Figure) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
