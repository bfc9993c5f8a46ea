"""`zerosum explain`: a page a person learns from, in a pipe and on a screen."""

from __future__ import annotations

import io
import re
import runpy
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from zerosum import run
from zerosum.cli import explaining, training
from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.history import History
from zerosum.diagnosis.rules import RULES, health
from zerosum.ward.cases import CASES

WRITTEN = ["What you see", "Why it happens", "Picture", "What the doctor reads", "Do it yourself", "Papers"]
SECTIONS = [*WRITTEN[:3], "What helps", *WRITTEN[3:]]
COLUMNS = 76  # of a picture: it must not wrap on a terminal of 80

app = typer.Typer()
app.command()(explaining.explain)


def explain(*words: str):
    return CliRunner().invoke(app, words)


def written(name: str) -> str:
    return files("zerosum.diagnosis").joinpath("pages", f"{name}.md").read_text("utf-8")


def drawn(text: str) -> list[str]:
    """Lines of fixed width: fenced or indented."""
    fenced = [line for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    return fenced + [
        line for line in re.sub(r"^```\n.*?^```", "", text, flags=re.M | re.S).splitlines() if line[:4] == "    "
    ]


def commands(name: str) -> list[list[str]]:
    """What a page tells a person to type, as words."""
    section = written(name).partition("## Do it yourself")[2].replace("\\\n", " ")
    return [line.replace('"', "").split() for line in section.splitlines() if line.startswith("    zerosum ")]


def test_pages_and_diseases_are_the_same():
    assert {page.name for page in files("zerosum.diagnosis").joinpath("pages").iterdir()} == {
        f"{name}.md" for name in DISEASES
    }


@pytest.mark.parametrize("name", DISEASES)
def test_a_page_has_every_section_once_and_something_in_each(name):
    text = written(name)
    assert 35 <= len(text.splitlines()) <= 66
    assert text.startswith("# ")
    assert re.findall(r"^## (.+)$", text, re.M) == WRITTEN
    assert all(len(part.strip()) > 20 for part in re.split(r"^## .+$", text, flags=re.M)[1:])
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", DISEASES)
def test_a_picture_is_narrow_and_of_signs_that_every_terminal_has(name):
    picture = re.findall(r"^```\n(.*?)^```", written(name).partition("## Picture")[2], re.M | re.S)
    assert len(picture) == 1
    assert 6 <= len(picture[0].splitlines()) <= 20
    for line in drawn(written(name)):
        assert len(line) <= COLUMNS, line
        assert line.isascii(), line


@pytest.mark.parametrize("name", DISEASES)
def test_papers_are_linked_to_what_they_are_called(name):
    section = written(name).partition("## Papers")[2]
    links = re.findall(r"\[(?:arXiv|doi):(.+?)\]\(https://(?:arxiv\.org/abs|doi\.org)/(.+?)\)", section)
    assert links
    assert all(called == linked for called, linked in links)
    assert section.count("](") == len(links)


class Watched(dict[str, float]):
    """A look that remembers which of its readings were asked for."""

    asked: ClassVar[set[str]] = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)


PLANTED = runpy.run_path(str(Path(__file__).with_name("test_rules.py")))
"""Records that show each disease: on them a rule comes to its end, and asks for all that it may."""


def read_by_rule(name: str, monkeypatch) -> set[str]:
    """What the rule of this name asks of records that show its disease, but for when a look was."""
    monkeypatch.setattr(Watched, "asked", asked := set())
    rule = next(rule for rule in (*RULES, health.healthy) if rule.__name__ == name.replace("-", "_"))
    unwell = {"non-finite": lambda i, share: {"nonfinite": 0.2}, "healthy": lambda i, share: {}}
    history = History(PLANTED["run"]((PLANTED["SICK"] | unwell)[name]))
    history.rows = [Watched(row) for row in history.rows]
    found = rule(history)
    assert found is not None
    assert found.disease == name
    return asked - {"round", "share"}


@pytest.mark.parametrize("name", DISEASES)
def test_what_the_doctor_is_said_to_read_is_what_its_rule_reads(name, monkeypatch):
    section = written(name).partition("## What the doctor reads")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z.]+)`", section)) == read_by_rule(name, monkeypatch)


@pytest.mark.parametrize("name", DISEASES)
def test_what_is_to_be_typed_can_be_typed(name, monkeypatch):
    """Settings are resolved; nothing is played."""
    begun = []
    monkeypatch.setattr(run, "begin", lambda settings, out: begun.append(settings) or (_ for _ in ()).throw(typer.Exit))
    trainer = typer.Typer()
    trainer.command()(training.train)
    wards, others = [], []
    for words in commands(name):
        (wards if words[1] == "ward" else others).append(words)
    assert wards == ([["zerosum", "ward", name]] if name in CASES else [])
    for words in others:
        assert words[:2] == ["zerosum", "train"]
        result = CliRunner().invoke(trainer, words[2:])
        assert result.exit_code == 0, result.output
    assert len(begun) == len(others)


def test_without_a_name_all_are_listed_with_what_they_mean():
    result = explain()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(DISEASES)
    assert all(line.endswith(DISEASES[line.split()[0]].title) for line in lines)
    assert len({line.index(DISEASES[line.split()[0]].title) for line in lines}) == 1


@pytest.mark.parametrize("name", DISEASES)
def test_a_page_is_printed_with_cause_and_remedies_in_their_places(name):
    result = explain(name)
    assert result.exit_code == 0, result.output
    printed, disease = result.stdout, DISEASES[name]
    assert re.findall(r"^## (.+)$", printed, re.M) == SECTIONS
    assert disease.cause in printed.partition("## What you see")[0]
    helps = printed.partition("## What helps\n\n")[2].partition("\n\n## ")[0]
    numbered = re.findall(r"^(\d+)\. (.+)$", helps, re.M)
    assert [int(i) for i, _ in numbered] == list(range(1, len(disease.remedies) + 1))
    assert [line for _, line in numbered] == [f"{r.words} ({r.source})" for r in disease.remedies]
    alone = [str(i) for i, r in enumerate(disease.remedies, 1) if r.act]
    assert ("by itself: " + ", ".join(alone) + "." in helps) if alone else ("--treat" not in helps)
    assert all(line in printed for line in written(name).splitlines())
    assert "\x1b" not in printed


@pytest.mark.parametrize("words", [["mode_collapse"], ["mode", "collapse"], ["Mode Collapse"], [" mode - collapse "]])
def test_a_name_may_be_written_as_people_do(words):
    assert explain(*words).stdout == explain("mode-collapse").stdout


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("mode-colapse", "mode-collapse"), ("d-memorizes", "d-memorises"), ("vanishing gradients", "vanishing-gradient")],
)
def test_an_unknown_name_is_answered_with_the_nearest(word, nearest):
    result = explain(word)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"Error: no disease called '{word}'. Did you mean '{nearest}'? All: zerosum explain\n"
    assert "Did you mean" not in explain("xyz").stderr


@pytest.mark.parametrize("name", DISEASES)
def test_on_a_screen_of_80_columns_pictures_stay_as_they_were_drawn(name, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        explaining,
        "console",
        Console(file=screen, force_terminal=True, width=80, markup=False, highlight=False, soft_wrap=True),
    )
    assert explain(name).exit_code == 0
    shown = [re.sub(r"\x1b(\[[\d;]*m|\]8;.*?\x1b\\)", "", line).rstrip() for line in screen.getvalue().splitlines()]
    assert max(map(len, shown)) <= 80
    assert "## What helps" not in screen.getvalue()
    assert any("What helps" in line for line in shown)
    fenced = re.findall(r"^```\n(.*?)^```", written(name), re.M | re.S)[0].splitlines()
    start = next(i for i, line in enumerate(shown) if line.strip() == fenced[0].strip())
    margin = len(shown[start]) - len(fenced[0].rstrip())
    assert [line[margin:] for line in shown[start : start + len(fenced)]] == [line.rstrip() for line in fenced]
