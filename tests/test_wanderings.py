"""Ways through a model's latent space, and translated pictures, as the commands write them."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import zerosum
from zerosum import model, translations, wanderings
from zerosum.cli import app
from zerosum.data import sources
from zerosum.data.spec import Images, Pairs
from zerosum.explore.latent import walk
from zerosum.metrics.features import train_classifier
from zerosum.recipes import RECIPES


@pytest.fixture(scope="module")
def run(tmp_path_factory, small):
    out = tmp_path_factory.mktemp("runs") / "run"
    return zerosum.train("dcgan", **(small("dcgan") | {"limit": 300}), length="2 rounds", out=out)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, small):
    out = tmp_path_factory.mktemp("runs") / "run"
    return zerosum.train("r1gan", **small("r1gan"), length="2 rounds", out=out)


@pytest.fixture(scope="module")
def translator(tmp_path_factory, small):
    out = tmp_path_factory.mktemp("runs") / "run"
    return zerosum.train("pix2pix", **small("pix2pix"), length="2 rounds", out=out)


def pixels(path, mode: str | None = None) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert(mode) if mode else opened)


def ask(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("label", [None, "7"])
def test_the_latents_of_samples_make_those_samples(run, labelled, label) -> None:
    for path in (run, labelled) if label is None else (labelled,):
        found = model.load(path)
        z, y = found.latents(70, seed=3, label=label)
        assert z.shape == (70, found.game.latent)
        assert torch.equal(found.picture(z, y), found.sample(70, label, seed=3))
    with pytest.raises(ValueError, match="told labels"):
        found.picture(z)


@pytest.mark.parametrize("which", ["run", "labelled"])
def test_a_row_of_an_interpolation_begins_at_its_sample(which, request, tmp_path) -> None:
    found = model.load(request.getfixturevalue(which))
    out = wanderings.interpolate(found, rows=3, steps=4, seed=5, label=None, out=tmp_path / "way.png")
    sheet = pixels(out, "L")
    zoom = (sheet.shape[0] - 2) // 3 // 28 if sheet.shape[0] > 3 * 28 else 1
    stops = found.sample(3, seed=5)[..., 0].numpy()
    tile = sheet.shape[0] // 3
    for row, stop in enumerate(stops):
        shown = sheet[row * tile : (row + 1) * tile, : sheet.shape[1] // 4]
        enlarged = stop.repeat(zoom, 0).repeat(zoom, 1)
        found_at = [
            (i, j)
            for i in range(shown.shape[0] - enlarged.shape[0] + 1)
            for j in range(shown.shape[1] - enlarged.shape[1] + 1)
            if np.array_equal(shown[i : i + enlarged.shape[0], j : j + enlarged.shape[1]], enlarged)
        ]
        assert found_at, f"row {row}"


def test_interpolate_writes_a_sheet_or_a_film_and_overwrites_nothing(run, tmp_path) -> None:
    for ending, frames in (("png", 1), ("gif", 6)):
        out = tmp_path / f"way.{ending}"
        for name in (f"way.{ending}", f"way-2.{ending}"):
            code, told = ask("interpolate", run, "--rows", 2, "--steps", 3, "--out", out)
            assert (code, told.endswith(name)) == (0, True), told
        with Image.open(out) as film:
            assert getattr(film, "n_frames", 1) == frames
    assert "change its ending" in ask("interpolate", run, "--out", tmp_path / "way.txt")[1]


def test_a_sum_of_samples_by_hand(run, tmp_path) -> None:
    """#1 - #1 + #2 is sample 2: its picture stands at the foot of the last column."""
    found = model.load(run)
    out = wanderings.add_up(found, "#1 - #1 + #2", seed=0, label=None, out=tmp_path / "sum.png", data=lambda: None)
    sheet = pixels(out, "L")
    expected = found.sample(3, seed=0)[2, :, :, 0].numpy()
    zoom = (sheet.shape[1] - 5 * 2) // 4 // 28
    enlarged = expected.repeat(zoom, 0).repeat(zoom, 1)
    last = sheet[:-24, 3 * sheet.shape[1] // 4 :]  # above the caption
    foot = last[last.shape[0] // 2 :]
    assert any(
        np.array_equal(foot[i : i + enlarged.shape[0], j : j + enlarged.shape[1]], enlarged)
        for i in range(foot.shape[0] - enlarged.shape[0] + 1)
        for j in range(foot.shape[1] - enlarged.shape[1] + 1)
    )


def test_a_sum_of_labels_looks_for_its_exemplars(run, tmp_path) -> None:
    assert ask("add", run, "7 - 1 + 0", "--out", tmp_path / "sum.png")[0] == 0
    assert (tmp_path / "sum.png").is_file()
    found, data = model.load(run), sources.load("glyphs", limit=300)
    z, _ = found.latents(wanderings.DRAWN, 0)
    picks = wanderings._most_like(found, z, ["7"], data)["7"]
    net = train_classifier(data.examples, data.labels, 10)
    sure = net(found.picture(z).permute(0, 3, 1, 2)).softmax(1)[:, 7]
    assert picks == sure.argsort(descending=True)[:3].tolist()
    assert ask("add", run, "7 - #3,5", "--out", tmp_path / "sum.png")[0] == 0, "labels and numbers may be mixed"
    code, told = ask("add", run, "7 - eleven", "--out", tmp_path / "sum.png")
    assert (code, "no label 'eleven'" in told) == (2, True)


def test_wrong_asks_are_one_line(run, labelled, translator, tmp_path, small) -> None:
    points = zerosum.train("gan", **small("gan"), length="1 round", out=tmp_path / "points", data="ring")
    critic = zerosum.train("wgan", **small("wgan"), length="1 round", out=tmp_path / "critic")
    for words, part in {
        ("interpolate", points): "shown in pictures",
        ("interpolate", translator): "makes none from noise",
        ("sample", translator): "zerosum translate",
        ("translate", run, "x.png"): "makes pictures from noise",
        ("translate", translator, "nothing.png"): "no picture or folder",
        ("translate", translator, tmp_path): "holds no pictures",
        ("translate", translator, run / "config.yaml"): "cannot be read as a picture",
        ("add", run, "only"): "has one term",
        ("sample", run, "--set", "width=7"): "'width' is not read by sampling",
        ("add", labelled, "#1 - #2"): "--label",
        ("sample", critic, "--scores"): "no probability",
    }.items():
        code, told = ask(*words)
        assert code == 2, told
        assert part in told
        assert told.startswith("Error: ")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16"])
def test_pictures_of_any_size_and_kind_are_translated(translator, tmp_path, mode: str) -> None:
    found = model.load(translator)
    assert isinstance(found.spec, Pairs)
    (tmp_path / "in").mkdir()
    for name, size in {"wide": (75, 33), "tall": (20, 61)}.items():
        Image.new("L", size, 90).convert(mode).save(tmp_path / "in" / f"{name}.png")
    written = translations.write(found, [tmp_path / "in"], tmp_path / "out")
    assert [path.name for path in written] == ["tall.png", "wide.png"]
    assert [pixels(path).shape for path in written] == [(61, 20, 3), (33, 75, 3)]
    again = translations.write(found, [tmp_path / "in" / "wide.png"], tmp_path / "out")
    assert again == [tmp_path / "out" / "wide-2.png"]
    assert np.array_equal(pixels(again[0]), pixels(tmp_path / "out" / "wide.png"))


def test_pictures_are_read_as_they_are_for_training(tmp_path) -> None:
    """A ramp in 16 bits is the ramp in 8; transparency is laid on white, or kept where four channels are wanted."""
    ramp = np.arange(0, 256, dtype=np.uint16)[None].repeat(9, 0)
    Image.fromarray(ramp * 257).save(tmp_path / "16.png")
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "8.png")
    deep, shallow = (translations._open(tmp_path / f"{bits}.png", 1) for bits in (16, 8))
    assert torch.equal(deep, shallow)
    assert (deep.min(), deep.max()) == (-1, 1)
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert translations._open(tmp_path / "clear.png", 3).min() == 1
    assert translations._open(tmp_path / "clear.png", 4)[0, 3].max() == -1


def test_what_is_drawn_between_could_have_been_dealt() -> None:
    """Of infogan a category is one-hot and numbers lie in [-1, 1]; began's z lie in [-1, 1]."""
    for name in ("infogan", "began"):
        recipe = RECIPES[name]
        game = recipe.game(recipe.config(width=4, latent=5), Images(1, 16, 16))
        way = game.as_noise(walk(2 * game.noise(4), 7))
        if name == "infogan":
            _, category, numbers = game.parts(way)
            assert torch.equal(category.sort(1).values[:, -1], torch.ones(28))
            assert torch.equal(category.sum(1), torch.ones(28))
            way = numbers
        assert way.abs().max() <= 1
        z = game.noise(6)
        assert torch.equal(game.as_noise(z), z), "what was dealt stays"


def test_few_pictures_of_a_domain_are_enough_for_a_sheet(tmp_path, small) -> None:
    for side, count in (("A", 6), ("B", 3)):
        (tmp_path / "few" / side).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (16, 16), (40 * i, 9, 9)).save(tmp_path / "few" / side / f"{i}{side}.png")
    settings = small("cyclegan") | {"source": str(tmp_path / "few"), "limit": None, "batch": 2}
    run = zerosum.train("cyclegan", **settings, length="1 round", out=tmp_path / "run")
    assert pixels(run / "grids" / "00000001.png").ndim == 3
