"""Diseases of the duel: who overpowers whom, and whether they come to rest."""

from __future__ import annotations

from statistics import median

from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.history import History
from zerosum.diagnosis.rules.say import finding, percent

SURE = 0.985  # AUC of a D that is hardly ever wrong
FAR, NEAR = 0.3, 0.1  # energy distance of samples to the data, over the data's own spread
LOST, STILL = 0.25, 0.1  # of the strongest gradient that ever reached the samples
UNEQUAL = 6.0  # step over weight, of one player over the other's
BLIND, SWINGS = 0.12, 0.4  # AUC: off one half, where D is a coin; between looks
THROWN = 0.5  # share of samples that change cells from look to look
FLAT = 1.5  # gradient at the samples over that of the first weights
KNOWN = 0.65  # AUC of training examples against held-out ones


def vanishing_gradient(history: History) -> Finding | None:
    """D is sure, the gradient that reaches the samples has died, and they stand still far from the data."""
    strongest = max(history.smooth(history.series("samples.gradient")), default=0.0)

    def dead(row: dict[str, float]) -> bool:
        lost = row["samples.gradient"] < LOST * strongest
        return lost and row["auc"] > SURE and row["distance"] > NEAR and row["change"] < STILL

    first = history.since(dead, "samples.gradient", "auc", "distance", "change", least=3, odd=1)
    if first is None:
        return None
    left = (history.now("samples.gradient") or 0.0) / strongest
    told = (
        f"D ranks a real above a sample in {percent(history.now('auc') or 0.0)} of pairs, and the gradient that "
        f"reaches the samples has fallen to {left:.1g} of its strongest since round {first:,}: G is told nothing more."
    )
    return finding(history, "vanishing-gradient", "severe", first, told, auc=history.now("auc"), gradient=left)


def d_overpowers(history: History) -> Finding | None:
    """D is never wrong and moves much faster than G, whose samples hardly get nearer to the data."""

    def sure(row: dict[str, float]) -> bool:
        ahead = row["judge.step"] > UNEQUAL * row["maker.step"]
        return row["auc"] > SURE and row["distance"] > FAR and ahead

    first = history.since(sure, "auc", "distance", "judge.step", "maker.step", least=4, odd=1)
    if first is None or (history.fell("distance", 4) or 0.0) > 0.2:
        return None
    ratio = (history.now("judge.step") or 0.0) / max(history.now("maker.step") or 0.0, 1e-12)
    told = (
        f"D ranks a real above a sample in {percent(history.now('auc') or 0.0)} of pairs and moves {ratio:.0f} times "
        "as far as G in a turn, for its size; the samples hardly get nearer to the data."
    )
    return finding(history, "d-overpowers", "severe", first, told, auc=history.now("auc"), ratio=ratio)


def g_overpowers(history: History) -> Finding | None:
    """D does not know samples from data, or keeps changing its mind, and is flat where samples are; they are far."""
    flat = FLAT * max(history.series("samples.gradient")[:1], default=0.0)

    def untaught(row: dict[str, float]) -> bool:
        return row["distance"] > FAR and row["samples.gradient"] < flat

    first = history.since(untaught, "distance", "samples.gradient", least=4, odd=1)
    scores = [row["auc"] for row in history.having("auc")][-8:]
    if first is None or len(scores) < 4 or (history.fell("distance", 4) or 0.0) > 0.3:
        return None
    middle, low, high = median(scores), min(scores), max(scores)
    if abs(middle - 0.5) > BLIND and not (low < 0.5 - BLIND and high > 0.5 + BLIND):
        return None  # D knows them apart, the right way round or, as an autoencoder may, the other
    told = (
        f"In the last looks D ranked a real above a sample in {percent(low)} to {percent(high)} of pairs (a coin: "
        "50 %), and is flat where samples are, though they are far from the data (distance "
        f"{history.now('distance'):.2g}): it learns too little, or is too small, to teach G."
    )
    return finding(history, "g-overpowers", "severe", first, told, low=low, high=high, distance=history.now("distance"))


def oscillation(history: History) -> Finding | None:
    """Who is ahead changes all the time, samples are thrown about, and nothing comes nearer."""
    scores, distances = [row["auc"] for row in history.having("auc")][-8:], history.series("distance")[-8:]
    first = history.since(lambda row: row["change"] > 0.4, "change", least=5, odd=2)
    if first is None or len(scores) < 8 or median(distances) < NEAR or (history.fell("distance") or 0.0) > 0.4:
        return None
    if (history.now("turnover", 5) or 0.0) < THROWN:
        return None
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(scores, scores[1:], scores[2:], strict=False))
    if min(scores) > 0.5 or max(scores) - min(scores) < SWINGS or turns < 3:
        return None
    told = (
        f"D's ranking swings between {percent(min(scores))} and {percent(max(scores))}, and from look to look a sample "
        f"moves by {history.now('change', 5):.2g} times the distance of two real ones: the players circle."
    )
    return finding(
        history,
        "oscillation",
        "severe",
        first,
        told,
        low=min(scores),
        high=max(scores),
        change=history.now("change", 5),
    )


def d_memorises(history: History) -> Finding | None:
    """D tells the pictures that it is trained on from those of the same kind that it never saw."""
    first = history.since(lambda row: row["held.auc"] > KNOWN, "held.auc", least=4, odd=1)
    known = history.now("held.auc")
    if first is None or known is None:
        return None
    told = (
        f"D ranks a training example above a held-out one in {percent(known)} of pairs (it should not know them apart: "
        "50 %): it learns the examples by heart, and G is taught to copy them."
    )
    examples = history.data("examples")
    return finding(
        history, "d-memorises", "severe" if known > 0.75 else "mild", first, told, held=known, examples=examples
    )
