"""Labels from files, and the checks every label passes."""

import contextlib
import csv
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.data.arrays import is_idx, open_npz, read_idx
from zerosum.data.dataset import DataError, did_you_mean

Labels = tuple[np.ndarray, tuple[str, ...]]  # int64 [n], class names


def read_labels(source: str, names: list[str] | None, n: int, classes: tuple[str, ...] = ()) -> Labels:
    """Labels of n examples from an idx, npy, npz or csv file; `names` are their file names, if they have any."""
    path = Path(source).expanduser()
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        raise DataError(f"no labels file '{source}'.{did_you_mean(path.name, siblings)}")
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _from_table(path, names, n, classes)
    if path.suffix.lower() == ".npz":
        arrays = open_npz(path)
        key = next((key for key in arrays if key in ("labels", "y")), None) or (
            next(iter(arrays)) if len(arrays) == 1 else None
        )
        if key is None:
            raise DataError(f"'{source}' holds {', '.join(arrays) or 'nothing'}: name the labels 'labels' or 'y'")
        return check_labels(arrays[key], n, classes, f"'{source}'")
    if path.suffix.lower() == ".npy":
        try:
            return check_labels(np.load(path, allow_pickle=False), n, classes, f"'{source}'")
        except (OSError, EOFError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"'{source}' is not a plain .npy array ({error}): save integers") from None
    if is_idx(path):
        return check_labels(read_idx(path), n, classes, f"'{source}'")
    raise DataError(f"'{source}' is no labels file: expected .csv, .npy, .npz or an IDX file")


def check_labels(labels: np.ndarray, n: int, classes: tuple[str, ...], where: str) -> Labels:
    """Labels as int64 0..K-1 with K names; names become numbers in sorted order. DataError if they cannot be."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != n:
        raise DataError(f"{where} has labels of shape {list(labels.shape)} for {n:,} images: give one label each")
    if labels.dtype.kind == "U":
        known = classes or tuple(sorted({str(label) for label in labels}))
        number = {name: index for index, name in enumerate(known)}
        missing = next((str(label) for label in labels if str(label) not in number), None)
        if missing is not None:
            raise DataError(f"{where} has the label '{missing}', expected one of {', '.join(known)}")
        return np.array([number[str(label)] for label in labels], np.int64), known
    if labels.dtype.kind not in "iu" and not (labels.dtype.kind == "f" and (np.mod(labels, 1) == 0).all()):
        raise DataError(f"{where} has labels of {labels.dtype} that are not whole numbers: classes are 0, 1, 2, ...")
    low, high = int(labels.min()), int(labels.max())
    count = len(classes) or high + 1
    if low < 0 or high >= count or count > max(n, 1000):
        allowed = f"0..{len(classes) - 1}" if classes else f"0..K-1 for K classes, at most {max(n, 1000):,}"
        raise DataError(f"{where} has labels from {low} to {high}, expected {allowed}: number the classes from 0")
    return labels.astype(np.int64), classes or tuple(str(index) for index in range(count))


def _from_table(path: Path, names: list[str] | None, n: int, classes: tuple[str, ...]) -> Labels:
    """Rows `filename,label` in any order, or n rows of one label; a first row that is neither is a heading."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"'{path}' is not a UTF-8 text file: save it as UTF-8 csv") from None
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    if not rows:
        raise DataError(f"'{path}' is empty: expected rows of 'filename,label' or {n:,} labels")
    widths = {len(row) for row in rows}
    if widths == {1}:
        column = [row[0] for row in rows]
        if len(column) == n + 1:
            column = column[1:]
        return check_labels(_typed(column), n, classes, f"'{path}'")
    if widths != {2}:
        raise DataError(f"'{path}' has rows of {sorted(widths)} cells, expected 'filename,label' or one label a row")
    if names is None:
        raise DataError(f"'{path}' names files, but these images have no names: give {n:,} rows of one label each")
    by_name = dict(rows)
    found = [by_name.get(name, by_name.get(PurePosixPath(name).name)) for name in names]
    missing = [name for name, label in zip(names, found, strict=True) if label is None]
    if missing:
        raise DataError(f"'{path}' has no label for {len(missing):,} of {n:,} images, such as '{missing[0]}': add them")
    return check_labels(_typed([label for label in found if label is not None]), n, classes, f"'{path}'")


def _typed(column: list[str]) -> np.ndarray:
    """Numbers if every cell is one, else the names as they are."""
    for number in (int, float):
        with contextlib.suppress(ValueError, OverflowError):
            return np.array([number(cell) for cell in column], np.dtype(number))
    return np.array(column, np.str_)
