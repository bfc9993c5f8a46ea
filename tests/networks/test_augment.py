"""DiffAugment: pictures are moved, cut and recoloured by chance, with gradients, and only where D plays."""

import pytest
import torch
from torch import nn

from zerosum.networks.augment import DiffAugment, augment, cut_out, recoloured, shifted


@pytest.fixture(autouse=True)
def chance():
    torch.manual_seed(0)


def test_a_share_of_the_pictures_is_changed():
    x = torch.rand(1000, 1, 8, 8) * 2 - 1
    assert DiffAugment(0.0)(x).equal(x)
    changed = (DiffAugment(0.3)(x) != x).flatten(1).any(1)
    assert 0.25 < changed.float().mean() < 0.35
    assert (DiffAugment(1.0)(x) != x).flatten(1).any(1).all()


def test_shifts_are_whole_pixels_up_to_an_eighth():
    x = torch.arange(1.0, 16 * 24 + 1).reshape(1, 1, 16, 24).expand(500, 2, 16, 24)
    moved = shifted(x)
    seen = set()
    for picture in moved:
        row, column = (picture[0] == x[0, 0, 8, 12]).nonzero()[0].tolist()  # where the middle came to lie
        down, right = row - 8, column - 12
        seen.add((down, right))
        expected = torch.zeros(16, 24)
        rows, columns = slice(max(0, down), 16 + min(0, down)), slice(max(0, right), 24 + min(0, right))
        back = slice(max(0, -down), 16 - max(0, down)), slice(max(0, -right), 24 - max(0, right))
        expected[rows, columns] = x[0, 0][back]
        assert picture[0].equal(expected)
        assert picture[1].equal(expected)
    assert {down for down, _ in seen} == set(range(-2, 3))
    assert {right for _, right in seen} == set(range(-3, 4))


def test_a_square_of_half_the_side_is_blank():
    blank = (cut_out(torch.ones(2000, 1, 16, 16)) == 0).float().mean((1, 2, 3))
    assert blank.max() == 0.25
    assert 1 / 16 <= blank.min() < 0.1


def test_colours_change_by_the_amounts_of_the_paper():
    flat = recoloured(torch.zeros(2000, 1, 4, 4)).flatten(1)
    assert flat.std(1).max() < 1e-6
    assert flat.min() < -0.45
    assert flat.max() > 0.45
    assert flat.abs().max() <= 0.5
    half = torch.ones(2000, 1, 4, 4)
    half[..., 2:] = -1
    contrast = recoloured(half).flatten(1).amax(1) - recoloured(half).flatten(1).amin(1)
    assert abs(contrast.mean() - 2) < 0.1
    red = torch.zeros(2000, 3, 4, 4)
    red[:, 0] = 1
    spread = recoloured(red).mean((2, 3)).std(1, correction=0) / red[0].mean((1, 2)).std(correction=0)
    assert spread.min() < 0.1
    assert 2 < spread.max() <= 3


def test_slopes_pass_through_it_twice():
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    network = nn.Sequential(DiffAugment(1.0), nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 1))
    (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    assert x.grad.isfinite().all()


def test_networks_see_changed_pictures_only_where_they_play():
    network = nn.Flatten()
    augment([network], DiffAugment(1.0))
    x, points = torch.rand(2, 1, 8, 8), torch.rand(2, 5)
    assert not network(x).equal(x.flatten(1))
    assert network(points).equal(points)
    with torch.no_grad():
        assert network(x).equal(x.flatten(1))
    assert network.eval()(x).equal(x.flatten(1))
