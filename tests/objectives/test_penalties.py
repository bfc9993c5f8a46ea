"""Penalties against critics whose slope is known."""

import pytest
import torch

from zerosum.objectives.penalties import interpolates, squared_slope, wgan_gp_penalty, zero_centred_penalty


def points(n=7, d=5):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_linear_critic() -> None:
    """C(x) = w.x: the slope is w everywhere; R1 is |w|^2 / 2, WGAN-GP (|w| - 1)^2."""
    w, x = torch.tensor([3.0, 0, 4, 0, 0], dtype=torch.float64), points()
    assert squared_slope(x @ w, x).tolist() == pytest.approx([25.0] * 7)
    assert zero_centred_penalty(x @ w, x).item() == pytest.approx(12.5)
    assert wgan_gp_penalty(x @ w, x).item() == pytest.approx(16.0)
    assert wgan_gp_penalty(x @ w / 5, x).item() == pytest.approx(0, abs=1e-24), "a unit slope costs nothing"


def test_quadratic_critic() -> None:
    """C(x) = |x|^2 / 2 has the slope x."""
    x = points()
    expected = x.detach().square().sum(1)
    torch.testing.assert_close(squared_slope(x.square().sum(1) / 2, x).detach(), expected)
    torch.testing.assert_close(zero_centred_penalty(x.square().sum(1) / 2, x).detach(), expected.mean() / 2)


def test_double_backward_moves_the_critic() -> None:
    """d/dw of |w|^2 / 2 is w."""
    w, x = torch.tensor([3.0, 0, 4, 0, 0], dtype=torch.float64, requires_grad=True), points()
    zero_centred_penalty(x @ w, x).backward()
    torch.testing.assert_close(w.grad, w.detach())
    assert x.grad is None or torch.equal(x.grad, torch.zeros_like(x)), (
        "the slope of a linear critic does not depend on x"
    )


def test_a_flat_critic_has_a_finite_gradient() -> None:
    w, x = torch.zeros(5, dtype=torch.float64, requires_grad=True), points()
    penalty = wgan_gp_penalty(x @ w, x)
    penalty.backward()
    assert float(penalty.detach()) == pytest.approx(1.0)
    assert torch.isfinite(w.grad).all()


def test_pictures_of_any_shape_are_one_example_each() -> None:
    x = torch.randn(4, 3, 6, 5, requires_grad=True)
    torch.testing.assert_close(squared_slope(x.sum((1, 2, 3)), x), torch.full((4,), 90.0))


def test_under_autocast_the_slope_is_taken_in_float32() -> None:
    net, x = torch.nn.Linear(8, 1), torch.randn(4, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        scores = net(x)
        slope = squared_slope(scores, x)
    assert scores.dtype == torch.bfloat16
    assert slope.dtype == torch.float32
    torch.testing.assert_close(slope, net.weight.square().sum().expand(4), rtol=0.02, atol=0)


def test_interpolates_lie_between() -> None:
    real, fake = torch.zeros(2000, 2), torch.ones(2000, 2, requires_grad=True)
    x = interpolates(real, fake)
    assert x.is_leaf
    assert x.requires_grad
    t = x.detach()
    assert torch.equal(t[:, 0], t[:, 1]), "one t for each pair"
    assert float(t.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(t.var()) == pytest.approx(1 / 12, abs=0.02)


def test_scores_made_before_x_takes_gradients_are_refused() -> None:
    x = torch.randn(3, 2)
    with pytest.raises(ValueError, match="requires_grad_"):
        squared_slope(x.sum(1), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_examples_are_refused(dtype) -> None:
    x = torch.randn(3, 2).to(dtype).requires_grad_()
    for penalty in (squared_slope, zero_centred_penalty, wgan_gp_penalty):
        with pytest.raises(ValueError, match=rf"x is {dtype}: score x.float\(\)"):
            penalty(x.float().sum(1), x)
