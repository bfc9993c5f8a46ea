"""Known-bad settings are told before the first round; usual ones never are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from zerosum import model
from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.known import CLASSES
from zerosum.data.spec import Domains, Images, Pairs, Points, Spec
from zerosum.game import Batch, Game, Loss, Player
from zerosum.objectives.adversarial import hinge_discriminator_loss
from zerosum.prevention import CHECKS, Caution, cautions, check
from zerosum.prevention.opening import Opening
from zerosum.recipes import RECIPES
from zerosum.recipes.r1gan import R1GAN
from zerosum.run import PAIRINGS
from zerosum.settings import Settings, SettingsError, resolve

ROOT = Path(__file__).parent.parent


@cache
def data_of(source: str, pairing: str | None = None, limit: int | None = None) -> Dataset:
    """A set as runs load it. A public set that is not here is as many glyphs of as many classes."""
    if source in CLASSES and "ZEROSUM_DATA" not in os.environ:
        n = {"cifar10": 50_000}.get(source, 60_000)
        glyphs = sources.load("glyphs")
        rows = torch.arange(n) % len(glyphs)
        assert glyphs.labels is not None
        dim = ((torch.arange(n) // len(glyphs)) * 10).to(torch.uint8)[:, None, None, None]  # no copies
        return replace(
            glyphs, examples=glyphs.examples[rows] - glyphs.examples[rows].minimum(dim), labels=glyphs.labels[rows]
        )
    return sources.load(source, pairing=pairing, limit=limit)


def at_size(spec: Spec, size: int | None, channels: int | None) -> Spec:
    """The data's shape as the settings ask for it."""
    if isinstance(spec, Pairs | Domains):
        return replace(spec, a=at_size(spec.a, size, channels), b=at_size(spec.b, size, channels))
    if isinstance(spec, Images):
        return Images(channels or spec.channels, size or spec.height, size or spec.width, spec.classes)
    return spec


@dataclass
class Case:
    """A run before its first round."""

    settings: Settings
    game: Game
    dataset: Dataset

    def named(self) -> set[str]:
        return {caution.name for caution in self.cautions()}

    def cautions(self) -> list[Caution]:
        return cautions(self.settings, self.game, self.dataset)


def case(
    recipe: str,
    preset: str | None = None,
    *,
    data: Dataset | None = None,
    change: Callable[[Any], None] | None = None,
    limit: int | None = 1200,
    **overrides: Any,
) -> Case:
    """Settings as people give them, on few examples, with a game of no weights that is `change`d, if at all."""
    settings = resolve(recipe, preset, overrides)
    pairing = next((name for kind, name in PAIRINGS.items() if kind in RECIPES[recipe].takes), None)
    dataset = data or data_of(settings.data.source, pairing, limit)
    size = settings.data.size
    assert size is None or isinstance(size, int)
    dataset = replace(dataset, spec=at_size(dataset.spec, size, settings.data.channels))
    with torch.device("meta"):
        game = model.build(recipe, settings.game, dataset.spec)
        if change:
            change(game)
    return Case(settings, game, dataset)


USUAL = {
    f"{recipe} {preset or 'default'} {source}": (recipe, preset, {"source": source} if source else {})
    for recipe, found in RECIPES.items()
    for preset, source in (
        [(None, "")] + [(preset, "") for preset in found.presets] + [(None, "ring")] * (Points in found.takes)
    )
}
DESERVED = {"pix2pix gan ": {"untied-translation"}}  # a row of table 1 that shows how it fails


@pytest.mark.parametrize("name", USUAL)
def test_what_is_usual_is_not_cautioned_against(name: str) -> None:
    recipe, preset, overrides = USUAL[name]
    assert case(recipe, preset, limit=None, **overrides).named() == DESERVED.get(name, set())


def pictures(change: Callable[[torch.Tensor], torch.Tensor] = lambda x: x, n: int = 1200) -> Dataset:
    glyphs = data_of("glyphs", limit=n)
    return replace(glyphs, examples=change(glyphs.examples.float()).clamp(0, 255).to(torch.uint8))


def colour(change: Callable[[torch.Tensor], torch.Tensor]) -> Dataset:
    x = data_of("glyphs", limit=1200).examples.expand(-1, 3, -1, -1).clone()
    return Dataset("colour", Images(3, 28, 28), change(x).to(torch.uint8), None)


def blank(share: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def wipe(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[: int(share * len(x))] = torch.arange(int(share * len(x)))[:, None, None, None].float()
        return x

    return wipe


def labelled(counts: tuple[int, ...]) -> Dataset:
    glyphs = data_of("glyphs", limit=1200)
    labels = torch.cat([torch.full((n,), i) for i, n in enumerate(counts)])
    spec = Images(1, 28, 28, tuple("abcdefghij"[: len(counts)]))
    return Dataset("labelled", spec, glyphs.examples[: len(labels)], labels)


def normed(layer: type[nn.Module]) -> Callable[[Any], None]:
    return lambda game: game.D.features.insert(1, layer(32))


def ending(network: str, layer: nn.Module) -> Callable[[Any], None]:
    """The network ends in that layer, whatever it ended in."""
    return lambda game: setattr(game, network, nn.Sequential(getattr(game, network), layer))


def lazy(every: int) -> Callable[[Any], None]:
    def slow(game: Any) -> None:
        players = [replace(player, every=every if player.name == "D" else 1) for player in game.players()]
        game.players = lambda: players

    return slow


CASES: dict[str, tuple[Callable[[], Case], Callable[[], Case]]] = {
    "batch-norm-of-one": (lambda: case("dcgan", batch=1), lambda: case("r3gan", batch=1)),
    "small-batch-norm": (lambda: case("dcgan", batch=3), lambda: case("dcgan", batch=16)),
    "batch-norm-under-penalty": (
        lambda: case("r1gan", change=normed(nn.BatchNorm2d)),
        lambda: case("r1gan", change=normed(nn.InstanceNorm2d)),
    ),
    "sigmoid-judge": (
        lambda: case("sngan", change=ending("D", nn.Sigmoid())),
        lambda: case("sngan", change=ending("D", nn.Identity())),
    ),
    "out-of-reach": (
        lambda: case("lsgan", change=ending("G", nn.Sigmoid())),
        lambda: case("lsgan", change=ending("G", nn.Tanh())),
    ),
    "lonely-minibatch": (
        lambda: case("gan", "minibatch", batch=2),
        lambda: case("gan", "minibatch", batch=16),
    ),
    "unbounded-critic": (lambda: case("wgan_gp", weight=0), lambda: case("wgan_gp", weight=1)),
    "penalty-off": (lambda: case("r3gan", gamma=0), lambda: case("r3gan", gamma=0.1)),
    "clip-too-wide": (lambda: case("wgan", clip=2), lambda: case("wgan", clip=0.05)),
    "clip-too-narrow": (lambda: case("wgan", clip=1e-4), lambda: case("wgan", clip=0.01)),
    "few-latents": (lambda: case("r1gan", latent=2), lambda: case("r1gan", latent=3)),
    "only-coins": (
        lambda: case("r1gan", source="ring", latent=3, limit=None),
        lambda: case("r1gan", source="ring", latent=3, coins=1, limit=None),
    ),
    "pack-beyond-batch": (lambda: case("pacgan", pack=4, batch=3), lambda: case("pacgan", pack=4, batch=4)),
    "pack-left-over": (lambda: case("pacgan", pack=3), lambda: case("pacgan", pack=4)),
    "lazy-penalty-on-points": (
        lambda: case("r3gan", source="ring", limit=None, change=lazy(8)),
        lambda: case("r3gan", source="ring", limit=None, change=lazy(1)),
    ),
    "rate-too-high": (lambda: case("gan", lr=0.01), lambda: case("gan", lr=0.0001)),
    "rate-too-low": (lambda: case("wgan", lr=1e-7), lambda: case("wgan", lr=1e-5)),
    "swaying": (lambda: case("dcgan", beta1=0.9), lambda: case("dcgan", beta1=0.5)),
    "circling": (
        lambda: case("lsgan", dynamics="simultaneous"),
        lambda: case("r1gan", dynamics="simultaneous"),
    ),
    "rates-apart": (lambda: case("infogan", lr_d=1e-4, lr_g=5e-3), lambda: case("infogan", lr_d=1e-3, lr_g=5e-3)),
    "many-turns": (lambda: case("gan", steps=20), lambda: case("gan", steps=5)),
    "stop-without-looks": (
        lambda: case("dcgan", stop="auto", quality_cost=0),
        lambda: case("dcgan", stop="auto"),
    ),
    "never-grown": (lambda: case("progan", length="1000 rounds"), lambda: case("progan", length="2000 rounds")),
    "guidance-untold": (
        lambda: case("ddpm", guidance=2, label_dropout=0),
        lambda: case("ddpm", guidance=0, label_dropout=0),
    ),
    "untied-translation": (lambda: case("cyclegan", cycle=0), lambda: case("cyclegan", cycle=1)),
    "nearly-black": (
        lambda: case("r1gan", data=pictures(lambda x: x / 16)),
        lambda: case("r1gan", data=pictures(lambda x: x / 2)),
    ),
    "upper-half": (
        lambda: case("r1gan", data=pictures(lambda x: 127 + x / 2)),
        lambda: case("r1gan", data=pictures(lambda x: 255 - x)),
    ),
    "blank-pictures": (
        lambda: case("r1gan", data=pictures(blank(0.05))),
        lambda: case("r1gan", data=pictures(blank(0.0))),
    ),
    "copies": (
        lambda: case("r1gan", data=pictures(lambda x: x[torch.arange(len(x)) % 1000])),
        lambda: case("r1gan", data=pictures(lambda x: x[torch.arange(len(x)) % 1100])),
    ),
    "gray-in-colour": (
        lambda: case("r1gan", data=colour(lambda x: x)),
        lambda: case("r1gan", data=colour(lambda x: x // torch.tensor([1, 1, 2]).view(3, 1, 1))),
    ),
    "few-pictures": (
        lambda: case("sngan", data=data_of("glyphs", limit=999)),
        lambda: case("sngan", data=data_of("glyphs", limit=1000)),
    ),
    "batch-beyond-data": (lambda: case("r1gan", batch=1201), lambda: case("r1gan", batch=1200)),
    "one-class": (lambda: case("cgan", data=labelled((1200,))), lambda: case("cgan", data=labelled((600, 600)))),
    "rare-class": (
        lambda: case("cgan", data=labelled((1161, 39))),
        lambda: case("cgan", data=labelled((1100, 100))),
    ),
}


def test_every_check_has_a_case() -> None:
    names = [one.name for one in CHECKS]
    assert len(names) == len(set(names)) >= 16
    assert set(CASES) == set(names)


@pytest.mark.parametrize("name", CASES)
def test_a_cause_is_told_and_mended_settings_are_not(name: str) -> None:
    sick, mended = CASES[name]
    found = [caution for caution in sick().cautions() if caution.name == name]
    (one,) = [one for one in CHECKS if one.name == name]
    assert len(found) == 1
    assert (found[0].remedy, found[0].source, found[0].fatal) == (one.remedy, one.source, one.fatal)
    assert found[0].words
    assert name not in mended().named()


@pytest.mark.parametrize(
    ("recipe", "overrides", "numbers"),
    [
        ("dcgan", {"batch": 1}, ("batch = 1", "set batch to 16")),
        ("pacgan", {"batch": 1}, ("a pack holds 2", "batch = 1", "raise batch")),
    ],
)
def test_what_cannot_work_is_refused(recipe: str, overrides: dict[str, Any], numbers: tuple[str, ...]) -> None:
    sick = case(recipe, **overrides)
    with pytest.raises(SettingsError) as refused:
        check(sick.settings, sick.game, sick.dataset)
    assert all(part in str(refused.value) for part in numbers)
    assert "\n" not in str(refused.value)


def test_a_fatal_caution_comes_first_and_the_rest_is_returned() -> None:
    sick = case("dcgan", batch=1, beta1=0.9, lr=0.02)
    assert [(c.name, c.fatal) for c in sick.cautions()] == [
        ("batch-norm-of-one", True),
        ("rate-too-high", False),
        ("swaying", False),
    ]
    mended = case("dcgan", batch=16, beta1=0.9, lr=0.02)
    told = check(mended.settings, mended.game, mended.dataset)
    assert [caution.name for caution in told] == ["rate-too-high", "swaying"]
    assert "0.02" in told[0].words
    assert "beta1 = 0.9" in told[1].words


def test_no_turn_of_a_player_is_refused_with_its_reason() -> None:
    with pytest.raises(SettingsError) as refused:
        resolve("gan", overrides={"steps": 0})
    assert all(part in str(refused.value) for part in ("game.steps = 0", "greater than or equal to 1", "turns of D"))


NUMBERS = {
    "pack-left-over": ("pack = 3", "1 of every batch"),
    "copies": ("200 of 1,200",),
    "only-coins": ("8 different points",),
    "never-grown": ("60 kimg", "32 kimg"),
    "nearly-black": ("are 15 or less",),
    "upper-half": ("127 to 254",),
    "out-of-reach": ("0 to 1", "-1 to 1"),
    "rare-class": ("'b' has 39", "600"),
    "rates-apart": ("G learns 50 times",),
    "blank-pictures": ("30 of 600",),
    "clip-too-narrow": ("0.0001",),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_caution_tells_its_numbers(name: str) -> None:
    (found,) = [caution for caution in CASES[name][0]().cautions() if caution.name == name]
    assert all(part in found.words for part in NUMBERS[name]), found.words


@pytest.mark.parametrize(
    ("pace", "ratio"), [({"D": 50}, 50), ({"G": 0.02}, 50), ({"D": 4}, 4), ({"D": 50, "G": 50}, 1)]
)
def test_a_pace_sets_rates_apart(pace: dict[str, float], ratio: int) -> None:
    paced = case("r1gan", pace=pace)
    rates = Opening(paced.settings, paced.game, paced.dataset).rates
    assert max(rates.values()) / min(rates.values()) == pytest.approx(ratio)
    words = [caution.words for caution in paced.cautions() if caution.name == "rates-apart"]
    assert ["D learns 50 times as fast as G" in told for told in words] == [True] * (ratio == 50)


def test_a_paced_rate_may_be_too_high() -> None:
    assert "rate-too-high" in case("r1gan", lr=1e-3, pace={"D": 10, "G": 10}).named()
    assert "rate-too-high" not in case("r1gan", lr=1e-3, pace={"D": 2, "G": 2}).named()


def test_points_have_a_reach_of_their_own() -> None:
    def ends(layer: nn.Module) -> Case:
        return case("r1gan", source="ring", change=ending("G", layer), limit=None)

    assert "out-of-reach" in ends(nn.Tanh()).named(), "over its root mean square, a ring lies beyond 1"
    assert "out-of-reach" not in ends(nn.Identity()).named()


def test_too_few_numbers_for_points() -> None:
    assert "few-latents" in case("gan", source="ring", latent=1, limit=None).named()
    assert "few-latents" not in case("gan", source="gaussian-1d", latent=1, limit=None).named()


class Hidden(R1GAN):
    """Its loss names the penalty in a method that it calls, in a function within a function."""

    def discriminator_loss(self, batch: Batch) -> Loss:
        return self.further(batch)

    def further(self, batch: Batch) -> Loss:
        return (lambda: Loss(adversarial=hinge_discriminator_loss(batch.x, batch.x)))()

    def players(self) -> list[Player]:
        return [replace(player, steps=12) for player in super().players()]


def test_a_game_is_known_by_its_losses_not_by_its_name() -> None:
    usual = case("r1gan", gamma=0)
    with torch.device("meta"):
        hidden = Hidden(usual.settings.game, usual.dataset.spec)
    assert usual.named() == {"penalty-off"}
    assert replace(usual, game=hidden).named() == set(), "hinge, and no penalty in its loss"
    hidden.D = nn.Sequential(hidden.D, nn.Sigmoid())
    assert replace(usual, game=hidden).named() == {"sigmoid-judge"}
    for name in RECIPES:
        for file in (ROOT / "src/zerosum/prevention").glob("*.py"):
            assert f'"{name}"' not in file.read_text()


def test_augmented_pictures_are_not_few() -> None:
    few = case("sngan", data=data_of("glyphs", limit=999))
    play = few.settings.play.model_copy(update={"augment": 0.2})
    assert few.named() == {"few-pictures"}
    assert replace(few, settings=few.settings.model_copy(update={"play": play})).named() == set()


def test_the_page_tells_every_check() -> None:
    text = (ROOT / "docs/prevention.md").read_text()
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `.*\|$", text, re.MULTILINE)]
    assert [row[0].strip("`") for row in rows] == [one.name for one in CHECKS]
    for one, (_, what, why, remedy, source) in zip(CHECKS, rows, strict=True):
        assert what.startswith("**refused**") == one.fatal
        assert why
        assert (remedy, source) == (one.remedy, one.source)
