"""Diseases of what is made: too few kinds, copies, patterns, labels and translations that are not what was asked."""

from __future__ import annotations

from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.history import History
from zerosum.diagnosis.rules.say import finding, percent

WARM = 0.12  # share of the length before which every generator makes few kinds
NEAR = 0.15  # energy distance at which samples are good enough to be told that they repeat each other
LEARNS = 0.12  # of the energy distance, lost over six looks: it may still become well
LEAK, LEAK_ROUNDS = 0.2, 60  # energy distance of samples by running and batch statistics; rounds that those need
PRINTED, FADES = 0.1, 0.25  # amplitude over contrast, beyond that of the data; its fall over looks
SETTLED = 0.5  # share of the length before which every transposed convolution prints


def learns(history: History) -> bool:
    """Whether samples still get nearer to the data, or there are too few looks to say that they do not."""
    fell = history.fell("distance")
    return fell is None or fell > LEARNS


def mode_collapse(history: History) -> Finding | None:
    """Nearly all samples are alike, or twins, and most of the data are never made."""

    def collapsed(row: dict[str, float]) -> bool:
        alike = row["diversity"] < 0.3 or row.get("twins", 0.0) > 0.6
        return alike and row["missing"] > 0.45 and row["share"] >= WARM

    first = history.since(collapsed, "diversity", "missing", least=3, odd=1)
    if first is None or learns(history):
        return None
    missing, diversity, twins = (history.now(name) or 0.0 for name in ("missing", "diversity", "twins"))
    told = (
        f"Since round {first:,} samples have been alike: two of them are {percent(diversity)} as far apart as two real "
        f"ones, {percent(twins)} have a near twin, and {percent(missing)} of the data lie where no sample falls."
    )
    return finding(
        history,
        "mode-collapse",
        "severe",
        first,
        told,
        diversity=diversity,
        missing=missing,
        twins=twins,
    )


def partial_collapse(history: History) -> Finding | None:
    """Samples differ, but some kinds of data are never made, or many samples are twins."""

    def warm(row: dict[str, float]) -> bool:
        return row["share"] >= WARM

    repeats = history.since(lambda row: row["twins"] > 0.3 and warm(row), "twins", least=5, odd=1)
    lacks = history.since(lambda row: row["missing"] > 0.35 and warm(row), "missing", least=10, odd=1)
    good = (history.now("distance") or 0.0) < NEAR  # but the same again and again
    first = repeats if repeats is not None and (good or not learns(history)) else lacks
    if first is None or (first is lacks and learns(history)):
        return None
    missing, twins = history.now("missing") or 0.0, history.now("twins") or 0.0
    lost = f"{percent(missing)} of the data lie where no sample falls"
    told = f"Since round {first:,}, {lost}" + (f", and {percent(twins)} of samples have a twin." if twins else ".")
    return finding(
        history,
        "partial-collapse",
        "severe" if missing > 0.4 or twins > 0.5 else "mild",
        first,
        told,
        missing=missing,
        twins=twins,
    )


def mode_hopping(history: History) -> Finding | None:
    """At every look few kinds are made, and others than at the last."""

    def hops(row: dict[str, float]) -> bool:
        return row["turnover"] > 0.5 and row["missing"] > 0.4 and row["change"] > 0.25 and row["share"] >= WARM

    first = history.since(hops, "turnover", "missing", "change", least=4, odd=2)
    if first is None or learns(history):
        return None
    turnover, missing = history.now("turnover", 5) or 0.0, history.now("missing", 5) or 0.0
    told = (
        f"At each look {percent(missing)} of the data are not made, and not the same ones: from one look to the next "
        f"{percent(turnover)} of the samples of the same noise move to another kind."
    )
    return finding(history, "mode-hopping", "severe", first, told, turnover=turnover, missing=missing)


def g_copies(history: History) -> Finding | None:
    """Samples lie nearer to single training examples than held-out data does."""
    first = history.since(lambda row: row["copies"] > 0.08, "copies", least=3, odd=1)
    copies = history.now("copies")
    if first is None or copies is None:
        return None
    told = f"{percent(copies)} of the samples are nearer to one training example than 99 % of held-out data is: copies."
    return finding(
        history,
        "g-copies",
        "severe" if copies > 0.3 else "mild",
        first,
        told,
        copies=copies,
        examples=history.data("examples"),
    )


def batch_statistics_leak(history: History) -> Finding | None:
    """By running statistics, as it is shipped, G makes other samples than by those of the batch, as it is trained."""
    first = history.since(lambda row: row["leak"] > LEAK and row["round"] >= LEAK_ROUNDS, "leak", least=3)
    leak = history.now("leak")
    if first is None or leak is None or history.share < WARM:
        return None
    told = (
        f"With running statistics, as samples are drawn, G makes other pictures than with those of the batch, as it "
        f"is trained: they are {leak:.2g} apart, where 0 is the same and the data's own spread is 1."
    )
    return finding(history, "batch-statistics-leak", "severe", first, told, leak=leak)


def checkerboard(history: History) -> Finding | None:
    """All samples carry one checkerboard, and it does not fade."""
    own = history.data("checkerboard") or 0.0
    first = history.since(
        lambda row: row["checkerboard"] > own + PRINTED and row["share"] >= WARM, "checkerboard", least=5, odd=1
    )
    if first is None or history.share < SETTLED or (history.fell("checkerboard", 4) or 0.0) > FADES:
        return None
    found = history.now("checkerboard") or 0.0
    told = (
        f"All samples carry one pattern of two pixels, {percent(found)} as strong as their contrast (in the data: "
        f"{percent(own)}): transposed convolutions overlap unevenly."
    )
    return finding(history, "checkerboard", "mild", first, told, checkerboard=found, data=own)


def label_ignored(history: History) -> Finding | None:
    """Samples do not show the label that was asked for; or labels have nothing to do with the data."""
    readable, chance = history.data("label"), history.data("chance")
    if readable is None or chance is None or history.now("label") is None:
        return None
    if readable < chance + 0.1:
        told = (
            f"The labels cannot be read off the data: {percent(readable)} right on held-out examples, where always "
            f"guessing the commonest gives {percent(chance)}. They are shuffled, or name what pictures do not show."
        )
        return finding(history, "label-ignored", "severe", 0, told, readable=readable, chance=chance)
    goal = chance + 0.05  # as if by chance, but for what 128 samples vary by
    first = history.since(
        lambda row: row["label"] < goal and row["distance"] < 0.1 and row["share"] >= WARM,
        "label",
        "distance",
        least=20,
    )
    shown, before = history.now("label"), history.now("label", ago=12)
    if first is None or shown is None or before is None or shown > before + 0.05:
        return None  # no evidence, or G is just learning it
    told = (
        f"The label that is asked for is read off {percent(shown)} of the samples, off reals {percent(readable)}: "
        "samples are good enough, but not what was asked."
    )
    return finding(history, "label-ignored", "severe", first, told, shown=shown, readable=readable)


def identity_shortcut(history: History) -> Finding | None:
    """A translator gives its pictures back nearly as they are, and they stay in the domain that they are from."""
    first = history.since(
        lambda row: row["moved"] < 0.2 and row["translated"] < 0.5 and row["share"] >= 0.06,
        "moved",
        "translated",
        least=4,
    )
    if first is None:
        return None
    told = (
        f"A translated picture differs from what it was made of by {percent(history.now('moved') or 0.0)} of what two "
        f"pictures differ by; {percent(max(0.0, history.now('translated') or 0.0))} of the way to the other domain is "
        "covered: nothing is translated."
    )
    return finding(
        history,
        "identity-shortcut",
        "severe",
        first,
        told,
        moved=history.now("moved"),
        translated=history.now("translated"),
    )
