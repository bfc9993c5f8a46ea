"""Any source of data as one Dataset: an embedded name, a known public set, or a path.

    glyphs  ring  grid  spiral  parabola  gaussian-1d        made here, nothing is fetched
    strokes  cityscape                                       pairs, made here
    striped  coloured  bold                                  two domains, made here
    mnist  fashion-mnist  cifar10                            $ZEROSUM_DATA, the cache, or a checked download
    PATH                                                     IDX, npz, a zip or folder of pictures or of class folders

A bare known name wins over a folder of that name: write ./mnist for the folder.
"""

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zerosum.data.albums import read_album
from zerosum.data.arrays import Arrays, images_idx, images_npz, is_idx
from zerosum.data.couples import read_domains, read_pairs
from zerosum.data.dataset import DataError, Dataset, did_you_mean
from zerosum.data.embedded import DOMAINS, PAIRS, made
from zerosum.data.known import CLASSES, in_folder, read_known
from zerosum.data.labels import check_labels, read_labels
from zerosum.data.on_disk import OnDisk
from zerosum.data.pairing import couple, lean, no_domains, no_pairs, of_classes
from zerosum.data.pictures import refit
from zerosum.data.request import Request, check
from zerosum.data.spec import Images, Pairs
from zerosum.data.toy import TOYS

__all__ = ["NAMES", "DataError", "Dataset", "load"]

NAMES = ("glyphs", *TOYS, *PAIRS, *DOMAINS, *CLASSES)


def load(
    source: str,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    labels: str | None = None,
    split: str = "train",
    limit: int | None = None,
    seed: int = 0,
    pairing: str | None = None,
    direction: str = "AtoB",
    cache: str = "auto",
) -> Dataset:
    """The named or found set; DataError, in one line, if it cannot be had.

    size      side or (height, width): images are centre-cropped to that aspect and resized with antialiasing
    channels  1, 3 or 4; by default 1 if every image is stored as gray, else 3 with transparency laid on white
    labels    a file with labels for an image source: csv, npy, npz or IDX
    split     "train" or "test"; a folder or zip has a test split only if it holds train/ and test/
    limit     at most so many examples: made so many if embedded, else a random choice by `seed`, kept in order;
              so many pairs, or so many of each of two domains
    pairing   what a recipe needs: "pairs", "domains" or, by default, the set as it is
    direction "AtoB", or "BtoA": the two sides of pairs or domains change places
    cache     "disk": the pictures of a folder or zip are decoded once, into the user's cache, and read from there as
              they are needed; "memory": all are held; by default what is more than a quarter of the memory is on disk

    Pairs are folders A/ and B/ whose pictures have the same names, or pictures of two side by side (left A, right B).
    Domains are folders A/ and B/, trainA/ and trainB/, or any labelled set of two classes; pairs serve as domains, B
    in another order. Both sides get one size; without `channels` each is gray or colour as it is. The second side is
    in `partners`. Where it is known which of B belongs to each of A, `factors["partner"]` says so.

    >>> load("ring", limit=3).examples.shape
    torch.Size([3, 2])
    >>> load("cityscape", limit=3, direction="BtoA").partners.shape
    torch.Size([3, 3, 32, 32])
    """
    request = check(size, channels, labels, split, limit, seed, pairing, direction, cache)
    if (pairing or direction != "AtoB") and (one := made(source, replace(request, limit=1))):
        couple(one, request)  # what cannot be is said before all is drawn
    data = made(source, request)
    if data is None and source in CLASSES:
        if pairing:  # or downloaded
            raise (no_pairs if pairing == "pairs" else no_domains)(source, of_classes(CLASSES[source]))
        data = _from_arrays(source, read_known(source, split), request)
    elif data is None:
        path = _existing(source)
        data = _from_arrays(_name(path), _read(path, source, request), request)
    if cache == "disk" and not isinstance(data.examples, OnDisk):
        raise DataError(
            f"got cache=disk for '{source}', and only a folder or zip of pictures that are no pairs or domains is kept "
            "on disk: leave it out"
        )
    return couple(data, request)


def _read(path: Path, source: str, request: Request) -> Arrays:
    """Whatever lies at a path."""
    if path.is_dir() and (reader := in_folder(path, request.split)) is not None:
        return reader()
    if path.is_dir() or path.suffix.lower() == ".zip":
        read = {"pairs": read_pairs, "domains": read_domains, None: read_album}[request.pairing]
        return read(path, request)
    if request.split != "train":
        raise DataError(f"'{source}' is one file and has no split '{request.split}': use split 'train'")
    if path.suffix.lower() == ".npz":
        return images_npz(path)
    if is_idx(path) or "idx" in path.name:
        return images_idx(path)
    raise DataError(f"'{source}' is no folder, .zip, .npz or IDX file: give one of these, or a folder of pictures")


def _existing(source: str) -> Path:
    """The path, or DataError with the nearest name or neighbour."""
    path = Path(source).expanduser()
    with contextlib.suppress(OSError):  # a name longer than any file's
        if source and path.exists():
            return path
    near = did_you_mean(source, NAMES)
    if not near and path.name and path.parent.is_dir():
        before = source[: len(source) - len(path.name)]
        near = did_you_mean(source, [before + entry.name for entry in path.parent.iterdir()])
    rest = near or f" Give a path that exists or one of {', '.join(NAMES)}."
    raise DataError(f"no folder, file or data set called '{source}'.{rest}")


def _name(path: Path) -> str:
    """A short name for a run folder; an IDX file takes its folder's."""
    path = path.resolve()
    stem = path.name if path.is_dir() else path.parent.name if "idx" in path.name else path.stem
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "data"


def _from_arrays(name: str, found: Arrays, request: Request) -> Dataset:
    """Labels checked, the limit kept, every image fitted; what an album has done already is not done again."""
    if found.settled:
        data = _dataset(name, found.images, found.labels, found.classes, found.notes)
        return data if found.partners is None and found.partner is None else _with_partners(data, found, request)
    n, height, width, held = found.images.shape
    numbers: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if request.labels is not None:
        numbers, classes = read_labels(request.labels, None, n, found.classes)
    elif found.labels is not None:
        numbers, classes = check_labels(found.labels, n, found.classes, f"'{name}'")
    kept = request.choose(n, numbers)
    images = found.images if len(kept) == n else found.images[kept]
    size, channels = request.size or (height, width), request.channels or min(held, 3)
    notes = list(found.notes)
    if size != (height, width):
        notes.append(f"all {height}x{width}: cropped and resized to {size[0]}x{size[1]}")
    if held == 4 and channels != 4:
        notes.append("transparency was laid on white")
    return _dataset(
        name, refit(images, size, channels), None if numbers is None else numbers[kept], classes, tuple(notes)
    )


def _with_partners(data: Dataset, found: Arrays, request: Request) -> Dataset:
    """The pairs of an album, or the truth about who belongs to whom in its two domains."""
    if found.partners is None:
        return replace(data, factors={"partner": torch.from_numpy(found.partner)})
    a = lean(data.examples, request.channels)
    b = lean(_dataset(data.name, found.partners, None, (), ()).examples, request.channels)
    return replace(data, spec=Pairs(Images(*a.shape[1:]), Images(*b.shape[1:])), examples=a, partners=b)


def _dataset(
    name: str, images: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...], notes: tuple[str, ...]
) -> Dataset:
    """uint8 [n h w c] -> Dataset."""
    examples: Tensor = (
        OnDisk(images)
        if isinstance(images, np.memmap)
        else torch.from_numpy(np.require(images.transpose(0, 3, 1, 2), requirements=["C", "W"]))
    )
    numbers = None if labels is None else torch.from_numpy(np.require(labels, np.int64, ["C", "W"]))
    channels, height, width = examples.shape[1:]
    return Dataset(name, Images(channels, height, width, classes), examples, numbers, notes)
