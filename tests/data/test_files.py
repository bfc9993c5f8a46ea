"""Array files and label files, each written here and read back; and what is said when they are damaged."""

import gzip
import io
import struct
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.sources import DataError, load

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (12, 6, 5), np.uint8)
COLOUR = RNG.integers(0, 256, (12, 6, 5, 3), np.uint8)
NUMBERS = np.arange(12) % 3


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


def same(found: torch.Tensor, images: np.ndarray) -> bool:
    """uint8 [n c h w] against [n h w] | [n h w c]."""
    images = images[..., None] if images.ndim == 3 else images
    return found.dtype == torch.uint8 and np.array_equal(found.numpy(), images.transpose(0, 3, 1, 2))


def refused(*words: str, **options):
    """The message of the one DataError that load gives, on one line."""
    source = options.pop("source")
    with pytest.raises(DataError) as error:
        load(str(source), **options)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_with_the_labels_beside_it(tmp_path, end):
    pack = gzip.compress if end else bytes
    for prefix, images in (("train", GRAY), ("t10k", GRAY[:5])):
        (tmp_path / f"{prefix}-images-idx3-ubyte{end}").write_bytes(pack(idx(images)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte{end}").write_bytes(pack(idx(NUMBERS[: len(images)])))
    for source in (tmp_path, tmp_path / f"train-images-idx3-ubyte{end}"):
        data = load(str(source))
        assert same(data.examples, GRAY)
        assert data.labels.tolist() == NUMBERS.tolist()
        assert data.spec.shape == (1, 6, 5)
        assert data.spec.classes == ("0", "1", "2")
        assert data.name == tmp_path.name
        assert data.notes == ()
    assert len(load(str(tmp_path), split="test").examples) == 5


@pytest.mark.parametrize("key", ["images", "x", "anything"])
@pytest.mark.parametrize("images", [GRAY, COLOUR, COLOUR.transpose(0, 3, 1, 2)], ids=["gray", "colour", "planes"])
def test_npz(tmp_path, key, images):
    np.savez(tmp_path / "own.npz", **{key: images, "y": NUMBERS})
    data = load(str(tmp_path / "own.npz"))
    assert same(data.examples, GRAY if images is GRAY else COLOUR)
    assert data.labels.tolist() == NUMBERS.tolist()
    assert data.name == "own"


def test_npz_of_names_and_of_four_channels(tmp_path):
    alpha = np.concatenate([COLOUR, np.zeros_like(COLOUR[..., :1])], 3)
    np.savez(tmp_path / "a.npz", images=alpha, labels=np.array(["cat", "ant", "cat"] * 4))
    data = load(str(tmp_path / "a.npz"))
    assert data.spec.classes == ("ant", "cat")
    assert data.labels.tolist() == [1, 0, 1] * 4
    assert (data.examples == 255).all()  # all transparent: white
    assert data.notes == ("transparency was laid on white",)
    assert same(load(str(tmp_path / "a.npz"), channels=4).examples, alpha)


def test_size_and_channels_of_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", images=COLOUR)
    data = load(str(tmp_path / "a.npz"), size=(8, 4), channels=1)
    assert data.spec.shape == tuple(data.examples.shape[1:]) == (1, 8, 4)
    assert data.notes == ("all 6x5: cropped and resized to 8x4",)
    np.savez(tmp_path / "b.npz", images=GRAY)
    data = load(str(tmp_path / "b.npz"), channels=3)
    assert same(data.examples, np.repeat(GRAY[..., None], 3, 3))


def test_limit_keeps_pictures_and_labels_together(tmp_path):
    np.savez(tmp_path / "a.npz", images=GRAY, labels=np.arange(12))
    data = load(str(tmp_path / "a.npz"), limit=5, seed=3)
    assert same(data.examples, GRAY[data.labels.numpy()])
    assert data.labels.tolist() == sorted(set(data.labels.tolist()))
    assert torch.equal(data.labels, load(str(tmp_path / "a.npz"), limit=5, seed=3).labels)
    assert len(load(str(tmp_path / "a.npz"), limit=99).examples) == 12


def test_cifar_binary_in_a_folder_and_in_its_archive(tmp_path, monkeypatch):
    pixels = RNG.integers(0, 256, (4, 32, 32, 3), np.uint8)
    rows = np.concatenate([np.array([[3], [9], [0], [1]], np.uint8), pixels.transpose(0, 3, 1, 2).reshape(4, -1)], 1)
    home = tmp_path / "cifar10" / "cifar-10-batches-bin"
    home.mkdir(parents=True)
    (home / "data_batch_1.bin").write_bytes(rows[:2].tobytes())
    (home / "data_batch_2.bin").write_bytes(rows[2:].tobytes())
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    data = load("cifar10")
    assert same(data.examples, pixels)
    assert data.labels.tolist() == [3, 9, 0, 1]
    assert data.spec.classes[3] == "cat"
    with tarfile.open(tmp_path / "cifar10" / "cifar-10-binary.tar.gz", "w:gz") as tar:
        tar.add(home, "cifar-10-batches-bin")
    for file in home.iterdir():
        file.unlink()
    assert same(load("cifar10").examples, pixels)
    (home / "data_batch_1.bin").write_bytes(rows.tobytes()[:-1])
    refused("data_batch_1.bin", "multiple of 3073", source="cifar10")


def test_packed_jpegs(tmp_path):
    def jpeg(level):
        out = io.BytesIO()
        Image.new("RGB", (8, 8), (level,) * 3).save(out, "JPEG", quality=95)
        return out.getvalue()

    parts = [jpeg(10), jpeg(200)]
    arrays = {"offsets": np.cumsum([0, *map(len, parts)]), "labels": np.array([1, 0], np.uint8)}
    packed = np.frombuffer(b"".join(parts), np.uint8)
    np.savez(tmp_path / "train.npz", jpeg=packed, class_names=np.array(["bright", "dark"]), **arrays)
    data = load(str(tmp_path))
    assert data.examples.float().mean((1, 2, 3)).tolist() == pytest.approx([10, 200], abs=2)
    assert data.spec.classes == ("bright", "dark")
    assert data.notes == ("decoded from JPEG bytes: pixels are not exactly the original's",)
    np.savez(tmp_path / "train.npz", jpeg=packed[:-200], **arrays)
    refused("JPEG bytes", "cannot be read", source=tmp_path)


@pytest.mark.parametrize("kind", ["npy", "npz", "idx", "csv", "headed.csv", "names.csv"])
def test_labels_from_a_file(tmp_path, kind):
    np.savez(tmp_path / "a.npz", images=GRAY)
    file = tmp_path / f"labels.{kind}"
    names = [f"{'abc'[number]}" if kind == "names.csv" else str(number) for number in NUMBERS]
    if kind == "npy":
        np.save(file, NUMBERS)
    elif kind == "npz":
        np.savez(file, labels=NUMBERS)
    elif kind == "idx":
        file.write_bytes(idx(NUMBERS))
    else:
        file.write_text("\n".join([*(["label"] if kind == "headed.csv" else []), *names]))
    data = load(str(tmp_path / "a.npz"), labels=str(file))
    assert data.labels.tolist() == NUMBERS.tolist()
    assert data.spec.classes == (("a", "b", "c") if kind == "names.csv" else ("0", "1", "2"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.arange(11), ("shape [11]", "12 images")),
        (np.arange(12) - 1, ("from -1 to 10", "number the classes from 0")),
        (np.arange(12) * 1000, ("from 0 to 11000",)),
        (np.arange(12) / 2, ("not whole numbers",)),
        (np.full(12, np.nan), ("not whole numbers",)),
        (np.zeros((12, 2), int), ("shape [12, 2]",)),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, words):
    np.savez(tmp_path / "a.npz", images=GRAY, labels=labels)
    refused("a", *words, source=tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=GRAY)
    np.save(tmp_path / "labels.npy", labels)
    refused("labels.npy", *words, source=tmp_path / "b.npz", labels=str(tmp_path / "labels.npy"))


def test_label_files_that_cannot_be_used(tmp_path):
    np.savez(tmp_path / "a.npz", images=GRAY)
    source = tmp_path / "a.npz"

    def write(name, text):
        (tmp_path / name).write_bytes(text)
        return str(tmp_path / name)

    refused("no labels file", "Did you mean 'labels.csv'?", source=source, labels=write("labels.csv", b"") + "v")
    refused("is empty", source=source, labels=write("e.csv", b""))
    refused("not a UTF-8", source=source, labels=write("l.csv", b"\xff\xfe\x00"))
    refused("rows of [3] cells", source=source, labels=write("w.csv", b"a,b,c\n"))
    refused("names files", source=source, labels=write("n.csv", b"a.png,1\n"))
    refused("not whole numbers", source=source, labels=write("f.csv", b"0.5\n" * 12))
    refused("not a plain .npy", source=source, labels=write("x.npy", b"nothing"))
    refused("is no labels file", source=source, labels=write("x.bin", b"nothing"))


def test_damaged_idx(tmp_path):
    whole = idx(GRAY)
    cases = {
        "cut-images-idx3-ubyte": (whole[:-1], "holds 359 bytes where its header says 360"),
        "long-images-idx3-ubyte": (whole + b"x", "holds more bytes"),
        "head-images-idx3-ubyte": (whole[:9], "within its header"),
        "magic-images-idx3-ubyte": (b"\x89PNG" + whole, "begins with 89 50 4e 47"),
        "vector-images-idx3-ubyte": (idx(NUMBERS), "has 1 axes"),
        "none-images-idx3-ubyte": (idx(GRAY[:0]), "holds no images"),
        "cut-images-idx3-ubyte.gz": (gzip.compress(whole)[:-30], "cut short"),
        "huge-images-idx3-ubyte": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "holds 0 bytes"),
    }
    for name, (body, words) in cases.items():
        (tmp_path / name).write_bytes(body)
        refused(name, words, source=tmp_path / name)


class Trap:
    """Unpickling this would fail the test."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def test_npz_that_cannot_be_used(tmp_path):
    np.savez(tmp_path / "objects.npz", images=np.array([Trap()], dtype=object))
    refused("holds Python objects, which are never unpickled", source=tmp_path / "objects.npz")
    np.savez(tmp_path / "floats.npz", images=GRAY / 255)
    refused("float64 [12, 6, 5], expected uint8", source=tmp_path / "floats.npz")
    np.savez(tmp_path / "two.npz", a=GRAY, b=GRAY)
    refused("name one array 'images'", source=tmp_path / "two.npz")
    np.savez(tmp_path / "five.npz", images=np.zeros((2, 6, 6, 5), np.uint8))
    refused("1, 3 or 4 channels", source=tmp_path / "five.npz")
    whole = (tmp_path / "two.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    refused("damaged", source=tmp_path / "cut.npz")
    (tmp_path / "text.npz").write_text("hello")
    refused("damaged or not an .npz", source=tmp_path / "text.npz")
    with (tmp_path / "bare.npz").open("wb") as file:
        np.save(file, GRAY)
    refused("one bare array", source=tmp_path / "bare.npz")
    refused("one file and has no split 'test'", source=tmp_path / "two.npz", split="test")
