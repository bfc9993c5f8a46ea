"""How a game is better not played: batches, turns, rates, lengths.

Each function says what is wrong with an opening, with its numbers and the reason; or nothing.
"""

from __future__ import annotations

from torch.optim import Adam, RMSprop

from zerosum.data.spec import Points
from zerosum.game import Translator
from zerosum.prevention.caution import Check
from zerosum.prevention.opening import Opening

HIGH, LOW = 0.01, 1e-6  # rates at which an adaptive optimiser jumps, or stands still
APART = 20.0  # rates of two players, one over the other
MOMENTUM, SWAYING, CIRCLING = 0.9, 2e-4, 1e-3  # Adam's beta1; the rates from which on it, and simultaneous turns, tell
MANY = 10  # turns of D in a round
SEEN = 50  # examples without which the watch over quality says nothing


def pack_beyond_batch(at: Opening) -> str | None:
    pack = at.field("pack") or 1
    if pack > at.play.batch:
        return f"a pack holds {pack} examples, and batch = {at.play.batch}: there is nothing to judge"
    return None


def pack_left_over(at: Opening) -> str | None:
    pack = at.field("pack") or 1
    if left := at.play.batch % pack:
        return f"batch = {at.play.batch} is no multiple of pack = {pack}: {left} of every batch are never judged"
    return None


def lazy_penalty_on_points(at: Opening) -> str | None:
    lazy = [player for player in at.penalised if player.every > 1]
    if lazy and isinstance(at.dataset.spec, Points):
        return f"{lazy[0].name} pays for its slope only every {lazy[0].every} rounds: on points that is known to fail"
    return None


def rate_too_high(at: Opening) -> str | None:
    for name, optimizer in at.optimizers.items():
        if isinstance(optimizer, Adam | RMSprop) and at.rates[name] >= HIGH:
            return (
                f"the learning rate of {name} is {at.rates[name]:g}: about so far every weight moves in every turn, "
                "whatever the gradient, and weights are about 0.1"
            )
    return None


def rate_too_low(at: Opening) -> str | None:
    for name, optimizer in at.optimizers.items():
        if isinstance(optimizer, Adam | RMSprop) and at.rates[name] <= LOW:
            reach = 10_000 * at.rates[name]
            return f"the learning rate of {name} is {at.rates[name]:g}: in 10,000 turns a weight moves about {reach:g}"
    return None


def swaying(at: Opening) -> str | None:
    if at.judges and at.momentum >= MOMENTUM and max(at.rates.values()) >= SWAYING:
        return (
            f"beta1 = {at.momentum:g} at a learning rate of {max(at.rates.values()):g}: the players go on where the "
            "other no longer is, and sway"
        )
    return None


def circling(at: Opening) -> str | None:
    rate = max(at.rates.values())
    free = at.judges and not at.penalised and at.momentum > 0
    if at.play.dynamics == "simultaneous" and free and rate >= CIRCLING:
        return (
            f"both players move at once, with momentum (beta1 = {at.momentum:g}), at a rate of {rate:g} and without a "
            "penalty: such games circle outwards"
        )
    return None


def rates_apart(at: Opening) -> str | None:
    fast, slow = max(at.rates, key=at.rates.__getitem__), min(at.rates, key=at.rates.__getitem__)
    if (ratio := at.rates[fast] / at.rates[slow]) >= APART:
        return f"{fast} learns {ratio:,.0f} times as fast as {slow}: {slow} cannot answer what {fast} does"
    return None


def many_turns(at: Opening) -> str | None:
    for player in at.judges:
        log = "minimax_discriminator_loss" in at.asked[player.name]
        if log and player.steps >= MANY and not at.slope_weight:
            return (
                f"{player.name} has {player.steps} turns a round under a log loss: the nearer it is to its best, "
                "the less its gradient tells G"
            )
    return None


def stop_without_looks(at: Opening) -> str | None:
    if at.play.stop != "auto":
        return None
    if at.play.quality_cost == 0:
        return "stop = auto ends a run by its quality, and with quality_cost = 0 that is never measured"
    if len(at.dataset) < SEEN:
        return f"stop = auto ends a run by its quality, and of {len(at.dataset)} examples that is not measured"
    return None


def never_grown(at: Opening) -> str | None:
    """Of networks that grow by one stage for every doubling of the picture."""
    stage, fade, last = at.field("stage_kimg"), at.field("fade_kimg"), getattr(at.game, "last", 0)
    if stage is None or fade is None or at.images is None:
        return None
    needed = last * (stage + fade)
    if at.images / 1000 < needed:
        return (
            f"the networks reach the full size of the pictures after {needed:g} kimg, "
            f"and the run ends at {at.images / 1000:g} kimg"
        )
    return None


def guidance_untold(at: Opening) -> str | None:
    if at.game.classes and at.field("guidance") and at.field("label_dropout") == 0:
        return "guidance leads away from what is made without a label, and with label_dropout = 0 that is never learnt"
    return None


def untied_translation(at: Opening) -> str | None:
    cut = at.field("cycle") == 0 or (at.field("l1") == 0 and at.field("sees_input") is False)
    if isinstance(at.game, Translator) and cut:
        return "no term of the loss compares a translation with its input: any picture that passes for real will do"
    return None


CHECKS = (
    Check(pack_beyond_batch, "raise batch, or lower pack", "Lin et al. 2018, arXiv:1712.04086", fatal=True),
    Check(pack_left_over, "make batch a multiple of pack", "Lin et al. 2018, arXiv:1712.04086"),
    Check(lazy_penalty_on_points, "let it play every round", "Huang et al. 2024, arXiv:2501.05441, appendix E"),
    Check(rate_too_high, "set it to 2e-3 or less", "Kingma & Ba 2015, arXiv:1412.6980, section 2.1"),
    Check(rate_too_low, "set it to 1e-4 or more", "Kingma & Ba 2015, arXiv:1412.6980, section 2.1"),
    Check(swaying, "set beta1 to 0.5 or 0, or lower the learning rate", "Radford et al. 2015, arXiv:1511.06434"),
    Check(
        circling,
        "set dynamics to alternating or extragradient, or take a penalty",
        "Mescheder et al. 2018, arXiv:1801.04406; Gidel et al. 2019, arXiv:1807.04740",
    ),
    Check(rates_apart, "bring the rates within a factor of 5"),
    Check(many_turns, "set steps to 1 to 5, or take a penalty", "Arjovsky & Bottou 2017, arXiv:1701.04862"),
    Check(stop_without_looks, "set stop to length, or quality_cost to 0.05"),
    Check(
        never_grown,
        "play longer (--kimg), or lower stage_kimg and fade_kimg",
        "Karras et al. 2018, arXiv:1710.10196, section 2",
    ),
    Check(guidance_untold, "set label_dropout to 0.1, or guidance to 0", "Ho & Salimans 2022, arXiv:2207.12598"),
    Check(
        untied_translation,
        "give that term its weight back",
        "Isola et al. 2017, arXiv:1611.07004, section 4.1; Zhu et al. 2017, arXiv:1703.10593, section 5.1",
    ),
)
