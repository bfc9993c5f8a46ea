"""Picture files in a folder or a zip: found, looked at, decoded by a pool of threads, fitted to one size."""

import os
import re
import struct
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from zerosum.data.dataset import DataError

_SUFFIX = re.compile(r"\.(png|jpe?g?|jfif|bmp|gif|webp|avif|tiff?|p[pgbn]m|tga|jp2|ico)$", re.IGNORECASE)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
LARGEST_KEPT = 128  # a folder of one size above this is reduced, unless a size is asked for
USUAL = (64, 64)  # [h w] of pictures that have to be reduced to one size
_LARGEST_FILE = 1 << 28  # bytes; a zip may claim any size for a member
_AT_ONCE = 1 << 26  # bytes of decoded pictures
_ORIENTATION = 0x0112  # the EXIF tag; 5..8 swap the sides
_GRAY = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"))
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,  # an encrypted member of a zip
    NotImplementedError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True)
class Picture:
    """One file: its name within the folder or zip, with '/', how to read it, and what changes when it does."""

    name: str
    read: Callable[[], bytes]
    stamp: Callable[[], str]


@dataclass(frozen=True)
class Look:
    """What a picture's header says."""

    size: tuple[int, int]  # height, width as shown, EXIF orientation respected
    gray: bool
    alpha: bool
    deep: bool  # more than 8 bits a channel


@dataclass
class Listing:
    """The pictures of one place, sorted by name, and the files that are none."""

    pictures: list[Picture]
    others: list[str]


def list_folder(folder: Path) -> Listing:
    """All files below a folder, hidden ones left out."""
    files = []
    for base, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [path for name in names if (path := Path(base, name)).is_file()]  # a pipe would be read for ever
    return _listing([Picture(p.relative_to(folder).as_posix(), p.read_bytes, partial(_stamp, p)) for p in files])


def _stamp(file: Path) -> str:
    return f"{file.stat().st_size} bytes of {file.stat().st_mtime_ns}"


def list_zip(path: Path) -> Listing:
    """All members of a zip; a single folder around everything is taken off."""
    try:
        archive = zipfile.ZipFile(path)  # stays open as long as its pictures do
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"'{path}' is damaged or not a zip ({error}): write it again") from None

    def reader(member: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            if member.file_size > _LARGEST_FILE:
                raise OSError("larger than 256 MB")
            return archive.read(member)

        return read

    def stamp(member: zipfile.ZipInfo) -> str:
        return f"{member.file_size} bytes of checksum {member.CRC}"

    members = [member for member in archive.infolist() if not member.is_dir()]
    return _listing([Picture(m.filename.replace("\\", "/"), reader(m), partial(stamp, m)) for m in members])


def _listing(files: list[Picture]) -> Listing:
    def hidden(name: str) -> bool:
        return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))

    seen = sorted((file for file in files if not hidden(file.name)), key=lambda file: file.name)
    pictures = [file for file in seen if _SUFFIX.search(file.name)]
    return Listing(pictures, [file.name for file in seen if not _SUFFIX.search(file.name)])


@contextmanager
def _strict() -> Iterator[None]:
    """Oversized pictures are errors, Pillow's other remarks are not wanted; filters hold for the pool's threads too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def look_at(picture: Picture, parts: int = 1) -> Look | None:
    """The header of a picture, or None if it cannot be read or decodes to too many pixels.

    Where several lie side by side in the file, the size is that of one.
    """
    try:
        with Image.open(BytesIO(picture.read())) as image:
            width, height = image.size
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and width * height > limit:
                return None
            # Pillow decodes a whole PNG to ask it for EXIF: only where the chunk has been seen.
            asked = image.format != "PNG" or "exif" in image.info
            if asked and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8):
                width, height = height, width
            alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
            deep = image.mode == "I" or image.mode.startswith("I;16")
            return Look((height, width // parts), image.mode in _GRAY, alpha, deep)
    except _UNREADABLE:
        return None


def decode(picture: Picture, size: tuple[int, int], channels: int, parts: int = 1) -> np.ndarray | None:
    """uint8 [h w c] of the wanted size, or None if the file is damaged; several side by side as [h w parts*c]."""
    try:
        with Image.open(BytesIO(picture.read())) as image:
            most = 2 * max(size)
            image.draft(None, (parts * most, most))  # a large JPEG is decoded at no more than is needed
            upright = to_mode(ImageOps.exif_transpose(image), channels)
            width = upright.width // parts
            lefts = [round(i * upright.width / parts) for i in range(parts)]
            crops = (
                [upright.crop((left, 0, left + width, upright.height)) for left in lefts] if parts > 1 else [upright]
            )
            return np.concatenate([as_array(fit(crop, size), channels) for crop in crops], 2)
    except _UNREADABLE:
        return None


def to_mode(image: Image.Image, channels: int) -> Image.Image:
    """Any Pillow mode as 8-bit L, RGB or RGBA; transparency is laid on white unless 4 channels are wanted."""
    if image.mode == "F":
        raise ValueError("floating point pixels: their range is not known")
    if image.mode == "I" or image.mode.startswith("I;16"):
        # 65,535 is white: 16-bit gray PNGs open as I;16, or as I in older Pillows.
        image = Image.fromarray((np.asarray(image, np.float64) / 257 + 0.5).clip(0, 255).astype(np.uint8))
    if channels == 4:
        return image.convert("RGBA")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if channels == 1 and image.mode not in ("L", "1"):
        image = image.convert("RGB")
    return image.convert(MODES[channels])


def fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Centre-cropped to the aspect of [h w] and resized to it with antialiasing; untouched if it has that size."""
    height, width = size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def as_array(image: Image.Image, channels: int) -> np.ndarray:
    return np.asarray(image).reshape(image.height, image.width, channels)


def look_all(pictures: list[Picture], parts: int = 1) -> list[Look | None]:
    with _strict(), ThreadPoolExecutor() as pool:
        return list(pool.map(lambda picture: look_at(picture, parts), pictures))


def decode_all(
    pictures: list[Picture], size: tuple[int, int], channels: int, parts: int = 1
) -> Iterator[np.ndarray | None]:
    """Each picture as `decode` gives it, in order; at most about `_AT_ONCE` bytes of them wait to be taken."""
    block = max(1, _AT_ONCE // (size[0] * size[1] * channels * parts))
    for start in range(0, len(pictures), block):
        with _strict(), ThreadPoolExecutor() as pool:
            found = pool.map(lambda picture: decode(picture, size, channels, parts), pictures[start : start + block])
        yield from found


def refit(images: np.ndarray, size: tuple[int, int], channels: int) -> np.ndarray:
    """uint8 [n h w c] -> [n *size channels], each image as a picture file would be."""
    if images.shape[1:] == (*size, channels):
        return images

    def one(image: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        return as_array(fit(to_mode(picture, channels), size), channels)

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(one, images)))


def settle_size(looks: list[Look]) -> tuple[tuple[int, int], str | None]:
    """The [h w] a set of pictures gets if none is asked for, and the note on it."""
    sizes = Counter(look.size for look in looks)
    if len(sizes) == 1:
        (height, width) = next(iter(sizes))
        if max(height, width) <= LARGEST_KEPT:
            return (height, width), None
        note = (
            f"all {height}x{width}: cropped and resized to {USUAL[0]}x{USUAL[1]}; --set size={height}x{width} keeps all"
        )
        return USUAL, note
    low, high = min(sizes, key=lambda s: (s[0] * s[1], s)), max(sizes, key=lambda s: (s[0] * s[1], s))
    span = f"{low[0]}x{low[1]} .. {high[0]}x{high[1]}"
    return USUAL, f"mixed sizes ({span}): cropped and resized to {USUAL[0]}x{USUAL[1]}"
