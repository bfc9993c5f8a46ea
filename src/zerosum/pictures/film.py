"""Films of a run: frames kept as files the moment they are drawn, written as one animated picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zerosum.pictures.look import captioned, save, whole


class Film:
    """The frames of a film, each a file in `folder`/frames the moment it is added: a cut run loses none.

    >>> import tempfile
    >>> film = Film(tempfile.mkdtemp())
    >>> film.add(Image.new("RGB", (64, 64), "white"), index=500, caption="round 500").name
    '000500.png'
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder) / "frames"

    def add(self, image: Image.Image, index: int, caption: str = "") -> Path:
        """Keep a frame; an `index` that is there already (a resumed run) is replaced. The caption is a strip below."""
        if index < 0:
            raise ValueError(f"got frame {index}, expected an index of 0 or more")
        frame = image.convert("RGB")
        if caption:
            frame = captioned(frame, caption)
        return save(frame, self.folder / f"{index:06d}.png")

    def frames(self) -> list[Path]:
        """The files of the frames, by index."""
        return sorted(self.folder.glob("[0-9]*.png"), key=lambda file: int(file.stem))

    def write(self, path: str | Path, max_frames: int = 120, seconds: float = 7.0) -> Path:
        """Write an animated .webp or .gif of at most `max_frames` frames, evenly chosen, the first and last among them.

        It runs for about `seconds` (few frames: at most half a second each), then holds the last frame for 2 s. A
        WebP loses nothing where that costs little (gray digits, flat drawings); a GIF has one palette
        of 256 colours. Equal frames in a row are stored as one that stands longer.
        """
        path, files = Path(path), self.frames()
        if path.suffix.lower() not in (".webp", ".gif") or max_frames < 2 or not files:
            raise ValueError(
                f"got {path.name} of at most {max_frames} frames, with {len(files)} frames in {self.folder}; "
                "expected a .webp or .gif of at least 2, and a frame added before"
            )
        count = min(len(files), max_frames)
        chosen = [files[i] for i in np.linspace(0, len(files) - 1, count).round().astype(int)]
        images = [_opened(file) for file in chosen]
        for file, image in zip(chosen, images, strict=True):
            if image.size != images[0].size:
                raise ValueError(
                    f"frame {file.name} is {image.size}, expected {images[0].size} as {chosen[0].name}: "
                    "draw every frame with one layout, and caption all or none"
                )
        pace = 10 * round(min(seconds / count, 0.5) * 100)  # ms; a GIF counts in 10 ms
        options: dict[str, Any] = {"duration": [pace] * (count - 1) + [pace + 2000], "loop": 0}
        if path.suffix.lower() == ".gif":
            images = _one_palette(images)
            options |= {"optimize": False, "disposal": 1, "palette": bytes(images[0].getpalette() or ())}
        else:
            options |= {"lossless": _lossless_pays(images), "quality": 80, "method": 0}
        with whole(path) as unfinished:
            images[0].save(unfinished, path.suffix[1:], save_all=True, append_images=images[1:], **options)
        return path


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def _lossless_pays(images: list[Image.Image]) -> bool:
    """Whether WebP without loss is hardly larger: so for gray digits and flat drawings, not for photographs."""
    sizes = []
    for lossless in (True, False):
        written = io.BytesIO()
        for image in (images[0], images[len(images) // 2], images[-1]):
            image.save(written, "webp", lossless=lossless, quality=80, method=0)
        sizes.append(written.tell())
    return sizes[0] <= 1.25 * sizes[1]


def _one_palette(images: list[Image.Image]) -> list[Image.Image]:
    """The images in the 256 colours that suit them all together: a palette for each would make a film flicker."""
    if all(_is_gray(image) for image in images):
        grays = [image.convert("L") for image in images]
        for gray in grays:
            gray.putpalette(bytes(level for level in range(256) for _ in "rgb"))
        return grays
    every = max(len(images) * images[0].width * images[0].height // 500_000, 1)  # pixels enough to know the colours
    some = np.concatenate([np.asarray(image).reshape(-1, 3)[::every] for image in images])
    palette = Image.fromarray(some[None]).quantize(256)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def _is_gray(image: Image.Image) -> bool:
    pixels = np.asarray(image)
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
