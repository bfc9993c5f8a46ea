"""The doctor reads run folders: of runs that ended well, badly, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import zerosum
from zerosum import consultation
from zerosum.cli import app
from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.finding import Finding
from zerosum.folder import RunError
from zerosum.play.trainer import NonFinite

WATCHED = {"checkup_cost": 1.0, "quality_cost": 0.0, "pictures": "100 %", "tiles": 4, "checkpoints": "50 %"}


@pytest.fixture(scope="module")
def sick(tmp_path_factory) -> Path:
    """G learns ten times as fast as D, which is ill within 300 rounds; all looks are taken."""
    out = tmp_path_factory.mktemp("runs") / "sick"
    return zerosum.train("gan", "ring", out=out, length="300 rounds", pace={"G": 10.0}, cooldown=0.0, **WATCHED)


def told(*words: str) -> str:
    result = CliRunner().invoke(app, ["diagnose", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_sick_run_is_named_live_and_the_same_name_is_read_again(sick: Path) -> None:
    live = [json.loads(line) for line in (sick / "findings.jsonl").read_text().splitlines()]
    names = {row["disease"] for row in live}
    assert names & {"mode-collapse", "mode-hopping", "partial-collapse"}
    found = consultation.consult(sick)
    about = json.loads((sick / "about.json").read_text())["doctor"]
    assert [row["disease"] for row in about["findings"]] == [finding.disease for finding in found.findings]
    assert {row["disease"] for row in found.passed} <= names - {finding.disease for finding in found.findings}
    assert found.looks == len((sick / "checkups.jsonl").read_text().splitlines()) > 40
    assert found.round == 300, "the end is looked at, too"


def test_what_is_printed_has_evidence_cause_and_what_helps(sick: Path) -> None:
    text = told(str(sick))
    first = consultation.consult(sick).findings[0]
    assert f"{first.disease} ({first.severity})" in text
    assert f"since round {first.first:,}" in text
    assert DISEASES[first.disease].cause in text
    assert f"zerosum explain {first.disease}" in text
    report = json.loads(told(str(sick), "--json"))
    assert report == zerosum.diagnose(sick)
    assert report["findings"][0]["numbers"] == dict(first.numbers)
    assert [each["run"] for each in json.loads(told(str(sick), str(sick), "--json"))] == [str(sick)] * 2


def test_only_what_can_be_done_for_this_run_is_offered(sick: Path) -> None:
    """Plain gan has no penalty that could be made stronger; minibatch statistics it can have."""
    finding = Finding("mode-hopping", "severe", 0, 300, "", remedies=DISEASES["mode-hopping"].remedies)
    assert {"stronger-penalty", "minibatch"} <= {remedy.act for remedy in finding.remedies}
    acts = json.loads((sick / "about.json").read_text())["acts"]
    offered = {remedy.act for remedy in consultation.offered(finding, acts)}
    assert "stronger-penalty" not in offered
    assert "minibatch" in offered
    assert consultation.offered(finding, None) == list(finding.remedies), "of an older run nothing is known"


def test_a_killed_run_is_read_as_far_as_it_came(sick: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sick, tmp_path / "copy")
    lines = (sick / "checkups.jsonl").read_text().splitlines(keepends=True)
    (copy / "checkups.jsonl").write_text("".join(lines[:30]) + lines[30][:40])  # cut in the middle of a line
    assert consultation.consult(copy).looks == 30
    (copy / "checkups.jsonl").unlink()
    (copy / "findings.jsonl").unlink()
    assert "no checkups" in told(str(copy))
    (copy / "about.json").unlink()
    assert consultation.consult(copy).findings == ()


def test_a_run_that_broke_says_so(tmp_path: Path) -> None:
    with pytest.raises(NonFinite):
        zerosum.train("gan", "ring", out=tmp_path / "run", length="50 rounds", lr=1e12, **WATCHED)
    first = consultation.consult(tmp_path / "run").findings[0]
    assert (first.disease, first.severity) == ("non-finite", "fatal")
    assert json.loads((tmp_path / "run" / "findings.jsonl").read_text().splitlines()[-1])["disease"] == "non-finite"
    assert "non-finite (fatal)" in told(str(tmp_path / "run"))


def test_a_healthy_run_is_told_so(tmp_path: Path) -> None:
    zerosum.train("r1gan", "ring", out=tmp_path / "run", length="400 rounds", **WATCHED)
    (found,) = consultation.consult(tmp_path / "run").findings
    assert (found.disease, found.severity) == ("healthy", "healthy")
    assert "Doctor    " in told(str(tmp_path / "run"))


def test_the_probe_is_told_beside(sick: Path) -> None:
    report = json.loads(told(str(sick), "--probe", "--json"))
    assert {row["player"] for row in report["probe"]} == {"D", "G"}
    assert all(row["low"] <= row["gain"] <= row["high"] for row in report["probe"])
    assert "lowers its loss by" in (text := told(str(sick), "--probe")) or "found no gain" in text


def test_no_run_folder_no_diagnosis(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        zerosum.diagnose(tmp_path)
    result = CliRunner().invoke(app, ["diagnose", str(tmp_path)])
    assert result.exit_code != 0
