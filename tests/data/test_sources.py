"""load(): embedded and known names, what is asked and what is refused; the real sets where they are at hand."""

import os
from pathlib import Path

import pooch
import pytest
import torch

from zerosum.data.sources import NAMES, DataError, load
from zerosum.data.spec import Images, Points
from zerosum.data.toy import TOYS


def refused(source, *words, **options):
    with pytest.raises(DataError) as error:
        load(source, **options)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("name", TOYS)
def test_toys(name):
    dim = 1 if name == "gaussian-1d" else 2
    data = load(name)
    assert data.name == name
    assert isinstance(data.spec, Points)
    assert data.spec.dim == dim
    assert data.spec.scale == pytest.approx(float(data.examples.square().mean().sqrt()))
    assert data.examples.shape == (100_000, dim)
    assert data.examples.dtype == torch.float32
    assert data.labels is None
    some = load(name, limit=10, seed=4).examples
    assert torch.equal(some, load(name, limit=10, seed=4).examples)
    assert not torch.equal(some, load(name, limit=10, seed=4, split="test").examples)
    assert not torch.equal(some, load(name, limit=10, seed=5).examples)


def test_glyphs():
    data = load("glyphs", limit=70)
    assert data.spec == Images(1, 28, 28, tuple("0123456789"))
    assert data.examples.shape == (70, 1, 28, 28)
    assert torch.equal(data.labels, data.factors["digit"])
    test = load("glyphs", limit=70, split="test")
    assert not (data.examples.flatten(1)[:, None] == test.examples.flatten(1)).all(2).any()
    colour = load("glyphs", limit=3, size=(16, 20), channels=3)
    assert colour.spec.shape == (3, 16, 20)
    assert torch.equal(colour.examples[:, 0], colour.examples[:, 2])
    assert load("glyphs", limit=3, channels=4).examples[:, 3].min() == 255


def test_misspelt_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("flowers").mkdir()
    refused("mnsit", "no folder, file or data set called 'mnsit'", "Did you mean 'mnist'?")
    refused("./flowrs", "no folder, file or data set called './flowrs'. Did you mean './flowers'?")
    refused("flowrs", "Did you mean 'flowers'?")
    refused("/nowhere/at/all", "Give a path that exists or one of glyphs, ring")
    refused("", "called ''")
    Path("notes.txt").write_text("hello")
    refused("notes.txt", "'notes.txt' is no folder, .zip, .npz or IDX file")


def test_requests_that_nothing_could_give():
    refused("glyphs", "got split 'tset', expected 'train' or 'test'", "Did you mean 'test'?", split="tset")
    refused("glyphs", "got a limit of 0", limit=0)
    refused("glyphs", "got 2 channels", channels=2)
    refused("glyphs", "got size 2x2, expected each side from 4 to 1024", size=2)
    refused("glyphs", "got size 8x5000", size=(8, 5000))
    refused("glyphs", "labels=x.csv", "has its own", labels="x.csv")
    refused("ring", "size=(8, 8)", "points", size=8)
    refused("ring", "channels=3", channels=3)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
@pytest.mark.parametrize("error", [OSError("no route to\nthe host"), ValueError("wrong md5")])
def test_a_failed_download_says_where_to_put_the_files(tmp_path, monkeypatch, name, error):
    asked = []

    def fail(url, known_hash, fname, path):
        asked.append((url, known_hash, Path(path)))
        raise error

    monkeypatch.setattr(pooch, "retrieve", fail)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("ZEROSUM_DATA", raising=False)
    refused(name, "could not be downloaded", f"$ZEROSUM_DATA/{name}/", "'glyphs', which needs no download")
    ((url, known_hash, path),) = asked
    assert url.startswith("http")
    assert known_hash.startswith("md5:")
    assert path == tmp_path / "zerosum" / name


def test_only_known_names_touch_the_network(monkeypatch):
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: pytest.fail("asked the network"))
    for name in NAMES[:6]:
        load(name, limit=2)


@pytest.fixture
def real():
    if "ZEROSUM_DATA" not in os.environ:
        pytest.skip("set ZEROSUM_DATA to a folder with mnist/, fashion-mnist/ and cifar10/ to check the real sets")

    def read(name, **options):
        if not Path(os.environ["ZEROSUM_DATA"], name).is_dir():
            pytest.skip(f"set ZEROSUM_DATA to a folder that holds {name}/")
        return load(name, **options)

    return read


def test_mnist_is_mnist(real):
    data = real("mnist")
    assert data.examples.shape == (60_000, 1, 28, 28)
    assert data.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    pixels = data.examples.float() / 255
    assert pixels.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert pixels.std().item() == pytest.approx(0.3081, abs=1e-4)
    test = real("mnist", split="test")
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_fashion_is_fashion(real):
    data = real("fashion-mnist", split="test")
    assert data.labels.bincount().tolist() == [1000] * 10
    assert data.spec.classes[9] == "Ankle boot"
    assert data.examples.float().mean().item() / 255 == pytest.approx(0.2868, abs=1e-4)  # the training set's is .2860


def test_cifar10_is_cifar10(real):
    data = real("cifar10", split="test")
    assert data.examples.shape == (10_000, 3, 32, 32)
    assert data.labels.bincount().tolist() == [1000] * 10
    assert data.spec.classes[0] == "airplane"
    assert (data.examples.float().mean((0, 2, 3)) / 255).tolist() == pytest.approx([0.494, 0.485, 0.450], abs=0.003)


def test_known_sets_at_another_size(real):
    data = real("mnist", size=32, channels=3, limit=500)
    assert data.spec == Images(3, 32, 32, tuple("0123456789"))
    assert data.examples.shape == (500, 3, 32, 32)
    assert data.notes == ("all 28x28: cropped and resized to 32x32",)
