"""Jitter moves each picture by itself, a little, and lets gradients through."""

import pytest
import torch

from zerosum.networks.jitter import Jitter


def blob(n: int) -> torch.Tensor:
    """A bright square in the middle of black pictures."""
    x = torch.full((n, 1, 32, 32), -1.0)
    x[..., 12:20, 12:20] = 1.0
    return x


def test_no_strength_moves_nothing() -> None:
    x = torch.rand(3, 2, 9, 13)
    assert torch.equal(Jitter(0.0)(x), x)


def test_pictures_move_each_by_itself_about_the_middle() -> None:
    torch.manual_seed(0)
    moved = Jitter(0.4)(blob(400)) + 1
    mass = moved.sum((1, 2, 3))
    columns = (moved.sum((1, 2)) * torch.arange(32)).sum(1) / mass - 15.5
    assert float(columns.std()) > 1, "they move"
    assert float(columns.abs().max()) <= 16 * 0.4 / 2 / (1 - 0.2) / 0.7, "not far"
    assert float(columns.mean()) == pytest.approx(0, abs=0.3)
    assert float(mass.mean()) == pytest.approx(128, rel=0.1)
    assert float(mass.std()) > 10, "they are zoomed"


def test_the_border_is_carried_on() -> None:
    torch.manual_seed(0)
    x = torch.full((20, 3, 8, 11), 0.25)
    torch.testing.assert_close(Jitter(1.0)(x), x)


def test_gradients_and_chance_pass() -> None:
    x = torch.rand(4, 1, 9, 12, requires_grad=True)
    torch.manual_seed(5)
    y = Jitter(0.3)(x)
    torch.manual_seed(5)
    assert torch.equal(y, Jitter(0.3)(x))
    assert not torch.equal(y, Jitter(0.3)(x))
    y.sum().backward()
    assert (x.grad != 0).any()


def test_places_are_taken_in_float32_under_mixed_precision() -> None:
    x, jitter = torch.rand(4, 1, 28, 28), Jitter(0.5)
    torch.manual_seed(3)
    wide = jitter(x)
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(jitter(x), wide)
