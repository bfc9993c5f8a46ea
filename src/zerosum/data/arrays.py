"""Files that hold a whole set as arrays: IDX, NumPy's npz, CIFAR's binary batches. Nothing is ever unpickled."""

import gzip
import io
import math
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from zerosum.data.dataset import DataError

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CHUNK = 1 << 24  # bytes asked for at once: a damaged header must not reserve its whole claim
_ROW = 1 + 3 * 32 * 32  # bytes of one CIFAR-10 record: the label, then three planes


@dataclass
class Arrays:
    """A set as it was found."""

    images: np.ndarray  # uint8 [n h w c]
    labels: np.ndarray | None = None  # [n], not yet checked
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settled: bool = False  # labels, limit and size have been seen to
    partners: np.ndarray | None = None  # uint8 [n h w c], one an image
    partner: np.ndarray | None = None  # int64 [n of class 0]: which of class 1 belongs to each


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def is_idx(path: Path) -> bool:
    """Whether the file, unzipped if need be, begins as an IDX file of bytes: 0, 0, 8, number of axes."""
    try:
        with _open(path) as file:
            head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:3] == b"\0\0\x08" and 1 <= head[3] <= 4


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of an IDX file, gzipped or not (format: the MNIST page of LeCun, Cortes and Burges)."""
    try:
        with _open(path) as file:
            return _parse_idx(file, path)
    except FileNotFoundError:
        raise DataError(f"no file '{path}'") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' is damaged or cut short ({error}): fetch it again") from None


def _parse_idx(file: BinaryIO, path: Path) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
        raise DataError(f"'{path}' begins with {head.hex(' ')}, an IDX file of bytes with 00 00 08 and 1 to 4 axes")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise DataError(f"'{path}' is cut short within its header: fetch it again")
    shape = struct.unpack(f">{head[3]}I", sizes)
    expected = math.prod(shape)
    body = bytearray()
    while len(body) <= expected and (piece := file.read(min(_CHUNK, expected + 1 - len(body)))):
        body += piece
    if len(body) != expected:
        got = f"{len(body):,}" if len(body) < expected else "more"
        raise DataError(f"'{path}' holds {got} bytes where its header says {expected:,}: fetch it again")
    return np.frombuffer(body, np.uint8).reshape(shape)


def labels_beside(images: Path) -> Path | None:
    """The labels file that belongs to an IDX images file by the usual naming, if it is there."""
    if "images" not in images.name:
        return None
    stem = re.sub(r"\.gz$", "", re.sub(r"idx\d", "idx1", images.name.replace("images", "labels")))
    return next((path for end in (".gz", "") if (path := images.with_name(stem + end)).is_file()), None)


def images_idx(path: Path) -> Arrays:
    """An IDX images file and the labels beside it."""
    images = read_idx(path)
    if images.ndim not in (3, 4):
        raise DataError(f"'{path}' has {images.ndim} axes, images need 3 [n h w] or 4 [n h w c]")
    beside = labels_beside(path)
    stacked, notes = stack(images, str(path))
    return Arrays(stacked, read_idx(beside) if beside else None, notes=notes)


def stack(images: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 [n h w] | [n h w c] | [n c h w] -> [n h w c] with c in {1, 3, 4}, and what was done."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(
            f"{where} holds {images.dtype} {list(images.shape)}, expected uint8 [n h w] or [n h w c] in 0..255"
        )
    if min(images.shape) == 0:
        raise DataError(f"{where} holds no images: its shape is {list(images.shape)}")
    if images.ndim == 3:
        return images[..., None], ()
    if images.shape[3] in (1, 3, 4):
        return images, ()
    if images.shape[1] in (1, 3, 4):
        return np.moveaxis(images, 1, 3), ("axes [n c h w] were moved to [n h w c]",)
    raise DataError(f"{where} has shape {list(images.shape)}: the last axis must be 1, 3 or 4 channels")


def open_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz file; DataError if it is damaged or holds Python objects, which are never unpickled."""
    try:
        with path.open("rb") as file:  # opened here, as numpy leaves a damaged file open
            found = np.load(file, allow_pickle=False)
            if isinstance(found, Mapping):
                return {key: found[key] for key in found}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if "pickle" in str(error) and zipfile.is_zipfile(path):
            raise DataError(f"'{path}' holds Python objects, which are never unpickled: save plain arrays") from None
        raise DataError(f"'{path}' is damaged or not an .npz file ({error}): write it again") from None
    raise DataError(f"'{path}' holds one bare array, expected an .npz archive (numpy.savez)")


def images_npz(path: Path) -> Arrays:
    """Images under `images`, `x` or as the only uint8 array of 3 or 4 axes; or JPEG bytes under `jpeg`, `offsets`."""
    arrays = open_npz(path)
    names = next((arrays[key] for key in ("class_names", "classes") if key in arrays), np.array([]))
    classes = tuple(str(name) for name in names) if names.dtype.kind == "U" else ()
    labels = next((arrays[key] for key in ("labels", "y") if key in arrays), None)
    if {"jpeg", "offsets"} <= arrays.keys():
        images = _unpack_jpegs(arrays["jpeg"], arrays["offsets"], path)
        return Arrays(images, labels, classes, ("decoded from JPEG bytes: pixels are not exactly the original's",))
    key = next((key for key in arrays if key in ("images", "x")), None)
    if key is None:
        fit = [key for key, array in arrays.items() if array.dtype == np.uint8 and array.ndim in (3, 4)]
        if len(fit) != 1:
            held = ", ".join(f"{key} {array.dtype} {list(array.shape)}" for key, array in arrays.items())
            raise DataError(f"'{path}' holds {held or 'nothing'}: name one array 'images', uint8 [n h w] or [n h w c]")
        key = fit[0]
    images, notes = stack(arrays[key], f"'{key}' of '{path}'")
    return Arrays(images, labels, classes, notes)


def _unpack_jpegs(packed: np.ndarray, offsets: np.ndarray, path: Path) -> np.ndarray:
    """uint8 [bytes], int [n+1] -> uint8 [n h w 3]: picture i is packed[offsets[i]:offsets[i+1]]."""

    def decode(span: tuple[int, int]) -> np.ndarray:
        with Image.open(io.BytesIO(packed[span[0] : span[1]].tobytes()), formats=("JPEG",)) as image:
            return np.asarray(image.convert("RGB"))

    spans = list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
    try:
        with ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(decode, spans)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"the JPEG bytes in '{path}' cannot be read ({error}): write it again") from None


def cifar_binary(paths: list[Path]) -> Arrays:
    """CIFAR-10's binary batches: records of one label byte and 3x32x32 image bytes, plane by plane."""
    return _cifar_records([(str(path), path.read_bytes()) for path in paths])


def cifar_tar(path: Path, split: str) -> Arrays:
    """The same from the published tar.gz, read in place."""
    wanted = "test_batch" if split == "test" else "data_batch"
    try:
        with tarfile.open(path, "r:gz") as tar:
            members = sorted(
                (m for m in tar if Path(m.name).name.startswith(wanted) and m.isfile()), key=lambda m: m.name
            )
            files = [(member.name, tar.extractfile(member)) for member in members]
            return _cifar_records([(name, file.read()) for name, file in files if file is not None])
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"'{path}' is damaged or cut short ({error}): fetch it again") from None


def _cifar_records(batches: list[tuple[str, bytes]]) -> Arrays:
    for name, body in batches:
        if not body or len(body) % _ROW:
            raise DataError(f"'{name}' has {len(body):,} bytes, expected a multiple of {_ROW}: fetch it again")
    if not batches:
        raise DataError(
            "the CIFAR-10 archive holds no .bin batches: use cifar-10-binary.tar.gz, not the Python version"
        )
    rows = np.frombuffer(b"".join(body for _, body in batches), np.uint8).reshape(-1, _ROW)
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Arrays(images, rows[:, 0], CIFAR_CLASSES)
