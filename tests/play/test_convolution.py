"""Convolutions as one trilinear form: torch's own are what they are held to, slopes of every order included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from zerosum.play.convolution import Form, Meet, Spread, play, summed_taps


def case(n, c, o, sides, kernel, stride, padding, dtype=torch.float64):
    """x, w, y that fit together, and their form."""
    torch.manual_seed(0)
    w = torch.randn(o, c, *kernel, dtype=dtype)
    x = torch.randn(n, c, *sides, dtype=dtype).contiguous(memory_format=torch.channels_last)
    y = torch.randn_like(conv2d(x, w, None, stride, padding))
    return x, w, y, Form(stride, padding, kernel, sides)


def agree(ours: Tensor, theirs: Tensor, tolerance: float = 1e-12) -> None:
    ours, theirs = ours.detach(), theirs.detach()
    assert ours.shape == theirs.shape
    assert float((ours - theirs).norm()) <= tolerance * float(theirs.norm()) + 1e-11


shapes = st.tuples(
    st.integers(1, 3),  # pictures
    st.integers(1, 5),  # channels: few, and more than few
    st.integers(1, 4),
    st.tuples(st.integers(5, 9), st.integers(5, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
)


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_both_ways_and_all_slopes_are_torchs(shape) -> None:
    x, w, y, form = case(*shape)
    bias_o, bias_c = torch.randn(len(w)).double(), torch.randn(x.shape[1]).double()
    own = [t.clone().requires_grad_() for t in (x, w, bias_o)]
    torchs = [t.clone().requires_grad_() for t in (x, w, bias_o)]
    ours, theirs = play(Meet, *own, form), conv2d(*torchs, form.stride, form.padding)
    agree(ours, theirs)
    for a, b in zip(torch.autograd.grad(ours, own, y), torch.autograd.grad(theirs, torchs, y), strict=True):
        agree(a, b)
    own = [t.clone().requires_grad_() for t in (y, w, bias_c)]
    torchs = [t.clone().requires_grad_() for t in (y, w, bias_c)]
    ours = play(Spread, *own, form)
    theirs = conv_transpose2d(*torchs, form.stride, form.padding, form.over(y))
    agree(ours, theirs)
    for a, b in zip(torch.autograd.grad(ours, own, x), torch.autograd.grad(theirs, torchs, x), strict=True):
        agree(a, b)


@pytest.mark.parametrize("function", [Meet, Spread])
@pytest.mark.parametrize("channels", [1, 4], ids=["thin", "usual"])
def test_slopes_of_slopes(function, channels) -> None:
    x, w, y, form = case(2, channels, 2, (5, 6), (3, 4), (2, 2), (1, 2))
    given_ = x if function is Meet else y
    bias = torch.randn(len(w) if function is Meet else channels, dtype=x.dtype)
    inputs = [t.clone().requires_grad_() for t in (given_, w, bias)]
    assert torch.autograd.gradcheck(lambda *a: play(function, *a, form), inputs)
    assert torch.autograd.gradgradcheck(lambda *a: play(function, *a, form), inputs)


def test_only_the_movers_slopes_are_computed(monkeypatch) -> None:
    """With `inputs=` a pass through another player's layer must not work out what its weights would like."""
    from zerosum.play import convolution

    x, w, _, form = case(2, 1, 4, (8, 8), (4, 4), (2, 2), (1, 1))
    x, w = x.requires_grad_(), w.requires_grad_()
    asked = []
    weigh, taps = convolution.weigh, convolution.summed_taps
    monkeypatch.setattr(convolution, "weigh", lambda *a: asked.append("w") or weigh(*a))
    monkeypatch.setattr(convolution, "summed_taps", lambda *a: asked.append("x") or taps(*a))
    moved = x * 1.0
    play(Meet, moved, w, None, form).sum().backward(inputs=[x])
    assert asked == ["x"]
    play(Meet, x * 1.0, w, None, form).sum().backward(inputs=[w])
    assert asked == ["x"]  # torch's own, all in one


def test_taps_reach_rows_that_no_window_does() -> None:
    x, w, y, form = case(1, 2, 3, (9, 9), (4, 4), (2, 2), (0, 0))
    assert form.over(y) == [1, 1]
    spread = summed_taps(y, w, form)
    agree(spread, conv_transpose2d(y, w, None, 2, 0, 1))
    assert spread.shape == x.shape
    assert not spread[:, :, -1].any()
    assert spread.is_contiguous(memory_format=torch.channels_last)
