"""Public sets by name: found under $ZEROSUM_DATA or in the cache, else downloaded and checked.

Naming one of them is the user's consent to download it; nothing else here touches the network.
"""

import os
from collections.abc import Callable
from pathlib import Path

from zerosum.data.arrays import CIFAR_CLASSES, Arrays, cifar_binary, cifar_tar, images_idx, images_npz
from zerosum.data.dataset import DataError

_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

CLASSES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": _FASHION,
    "cifar10": CIFAR_CLASSES,
}

_HOSTS = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "cifar10": "https://www.cs.toronto.edu/~kriz/",
}

# md5 of the files as their authors published them.
_MD5 = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    "cifar10": {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
}


def read_known(name: str, split: str) -> Arrays:
    """One of the sets in CLASSES, from the first place that has it."""
    for folder in _places(name):
        if (reader := in_folder(folder, split)) is not None:
            found = reader()
            break
    else:
        found = _download(name, split)()
    found.classes = CLASSES[name]
    return found


def in_folder(folder: Path, split: str) -> Callable[[], Arrays] | None:
    """How to read this split from a folder of array files (IDX, npz or CIFAR's binary), or None if it has none."""
    prefix = "t10k" if split == "test" else "train"
    for end in (".gz", ""):
        for path in (folder / f"{prefix}-images-idx3-ubyte{end}", folder / f"{prefix}-images.idx3-ubyte{end}"):
            if path.is_file():
                return lambda: images_idx(path)
    if (npz := folder / f"{split}.npz").is_file():
        return lambda: images_npz(npz)
    pattern = "test_batch*.bin" if split == "test" else "data_batch*.bin"
    for place in (folder, folder / "cifar-10-batches-bin"):
        if batches := sorted(place.glob(pattern)):
            return lambda: cifar_binary(batches)
    if (tar := folder / "cifar-10-binary.tar.gz").is_file():
        return lambda: cifar_tar(tar, split)
    return None


def _places(name: str) -> list[Path]:
    """Where a known set may lie, best first; the last is where a download goes."""
    own = os.environ.get("ZEROSUM_DATA")
    return [*([Path(own).expanduser() / name] if own else []), cache() / name]


def cache() -> Path:
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser() / "zerosum"
    import pooch

    return Path(pooch.os_cache("zerosum"))


def _download(name: str, split: str) -> Callable[[], Arrays]:
    """Fetch the split's files into the cache, each checked, and say how to read them."""
    import pooch

    folder = _places(name)[-1]
    prefix = "t10k" if split == "test" else "train"
    wanted = [file for file in _MD5[name] if name == "cifar10" or file.startswith(prefix)]
    try:
        for file in wanted:
            pooch.retrieve(_HOSTS[name] + file, "md5:" + _MD5[name][file], fname=file, path=folder)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong checksum is a ValueError
        reason = str(error).split("\n")[0][:120]
        raise DataError(
            f"{name} could not be downloaded from {_HOSTS[name]} ({reason}): put {' and '.join(wanted)} into "
            f"$ZEROSUM_DATA/{name}/, or use 'glyphs', which needs no download"
        ) from None
    reader = in_folder(folder, split)
    assert reader is not None
    return reader
