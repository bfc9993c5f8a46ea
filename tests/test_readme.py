"""Every command and every example of the README and the docs is run here, at a small size."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [(page.name, code) for page in PAGES for kind, code in BLOCK.findall(page.read_text()) if kind == language]


FEW = ["--set", "limit=300"]


def commands() -> list[tuple[str, str]]:
    lines = [(page, re.split(r"\s#\s", line)[0].strip()) for page, code in blocks("sh") for line in code.splitlines()]
    return [(page, line) for page, line in lines if line]


def small(line: str) -> list[str]:
    """The command, with its length cut to three rounds, sets that need files cut to a few, and two of many recipes."""
    words = shlex.split(re.sub(r"--(minutes|kimg|rounds) \S+", "--rounds 3", line))
    if words[1] in ("evaluate", "compare"):
        cut = shlex.split(re.sub(r"--budget \S+", "--budget 1s", line))
        words = cut[:-3] if "--budget" in cut else cut  # of five recipes
        words += ["--samples", "200"] + (["--set", "limit=300"] if "--data" in words else [])
    if words[1] == "bench":
        words += ["--seconds", "0.2"]
    if words[1] == "ward" and len(words) > 2:
        words += ["--rounds", "3"]
    if words[:2] == ["zerosum", "train"]:
        if "--rounds" not in words:
            words += ["--rounds", "3"]
        words += ["--set", "limit=300", "--set", "device=cpu"]
    return words


def picture(path: Path, shade: int, size: tuple[int, int] = (40, 36)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 90, 255 - shade)).save(path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder with the pictures that the pages speak of; and classifiers that learn for a moment only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zerosum.judge.evaluation.STEPS", 10)
    for i in range(12):
        picture(tmp_path / "flowers" / f"{i}.png", 20 * i)
        for side in ("A", "B"):
            picture(tmp_path / "maps" / side / f"{i}.png", 20 * i)
        for animal in ("horse", "zebra"):
            picture(tmp_path / "animals" / animal / f"{i}.png", 20 * i)
    for i in range(60):
        picture(tmp_path / "made" / f"{i}.png", 4 * i)
    picture(tmp_path / "photo.png", 90, (75, 50))
    return tmp_path


def run(words: list[str]) -> str:
    from zerosum.cli import app

    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}"
    return result.output


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda text: text)
def test_a_command_runs(page: str, line: str, place) -> None:
    words = small(line)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    if words[:2] == ["pip", "install"] or words[0] == "python":
        assert words[0] == "pip" or (ROOT / words[1]).is_file(), line
        return
    if words[0] == "torchrun":
        if trained := re.search(r"runs/\d{4}-(\w+)-(\w+)", line):
            run(["zerosum", "train", trained[2], "--data", trained[1], "--rounds", "2", "--out", trained[0], *FEW])
        words += ["--samples", "200"] if "evaluate" in words else FEW if "train" in words else []
        with_torch = [sys.executable, "-m", "torch.distributed.run", *words[1:]]
        told = subprocess.run(with_torch, capture_output=True, text=True, timeout=240, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
        return
    assert words[0] == "zerosum", f"{page} shows a command that no test runs: {line}"
    if {"mnist", "mnist28", "fashion"} & set(words) and words[1] == "train" and "ZEROSUM_DATA" not in os.environ:
        pytest.skip("set ZEROSUM_DATA to a folder with mnist/ and fashion-mnist/ to run this command")
    if words[1] not in ("recipes", "config", "explain", "ward"):
        found = (re.fullmatch(r"(runs/\d{4}-(\w+)-(\w+))(/config.yaml)?", word) for word in words[2:])
        named = [match for match in found if match]
        assert named or "--data" in words or words[1] == "train", line
        for match in named:
            folder, data, recipe, _ = match.groups()
            run(["zerosum", "train", recipe, "--data", data, "--rounds", "2", "--set", "limit=300", "--out", folder])
        if words[1] == "resume":
            words = [w if w != "3" else "4" for w in words]
    run(words)


@pytest.mark.parametrize(("page", "code"), blocks("python"), ids=lambda text: text[:20])
def test_a_python_example_runs(page: str, code: str, place, capsys) -> None:
    torch.manual_seed(0)
    assert len(code.strip().splitlines()) <= 40
    exec(compile(code, page, "exec"), {"__name__": "example"})
    if "Tiny" in code:
        numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", capsys.readouterr().out)]
        assert numbers == pytest.approx([3.0, 3.0], abs=0.8), "the README says: near (3, 3)"


def test_every_picture_and_page_that_is_named_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} names {target}"


def test_make_demo_is_the_first_command_of_the_readme() -> None:
    text = (ROOT / "Makefile").read_text()
    assert "zerosum train" in re.search(r"^demo:.*\n((?:\t.*\n)+)", text, re.MULTILINE).group(1)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
