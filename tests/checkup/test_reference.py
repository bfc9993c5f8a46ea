"""The data's side of every comparison."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.checkup.reference import COMPARED, FEWEST, HANDFUL, Dealt, Reference, contrast, nearness, saturated
from zerosum.data.dataset import Dataset
from zerosum.data.deck import deck_of
from zerosum.data.spec import Domains, Images, Pairs, Points
from zerosum.game import Game, Translator


class Nobody(Game):
    latent = 1

    def __init__(self, classes: int = 0):
        super().__init__()
        self.G, self.classes = nn.Linear(1, 1), classes


class Nowhere(Translator):
    def __init__(self) -> None:
        super().__init__()
        self.G = nn.Linear(1, 1)


def noise(n: int, seed: int = 0, low: int = 0, high: int = 256, shape=(1, 8, 8)) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (n, *shape), generator=chance, dtype=torch.uint8)


def of_pictures(examples: torch.Tensor, labels: torch.Tensor | None = None, classes: int = 0) -> Dataset:
    spec = Images(*examples.shape[1:], classes=tuple(map(str, range(classes))))
    return Dataset("noise", spec, examples, labels)


def reference(data: Dataset, held_out: Dataset | None = None, n: int = 128, game: Game | None = None) -> Reference:
    return Reference(game or Nobody(), data, held_out, n, torch.Generator().manual_seed(0))


# What is dealt -----------------------------------------------------------------------------------------------------


def rows_of(x: torch.Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in x}


@pytest.mark.parametrize("kind", ["labels", "points", "pairs"])
def test_examples_are_those_of_the_deck(kind: str) -> None:
    """In the unit that they are trained in, each with what belongs to it."""
    y = torch.arange(40) % 3
    data = {
        "labels": of_pictures(noise(40), y, 3),
        "points": Dataset("p", Points(2, scale=5.0), 5 * torch.randn(40, 2), None),
        "pairs": Dataset("p", Pairs(Images(1, 8, 8), Images(1, 8, 8)), noise(40), None, partners=noise(40, 1)),
    }[kind]
    game = Nowhere() if kind == "pairs" else Nobody(3 if kind == "labels" else 0)
    x, beside = deck_of(data, labelled=game.classes > 0, seed=0, device=torch.device("cpu")).deal(40)
    drawn = reference(data, n=40, game=game).drawn
    found = torch.tensor([int((x == one).flatten(1).all(1).nonzero()[0, 0]) for one in drawn.x])
    assert sorted(found.tolist()) == list(range(40))
    assert (drawn.y is None) == (beside is None)
    if beside is not None:
        torch.testing.assert_close(drawn.y, beside[found])


def test_of_a_smaller_second_domain_pictures_come_again() -> None:
    partners = noise(7, 1)
    data = Dataset("d", Domains(Images(1, 8, 8), Images(1, 8, 8)), noise(40), None, partners=partners)
    drawn = reference(data, n=40, game=Nowhere()).drawn
    assert len(drawn.y) == 40
    assert rows_of(drawn.y) == rows_of(partners.float().div_(127.5).sub_(1.0))


def test_held_out_points_are_in_the_unit_of_those_trained_on() -> None:
    points = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    data, test = Dataset("p", Points(2, scale=1.0), points, None), Dataset("p", Points(2, scale=3.0), points, None)
    held = reference(data, test, n=100).held.x
    assert rows_of(held) == rows_of(points), "each as it is, in an order of chance"


def test_held_out_examples_of_a_file_in_order_of_classes_are_shuffled() -> None:
    labels = torch.arange(2000) // 1000
    pictures = (255 * labels[:, None, None, None]).expand(-1, 1, 8, 8).to(torch.uint8)
    data = Dataset("d", Images(1, 8, 8, ("a", "b")), pictures, labels)
    found = reference(data, data, n=64, game=Nobody(2))
    assert 0.45 < found.facts["data.chance"] < 0.56
    assert found.facts["data.label"] == 1


@pytest.mark.parametrize("n", [1, 2, 5, 15])
def test_few_examples_come_again_until_they_are_a_handful(n: int) -> None:
    examples = noise(n)
    drawn = reference(of_pictures(examples), n=HANDFUL).drawn
    assert len(drawn) == HANDFUL
    assert rows_of(drawn.x) == rows_of(examples.float().div_(127.5).sub_(1.0))


def test_what_is_looked_at_again_holds_no_more_memory_than_itself() -> None:
    found = reference(of_pictures(noise(3000)), of_pictures(noise(2000, 1)), n=20)
    assert (len(found.drawn), len(found.held), len(found.real)) == (20, 40, COMPARED)
    for held in (found.drawn.x, found.held.x):
        assert held.untyped_storage().nbytes() == held.numel() * held.element_size()
    assert len(Dealt(torch.zeros(3, 1), torch.zeros(3)).first(2).y) == 2


# What is known of the data -----------------------------------------------------------------------------------------


def test_pictures_are_described_by_their_range_contrast_and_differences() -> None:
    halves = torch.tensor([0, 255], dtype=torch.uint8).repeat_interleave(32).view(1, 1, 8, 8).expand(60, 1, 8, 8)
    facts = reference(of_pictures(halves)).facts
    assert (facts["data.low"], facts["data.high"]) == (-1, 1)
    assert facts["data.contrast"] == pytest.approx((64 / 63) ** 0.5)
    assert (facts["data.differ"], facts["data.saturated"], facts["data.examples"]) == (0, 1, 60)
    dark = reference(of_pictures(noise(400, low=100, high=151))).facts
    assert dark["data.low"] == pytest.approx(100 / 127.5 - 1, abs=0.02)
    assert dark["data.high"] == pytest.approx(150 / 127.5 - 1, abs=0.02)
    uniform = 51 / 127.5 / 12**0.5
    assert dark["data.contrast"] == pytest.approx(uniform, rel=0.05)
    assert dark["data.differ"] == pytest.approx(uniform, rel=0.05)
    assert dark["data.saturated"] == 0


def test_contrast_and_saturated() -> None:
    x = torch.tensor([[-1.0, 1.0, 0.0, 0.985]]).view(1, 1, 2, 2)
    assert saturated(x) == 0.75
    assert contrast(x) == pytest.approx(float(x.std()))
    assert contrast(torch.cat([x, torch.zeros_like(x)])) == pytest.approx(float(x.std()) / 2)


def test_points_are_known_by_number_and_distance_only() -> None:
    found = reference(Dataset("p", Points(1), torch.randn(300, 1), None), n=300)
    assert set(found.facts) == {"data.examples", "data.distance"}
    assert (found.reader, found.known) == (None, None)


def test_twins_are_nearer_than_any_two_reals_and_duplicates_know_none() -> None:
    points = torch.arange(100.0)[:, None] * 3
    assert reference(Dataset("p", Points(1), points, None), n=100).twins == 1.5
    doubled = Dataset("p", Points(1), points.repeat(2, 1), None)
    assert reference(doubled, n=200).twins == 0


def test_domains_are_as_far_apart_as_their_energy_distance() -> None:
    side = Images(1, 8, 8)

    def apart(partners: torch.Tensor) -> float:
        data = Dataset("d", Domains(side, side), noise(400, high=100), None, partners=partners)
        return reference(data, game=Nowhere()).apart

    assert apart(noise(400, 1, high=100)) == pytest.approx(0, abs=0.01)
    assert apart(noise(400, 1, low=150)) > 2


# Held-out data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, FEWEST - 1])
def test_of_too_few_held_out_examples_nothing_is_learnt(n: int) -> None:
    labels = torch.arange(100) % 2
    found = reference(
        of_pictures(noise(100), labels, 2), of_pictures(noise(n, 1), labels[:n], 2) if n else None, game=Nobody(2)
    )
    assert (found.held, found.reader, found.known) == (None, None, None)
    assert "data.label" not in found.facts


def test_chance_is_the_share_of_the_commonest_label() -> None:
    labels = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
    found = reference(of_pictures(noise(100), labels, 3), of_pictures(noise(100, 1), labels, 3), game=Nobody(3))
    assert found.facts["data.chance"] == pytest.approx(0.7)
    one = torch.zeros(100, dtype=torch.long)
    alone = reference(of_pictures(noise(100), one, 1), of_pictures(noise(100, 1), one, 1), game=Nobody(1)).facts
    assert alone["data.label"] == alone["data.chance"] == 1


def test_nearness_is_the_nearest_over_the_mean_of_ten() -> None:
    line = torch.arange(20.0)[:, None]
    assert nearness(torch.tensor([[0.0]]), line) == 0
    expected = 1 / (sum(range(1, 11)) / 10)
    assert float(nearness(torch.tensor([[-1.0]]), line)) == pytest.approx(expected)


def test_a_hundredth_of_held_out_data_counts_as_copied() -> None:
    train, test = noise(500), noise(300, 1)
    found = reference(of_pictures(train), of_pictures(test))
    from zerosum.checkup.sight import seen

    def copied(x: torch.Tensor) -> float:
        return found.copied(seen(x.float() / 127.5 - 1))

    assert copied(test) == pytest.approx(0.01, abs=0.004)
    assert copied(train) == 1
    assert copied(noise(300, 2)) < 0.05
    assert reference(of_pictures(train[:10]), of_pictures(test)).known is None, "ten have no ten others"
