"""A model file samples: the same samples for the same seed, however many are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import zerosum
from zerosum import model, samples
from zerosum.data.spec import Domains, Images, Pairs
from zerosum.play import checkpoint
from zerosum.play.checkpoint import DamagedFile
from zerosum.recipes import RECIPES

FROM_NOISE = [name for name, recipe in RECIPES.items() if not {Pairs, Domains} & set(recipe.takes)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, small):
    """A run of each recipe, and of one on points: trained once, when first asked for."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def made_once(name: str) -> Path:
        if name not in made:
            recipe, data = ("gan", "ring") if name == "points" else (name, None)
            made[name] = zerosum.train(recipe, data, out=folder / name, length="2 rounds", **small(recipe))
        return made[name]

    return made_once


@pytest.mark.parametrize("recipe", [*FROM_NOISE, "points"])
def test_the_same_seed_gives_the_same_samples_and_more_begin_with_them(runs, recipe):
    loaded = zerosum.load(runs(recipe))
    many, labels, _ = loaded.draw(model.BLOCK + 9, seed=3)
    assert torch.equal(loaded.sample(5, seed=3), many[:5])
    assert torch.equal(zerosum.load(str(runs(recipe))).sample(model.BLOCK, seed=3), many[: model.BLOCK])
    assert not torch.equal(loaded.sample(5, seed=4), many[:5])
    part, told, _ = loaded.draw(7, seed=3, first=model.BLOCK + 2)
    assert torch.equal(part, many[-7:])
    assert told is None if labels is None else torch.equal(told, labels[-7:])
    if isinstance(loaded.spec, Images):
        assert many.shape == (model.BLOCK + 9, loaded.spec.height, loaded.spec.width, loaded.spec.channels)
        assert many.dtype == torch.uint8
    else:
        assert many.shape == (model.BLOCK + 9, *loaded.spec.shape)


def test_without_a_seed_samples_differ_and_no_chance_of_the_caller_is_used(runs):
    loaded = zerosum.load(runs("gan"))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert not torch.equal(loaded.sample(4), loaded.sample(4))
    assert torch.equal(torch.rand(3), expected)


def test_the_model_samples_as_the_average_of_the_run_does(runs):
    run = runs("r1gan")
    state = checkpoint.load(max((run / "checkpoints").iterdir()))["trainer"]
    loaded = zerosum.load(run)
    weights = loaded.game.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in state["average"].items())
    judge = [name for name in weights if name.startswith("D.")]
    assert judge
    assert all(torch.equal(weights[name], state["game"][name]) for name in judge)
    assert any(not torch.equal(weights[name], state["game"][name]) for name in weights)  # G is averaged


def test_a_label_is_a_name_or_a_number(runs):
    loaded = zerosum.load(runs("r1gan"))
    _, y, realness = loaded.draw(20, label="7", seed=0, scored=True)
    assert y.tolist() == [7] * 20
    assert realness.shape == (20,)
    assert bool(((realness >= 0) & (realness <= 1)).all())
    assert torch.equal(loaded.sample(20, label=7, seed=0), loaded.sample(20, label="7", seed=0))
    assert not torch.equal(loaded.sample(20, label="7", seed=0), loaded.sample(20, label="3", seed=0))
    assert len(set(loaded.draw(64, seed=0)[1].tolist())) == 10
    with pytest.raises(ValueError, match="no label '12'"):
        loaded.sample(1, label=12)
    with pytest.raises(ValueError, match="knows no labels"):
        zerosum.load(runs("gan")).sample(1, label=1)
    with pytest.raises(ValueError, match="1 or more"):
        loaded.sample(0)


def test_arrays_and_folders_and_pictures(runs, tmp_path):
    loaded = zerosum.load(runs("r1gan"))
    ask = {"label": None, "seed": 5}
    with np.load(samples.write(loaded, 9, **ask, out=tmp_path / "deep" / "a.npz", scored=True)) as arrays:
        assert sorted(arrays) == ["images", "labels", "scores"]
        assert (arrays["images"].shape, arrays["images"].dtype) == ((9, 28, 28, 1), np.uint8)
        assert (arrays["labels"].shape, arrays["scores"].shape) == ((9,), (9,))
        images, labels = arrays["images"], arrays["labels"]
    assert np.array_equal(images, loaded.sample(9, seed=5).numpy())
    folder = samples.write(loaded, 3, **ask, out=tmp_path / "folder")
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"{i:06d}_{labels[i]}.png" for i in range(3)]
    for file, image in zip(files, images, strict=False):
        with Image.open(file) as picture:
            assert np.array_equal(np.asarray(picture), image[..., 0])
    for scored in (False, True):
        picture = samples.write(loaded, 4, **ask, out=tmp_path / f"{scored}.png", scored=scored)
        with Image.open(picture) as opened:
            assert opened.info["seed"] == "5"
            assert min(opened.size) > 56


def test_class_names_that_no_file_can_have(runs, tmp_path):
    loaded = zerosum.load(runs("r1gan"))
    names = ("T-shirt/top", "..", "a b", *"3456789")
    loaded.spec = Images(1, 28, 28, names)
    folder = samples.write(loaded, 2, label="T-shirt/top", seed=0, out=tmp_path / "f")
    assert sorted(file.name for file in folder.iterdir()) == ["000000_T-shirt-top.png", "000001_T-shirt-top.png"]


def test_points_are_written_as_arrays_or_a_picture(runs, tmp_path):
    loaded = zerosum.load(runs("points"))
    with np.load(samples.write(loaded, 7, label=None, seed=0, out=tmp_path / "a.npz")) as arrays:
        assert sorted(arrays) == ["points"]
        assert arrays["points"].shape == (7, 2)
    assert samples.write(loaded, 7, label=None, seed=0, out=tmp_path / "a.png").stat().st_size > 500
    with pytest.raises(ValueError, match="points are written"):
        samples.write(loaded, 7, label=None, seed=0, out=tmp_path / "folder")


def test_nothing_is_overwritten(runs, tmp_path):
    loaded = zerosum.load(runs("gan"))
    for ending in (".png", ".npz", ""):
        out = tmp_path / f"mine{ending}"
        out.mkdir() if not ending else out.write_bytes(b"mine")
        written = [samples.write(loaded, 2, label=None, seed=0, out=out) for _ in range(2)]
        assert [path.name for path in written] == [f"mine-2{ending}", f"mine-3{ending}"]
        assert not ending or out.read_bytes() == b"mine"
        assert ending or list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["a.jpg", "a.tar.gz", "..", "", "file/a.png"])
def test_what_cannot_be_written_is_told(runs, tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"written|folder"):
        samples.write(zerosum.load(runs("gan")), 2, label=None, seed=0, out=Path(name and str(tmp_path / name)))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_model_is_damaged(runs, tmp_path, share):
    whole = (runs("gan") / "model.safetensors").read_bytes()
    file = tmp_path / "model.safetensors"
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DamagedFile, match=r"model\.safetensors is damaged"):
        zerosum.load(file)


CHANGES = [
    ("recipe", "no-such-recipe"),
    ("recipe", "r3gan"),
    ("game", {"latent": -1}),
    ("game", None),
    ("data", None),
    ("data", {"kind": "Images"}),
    ("format", 99),
    ("format", "x"),
]


@pytest.mark.parametrize(("part", "value"), CHANGES)
def test_a_header_that_cannot_be_is_damage(runs, tmp_path, part, value):
    with safe_open(runs("gan") / "model.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["zerosum"])
    changed = tmp_path / "model.safetensors"
    save_file(tensors, changed, metadata={"zerosum": json.dumps(header)})
    zerosum.load(changed)
    save_file(tensors, changed, metadata={"zerosum": json.dumps(header | {part: value})})
    with pytest.raises(DamagedFile):
        zerosum.load(changed)


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model in"):
        zerosum.load(tmp_path)


@pytest.mark.parametrize("recipe", ["progan", "cyclegan"])
def test_what_only_further_play_needs_stays_in_the_checkpoints(runs, recipe) -> None:
    """A pool of fakes, a count of pictures shown: in the checkpoint, not in the file that is handed on."""
    path = runs(recipe)
    kept = checkpoint.load(max((path / "checkpoints").glob("*.safetensors")))["trainer"]["game"]
    with safe_open(path / "model.safetensors", framework="pt") as file:
        shipped = set(file.keys())
    only = {"progan": {"_extra_state"}, "cyclegan": {"pool_X._extra_state", "pool_Y._extra_state"}}[recipe]
    assert kept.keys() - shipped == only
    assert all(len(kept[name].shape) == 0 or len(kept[name]) for name in only)
    loaded = zerosum.load(path)
    if recipe == "progan":
        assert loaded.game.G.level == kept["G._extra_state"].item()
