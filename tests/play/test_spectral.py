"""Convolutions by Fourier's transform: torch's direct ones are what they are held to."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, conv_transpose2d

from zerosum.play.spectral import Grid, convolve, convolve_transposed, is_worth_it, transforms

THE_LARGE_ONE = Grid((7, 7), (5, 5), (2, 2))

grids = st.builds(
    Grid,
    st.tuples(st.integers(5, 9), st.integers(5, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(0, 5), st.integers(0, 3)),  # padding beyond the kernel too
)


def inputs(grid: Grid, n=2, c=3, o=4, dtype=torch.float64):
    torch.manual_seed(0)
    x = torch.randn(n, c, *grid.sides, dtype=dtype)
    w = torch.randn(o, c, *grid.kernel, dtype=dtype)
    return x, w, torch.randn(n, o, *grid.windows, dtype=dtype)


@settings(max_examples=40, deadline=None)
@given(grids)
def test_both_ways_are_the_direct_convolution(grid) -> None:
    x, w, y = inputs(grid)
    bias = torch.randn(4, dtype=x.dtype)
    torch.testing.assert_close(convolve(x, w, bias, grid, x.dtype), conv2d(x, w, bias, 1, grid.padding))
    bias = torch.randn(3, dtype=x.dtype)
    back = convolve_transposed(y, w, bias, grid, x.dtype)
    torch.testing.assert_close(back, conv_transpose2d(y, w, bias, 1, grid.padding))
    assert back.is_contiguous(memory_format=torch.channels_last)


def test_the_count_of_products_is_the_claim() -> None:
    A, B, C = transforms(THE_LARGE_ONE, torch.float32)
    assert THE_LARGE_ONE.circle == [9, 9]
    assert (A.shape, B.shape, C.shape) == ((121, 49), (121, 25), (49, 121))


def test_errors_in_float32_are_a_direct_convolutions() -> None:
    x, w, y = inputs(THE_LARGE_ONE, n=8, c=64, o=32)
    small = [t.float().requires_grad_() for t in (x, w)]
    exact = [t.requires_grad_() for t in (x, w)]
    ours, truth = convolve(*small, None, THE_LARGE_ONE, torch.float32), conv2d(*exact, None, 1, 2)
    slopes = torch.autograd.grad(ours, small, y.float())
    for a, b in zip((ours, *slopes), (truth, *torch.autograd.grad(truth, exact, y)), strict=True):
        assert float((a - b).detach().norm() / b.detach().norm()) < 2e-6


def test_slopes_of_slopes() -> None:
    x, w, y = (t.requires_grad_() for t in inputs(Grid((3, 4), (2, 3), (1, 1)), 1, 2, 2))
    grid = Grid((3, 4), (2, 3), (1, 1))
    assert torch.autograd.gradgradcheck(lambda x, w: convolve(x, w, None, grid, x.dtype), [x, w])
    assert torch.autograd.gradgradcheck(lambda y, w: convolve_transposed(y, w, None, grid, y.dtype), [y, w])


def test_only_where_multiplications_are_few() -> None:
    assert is_worth_it(THE_LARGE_ONE, 256, 256, 128)
    assert not is_worth_it(THE_LARGE_ONE, 2, 256, 128), "two pictures do not pay for the weights' transform"
    assert not is_worth_it(THE_LARGE_ONE, 256, 256, 1)
    assert not is_worth_it(Grid((28, 28), (3, 3), (1, 1)), 64, 16, 16)
    assert not is_worth_it(Grid((7, 7), (1, 1), (0, 0)), 64, 64, 64)
