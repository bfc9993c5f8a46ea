"""Diseases of numbers: not finite, out of range, blank, running away, learning rates that are off."""

from __future__ import annotations

from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.history import History
from zerosum.diagnosis.rules.say import finding, percent

NARROW, FLAT = 0.7, 0.08  # of the 2 from -1 to 1: the data's range; the deviation within its pictures
BLANK = 1e-3  # diversity over that of the data
EARLY = 0.2  # share of the length that counts as the start
LARGE, RAN_AWAY, RUNS_AWAY = 50.0, 8.0, 1.5  # scores; over those of the first look; over those four looks ago
HEAVIER = 1.3  # D's weight over that at the start
THROWN = 1.8  # a player's weight over that at the start
SMALL_STEP = 6e-5


def non_finite(history: History) -> Finding | None:
    """The run broke, or a sample, a reading or a gradient is not a number or infinite."""
    if history.failure is not None:
        told = f"The game broke: {history.failure}."
        return finding(history, "non-finite", "fatal", history.round, told)
    broken = [row for row in history.rows if row.get("nonfinite", 0.0) > 0]
    if not broken or broken[-1] is not history.rows[-1]:
        return None
    told = f"{percent(broken[-1]['nonfinite'])} of what is read or made is infinite or not a number."
    return finding(history, "non-finite", "fatal", int(broken[0]["round"]), told, nonfinite=broken[-1]["nonfinite"])


def wrong_range(history: History) -> Finding | None:
    """The data fill little of the range from -1 to 1 that networks end in, or hardly differ within a picture."""
    low, high, contrast = (history.data(name) for name in ("low", "high", "contrast"))
    if low is None or high is None or contrast is None or (high - low >= NARROW and contrast >= FLAT):
        return None
    told = (
        f"The data's numbers lie from {low:.2f} to {high:.2f}, and deviate by {contrast:.2f} within a picture, where "
        "pictures go from -1 to 1: they were scaled for something else, or are nearly black or white."
    )
    return finding(history, "wrong-range", "severe", 0, told, low=low, high=high, contrast=contrast)


def dead_start(history: History) -> Finding | None:
    """From the start on, all samples are one, and it does not move."""
    first = history.since(
        lambda row: row["diversity"] < BLANK and row["change"] < 0.1, "diversity", "change", least=3, odd=1
    )
    length = history.round / max(history.share, 1e-9)
    if first is None or first > EARLY * length:
        return None
    told = (
        f"All samples have been one and the same since round {first:,}, and do not move "
        f"(diversity {history.now('diversity'):.1g} of the data's): G's last layers are dead or saturated."
    )
    return finding(history, "dead-start", "severe", first, told, diversity=history.now("diversity"))


def divergence(history: History) -> Finding | None:
    """D's scores, its weights and the gradient at the samples grow without end."""
    rows = history.having("real.score", "fake.score", "score.spread", "samples.gradient")
    scores = [abs(row["real.score"]) + abs(row["fake.score"]) + row["score.spread"] for row in rows]
    gradients, weights = [row["samples.gradient"] for row in rows], history.series("judge.weight")
    if len(scores) < 5 or scores[-1] < LARGE or scores[-1] < RUNS_AWAY * scores[-5]:
        return None
    held = weights and weights[-1] < HEAVIER * weights[0]  # by clipping, or a norm
    if held or scores[-1] < RAN_AWAY * scores[0] or gradients[-1] < RAN_AWAY * gradients[0]:
        return None
    first = next(row for row, score in zip(rows, scores, strict=True) if score > RUNS_AWAY * scores[0])
    told = (
        f"D's scores have grown from {scores[0]:.2g} to {scores[-1]:.2g}, {scores[-1] / scores[-5]:.1f} times in the "
        "last four looks, and so has the gradient at the samples: nothing holds D's slope."
    )
    return finding(history, "divergence", "severe", int(first["round"]), told, scores=scores[-1], at_first=scores[0])


def learning_rate_too_high(history: History) -> Finding | None:
    """The weights of every player are thrown far from where they stood at once, and samples do not come near."""
    grown, first = [], 0
    for who in ("maker", "judge"):
        early = [row for row in history.rows if f"{who}.weight" in row and row["share"] <= EARLY]
        weights = [row[f"{who}.weight"] for row in early]
        if len(weights) >= 4 and weights[0] > 0:
            grown.append(max(weights) / weights[0])
            first = next((int(row["round"]) for row in early if row[f"{who}.weight"] > THROWN * weights[0]), first)
    distance = history.now("distance")
    if (
        not grown
        or min(grown) < THROWN
        or distance is None
        or distance < 0.1
        or (history.fell("distance") or 0.0) > 0.5
    ):
        return None
    told = (
        f"The weights of every player have grown to {min(grown):.1f} times their first length within the first "
        f"{percent(EARLY)} of the run, and samples stay far from the data (distance {distance:.2g}): steps overshoot."
    )
    return finding(history, "learning-rate-too-high", "severe", first, told, grown=min(grown), distance=distance)


def learning_rate_too_low(history: History) -> Finding | None:
    """Everybody hardly moves, the gradient is alive, and samples are still far from the data."""

    def crawls(row: dict[str, float]) -> bool:
        return max(row["maker.step"], row.get("judge.step", 0.0)) < SMALL_STEP and row["distance"] > 0.2

    first = history.since(crawls, "maker.step", "distance", least=3)
    gradients = history.series("samples.gradient")
    vanished = gradients and gradients[-1] < 0.1 * gradients[0]
    if first is None or vanished or (history.fell("distance") or 0.0) > 0.1:
        return None
    step = history.now("maker.step") or 0.0
    told = (
        f"A turn moves G's weights by {100 * step:.1g} % of their length, where 0.1 to 3 % is usual: "
        f"samples have not come nearer to the data since round {first:,}."
    )
    return finding(history, "learning-rate-too-low", "severe", first, told, step=step, distance=history.now("distance"))
