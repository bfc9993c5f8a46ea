"""Decoded pictures kept on disk: a set larger than memory is decoded once, and streamed from there ever after.

A file holds one set: the pictures, uint8 [n h w c] from its first byte on; then a record of them in JSON; then the
record's length in 8 bytes, lowest first. Its name tells what it was made of, so that another source is another file.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL

from zerosum.data import known
from zerosum.data.dataset import DataError
from zerosum.data.pictures import Listing
from zerosum.data.request import Request

_LAYOUT = 1  # of the file: another number, and all are made anew
_SHARE = 0.25  # of the available memory, up to which a set is held in memory
_UNKNOWN = 8 * 10**9  # bytes taken for available where the system does not say
_ABANDONED = 3600.0  # seconds without a write, after which a part is what a killed process has left
_CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of Linux, new and old

About = tuple[list[int], list[str]]  # as in Decoded: good, notes


@dataclass(frozen=True)
class Decoded:
    """Pictures as they were decoded: in memory, or memory-mapped."""

    images: np.ndarray  # uint8 [n h w c]
    good: list[int]  # which of the pictures that were to be decoded these are: the others cannot be read
    notes: list[str]


def fits(size: int) -> bool:
    """Whether so many bytes are at most a quarter of the memory that is available to each process on this machine."""
    return size * int(os.environ.get("LOCAL_WORLD_SIZE", "1")) <= _SHARE * available()


def available() -> int:
    """Bytes of memory that are free or can be freed, no more than a container may use; 8 GB where nobody says."""
    said = [_number(path) for path in _CONTAINER]
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        said.append(int(found[1]) * 1024 if found else None)
    if not any(said) and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # macOS
        said.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min((size for size in said if size), default=_UNKNOWN)


def _number(path: str) -> int | None:
    """The number in a file, if there is one: a container without a limit says 'max'."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path(path).read_text())
    return None


def file_for(path: Path, listing: Listing, request: Request) -> Path:
    """Where these pictures of a source, decoded as is asked, are kept: by their names, sizes and times of change."""
    asked = [str(path.resolve()), request.size, request.channels, _LAYOUT, PIL.__version__]
    made_of = hashlib.sha256(json.dumps([asked, listing.others]).encode())
    for picture in listing.pictures:
        made_of.update(f"\n{picture.name}: {picture.stamp()}".encode("utf-8", "surrogateescape"))
    name = re.sub(r"[^\w.-]+", "-", path.resolve().stem)[:40]
    return known.cache() / "decoded" / f"{name}-{made_of.hexdigest()[:24]}.pictures"


def find(file: Path) -> Decoded | None:
    """What was kept there, memory-mapped; None if there is nothing, or a file that is not whole."""
    try:
        with file.open("rb") as opened:
            opened.seek(-8, os.SEEK_END)
            length = int.from_bytes(opened.read(8), "little")
            opened.seek(-8 - length, os.SEEK_END)
            end = opened.tell()
            record = json.loads(opened.read(length))
        if math.prod(record["shape"]) != end or len(record["good"]) != record["shape"][0]:
            return None
        images = np.memmap(file, np.uint8, "r", shape=tuple(record["shape"]))
        return Decoded(images, record["good"], record["notes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(file: Path, size: int, pictures: Iterator[np.ndarray], about: Callable[[], About]) -> Decoded:
    """Keep pictures [h w c], at most `size` bytes in all, one by one as they come; then `about` tells which, and notes.

    The file gets its name when it is whole: an interruption leaves none, and another process at the same work does no
    harm. Raises DataError where the disk is full.
    """
    folder = file.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        if (free := shutil.disk_usage(folder).free) < size:
            raise OSError(f"{free / 1e9:.1f} GB are free")
        handle, name = tempfile.mkstemp(".part", file.name, folder)
        try:
            with os.fdopen(handle, "wb") as part:
                _fill(part, pictures, about)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise DataError(
            f"{size / 1e9:.1f} GB of decoded pictures cannot be kept in {folder} ({error}): free some, name a folder "
            "elsewhere (XDG_CACHE_HOME), or ask for less (size, limit)"
        ) from error
    found = find(file)
    assert found is not None
    return found


def _fill(part: BinaryIO, pictures: Iterator[np.ndarray], about: Callable[[], About]) -> None:
    count, shape = 0, ()
    for picture in pictures:
        part.write(picture.tobytes())
        count, shape = count + 1, picture.shape
    good, notes = about()
    record = json.dumps({"shape": [count, *shape], "good": good, "notes": notes}).encode()
    part.write(record + len(record).to_bytes(8, "little"))
    part.flush()
    os.fsync(part.fileno())


def _sweep(folder: Path) -> None:
    """Remove what killed processes have left."""
    for part in folder.glob("*.part"):
        with contextlib.suppress(OSError):  # whose process has just finished it
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()
