"""What networks cannot do: layers that do not go together, and ranges that cannot be reached.

Each function says what is wrong with an opening, with its numbers and the reason; or nothing.
"""

from __future__ import annotations

from math import prod

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from zerosum.data.spec import Images, Points
from zerosum.game import Translator
from zerosum.networks.minibatch import Minibatch
from zerosum.prevention.caution import Check
from zerosum.prevention.opening import Opening, last_layer, modules

FEW = 4  # examples of which a mean and a variance say little
WIDE_CLIP, FLAT = 1.0, 0.01
REACH = {nn.Sigmoid: (0.0, 1.0), nn.ReLU: (0.0, float("inf")), nn.Tanh: (-1.0, 1.0)}


def batch_norm_of_one(at: Opening) -> str | None:
    if at.play.batch == 1 and modules([at.game], _BatchNorm):
        return (
            "batch norm takes means over the batch, and batch = 1: in training each example would be normed by itself, "
            "at sampling by the mean of all"
        )
    return None


def small_batch_norm(at: Opening) -> str | None:
    if 1 < at.play.batch < FEW and modules([at.game], _BatchNorm):
        return f"batch norm estimates means and variances from batch = {at.play.batch} examples, which is mostly chance"
    return None


def batch_norm_under_penalty(at: Opening) -> str | None:
    for player in at.penalised:
        if modules(player.networks, _BatchNorm):
            return (
                f"{player.name} has batch norm and a penalty on its slope: the penalty is each example's own, "
                "and through batch norm every score depends on the whole batch"
            )
    return None


def sigmoid_judge(at: Opening) -> str | None:
    for player in at.judges:
        scored = any(name.endswith(("_discriminator_loss", "_critic_loss")) for name in at.asked[player.name])
        if scored and any(isinstance(last_layer(network), nn.Sigmoid) for network in player.networks):
            return (
                f"{player.name} ends in a sigmoid, and its loss takes scores without bounds: log losses have one of "
                "their own, hinge asks for -1 and 1, a critic for a distance"
            )
    return None


def out_of_reach(at: Opening) -> str | None:
    """Only where D compares what G gives with the data: elsewhere the end may stand for something else."""
    if not at.judges:
        return None
    spec, low, high = at.dataset.spec, -1.0, 1.0
    if isinstance(spec, Points):
        low, high = (float(end) / spec.scale for end in at.dataset.examples.aminmax())
    for name in at.game.ships:
        end = last_layer(at.game.get_submodule(name))
        least, most = REACH.get(type(end), (-float("inf"), float("inf")))
        if low < least or high > most:
            return (
                f"{name} ends in {type(end).__name__} and gives {least:g} to {most:g}, "
                f"but data are dealt in {low:.3g} to {high:.3g}"
            )
    return None


def lonely_minibatch(at: Opening) -> str | None:
    if at.play.batch < FEW and modules([at.game], Minibatch):
        return f"D is shown how much its minibatch varies, and batch = {at.play.batch} shows next to nothing of that"
    return None


def unbounded_critic(at: Opening) -> str | None:
    free = at.field("clip") is None and not at.slope_weight
    for player in at.judges:
        normed = any(is_parametrized(module) for network in player.networks for module in network.modules())
        if free and not normed and "wasserstein_critic_loss" in at.asked[player.name]:
            return f"nothing bounds the slope of {player.name}, and without a bound its loss has no minimum"
    return None


def penalty_off(at: Opening) -> str | None:
    if at.slope_weight == 0 and not unbounded_critic(at):
        return "the penalty has the weight 0, and without it the players may circle for ever"
    return None


def clip_too_wide(at: Opening) -> str | None:
    clip = at.field("clip")
    if clip is not None and clip >= WIDE_CLIP:
        return f"clip = {clip:g} is far above the weights that D begins with: it takes long until it bounds anything"
    return None


def clip_too_narrow(at: Opening) -> str | None:
    clip = at.field("clip")
    judges = [network for player in at.judges for network in player.networks]
    layers: list[nn.Linear | nn.Conv2d] = [*modules(judges, nn.Linear), *modules(judges, nn.Conv2d)]
    if clip is None or modules(judges, _BatchNorm):
        return None
    slope = prod(clip * layer.weight[0].numel() for layer in layers)
    if slope < FLAT:
        return (
            f"with weights within clip = {clip:g}, D's score moves by at most {slope:.1g} where every number of "
            "an example moves by 1: hardly a gradient reaches G"
        )
    return None


def few_latents(at: Opening) -> str | None:
    spec, latent = at.dataset.spec, at.game.latent
    if isinstance(at.game, Translator) or not at.judges:
        return None
    if isinstance(spec, Points) and latent < spec.dim:
        return f"z has {latent} number for points of {spec.dim}: whatever G learns, its samples fill no area"
    if isinstance(spec, Images) and latent <= 2:
        return f"z has {latent} of the ways in which pictures differ, and they differ in more"
    return None


def only_coins(at: Opening) -> str | None:
    if at.game.coins and at.game.coins >= at.game.latent:
        return (
            f"all {at.game.latent} numbers of z are coins: G can make {2**at.game.latent:,} different points, no more"
        )
    return None


CHECKS = (
    Check(batch_norm_of_one, "set batch to 16 or more", "Ioffe & Szegedy 2015, arXiv:1502.03167", fatal=True),
    Check(small_batch_norm, "set batch to 16 or more", "Wu & He 2018, arXiv:1803.08494"),
    Check(
        batch_norm_under_penalty,
        "take batch norm out of D (layer or instance norm may stay)",
        "Gulrajani et al. 2017, arXiv:1704.00028, section 4",
    ),
    Check(sigmoid_judge, "let D end in a linear layer"),
    Check(
        out_of_reach,
        "end G in tanh for pictures, in a linear layer for points",
        "Radford et al. 2015, arXiv:1511.06434, section 3",
    ),
    Check(
        lonely_minibatch,
        "set batch to 16 or more, or leave the minibatch layer out",
        "Salimans et al. 2016, arXiv:1606.03498",
    ),
    Check(
        unbounded_critic,
        "give the penalty its weight back (10), clip the weights, or norm them",
        "Arjovsky et al. 2017, arXiv:1701.07875, section 3",
    ),
    Check(penalty_off, "set it to its default", "Mescheder et al. 2018, arXiv:1801.04406"),
    Check(clip_too_wide, "set clip to 0.01 to 0.1", "Arjovsky et al. 2017, arXiv:1701.07875, section 3"),
    Check(clip_too_narrow, "set clip to 0.01 to 0.1", "Arjovsky et al. 2017, arXiv:1701.07875, section 3"),
    Check(few_latents, "set latent to 16 or more", "Arjovsky & Bottou 2017, arXiv:1701.04862, lemma 1"),
    Check(only_coins, "set latent above coins, or coins to 0"),
)
