"""What a run that suffers from nothing can be told."""

from __future__ import annotations

from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.history import History
from zerosum.diagnosis.rules.say import finding, percent

LOOKS = 5  # before which nothing is said
RESTS, NEAR, VARIED = 0.25, 0.1, 0.7  # AUC off one half; distance; diversity: where the game is at rest
STEADY = 0.3  # of NEAR: how far above the least distance so far


def healthy(history: History) -> Finding | None:
    """No disease in at least five looks: still learning, or at rest near the equilibrium, where D is right in 50 %."""
    distance, diversity = history.now("distance"), history.now("diversity")
    if len(history.rows) < LOOKS or distance is None or diversity is None:
        return None
    auc, missing = history.now("auc"), history.now("missing")
    least = min(history.smooth(history.series("distance")))
    steady = distance < NEAR and distance - least < STEADY * NEAR
    if auc is not None and abs(auc - 0.5) <= RESTS and diversity > VARIED and steady:
        told = (
            f"Healthy, near the equilibrium: D ranks a real above a sample in {percent(auc)} of pairs (a coin: 50 %), "
            f"samples differ as the data do ({percent(diversity)}), and their quality is steady (distance "
            f"{distance:.2g})."
        )
    else:
        doing = (
            "Healthy: the samples get nearer to the data"
            if (history.fell("distance") or 0.0) > 0.05
            else "No disease found"
        )
        told = f"{doing} (distance {distance:.2g}; they differ by {percent(diversity)} of what the data do)."
    first = int(history.rows[-LOOKS]["round"])
    return finding(
        history, "healthy", "healthy", first, told, auc=auc, diversity=diversity, distance=distance, missing=missing
    )
