"""Fast against plain, for every recipe: the same readings, bit for bit where nothing is reordered."""

import copy

import pytest
import torch

from zerosum.data.spec import Domains, Images, Pairs, Points
from zerosum.game import Game
from zerosum.networks.blocks import Dropout
from zerosum.play.plain import Plain
from zerosum.recipes import RECIPES
from zerosum.sections import Play, Speed
from zerosum.table import trainer_of

SPECS = {
    "28x28x1, 10 classes": Images(1, 28, 28, tuple("0123456789")),
    "32x32x3": Images(3, 32, 32),
    "17x26x1, 2 classes": Images(1, 17, 26, ("a", "b")),
    "points": Points(2),
    "pairs of 32x32": Pairs(Images(3, 32, 32), Images(3, 32, 32)),
    "pairs of 17x26, gray to colour": Pairs(Images(1, 17, 26), Images(3, 17, 26)),
    "two domains of 32x32": Domains(Images(3, 32, 32), Images(3, 32, 32)),
    "two domains of 17x26, gray and colour": Domains(Images(1, 17, 26), Images(3, 17, 26)),
}
SMALL = {"width": 4, "widths": (8, 8), "hidden": (16,), "latent": 5, "blocks": 1, "dropout": 0.0}
PAIRS = [
    (name, s)
    for name, recipe in RECIPES.items()
    for s, spec in SPECS.items()
    if isinstance(spec, recipe.takes) and (spec.classes or not recipe.labelled)
]
OFF = Speed(**dict.fromkeys(Speed.model_fields, False))
ROUNDS = 3
TOLERANCE = 1e-4  # of a reading, or of 1 where it is smaller: after 3 rounds; bench/same.py says what 50 give
SHIFT = 0.01
"""Of r3gan's mean score. No loss sees a shift of all scores: rounding alone moves it, by whole steps of Adam."""


def build(name: str, spec) -> Game:
    torch.manual_seed(0)
    recipe = RECIPES[name]
    return recipe.game(recipe.config(**{k: v for k, v in SMALL.items() if k in recipe.config.model_fields}), spec)


def dealer(game: Game, spec, n: int = 6):
    chance = torch.Generator().manual_seed(0)

    def deal():
        x = torch.rand(n, *spec.shape, generator=chance) * 2 - 1
        if isinstance(spec, Pairs | Domains):
            return x, torch.rand(n, *spec.b.shape, generator=chance) * 2 - 1
        return x, torch.randint(game.classes, (n,), generator=chance) if game.classes else None

    return deal


def both(game: Game, spec, dynamics: str, speed: Speed, rounds: int = ROUNDS) -> tuple[list[dict], list[dict]]:
    """The readings of the same rounds, fast and plain."""
    twin = copy.deepcopy(game)
    trainer = trainer_of(game, dealer(game, spec), Play(precision="float32", dynamics=dynamics), speed)
    plain = Plain(twin, dealer(twin, spec), dynamics=dynamics, average=0.999)
    for each in (trainer, plain):
        torch.manual_seed(1)
        for _ in range(rounds):
            each.round()
    return [row for _, row in trainer.collect()], plain.readings


def agree(fast: list[dict], plain: list[dict]) -> None:
    for row, other in zip(fast, plain, strict=True):
        assert row.keys() == other.keys()
        assert abs(row.get("D.middle", 0) - other.get("D.middle", 0)) < SHIFT
        names = row.keys() - {"D.middle"}
        found, expected = ([float(of[name]) for name in sorted(names)] for of in (row, other))
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)


FIRST = {name: next(s for other, s in PAIRS if other == name) for name in RECIPES}
ONE_TURN_EACH = [name for name, s in FIRST.items() if all(p.steps == 1 for p in build(name, SPECS[s]).players())]
PLAYED = [(name, s, "alternating") for name, s in PAIRS] + [
    (name, FIRST[name], dynamics) for name in ONE_TURN_EACH for dynamics in ("simultaneous", "extragradient")
]


@pytest.mark.parametrize(("name", "s", "dynamics"), PLAYED, ids=lambda of: of)
def test_all_switches_on_gives_the_readings_of_the_plain_loop(name: str, s: str, dynamics: str) -> None:
    agree(*both(build(name, SPECS[s]), SPECS[s], dynamics, Speed()))


@pytest.mark.parametrize(("name", "s", "dynamics"), PLAYED, ids=lambda of: of)
def test_all_switches_off_is_the_plain_loop_bit_for_bit(name: str, s: str, dynamics: str) -> None:
    """What is left (own gradients only, fakes and scores made once) reorders nothing."""
    fast, plain = both(build(name, SPECS[s]), SPECS[s], dynamics, OFF)
    assert fast == plain


@pytest.mark.parametrize("switch", sorted(set(Speed.model_fields) - {"compile"}))
@pytest.mark.parametrize("name", RECIPES)
def test_a_switch_alone_gives_the_readings_of_the_plain_loop(name: str, switch: str) -> None:
    spec = SPECS[FIRST[name]]
    dynamics = "simultaneous" if name in ONE_TURN_EACH else "alternating"  # one_backward wants all to move at once
    agree(*both(build(name, spec), spec, dynamics, OFF.model_copy(update={switch: True})))


@pytest.mark.parametrize("dynamics", ["alternating", "simultaneous", "extragradient"])
def test_with_dropout_too(dynamics: str) -> None:
    """In one memory layout: it is along memory that masks are drawn."""
    spec = Images(1, 16, 16)
    torch.manual_seed(0)
    game = RECIPES["dcgan"].game(RECIPES["dcgan"].config(width=4, latent=5, dropout=0.3), spec)
    assert any(isinstance(module, Dropout) for module in game.modules())
    agree(*both(game, spec, dynamics, Speed(channels_last=False)))
