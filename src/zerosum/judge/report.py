"""A report as a person reads it: the numbers beside those of real data, and what they come to in a sentence."""

from __future__ import annotations

from typing import Any

Report = dict[str, Any]


def lines(report: Report) -> list[str]:
    """The whole report."""
    counts, features = report["counts"], report["features"]
    told = f"{counts['samples']:,} samples, seed {report['seed']}, against {counts['reference']:,} of "
    told += f"{report['data']['name']}'s {counts['training']:,} training pictures"
    found = [f" Judged    {report['candidate']} · {told}", f" Seen by   {_eyes(features)}"]
    found += _table(report)
    if report.get("by_class"):
        found += _by_class(report["by_class"])
    if "copies" in report:
        found += _copies(report["copies"])
    if "factors" in report:
        found += _factors(report["factors"])
    if "utility" in report:
        found += _utility(report["utility"])
    return [*found, f" Verdict   {verdict(report)}"]


def verdict(report: Report) -> str:
    """What the numbers come to."""
    return "; ".join([*_beside_real(report["beside_real"]), *_copied(report.get("copies", {}))])


def _beside_real(beside: Report) -> list[str]:
    """Samples and held-out pictures, as many of one as of the other."""
    if not beside:
        return ["no held-out pictures to compare with"]
    gaps = {name: gap for name, gap in beside["gaps"].items() if "value" in gap}
    if not gaps:
        return [f"{beside['count']:,} are too few for a verdict"]
    name, gap = next(iter(gaps.items()))
    said = {
        "no": "further from the training data than as many real pictures",
        "yes": "nearer to the training data than as many real pictures",
        "cannot tell": "as near to the training data as real pictures, as far as can be told",
    }[gap["a_is_better"]]
    found = [f"{said} ({name} {gap['value']:+.3g}, {figure(gap['low'])} to {figure(gap['high'])})"]
    covered = beside["coverage"], beside["real coverage"]
    if all("value" in part for part in covered):
        found.append(f"covers {100 * covered[0]['value']:.0f} % of it, real pictures {100 * covered[1]['value']:.0f} %")
    return found


def _copied(copies: Report) -> list[str]:
    if "flagged" not in copies:
        return []
    share = copies["copies"]
    told = f"{100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f} %) of the samples"
    if copies["flagged"]:
        return [f"it copies: {told} are training pictures"]
    return [f"perhaps it copies, {told}: more samples would tell" if share["low"] > 0 else "no sign of copying"]


def _eyes(features: Report) -> str:
    accuracy = "" if features["accuracy"] is None else f", right on {100 * features['accuracy']:.1f} % of held-out ones"
    return f"{features['about']}{accuracy} ({features['width']} numbers, {features['hash']})"


def _table(report: Report) -> list[str]:
    numbers, real = report["numbers"], report["real"]
    wide = max(map(len, numbers))
    held_out, counted = report["counts"]["held out"], report["counts"]["samples"]
    beside = "real" if held_out in (0, counted) else f"{held_out:,} real"
    head = f"           {'':<{wide}}  {'samples':>9}  {'95 %':<20} {'perfect':>9}  {beside:>9}  {'95 %':<20}"
    found = [head.rstrip()]
    needs: dict[str, None] = {}  # each said once
    for name, number in numbers.items():
        if "needs" in number:
            needs[number["needs"]] = None
            continue
        beside = real.get(name, {})
        floor = "" if number["floor"] is None else figure(number["floor"])
        there = f"{figure(beside['value']):>9}  {interval(beside)}" if "value" in beside else ""
        found.append(
            f"           {name:<{wide}}  {figure(number['value']):>9}  {interval(number):<20} "
            f"{floor:>9}  {there}".rstrip()
        )
    return found + [f"           {need}" for need in needs]


def _by_class(by_class: Report) -> list[str]:
    known = {name: number for name, number in by_class.items() if "value" in number}
    worst = sorted(known, key=lambda name: -known[name]["value"])
    told = [f"{name} {figure(known[name]['value'])} ({interval(known[name])})" for name in worst[:3]]
    few = [name for name in by_class if name not in known]
    found = [f" Classes   worst by FD: {', '.join(told)}"] if told else []
    return found + ([f"           too few for an FD of their own: {', '.join(few)}"] if few else [])


def _copies(copies: Report) -> list[str]:
    if "needs" in copies:
        return [f" Copies    {copies['needs']}"]
    share, authentic, real = copies["copies"], copies["authentic"], copies["authentic_real"]
    exact = f", {copies['exact']:,} of them exact" if copies["exact"] else ""
    found = [
        f" Copies    {100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f} %){exact} · "
        f"C_T {copies['c_t']:+.2f} (z {copies['z']:+.2f}) · authentic {100 * authentic['value']:.1f} % "
        f"(real {100 * real['value']:.1f} %)"
    ]
    if copies["duplicates"] or copies["leaks"]:
        found.append(
            f"           in the real data: {copies['duplicates']:,} duplicates, "
            f"{copies['leaks']:,} held-out pictures that are training pictures"
        )
    return found


def _factors(factors: Report) -> list[str]:
    scores = {name: score for name, score in factors.items() if name != "names"}
    told = [
        score.get("needs") or f"{name} {figure(score['value'])} ({interval(score)}; shuffled {figure(score['floor'])})"
        for name, score in scores.items()
    ]
    return [f" Factors   {' · '.join(dict.fromkeys(told))}", f"           of {', '.join(factors['names'])}"]


def _utility(utility: Report) -> list[str]:
    scores = utility["scores"]
    found = [
        f" Useful    of real pictures, a classifier of {scores['count']:,} samples reads "
        f"{_percent(scores['cas'])} rightly, "
        f"one of as many real ones {_percent(scores['real'])}; the latter reads {_percent(scores['gan_test'])} of the "
        "samples as asked"
    ]
    for gain in utility["gains"]:
        told = {"yes": "they help", "no": "they do harm", "cannot tell": "cannot tell"}[gain["helps"]]
        found.append(
            f"           {100 * gain['share']:g} % of the labels ({gain['labelled']:,}): {_percent(gain['real'])}; "
            f"with samples {_percent(gain['both'])}; difference {_percent(gain['difference'])}: {told}"
        )
    return found


def _percent(number: Report) -> str:
    value, low, high = (100 * number[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def figure(value: float) -> str:
    """
    >>> figure(12.3456), figure(0.00012), figure(10.0), figure(1234.5)
    ('12.35', '0.00012', '10', '1234')
    """
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.2g}"


def interval(number: Report) -> str:
    """The ends of a number's 95 % interval."""
    return f"{figure(number['low'])} to {figure(number['high'])}"
