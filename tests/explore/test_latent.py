"""Ways through the latent space, against geometry."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.explore.latent import arc, around, parse_sum, sum_of_means, walk


@given(seed=st.integers(0, 10**6), steps=st.integers(2, 20), dim=st.integers(2, 60))
@settings(max_examples=50, deadline=None)
def test_an_arc_keeps_the_sphere_and_turns_evenly(seed: int, steps: int, dim: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    a, b = torch.nn.functional.normalize(torch.randn(2, dim, generator=chance, dtype=torch.float64), dim=1)
    points = arc(a, b, steps)
    assert points.shape == (steps, dim)
    torch.testing.assert_close(points[0], a)
    torch.testing.assert_close(points[-1], b)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(steps, dtype=torch.float64))
    turns = (points[1:] * points[:-1]).sum(1).clamp(-1, 1)
    torch.testing.assert_close(turns, turns[:1].expand(steps - 1), rtol=1e-6, atol=1e-9)


def test_a_quarter_circle() -> None:
    half = math.sqrt(0.5)
    torch.testing.assert_close(arc(torch.tensor([1.0, 0]), torch.tensor([0, 1.0]), 3)[1], torch.tensor([half, half]))


@pytest.mark.parametrize("b", [[2.0, 0.0], [-1.0, 0.0]], ids=["same way", "opposite"])
def test_where_there_is_no_one_arc_it_is_a_line(b) -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor(b)
    torch.testing.assert_close(arc(a, b, 3), torch.stack([a, (a + b) / 2, b]))


def test_a_walk_passes_every_stop_and_comes_back() -> None:
    stops = torch.randn(4, 8)
    way = walk(stops, 5)
    assert way.shape == (20, 8)
    torch.testing.assert_close(way[::5], stops)
    torch.testing.assert_close(way[-1], arc(stops[3], stops[0], 6)[4])


def test_a_sum_of_means() -> None:
    king, man, woman = torch.tensor([[1.0, 1], [3, 1]]), torch.tensor([[1.0, 0]]), torch.tensor([[0.0, 5], [0, 7]])
    assert sum_of_means([1, -1, 1], [king, man, woman]).tolist() == [2 - 1 + 0, 1 - 0 + 6]


def test_neighbours_stay_near() -> None:
    z = torch.randn(50)
    found = around(z, 6, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(found[0], z)
    assert 0.2 < (found[1:] - z).abs().max() <= 0.25


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("smiling woman - woman + man", [(1, "smiling woman", ()), (-1, "woman", ()), (1, "man", ())]),
        ("#3,8, 12 - #5", [(1, None, (3, 8, 12)), (-1, None, (5,))]),
        ("- T-shirt + Ankle boot", [(-1, "T-shirt", ()), (1, "Ankle boot", ())]),
    ],
)
def test_sums_are_read(text: str, terms) -> None:
    assert [(term.sign, term.label, term.numbers) for term in parse_sum(text)] == terms


@pytest.mark.parametrize("text", ["", "woman", "#3", "woman + ", "#x + #2", "+ ", "a - #"])
def test_what_is_no_sum_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no sum|has one term"):
        parse_sum(text)
