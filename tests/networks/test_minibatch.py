"""Layers over a minibatch, against their formulas written out in loops."""

import math

import pytest
import torch

from zerosum.data.spec import Images, Points
from zerosum.networks.minibatch import MinibatchDeviation, MinibatchDiscrimination
from zerosum.recipes import RECIPES


def test_discrimination_is_the_sum_over_the_others() -> None:
    """o(x_i)_b = sum_{j != i} exp(-||M_i,b - M_j,b||_1), in plain loops (Salimans et al. 2016, section 3.2)."""
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(4, kernels=3, numbers=2)
    f = torch.randn(5, 4)
    out = layer(f)
    assert out.shape == (5, 7)
    assert layer.outputs == 7
    assert torch.equal(out[:, :4], f)
    matrices = [[sum(f[i, a] * layer.T.detach()[a] for a in range(4))[b] for b in range(3)] for i in range(5)]
    for i in range(5):
        for b in range(3):
            others = [math.exp(-(matrices[i][b] - matrices[j][b]).abs().sum()) for j in range(5) if j != i]
            assert out[i, 4 + b].item() == pytest.approx(sum(others), rel=1e-5)


def test_a_collapsed_minibatch_is_as_close_as_can_be() -> None:
    layer = MinibatchDiscrimination(4, kernels=3)
    same = torch.randn(1, 4).expand(6, -1)
    torch.testing.assert_close(layer(same)[:, 4:], torch.full((6, 3), 5.0))
    spread = 100 * torch.randn(6, 4)
    assert layer(spread)[:, 4:].max() < 0.1


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 3, 2)], ids=str)
def test_deviation_is_the_mean_of_standard_deviations(shape) -> None:
    layer = MinibatchDeviation(5)
    x = torch.randn(shape)
    out = layer(x)
    assert layer.outputs == 6
    assert out.shape == (8, 6, *shape[2:])
    assert torch.equal(out[:, :5], x)
    expected = x.std(0, unbiased=False).mean()
    torch.testing.assert_close(out[:, 5], expected.expand(out[:, 5].shape))


def test_a_collapsed_minibatch_has_no_deviation_and_a_finite_slope() -> None:
    x = torch.ones(4, 3, requires_grad=True)
    out = MinibatchDeviation(3)(x)
    assert out[:, 3].max() < 1e-3
    out.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", ["gan", "dcgan", "lsgan", "wgan", "pacgan"])
@pytest.mark.parametrize("sight", ["discrimination", "deviation"])
def test_any_small_discriminator_can_see_its_minibatch(name: str, sight: str) -> None:
    recipe = RECIPES[name]
    for spec in (Images(1, 16, 16), Points(2)):
        if isinstance(spec, recipe.takes):
            game = recipe.game(recipe.config(minibatch=sight), spec)
            x = torch.randn(8, *spec.shape)
            judged = (game.score if hasattr(game, "score") else game.D)(game.packs(x) if name == "pacgan" else x)
            x[4:] = x[:4]
            again = (game.score if hasattr(game, "score") else game.D)(game.packs(x) if name == "pacgan" else x)
            assert not torch.allclose(judged[:2], again[:2]), "the first four are the same, their neighbours are not"
            assert game.realness(x) is None, "there is no verdict on one example alone"


@pytest.mark.parametrize("name", ["wgan_gp", "r1gan", "sngan"])
def test_where_the_slope_at_one_example_is_bounded_d_sees_it_alone(name: str) -> None:
    with pytest.raises(ValueError, match="minibatch"):
        RECIPES[name].config(minibatch="deviation")
