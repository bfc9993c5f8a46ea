"""Folders and zips of pictures that belong together: pairs in two folders or side by side, and two domains."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.data.albums import decoded, labelled, labels_of, listed, some, tops_of
from zerosum.data.arrays import Arrays
from zerosum.data.dataset import DataError
from zerosum.data.pairing import no_domains, no_pairs, of_classes
from zerosum.data.pictures import Listing, Look, Picture, look_all
from zerosum.data.request import Request

_WIDE = (0.75, 1.35)  # width over height of one half that is still taken for one: 1.5 .. 2.7 for both


def read_pairs(path: Path, request: Request) -> Arrays:
    """Pairs from folders A/ and B/ whose pictures have the same names, else from pictures of two side by side."""
    request.refuse(str(path), "is to be read as pairs, which have none", "labels")
    listing, notes = _sides(*listed(path, request.split))
    if len(_folders(listing)) == 2:
        return _by_name(listing, notes, request, path)
    kept = [listing.pictures[i] for i in request.choose(len(listing.pictures))]
    looks = look_all(kept, 2)
    if not _wide(looks):
        raise no_pairs(str(path), _sizes(looks))
    return _halves(kept, looks, listing.others, notes, request, path)


def read_domains(path: Path, request: Request) -> Arrays:
    """Two domains as the labels 0 and 1: two folders, or labels from a file; or pictures of two side by side."""
    listing, notes = _sides(*listed(path, request.split))
    numbers, classes, _ = labels_of(listing.pictures, request.labels)
    if numbers is None:
        kept = [listing.pictures[i] for i in request.choose(len(listing.pictures))]
        looks = look_all(kept, 2)
        if _wide(looks):
            return _halves(kept, looks, listing.others, notes, request, path)
    if numbers is None or len(classes) != 2:
        raise no_domains(str(path), of_classes(classes))
    found, names = labelled(listing, notes, request, path)
    if len(_folders(listing)) == 2 and found.labels is not None:
        a, b = ([_stem(names[i]) for i in np.flatnonzero(found.labels == side)] for side in (0, 1))
        if sorted(a) == sorted(b):
            place = {stem: index for index, stem in enumerate(b)}
            found.partner = np.array([place[stem] for stem in a], np.int64)
    return found


def _folders(listing: Listing) -> list[str]:
    """The folders A/ and B/ at the top, those that are there."""
    return sorted((top for top in tops_of(listing) if top in ("A", "B", "a", "b")), key=str.upper)


def _sides(listing: Listing, notes: list[str]) -> tuple[Listing, list[str]]:
    """Only what lies in A/ and B/, where there are both."""
    rest = tops_of(listing) - set(sides := _folders(listing))
    if len(sides) != 2 or not rest:
        return listing, notes
    inside = [picture for picture in listing.pictures if picture.name.split("/")[0] in sides]
    return Listing(inside, listing.others), [*notes, f"only the pictures in {sides[0]}/ and {sides[1]}/ were taken"]


def _stem(name: str) -> str:
    """A picture's name within its side, without its ending.

    >>> _stem("A/street/1.png")
    'street/1'
    """
    return str(PurePosixPath(name.partition("/")[2]).with_suffix(""))


def _by_name(listing: Listing, notes: list[str], request: Request, path: Path) -> Arrays:
    """Pairs of equal names; the others are skipped and named."""
    folders = _folders(listing)
    a, b = ({_stem(p.name): p for p in listing.pictures if p.name.split("/")[0] == side} for side in folders)
    stems = sorted(a.keys() & b.keys())
    if not stems:
        had = " and ".join(
            f"{side}/ holds {_first([PurePosixPath(p.name).name for p in own.values()])}"
            for side, own in zip(folders, (a, b), strict=True)
        )
        raise DataError(f"'{path}' has no pairs: {had}; give both pictures of a pair the same name")
    alone = sorted(p.name for own, other in ((a, b), (b, a)) for stem, p in own.items() if stem not in other)
    stems = [stems[i] for i in request.choose(len(stems))]
    both = [a[stem] for stem in stems] + [b[stem] for stem in stems]
    found = decoded(both, look_all(both), listing.others, request, path)
    row = {index: row for row, index in enumerate(found.good)}
    whole = [i for i in range(len(stems)) if i in row and i + len(stems) in row]
    if not whole:
        raise DataError(f"none of the {len(stems):,} pairs in '{path}' can be read: check '{both[0].name}'")
    note = some("picture without a partner", alone, "skipped", "pictures without a partner")
    first, second = found.images[[row[i] for i in whole]], found.images[[row[i + len(stems)] for i in whole]]
    return Arrays(first, notes=(*notes, *([note] if note else []), *found.notes), settled=True, partners=second)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _wide(looks: list[Look | None]) -> bool:
    """Whether most pictures are two side by side; each look is of one half."""
    ratios = [look.size[1] / look.size[0] for look in looks if look]
    return 2 * sum(_WIDE[0] <= ratio <= _WIDE[1] for ratio in ratios) > len(ratios)


def _sizes(looks: list[Look | None]) -> str:
    seen = sorted({(look.size[0], 2 * look.size[1]) for look in looks if look})
    if not seen:
        return "pictures that cannot be read"
    span = " .. ".join(f"{height}x{width}" for height, width in dict.fromkeys((seen[0], seen[-1])))
    return f"pictures of {span} (height x width)"


def _halves(
    pictures: list[Picture], looks: list[Look | None], others: list[str], notes: list[str], request: Request, path: Path
) -> Arrays:
    """Pairs from pictures of two side by side: left is A, right is B."""
    narrow = [i for i, look in enumerate(looks) if look and not _wide([look])]
    kept = [i for i in range(len(pictures)) if i not in set(narrow)]
    found = decoded([pictures[i] for i in kept], [looks[i] for i in kept], others, request, path, 2)
    images, channels = found.images, found.images.shape[3] // 2
    note = some("picture not twice as wide as high", [pictures[i].name for i in narrow], "skipped")
    notes = [*notes, "every picture is two side by side: A is its left half, B its right", *([note] if note else [])]
    return Arrays(images[..., :channels], notes=(*notes, *found.notes), settled=True, partners=images[..., channels:])
