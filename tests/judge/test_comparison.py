"""`zerosum compare`: better, worse, or nobody can tell; and recipes against each other for the same seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import zerosum
from zerosum.data import sources
from zerosum.judge import comparison, contest

ON = ["--data", "glyphs", "--set", "limit=1500", "--samples", 600]


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Real glyphs twice, and noisy ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real = sources.load("glyphs", split="test", limit=1200).examples
    noise = torch.randint(0, 120, (600, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    noisy = (real[:600] + noise).clamp(max=255).to(torch.uint8)
    for name, images in (("a", real[:600]), ("b", real[600:]), ("noisy", noisy)):
        np.savez(tmp_path / f"{name}.npz", images=images.permute(0, 2, 3, 1).numpy())
    return tmp_path


def test_each_two_are_compared_and_equals_cannot_be_told_apart(zs, sets):
    words = ["compare", "a.npz", "b.npz", "noisy.npz", *ON]
    result = json.loads(zs(*words, "--json"))
    assert [report["candidate"] for report in result["candidates"]] == ["a.npz", "b.npz", "noisy.npz"]
    verdicts = {
        (pair["a"], pair["b"]): (pair["FD(classifier)"]["a_is_better"], pair["KID(classifier)"]["a_is_better"])
        for pair in result["pairs"]
    }
    assert verdicts[("a.npz", "b.npz")] == ("cannot tell", "cannot tell")
    assert verdicts[("a.npz", "noisy.npz")] == verdicts[("b.npz", "noisy.npz")] == ("yes", "yes")
    turned = json.loads(zs("compare", "noisy.npz", "a.npz", *ON, "--json"))["pairs"][0]
    assert turned["FD(classifier)"]["a_is_better"] == "no"
    straight = next(pair for pair in result["pairs"] if (pair["a"], pair["b"]) == ("a.npz", "noisy.npz"))
    assert turned["FD(classifier)"]["value"] == pytest.approx(-straight["FD(classifier)"]["value"], rel=1e-6)
    assert json.loads(zs(*words, "--json")) == result, "the same command twice gives the same digits"
    shown = zs(*words)
    assert " A better than B?  by FD(classifier) cannot tell (" in shown
    assert " A better than C?  by FD(classifier) yes (" in shown
    assert "coverage" in shown


def test_one_is_no_comparison(refused, sets):
    assert "a comparison needs two, got 1" in refused("compare", "a.npz", *ON)


def test_recipes_are_given_the_same_seconds_and_one_judge(zs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["compare", "--budget", "2s", "gan", "vae", "--data", "glyphs", "--set", "limit=1000", "--set", "tiles=4"]
    result = json.loads(zs(*words, "--samples", 300, "--json"))
    assert [row["recipe"] for row in result["rows"]] == ["gan", "vae"]
    for row in result["rows"]:
        assert 2 <= row["seconds"] < 20
        assert row["rounds"] > 0
        assert row["samples_per_second"] > 0
        assert row["latency_ms"] > 0
        assert row["parameters"] > 1000
        assert 100 < row["peak_memory_mib"] < 8000
        assert (Path(row["run"]) / "model.safetensors").is_file()
    assert len(result["pairs"]) == 1
    assert result["advice"].startswith(("take gan: its FD(classifier) is the least", "take vae: its FD(classifier)"))
    shown = contest.lines(result)
    assert shown[-1].startswith(" Advice    take ")
    assert any(line.startswith(" gan ") for line in shown)
    assert comparison.lines(result)


def test_advice_names_equals_and_the_faster_one():
    distance = "FD(x)"
    result = {
        "candidates": [{"numbers": {distance: {"unbiased": value}}} for value in (2.0, 1.0, 1.1)],
        "pairs": [
            {"rows": [0, 1], distance: {"a_is_better": "no"}},
            {"rows": [0, 2], distance: {"a_is_better": "no"}},
            {"rows": [1, 2], distance: {"a_is_better": "cannot tell"}},
        ],
    }
    rows = [
        {"recipe": name, "samples_per_second": speed}
        for name, speed in (("gan", 1000.0), ("ddpm", 10.0), ("vae", 500.0))
    ]
    assert contest.advice(rows, result) == (
        "take ddpm: its FD(x) is the least, though vae cannot be told apart from it; gan draws 100 times as fast"
    )


def test_a_copier_is_not_advised_and_nothing_is_where_nothing_was_measured():
    result = {
        "candidates": [{"numbers": {"FD(x)": {"unbiased": value}}} for value in (2.0, 1.0)],
        "pairs": [{"rows": [0, 1], "FD(x)": {"a_is_better": "no"}}],
    }
    rows = [{"recipe": "gan", "samples_per_second": 9.0}, {"recipe": "vae", "samples_per_second": 10.0, "copies": True}]
    assert contest.advice(rows, result) == (
        "take gan: its FD(x) is the least, by more than chance; vae left out, for copying"
    )
    few = {"candidates": [{"numbers": {"FD(x)": {"needs": "more"}}}] * 2, "pairs": []}
    assert contest.advice([rows[0]] * 2, few) == "none can be advised: too few for FD(x)"


def test_runs_on_other_data_are_not_compared_unless_data_is_named(zs, refused, tmp_path, monkeypatch, small):
    monkeypatch.chdir(tmp_path)
    for name, limit in (("a", 300), ("b", 400)):
        asked = small("dcgan") | {"source": "glyphs", "limit": limit}
        zerosum.train("dcgan", out=tmp_path / name, length="2 rounds", **asked)
    assert "b was trained on other data (glyphs) than a (glyphs)" in refused("compare", "a", "b", "--samples", 100)
    zs("compare", "a", "b", "--data", "glyphs", "--set", "limit=200", "--samples", 100)
    shown = zs("compare", "a", "a", "--samples", 100)
    assert " A better than B?  by " in shown


@pytest.mark.parametrize("budget", ["soon", "0m", "-5m", "5 parsecs", ""])
def test_a_budget_that_is_none_is_refused(refused, budget, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "is no budget" in refused("compare", "gan", "vae", "--budget", budget, "--data", "glyphs")
    assert not Path("runs").exists()


def test_a_contest_of_what_is_no_recipe_ends_before_it_begins(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no recipe called 'gam'" in refused("compare", "gan", "gam", "--budget", "1s")
    assert "needs two recipes" in refused("compare", "gan", "--budget", "1s")
    assert "needs two recipes" in refused("compare", "gan", "gan", "--budget", "1s")
    assert "'ring' has no pairs" in refused("compare", "gan", "pix2pix", "--budget", "1s", "--data", "ring")
    assert not Path("runs").exists()
