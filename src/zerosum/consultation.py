"""The doctor reads a run folder: a finished run's, a killed one's, or that of one that still plays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.finding import Finding, Remedy
from zerosum.diagnosis.rules import diagnose
from zerosum.folder import Folder


@dataclass(frozen=True)
class Consultation:
    """What is found now, what was found on the way and has passed, and from how many looks until which round."""

    path: Path
    findings: tuple[Finding, ...]
    passed: tuple[Mapping[str, Any], ...]
    looks: int
    round: int
    cautions: tuple[str, ...]
    acts: tuple[str, ...] | None
    treated: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """All of it as plain values."""
        found = [finding.as_row() for finding in self.findings]
        for row, finding in zip(found, self.findings, strict=True):
            row["remedies"] = [asdict(remedy) for remedy in offered(finding, self.acts)]
        return {
            "run": str(self.path),
            "round": self.round,
            "looks": self.looks,
            "findings": found,
            "passed": [dict(row) for row in self.passed],
            "cautions": list(self.cautions),
            "treated": list(self.treated),
        }


def consult(path: str | Path) -> Consultation:
    """Read a run folder anew, with the rules of today. Raises RunError for what is no run folder."""
    folder = Folder.open(path)
    rows, facts = folder.checked(), folder.facts()
    findings = diagnose(rows, facts.get("broke"))
    named = {finding.disease for finding in findings} | {"healthy"}
    passed: dict[str, Mapping[str, Any]] = {}
    for row in folder.found():
        if row["disease"] not in named:
            passed[row["disease"]] = row  # as it was said last
    last = int(rows[-1]["round"]) if rows else 0
    acts = tuple(facts["acts"]) if "acts" in facts else None
    tried = tuple(
        f"round {row['round']:,}: {row['disease']}; {row['words']}; {row.get('verdict') or 'on trial still'}"
        for row in folder.tries()
    )
    return Consultation(
        folder.path,
        tuple(findings),
        tuple(passed.values()),
        len(rows),
        last,
        tuple(facts.get("cautions", ())),
        acts,
        tried,
    )


def lines(found: Consultation) -> list[str]:
    """For a person: each finding with its evidence, cause and remedies; then what has passed."""
    told = [f" Run       {found.path}: {found.looks:,} looks until round {found.round:,}"]
    if not found.findings:
        none = "no checkups in this folder: it was played with checkup_cost = 0, or by an older zerosum"
        told.append(f" Doctor    {'too few looks to say anything' if found.looks else none}")
    for finding in found.findings:
        told += _told(finding, offered(finding, found.acts))
    for row in found.passed:
        told.append(f" Passed    {row['disease']}, found at round {row['round']:,}: {row['sentence']}")
    told += [f" Treated   {tried}" for tried in found.treated]
    return told + [f" Caution   {caution}" for caution in found.cautions]


def headline(finding: Finding) -> str:
    """A finding in a line: what it is, how grave, and the sentence."""
    if finding.severity == "healthy":
        return finding.sentence
    return f"{finding.disease} ({finding.severity}): {finding.sentence}"


def offered(finding: Finding, acts: Collection[str] | None) -> list[Remedy]:
    """The remedies that can be taken: those of a person, and the acts that change something in this run (None: all)."""
    return [remedy for remedy in finding.remedies if acts is None or remedy.act is None or remedy.act in acts]


def _told(finding: Finding, remedies: Sequence[Remedy]) -> Iterable[str]:
    yield f" Doctor    {headline(finding)}"
    if finding.severity == "healthy":
        return
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in finding.numbers.items())
    yield f"   evidence  since round {finding.first:,}" + (f"; {numbers}" if numbers else "")
    yield f"   cause     {finding.cause}"
    for i, remedy in enumerate(remedies[:3]):
        yield f"   {'helps     ' if i == 0 else '          '}{i + 1}. {remedy.words} ({remedy.source})"
    yield f"   more      zerosum explain {DISEASES[finding.disease].name}"
