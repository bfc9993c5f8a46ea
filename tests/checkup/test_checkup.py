"""A checkup against games whose every number is planted."""

from __future__ import annotations

from math import isfinite, sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from zerosum.checkup import Checkup
from zerosum.checkup.checkup import trends
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Domains, Images, Pairs, Points
from zerosum.game import Game, Loss, Player, Translator
from zerosum.play.trainer import Trainer


def chance(seed: int = 0) -> Tensor:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, seed: int = 0, channels: int = 1, side: int = 8) -> Tensor:
    """uint8 [n c h w], nothing in common."""
    return torch.randint(0, 256, (n, channels, side, side), generator=chance(seed), dtype=torch.uint8)


def dealt(examples: Tensor) -> Tensor:
    return examples.float() / 127.5 - 1


class Planted(Game):
    """Makes what it is told to make; its G only so that somebody moves. Judges as it is told."""

    latent = 3

    def __init__(self, make, judge=None, classes: int = 0):
        super().__init__()
        self.G, self.make, self.says, self.classes = nn.Linear(3, 1), make, judge, classes

    def players(self):
        return [Player("G", [self.G], self.loss, lambda parameters: SGD(parameters, lr=0.1))]

    def loss(self, hand):
        return Loss(adversarial=self.G(torch.ones(len(hand), 3)).mean())

    def generate(self, z, y=None):
        return self.make(z, y)

    def judge(self, x, y=None):
        return None if self.says is None else self.says(x)


def checkup(game: Game, data: Dataset, held_out: Dataset | None = None) -> Checkup:
    return Checkup(
        Trainer(game, lambda: (data.examples[:4].float(), data.partners)), data, held_out, seed=0, batch=1000
    )


def of_pictures(examples: Tensor, labels: Tensor | None = None, classes: int = 0) -> Dataset:
    shape = examples.shape[1:]
    return Dataset("planted", Images(*shape, classes=tuple(map(str, range(classes)))), examples, labels)


train, held_out, fresh = (pictures(n, seed) for n, seed in ((400, 1), (200, 2), (128, 3)))


def look(make, judge=None) -> dict[str, float]:
    """A look at a game on noise pictures of 8 px that makes and judges so."""
    return checkup(Planted(make, judge), of_pictures(train), of_pictures(held_out)).look()


# Samples -----------------------------------------------------------------------------------------------------------


def test_a_game_that_returns_training_pictures_copies() -> None:
    row = look(lambda z, y: dealt(train[: len(z)]))
    assert row["copies"] == 1
    assert row["twins"] == row["missing"] == row["nonfinite"] == 0
    assert row["diversity"] == pytest.approx(1, abs=0.03)
    assert row["distance"] == pytest.approx(0, abs=0.03)


def test_a_game_that_returns_new_pictures_does_not() -> None:
    assert look(lambda z, y: dealt(held_out[: len(z)]))["copies"] <= 0.02, "1 % of those it is held against"
    assert look(lambda z, y: dealt(fresh[: len(z)]))["copies"] < 0.05
    half = torch.cat([train[:64], fresh[:64]])
    assert look(lambda z, y: dealt(half))["copies"] == pytest.approx(0.5, abs=0.03)


def test_a_game_that_makes_one_picture() -> None:
    row = look(lambda z, y: dealt(fresh[:1]).expand(len(z), 1, 8, 8))
    assert row["diversity"] < 1e-3
    assert row["twins"] == 1
    assert row["missing"] > 0.9
    assert row["uneven"] > 0.8
    assert row["distance"] > 0.3


def test_contrast_and_ends_are_those_of_what_is_made() -> None:
    halves = torch.tensor([-1.0, 1.0]).repeat_interleave(32).view(1, 1, 8, 8)
    row = look(lambda z, y: halves.expand(len(z), 1, 8, 8))
    assert row["contrast"] == pytest.approx(sqrt(64 / 63))
    assert row["saturated"] == 1
    row = look(lambda z, y: 0.5 * halves.expand(len(z), 1, 8, 8))
    assert (row["contrast"], row["saturated"]) == (pytest.approx(sqrt(64 / 63) / 2), 0)


def test_what_is_not_finite_is_a_share_and_nothing_else_is_said_of_samples() -> None:
    broken = dealt(fresh)
    broken[:32] = float("nan")
    row = look(lambda z, y: broken, judge=lambda x: x.flatten(1).mean(1))
    assert row["nonfinite"] == 0.25
    assert not {"distance", "diversity", "copies", "auc", "real.score"} & row.keys()


def test_two_looks_without_a_round_between_see_nothing_change() -> None:
    game = Planted(lambda z, y: (dealt(fresh) + torch.randn(1, 1, 8, 8) / 9).clamp(-1, 1))  # dropout's, say
    seen = checkup(game, of_pictures(train))
    first, second = seen.look(), seen.look()
    assert "change" not in first
    assert (second["change"], second["turnover"]) == (0, 0)
    assert {name: second[name] for name in first} == first


def test_change_is_how_far_the_same_noise_moved_over_how_far_two_reals_are_apart() -> None:
    points = torch.cat([torch.zeros(50, 2), torch.tensor([[4.0, 0.0]]).expand(50, 2)])
    spread = 4 * 50 * 50 / (100 * 99 / 2)
    game = Planted(lambda z, y: points[:1].expand(len(z), 2))
    seen = checkup(game, Dataset("two", Points(2), points, None))
    seen.look()
    game.make = lambda z, y: points[-1:].expand(len(z), 2) + torch.tensor([0.0, 3.0])
    row = seen.look()
    assert row["change"] == pytest.approx(5 / spread)
    assert row["turnover"] == 1, "all went from one cell to the other"
    assert row["missing"] == pytest.approx(0.5)


def lit(y: Tensor, seed: int) -> Tensor:
    """uint8 [n 1 8 8]: noise, and brighter in the quarter that the label y [n] in 0..3 says."""
    quarters = torch.eye(4).view(4, 1, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    noise = torch.randn(len(y), 1, 8, 8, generator=chance(seed))
    return (80 + 60 * quarters[y] + 8 * noise).clamp(0, 255).to(torch.uint8)


def label(asked) -> dict[str, float]:
    """A look at a game that makes the label which `asked` makes of the one that it is asked for, and at its data."""
    labels = torch.arange(400) % 4
    data, kept = (of_pictures(lit(labels[:n], n), labels[:n], 4) for n in (400, 100))
    seen = checkup(Planted(lambda z, y: dealt(lit(asked(y), 7)), classes=4), data, kept)
    return seen.look() | seen.reference.facts


def test_labels_are_read_off_what_is_made() -> None:
    row = label(lambda y: y)
    assert row["label"] == row["data.label"] == 1
    assert row["data.chance"] == 0.25
    assert label(lambda y: (y + 1) % 4)["label"] == 0
    assert label(lambda y: torch.where(y < 2, y, 0))["label"] == pytest.approx(0.5, abs=0.12)


def test_a_game_that_ignores_its_labels_is_right_by_chance() -> None:
    assert label(lambda y: torch.arange(len(y)) // 7 % 4)["label"] == pytest.approx(0.25, abs=0.12)


def test_labels_that_were_shuffled_cannot_be_read() -> None:
    shuffled = torch.randint(4, (400,), generator=chance(4))
    data = of_pictures(lit(torch.arange(400) % 4, 1), shuffled, 4)
    kept = of_pictures(lit(torch.arange(400) % 4, 2), shuffled.flip(0), 4)
    facts = checkup(Planted(lambda z, y: dealt(fresh), classes=4), data, kept).reference.facts
    assert facts["data.label"] < facts["data.chance"] + 0.1


# Batch statistics --------------------------------------------------------------------------------------------------


class Normed(Planted):
    """Batch norm over what a fixed map makes of z."""

    def __init__(self) -> None:
        super().__init__(None)
        torch.manual_seed(0)
        self.fixed = nn.Linear(3, 64).requires_grad_(False)
        self.norm = nn.BatchNorm1d(64, affine=False)

    def generate(self, z, y=None):
        return self.norm(self.fixed(z)).tanh().view(-1, 1, 8, 8)


def leak(wrong: float) -> float:
    """Where running statistics are those of the batch, but for a mean that is off by so many deviations."""
    game = Normed()
    seen = checkup(game, of_pictures(train))
    with torch.no_grad():
        made = game.fixed(seen.z)
        game.norm.running_var.copy_(made.var(0, correction=0))
        game.norm.running_mean.copy_(made.mean(0) + wrong * made.std(0))
    kept = game.norm.running_mean.clone()
    found = seen.look()["leak"]
    assert torch.equal(game.norm.running_mean, kept)
    assert game.norm.training
    return found


def test_a_leak_is_what_running_statistics_change_in_samples() -> None:
    assert leak(0.0) == pytest.approx(-2 / 128, abs=2e-3), "0, but for each sample's distance to itself"
    assert 0.02 < leak(0.5) < leak(2.0)


def test_without_batch_norm_there_is_nothing_to_leak() -> None:
    assert "leak" not in look(lambda z, y: dealt(fresh))


# Scores ------------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_reals_samples_and_reals_never_seen() -> None:
    """D knows its 400 by heart: 3 for them, 1 for everything else."""
    known = dealt(train).flatten(1)

    def by_heart(x: Tensor) -> Tensor:
        return 1 + 2 * (torch.cdist(x.flatten(1), known).min(1).values < 0.1).float()

    row = look(lambda z, y: dealt(fresh), by_heart)
    assert (row["real.score"], row["fake.score"], row["held.score"]) == (3, 1, 1)
    assert (row["auc"], row["held.auc"], row["accuracy"]) == (1, 1, 1)
    assert row["score.spread"] == 0
    row = look(lambda z, y: dealt(train[: len(z)]), by_heart)
    assert (row["auc"], row["accuracy"], row["held.auc"]) == (0.5, 0.5, 1)


def test_the_spread_of_scores_is_about_each_mean() -> None:
    row = look(lambda z, y: torch.zeros(len(z), 1, 8, 8), lambda x: x[:, 0, 0, 0])
    assert row["fake.score"] == 0
    expected = 1 / sqrt(3) / sqrt(2)  # uniform on [-1, 1], and as many that are all 0
    assert row["score.spread"] == pytest.approx(expected, abs=0.05)
    assert row["held.auc"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("judge", [None, lambda x: x.flatten(1).mean(1) / 0])
def test_where_nobody_judges_or_scores_are_not_finite_none_are_told(judge) -> None:
    row = look(lambda z, y: dealt(fresh), judge)
    assert not [name for name in row if "score" in name or "auc" in name or name == "accuracy"]
    assert isfinite(row["distance"])


# Moves and readings ------------------------------------------------------------------------------------------------


def test_steps_are_told_of_the_rounds_since_the_beginning_of_a_look() -> None:
    game = Planted(lambda z, y: dealt(fresh))
    with torch.no_grad():
        game.G.weight.fill_(2.0)
        game.G.bias.fill_(2.0)
    seen = checkup(game, of_pictures(train))
    assert seen.look()["maker.weight"] == pytest.approx(4)
    seen.begin()
    seen.trainer.round()
    row = seen.look()
    assert row["round"] == 1
    assert row["maker.weight"] == pytest.approx(2 * 1.9)
    assert row["maker.step"] == pytest.approx(0.2 / 3.8)
    assert row["maker.gradient"] == pytest.approx(2)
    assert not {"maker.step", "maker.gradient"} & seen.look().keys(), "nothing was begun"
    assert not [name for name in row if name.startswith("judge")]


def test_readings_are_told_once_as_mean_and_deviation() -> None:
    seen = checkup(Planted(lambda z, y: dealt(fresh)), of_pictures(train))
    seen.hear([{"G.adversarial": 1.0}, {"G.adversarial": 5.0, "D.r1": 2.0}])
    row = seen.look()
    assert (row["G.adversarial"], row["G.adversarial~"], row["D.r1"], row["D.r1~"]) == (3, 2, 2, 0)
    assert "D.r1" not in seen.look()
    assert trends([]) == {}


# Translators -------------------------------------------------------------------------------------------------------


class Turned(Translator):
    """A translator as planted; G so that somebody moves."""

    def __init__(self, make):
        super().__init__()
        self.G, self.make = nn.Linear(1, 1), make

    def players(self):
        return [Player("G", [self.G], self.loss, lambda parameters: SGD(parameters, lr=0.1))]

    def loss(self, hand):
        return Loss(adversarial=self.G(torch.ones(len(hand), 1)).mean())

    def judge(self, x, y=None):
        return x.flatten(1).mean(1) - y.flatten(1).mean(1)

    def translate(self, x, direction="AtoB"):
        return self.make(x)


def translated(kind, make) -> dict[str, float]:
    """Dark pictures; the other domain has each of them in light."""
    dark = pictures(400, 5, side=16) // 2
    side = Images(1, 16, 16)
    data = Dataset("planted", kind(side, side), dark, None, partners=255 - dark)
    return checkup(Turned(make), data, data).look()


@pytest.mark.parametrize("kind", [Pairs, Domains])
def test_a_translator_that_returns_what_it_is_given(kind) -> None:
    row = translated(kind, lambda x: x)
    assert row["moved"] == 0
    assert row["translated"] == pytest.approx(0, abs=0.05)
    assert row["distance"] > 1
    assert row["auc"] == 1, "judged beside what it was made of"


@pytest.mark.parametrize("kind", [Pairs, Domains])
def test_a_translator_that_returns_the_partner(kind) -> None:
    row = translated(kind, lambda x: -x)
    assert row["translated"] == pytest.approx(1, abs=0.05)
    assert row["moved"] > 1
    assert row["distance"] == pytest.approx(0, abs=0.05)
    assert row["auc"] == pytest.approx(0.5, abs=0.01)
    assert not {"label", "copies"} & row.keys()


@pytest.mark.parametrize("kind", [Pairs, Domains])
def test_gray_into_colour_is_looked_at_but_not_compared(kind) -> None:
    gray, colour = pictures(60, 1), pictures(60, 2, channels=3)
    data = Dataset("planted", kind(Images(1, 8, 8), Images(3, 8, 8)), gray, None, partners=colour)
    row = checkup(Turned(lambda x: x.expand(-1, 3, -1, -1)), data, data).look()
    assert not {"moved", "translated"} & row.keys()
    assert all(map(isfinite, row.values()))
    assert row["distance"] > 0


# Points ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 5])
def test_points_of_any_dimension(dim: int) -> None:
    points = torch.randn(300, dim, generator=chance())
    seen = checkup(
        Planted(lambda z, y: points[: len(z)].repeat(2, 1)[: len(z)]), Dataset("p", Points(dim), points, None)
    )
    row = seen.look()
    assert all(map(isfinite, row.values()))
    assert row["missing"] == 0
    assert row["distance"] == pytest.approx(0, abs=0.05)


def test_samples_are_made_and_judged_as_many_at_once_as_in_a_round() -> None:
    """A look takes no more memory than a round does, and sees the batch statistics of a round's batches."""
    sizes: list[int] = []

    def make(z: Tensor, y: Tensor | None) -> Tensor:
        sizes.append(len(z))
        return dealt(train[: len(z)])

    game = Planted(make)
    seen = Checkup(Trainer(game, lambda: (dealt(train[:4]), None)), of_pictures(train), None, seed=0, batch=50)
    seen.look()
    assert sum(sizes) >= 128
    assert max(sizes) <= 50
