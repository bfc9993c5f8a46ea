"""`zerosum evaluate`: the same digits twice, real pictures as real, copies as copies, one line for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.data import sources
from zerosum.judge import evaluation
from zerosum.judge.candidates import Candidate, check
from zerosum.judge.request import Request

ON = ["--data", "glyphs", "--set", "limit=1500"]


def npz(path: Path, images: torch.Tensor, labels: torch.Tensor | None = None) -> Path:
    more = {} if labels is None else {"labels": labels.numpy()}
    np.savez(path, images=images.permute(0, 2, 3, 1).numpy(), **more)
    return path


@pytest.fixture(autouse=True)
def away(monkeypatch, tmp_path):
    """Nothing is written outside; the classifier of 1,500 glyphs is fitted once for all tests of this process."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small):
    folder = tmp_path_factory.mktemp("judged") / "run"
    return zerosum.train("cgan", out=folder, length="4 rounds", **(small("cgan") | {"limit": 1500, "source": "glyphs"}))


@pytest.fixture(scope="module")
def real():
    """Glyphs that nothing was trained on."""
    return sources.load("glyphs", split="test", limit=1200)


def test_the_same_evaluation_gives_the_same_digits_in_the_same_place(zs, trained):
    first = zs("evaluate", trained, "--samples", 400, "--json")
    report = json.loads(first)
    kept = sorted(trained.glob("evaluations/*/report.json"))
    assert len(kept) == 1
    assert json.loads(kept[0].read_text()) == report
    assert kept[0].parent.name.startswith("round-4-")
    assert zs("evaluate", trained, "--samples", 400, "--json") == first
    assert sorted(trained.glob("evaluations/*/report.json")) == kept
    other = json.loads(zs("evaluate", trained, "--samples", 400, "--seed", 1, "--json"))
    assert other["numbers"] != report["numbers"]
    assert len(sorted(trained.glob("evaluations/*/report.json"))) == 2


def test_a_report_pins_what_it_measured_and_every_number_has_its_interval(zs, trained):
    report = json.loads(zs("evaluate", trained, "--samples", 400, "--json"))
    assert report["counts"] == {"samples": 400, "reference": 400, "training": 1500, "held out": 400}
    assert report["features"]["name"] == "classifier"
    assert 0.5 < report["features"]["accuracy"] <= 1
    for word in (report["features"]["hash"], "400 samples against 400", "seed 0", "FD(classifier)"):
        assert word in report["protocol"]
    assert report["origin"]["recipe"] == "cgan"
    names = {"FD(classifier)", "KID(classifier)", "precision", "recall", "density", "coverage", "as asked"}
    names |= {"inception score(classifier)", "classes covered", "class divergence"}
    assert report["numbers"].keys() == names
    assert report["real"].keys() == names, "held-out glyphs are labelled too"
    for number in [*report["numbers"].values(), *report["real"].values()]:
        assert number["low"] <= number["value"] <= number["high"]
    assert report["by_class"].keys() == set("0123456789")
    assert all("needs" in number for number in report["by_class"].values()), "40 a class are too few"
    assert report["copies"]["copies"]["low"] <= report["copies"]["copies"]["value"]
    shown = zs("evaluate", trained, "--samples", 400)
    for word in ("FD(classifier)", "95 %", "perfect", "real", "Copies", "C_T", "Verdict", "report.json, copies.png"):
        assert word in shown


def test_real_pictures_are_judged_as_real_and_copies_as_copies(zs, tmp_path, real):
    train = sources.load("glyphs", limit=1500)
    held_out = zs("evaluate", npz(tmp_path / "real.npz", real.examples, real.labels), *ON, "--samples", 1000, "--json")
    report = json.loads(held_out)
    assert report["beside_real"]["gaps"]["FD(classifier)"]["a_is_better"] == "cannot tell"
    assert "as near to the training data as real pictures, as far as can be told" in "\n".join(evaluation.lines(report))
    fd, floor = report["numbers"]["FD(classifier)"], report["numbers"]["FD(classifier)"]["floor"]
    assert fd["low"] <= floor * 1.3
    assert report["numbers"]["as asked"]["value"] > 0.5
    mixed = torch.cat([real.examples[:900], train.examples[:100]])
    report = json.loads(zs("evaluate", npz(tmp_path / "mixed.npz", mixed), *ON, "--samples", 1000, "--json"))
    assert report["copies"]["flagged"]
    assert report["copies"]["exact"] == 100
    assert report["copies"]["copies"]["low"] < 0.1 < report["copies"]["copies"]["high"] + 0.02
    pairs = report["copies"]["worst"]
    assert len(pairs) == 32
    assert all(pair["distance"] == 0 for pair in pairs)
    sheet = next(Path("evaluations").glob("mixed-*/copies.png"))
    tiles = np.asarray(Image.open(sheet).convert("L"))
    assert tiles.std() > 20
    shown = zs("evaluate", tmp_path / "mixed.npz", *ON, "--samples", 1000)
    assert "it copies: " in shown


def test_a_verdict_sets_as_many_of_one_beside_as_many_of_the_other(zs, tmp_path, real):
    """Coverage grows with the count: 1,000 real glyphs are not to be said to cover more than 130 real ones."""
    np.savez(tmp_path / "all.npz", images=sources.load("glyphs", limit=1300).examples.permute(0, 2, 3, 1).numpy())
    made = npz(tmp_path / "made.npz", real.examples[:1000])
    report = json.loads(zs("evaluate", made, "--data", tmp_path / "all.npz", "--samples", 1000, "--json"))
    assert report["counts"]["held out"] == 130
    beside = report["beside_real"]
    assert beside["count"] == 130
    assert abs(beside["coverage"]["value"] - beside["real coverage"]["value"]) < 0.15
    assert report["numbers"]["coverage"]["value"] > beside["coverage"]["value"] + 0.2
    shown = "\n".join(evaluation.lines(report))
    assert "130 real" in shown
    few = npz(tmp_path / "two.npz", real.examples[:5])
    told = "\n".join(evaluation.lines(json.loads(zs("evaluate", few, "--data", tmp_path / "all.npz", "--json"))))
    assert "Verdict   5 are too few for a verdict" in told


def test_what_was_measured_with_more_effort_is_not_overwritten(zs, tmp_path, real, monkeypatch):
    monkeypatch.setattr(evaluation, "SHARES", ())
    monkeypatch.setattr(evaluation, "STEPS", 5)
    made = npz(tmp_path / "made.npz", real.examples[:300], real.labels[:300])
    zs("evaluate", made, *ON, "--samples", 300, "--utility")
    zs("evaluate", made, *ON, "--samples", 300)
    kept = [json.loads(path.read_text()) for path in Path("evaluations").glob("*/report.json")]
    assert sorted("utility" in report for report in kept) == [False, True]
    zs("evaluate", tmp_path / ".." / tmp_path.name / "made.npz", *ON, "--samples", 300)
    assert len(list(Path("evaluations").glob("*/report.json"))) == 2, "the same file by another way"


def test_a_run_is_judged_by_its_own_held_out_pictures_and_copies_only_by_its_own_data(zs, tmp_path, small, real):
    data = npz(tmp_path / "own.npz", sources.load("glyphs", limit=600).examples)
    asked = small("dcgan") | {"source": str(data), "held_out": 0.2, "limit": None}
    run = zerosum.train("dcgan", out=tmp_path / "run", length="2 rounds", **asked)
    for more in ((), ("--data", data)):
        counts = json.loads(zs("evaluate", run, "--samples", 400, *more, "--json"))["counts"]
        assert (counts["training"], counts["held out"]) == (480, 120)
    other = json.loads(zs("evaluate", run, "--data", "glyphs", "--set", "limit=700", "--samples", 300, "--json"))
    assert "was trained on other pictures than these" in other["copies"]["needs"]


def test_points_of_any_generator_are_read_from_an_npz(zs, refused, tmp_path):
    ring = sources.load("ring", limit=1500).examples.numpy()
    np.savez(tmp_path / "ring.npz", points=ring[:900])
    report = json.loads(zs("evaluate", tmp_path / "ring.npz", "--data", "ring", "--set", "limit=3000", "--json"))
    assert report["numbers"]["modes found"]["value"] == 8
    np.savez(tmp_path / "nan.npz", points=ring[:900] * np.nan)
    assert "not finite numbers" in refused("evaluate", tmp_path / "nan.npz", "--data", "ring")
    np.savez(tmp_path / "wide.npz", points=np.zeros((5, 3)))
    assert "holds points [5, 3], and ring is [n 2]" in refused("evaluate", tmp_path / "wide.npz", "--data", "ring")
    np.savez(tmp_path / "images.npz", images=np.zeros((5, 8, 8), np.uint8))
    assert "an npz with an array 'points'" in refused("evaluate", tmp_path / "images.npz", "--data", "ring")


def test_a_module_of_ones_own_gives_the_features(tmp_path, real):
    made = npz(tmp_path / "made.npz", real.examples[:300])
    net = torch.nn.Sequential(torch.nn.AvgPool2d(7), torch.nn.Flatten())
    report = zerosum.evaluate(made, "glyphs", samples=300, features=net, limit=600)
    assert "FD(Sequential)" in report["numbers"]
    assert report["features"]["width"] == 16


def test_class_folders_are_read_by_the_names_of_the_classes(zs, tmp_path, real):
    for i in range(300):
        folder = tmp_path / "made" / str(int(real.labels[i]))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(real.examples[i, 0].numpy()).save(folder / f"{i}.png")
    report = json.loads(zs("evaluate", tmp_path / "made", *ON, "--samples", 300, "--json"))
    assert report["counts"]["samples"] == 300
    assert report["numbers"]["as asked"]["value"] > 0.5
    assert "files" in report["origin"]


def test_utility_says_what_samples_are_worth_to_a_classifier(zs, refused, tmp_path, real, monkeypatch):
    monkeypatch.setattr(evaluation, "SHARES", (0.1,))
    monkeypatch.setattr(evaluation, "STEPS", 60)
    made = npz(tmp_path / "made.npz", real.examples[:600], real.labels[:600])
    report = json.loads(zs("evaluate", made, *ON, "--samples", 600, "--utility", "--json"))
    rows = report["utility"]["gains"]
    assert [row["labelled"] for row in rows] == [150]
    assert all(row["difference"]["low"] <= row["difference"]["high"] for row in rows)
    assert rows[0]["difference"]["value"] > 0.005, "600 real pictures help where there are 150"
    assert 0.7 < report["utility"]["scores"]["share"]["value"] < 1.2
    assert "% of the labels (150)" in "\n".join(evaluation.lines(report))
    bare = npz(tmp_path / "bare.npz", real.examples[:200])
    assert "--utility needs samples and real pictures with labels" in refused("evaluate", bare, *ON, "--utility")


def test_an_inference_network_is_asked_for_the_factors(zs, tmp_path, small):
    asked = small("vae") | {"source": "glyphs", "limit": 200}
    run = zerosum.train("vae", out=tmp_path / "vae", length="2 rounds", **asked)
    report = json.loads(zs("evaluate", run, "--samples", 1000, "--json"))
    assert {"digit", "style", "slant", "rotation", "width", "scale x", "shift y"} <= set(report["factors"]["names"])
    for name in ("MIG", "FactorVAE score", "SAP"):
        score = report["factors"][name]
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
    assert " Factors   MIG" in "\n".join(evaluation.lines(report))


def test_points_are_judged_by_their_modes_too(zs, tmp_path, small):
    run = zerosum.train(
        "gan", out=tmp_path / "gan", length="2 rounds", **(small("gan") | {"source": "ring", "limit": 3000})
    )
    report = json.loads(zs("evaluate", run, "--samples", 1000, "--json"))
    assert {"FD(points)", "KID(points)", "coverage", "modes found"} <= report["numbers"].keys()
    real = report["real"]
    assert real["modes found"]["value"] == 8
    assert abs(real["high quality"]["value"] - 0.9889) < 0.015
    assert "by_class" in report


@pytest.mark.parametrize("recipe", ["pix2pix", "cyclegan"])
def test_translations_are_judged_by_their_truth(zs, recipe, tmp_path, small):
    run = zerosum.train(recipe, out=tmp_path / "run", length="2 rounds", **small(recipe))
    report = json.loads(zs("evaluate", run, "--samples", 40, "--json"))
    for direction, part in report["directions"].items():
        numbers = part["numbers"]
        assert {"PSNR", "SSIM", "KID(random)"} <= numbers.keys(), direction
        assert "needs" in numbers["FD(random)"], "40 are too few"
    if recipe == "cyclegan":
        assert report["directions"].keys() == {"AtoB", "BtoA"}
        assert {"cycle error", "identity error"} <= report["directions"]["AtoB"]["numbers"].keys()
    shown = zs("evaluate", run, "--samples", 40)
    assert "untranslated" in shown
    assert "AtoB" in shown


def test_pairs_are_judged_by_lpips_where_its_files_are_named(zs, tmp_path, small):
    torch.manual_seed(0)
    shapes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    backbone = {f"features.{i}.weight": 0.05 * torch.randn(a, b, k, k) for i, (a, b, k) in shapes.items()}
    torch.save(
        backbone | {f"features.{i}.bias": torch.zeros(a) for i, (a, _, _) in shapes.items()}, tmp_path / "net.pth"
    )
    weights = {f"lin{i}.model.1.weight": torch.rand(1, a, 1, 1) for i, (a, _, _) in enumerate(shapes.values())}
    torch.save(weights, tmp_path / "lin.pth")
    run = zerosum.train("pix2pix", out=tmp_path / "run", length="2 rounds", **small("pix2pix"))
    words = ["evaluate", run, "--samples", 20, "--lpips", tmp_path / "net.pth", tmp_path / "lin.pth", "--json"]
    numbers = json.loads(zs(*words))["directions"]["AtoB"]["numbers"]
    assert 0 < numbers["LPIPS"]["low"] < numbers["LPIPS"]["value"] < numbers["LPIPS"]["high"]


def test_points_that_are_no_numbers_are_refused():
    nan = torch.full((3, 2), torch.nan)
    with pytest.raises(ValueError, match="some samples are not finite numbers: the model has diverged"):
        check(Candidate("run", nan, None, {}))


def test_what_cannot_be_judged_is_said_in_one_line(zs, refused, tmp_path, real, trained):
    few = npz(tmp_path / "few.npz", real.examples[:30])
    shown = zs("evaluate", few, *ON)
    assert "needs" in shown
    assert "KID(classifier)" in shown, "thirty are enough for that"
    small = npz(tmp_path / "small.npz", real.examples[:50, :, :20, :20])
    assert "holds 20x20 gray pictures, and glyphs is 28x28 gray pictures" in refused("evaluate", small, *ON)
    colour = npz(tmp_path / "colour.npz", real.examples[:50].expand(-1, 3, -1, -1))
    assert "28x28 colour pictures" in refused("evaluate", colour, *ON)
    same = npz(tmp_path / "same.npz", real.examples[:1].expand(50, -1, -1, -1))
    assert "all 50 samples are the same to the last bit" in refused("evaluate", same, *ON)
    (tmp_path / "empty").mkdir()
    assert "holds nothing" in refused("evaluate", tmp_path / "empty", *ON)
    assert "no run, folder or file called" in refused("evaluate", tmp_path / "nowhere", *ON)
    assert "name the real pictures to compare with, --data" in refused("evaluate", few)
    assert "limit" in refused("evaluate", few, "--data", "glyphs", "--set", "limit=0")
    assert "expected TorchScript" in refused("evaluate", few, *ON, "--features", tmp_path / "few.npz")
    assert "no features file" in refused("evaluate", few, *ON, "--features", "nowhere.onnx")
    (tmp_path / "bad.pth").write_bytes(bytes(range(60)))
    assert "holds no weights" in refused("evaluate", few, *ON, "--features", tmp_path / "bad.pth")


def test_data_of_one_class_or_without_labels_is_seen_by_random_convolutions(zs, tmp_path, real):
    for i, image in enumerate(real.examples[:300]):
        (tmp_path / "flat").mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(tmp_path / "flat" / f"{i}.png")
    made = npz(tmp_path / "made.npz", real.examples[300:600])
    report = json.loads(zs("evaluate", made, "--data", tmp_path / "flat", "--json"))
    assert report["features"]["name"] == "random"
    assert "never trained" in report["features"]["about"]
    assert "FD(random)" in report["numbers"]
    assert report["real"] == {}
    assert "has no test split" in report["copies"]["needs"]
    assert "no held-out pictures to compare with" in "\n".join(evaluation.lines(report))


def test_from_python_the_same(zs, trained):
    assert zerosum.evaluate(trained, samples=400) == json.loads(zs("evaluate", trained, "--samples", 400, "--json"))


@pytest.mark.parametrize(("samples", "kept"), [(10_000, True), (50_000, False)])
def test_memory_is_kept_for_speed_only_where_it_stays_small(samples, kept, monkeypatch):
    asked = []
    monkeypatch.setattr("zerosum.judge.request.keep_memory", lambda: asked.append(True))
    Request(samples=samples).ready()
    assert bool(asked) == kept
