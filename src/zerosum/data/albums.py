"""A folder or zip of pictures as one set: its split, its classes, what was skipped."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from zerosum.data import cache
from zerosum.data.arrays import Arrays
from zerosum.data.cache import Decoded
from zerosum.data.dataset import DataError
from zerosum.data.labels import read_labels
from zerosum.data.pictures import (
    LARGEST_KEPT,
    Listing,
    Look,
    Picture,
    decode_all,
    list_folder,
    list_zip,
    look_all,
    settle_size,
)
from zerosum.data.request import Request

_SPLIT_FOLDER = re.compile(r"(train|test|val|valid|validation|dev)[ABab]?")
_SIDES = ("A", "B", "AB")


def read_album(path: Path, request: Request) -> Arrays:
    """The pictures of a folder or zip, fitted to one size, with labels from their folders or from a file."""
    return labelled(*listed(path, request.split), request, path)[0]


def labelled(listing: Listing, notes: list[str], request: Request, path: Path) -> tuple[Arrays, list[str]]:
    """Those pictures of a listing that are kept and can be read, their labels if any, and their names."""
    numbers, classes, more = labels_of(listing.pictures, request.labels)
    kept = request.choose(len(listing.pictures), numbers)
    chosen = Listing([listing.pictures[i] for i in kept], listing.others)
    found, told = _wherever(chosen, request, path)
    labels = None if numbers is None else numbers[[kept[i] for i in found.good]]
    names = [chosen.pictures[i].name for i in found.good]
    return Arrays(found.images, labels, classes, (*notes, *more, *found.notes, *told), settled=True), names


def _wherever(listing: Listing, request: Request, path: Path) -> tuple[Decoded, list[str]]:
    """Decoded in memory, or, if that is asked for or memory is short, on disk; and a note in that case."""
    pictures, others = listing.pictures, listing.others
    height, width = request.size or (LARGEST_KEPT, LARGEST_KEPT)
    small = cache.fits(len(pictures) * height * width * (request.channels or 3))
    if request.cache == "memory" or (request.cache == "auto" and small):
        return decoded(pictures, look_all(pictures), others, request, path), []
    file = cache.file_for(path, listing, request)
    found = cache.find(file) or decoded(pictures, look_all(pictures), others, request, path, file=file)
    on_disk = isinstance(found.images, np.memmap)
    size = f"{found.images.nbytes / 1e6:,.1f} MB of decoded pictures"
    return found, [f"{size} are read from '{file}', which may be deleted after the run"] if on_disk else []


def listed(path: Path, split: str) -> tuple[Listing, list[str]]:
    """The pictures of a folder or zip that belong to a split, and notes."""
    listing = list_zip(path) if path.suffix.lower() == ".zip" and path.is_file() else list_folder(path)
    if not listing.pictures:
        held = (
            f"{len(listing.others)} files but no pictures, such as '{listing.others[0]}'"
            if listing.others
            else "nothing"
        )
        raise DataError(f"'{path}' holds {held}: expected pictures (png, jpg, webp, ...) or folders of pictures")
    return _of_split(_unwrapped(_split_first(_unwrapped(listing))), path, split)


def _split_first(listing: Listing) -> Listing:
    """A/train/1.png as train/A/1.png, where every picture lies so in A/, B/ (or AB/): as pix2pix's own tools do."""
    parts = [_parts(p) for p in listing.pictures]
    if not all(len(part) > 2 and part[0].upper() in _SIDES and _SPLIT_FOLDER.fullmatch(part[1]) for part in parts):
        return listing

    def turned(name: str) -> str:
        side, split, *rest = name.split("/")
        return "/".join((split, side, *rest))

    others = [turned(name) for name in listing.others if name.count("/") > 1]
    return Listing(sorted((replace(p, name=turned(p.name)) for p in listing.pictures), key=lambda p: p.name), others)


def _parts(picture: Picture) -> list[str]:
    return picture.name.split("/")


def tops_of(listing: Listing) -> set[str]:
    """The folders at the top."""
    return {_parts(picture)[0] for picture in listing.pictures if len(_parts(picture)) > 1}


def _below(listing: Listing, folder: str) -> Listing:
    """What lies in a folder of the listing, by its name from there."""
    start = len(folder) + 1
    inside = [p for p in listing.pictures if p.name.startswith(folder + "/")]
    others = [name for name in listing.others if name.startswith(folder + "/")]
    return Listing([replace(p, name=p.name[start:]) for p in inside], [name[start:] for name in others])


def _unwrapped(listing: Listing) -> Listing:
    """Without the folders that hold everything and themselves hold folders: flowers/{rose,tulip}/*.png."""
    while len(tops := {_parts(p)[0] for p in listing.pictures}) == 1 and all(
        len(_parts(p)) > 2 for p in listing.pictures
    ):
        listing = _below(listing, tops.pop())
    return listing


def _of_split(listing: Listing, path: Path, split: str) -> tuple[Listing, list[str]]:
    """The part for a split where all top folders are train/, test/ ..., or trainA/, trainB/, testA/, testB/."""
    tops = tops_of(listing)
    if len(tops) > 1 and all(_SPLIT_FOLDER.fullmatch(top) for top in tops) and any(t.startswith(split) for t in tops):
        taken = " and ".join(f"{top}/" for top in sorted(tops) if top.startswith(split))
        note = f"only the pictures in {taken} were taken"
        if split in tops:
            return _unwrapped(_below(listing, split)), [note]
        cut = len(split)  # the domains A and B are the classes
        inside = [replace(p, name=p.name[cut:]) for p in listing.pictures if p.name.startswith(split)]
        return Listing(inside, [name[cut:] for name in listing.others if name.startswith(split)]), [note]
    if split != "train":
        raise DataError(f"'{path}' has no split '{split}': it holds no folders train/ and {split}/; use split 'train'")
    return listing, []


def labels_of(pictures: list[Picture], source: str | None) -> tuple[np.ndarray | None, tuple[str, ...], list[str]]:
    """int64 [n] or None, the class names, notes."""
    if source is not None:
        return *read_labels(source, [picture.name for picture in pictures], len(pictures)), []
    depths = {len(_parts(picture)) > 1 for picture in pictures}
    if depths == {False}:
        return None, (), []
    if depths == {True, False}:
        return None, (), ["some pictures lie in folders and some do not: taken as one set without labels"]
    classes = tuple(sorted({_parts(picture)[0] for picture in pictures}))
    if len(classes) == 1:
        return None, (), [f"only one class folder, '{classes[0]}': taken as one set without labels"]
    number = {name: index for index, name in enumerate(classes)}
    return np.array([number[_parts(picture)[0]] for picture in pictures], np.int64), classes, []


def decoded(
    pictures: list[Picture],
    looks: list[Look | None],
    others: list[str],
    request: Request,
    path: Path,
    parts: int = 1,
    file: Path | None = None,
) -> Decoded:
    """Those pictures that can be read, with several `parts` side by side in each as [n h w parts*c].

    Where a `file` is given they are kept there, if that is asked for or memory is short.
    """
    seen = [look for look in looks if look is not None]
    if not seen:
        raise _unreadable(pictures, path)
    size, note = (request.size, None) if request.size else settle_size(seen)
    channels = request.channels or (1 if all(look.gray for look in seen) else 3)
    readable = [i for i, look in enumerate(looks) if look is not None]
    good: list[int] = []

    def arrays() -> Iterator[np.ndarray]:
        found = decode_all([pictures[i] for i in readable], size, channels, parts)
        for i, array in zip(readable, found, strict=True):
            if array is not None:
                good.append(i)
                yield array
        if not good:
            raise _unreadable(pictures, path)

    def notes() -> list[str]:
        there = set(good)
        skipped = [picture.name for i, picture in enumerate(pictures) if i not in there]
        return [
            *filter(None, (note or _resized(seen, size), some("unreadable or oversized picture", skipped, "skipped"))),
            *_of_all(seen, others, channels),
        ]

    most = len(readable) * size[0] * size[1] * channels * parts  # bytes
    if file and (request.cache == "disk" or not cache.fits(most)):
        return cache.write(file, most, arrays(), lambda: (good, notes()))
    return Decoded(np.stack(list(arrays())), good, notes())


def _unreadable(pictures: list[Picture], path: Path) -> DataError:
    return DataError(f"none of the {len(pictures):,} pictures in '{path}' can be read: check '{pictures[0].name}'")


def _of_all(seen: list[Look], others: list[str], channels: int) -> list[str]:
    """Notes on what the headers say, and on the other files."""
    notes = [
        some("file that is no picture", others, "skipped", "files that are no pictures"),
        _count(sum(look.deep for look in seen), "scaled from 16 to 8 bits"),
        _count(sum(look.alpha for look in seen), "transparent and laid on white") if channels != 4 else None,
    ]
    return [note for note in notes if note]


def _resized(looks: list[Look], size: tuple[int, int]) -> str | None:
    changed = sum(look.size != size for look in looks)
    return (
        f"{changed:,} of {len(looks):,} pictures were cropped and resized to {size[0]}x{size[1]}" if changed else None
    )


def some(what: str, names: list[str], done: str, many: str | None = None) -> str | None:
    """A note that counts files and names the first three."""
    if not names:
        return None
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names):,} {what if len(names) == 1 else many or what + 's'} {done}: {shown}"


def _count(count: int, what: str) -> str | None:
    return f"{count:,} {'picture was' if count == 1 else 'pictures were'} {what}" if count else None
