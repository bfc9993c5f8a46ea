"""The diseases, a function each: from the records of a run to a Finding, or None.

A rule reads numbers only; it never knows which recipe is played. What nearly every rule asks: is it so in several looks
in a row, and do samples get nearer to the data all the same? A game that learns passes through much that looks sick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerosum.diagnosis.finding import SEVERITIES, Finding
from zerosum.diagnosis.history import History, Row
from zerosum.diagnosis.rules import broken, duel, health, samples

Rule = Callable[[History], Finding | None]

# Causes before what follows from them: of two findings of one severity, the earlier rule's is named first.
RULES: tuple[Rule, ...] = (
    broken.non_finite,
    broken.wrong_range,
    broken.dead_start,
    broken.divergence,
    broken.learning_rate_too_high,
    broken.learning_rate_too_low,
    duel.vanishing_gradient,
    duel.d_overpowers,
    duel.g_overpowers,
    samples.label_ignored,
    samples.identity_shortcut,
    samples.batch_statistics_leak,
    duel.oscillation,
    samples.mode_hopping,
    samples.mode_collapse,
    samples.partial_collapse,
    samples.g_copies,
    duel.d_memorises,
    samples.checkerboard,
)


def diagnose(rows: Sequence[Row], failure: str | None = None) -> list[Finding]:
    """What a run suffers from after these checkups, the gravest and most causal first; or that it is healthy.

    Nothing where there is too little to say either.
    """
    history = History(rows, failure)
    if not rows and failure is None:
        return []
    found = [finding for rule in RULES if (finding := rule(history)) is not None]
    if not found:
        well = health.healthy(history)
        return [well] if well is not None else []
    if any(finding.disease in ("mode-collapse", "mode-hopping") for finding in found):
        found = [finding for finding in found if finding.disease != "partial-collapse"]  # the same, and less
    return sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity))
