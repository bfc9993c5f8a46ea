"""Data that a recipe cannot play on is one clear line: what is needed, and a set that has it."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from zerosum.cli import app

WRONG = {
    "cgan on points": (("cgan", "--data", "ring"), ("cgan needs images", "with labels", "--data glyphs", "r1gan")),
    "cgan without labels": (("cgan", "--data", "flat"), ("with labels", "without labels", "--data glyphs")),
    "pix2pix without pairs": (("pix2pix", "--data", "glyphs"), ("pairs", "A/", "--data cityscape")),
    "pix2pix on square pictures": (("pix2pix", "--data", "flat"), ("side by side", "--data cityscape")),
    "pix2pix on domains": (("pix2pix", "--data", "striped"), ("pairs", "--data cityscape")),
    "cyclegan on one domain": (("cyclegan", "--data", "flat"), ("two domains", "--data striped")),
    "cyclegan on ten classes": (("cyclegan", "--data", "glyphs"), ("two", "--data striped")),
    "cyclegan on points": (("cyclegan", "--data", "ring"), ("--data striped",)),
    "a gan on pairs": (("r1gan", "--data", "cityscape"), ("set of pairs", "pix2pix", "--data glyphs")),
    "a gan on domains": (("dcgan", "--data", "striped"), ("set of domains", "cyclegan", "--data glyphs")),
    "dcgan on points": (("dcgan", "--data", "grid"), ("images", "--data glyphs")),
    "pictures that are too small": (("dcgan", "--data", "glyphs", "--set", "size=6"), ("6x6", "8")),
    "a pack larger than the batch": (("pacgan", "--set", "batch=1"), ("a pack holds 2", "batch")),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_data_is_one_line_that_helps(case: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat").mkdir()
    for i in range(4):
        Image.new("RGB", (32, 32), (60 * i, 0, 0)).save(tmp_path / "flat" / f"{i}.png")
    words, parts = WRONG[case]
    result = CliRunner().invoke(app, ["train", *words, "--rounds", "1"])
    told = result.output.strip()
    assert result.exit_code == 2, told
    assert told.splitlines()[-1].startswith("Error: ")
    assert all(part in told for part in parts), told
