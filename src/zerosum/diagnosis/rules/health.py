"""What a run that suffers from nothing can be told."""

from __future__ import annotations

from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.history import History
from zerosum.diagnosis.rules.say import finding, percent

LOOKS = 5  # before which nothing is said
RESTS = 0.75  # AUC up to which D is about as good as a coin


def healthy(history: History) -> Finding | None:
    """No disease in at least five looks: still learning, or at rest near the equilibrium, where D is right in 50 %."""
    distance, diversity = history.now("distance"), history.now("diversity")
    if len(history.rows) < LOOKS or distance is None or diversity is None:
        return None
    auc, missing = history.now("auc"), history.now("missing")
    if auc is not None and auc <= RESTS and diversity > 0.7 and distance < 0.1:
        told = (
            f"Healthy, near the equilibrium: D ranks a real above a sample in {percent(auc)} of pairs (a coin: 50 %), "
            f"and samples differ as the data do ({percent(diversity)})."
        )
    else:
        learns = history.fell("distance") > 0.05
        doing = "Healthy: the samples get nearer to the data" if learns else "No disease found"
        told = f"{doing} (distance {distance:.2g}; they differ by {percent(diversity)} of what the data do)."
    first = int(history.rows[-LOOKS]["round"])
    return finding(
        history, "healthy", "healthy", first, told, auc=auc, diversity=diversity, distance=distance, missing=missing
    )
