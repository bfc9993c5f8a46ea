"""Resizing against Pillow's antialiased filter, and against what a resize must never do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zerosum.metrics.resize import as_rgb, resize


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("old", "new"), [((32, 40), (12, 10)), ((28, 28), (61, 33)), ((64, 64), (32, 32)), ((9, 50), (30, 20))]
)
def test_it_is_pillows_cubic_filter_without_its_rounding(old, new) -> None:
    """Pillow keeps the fractions of a 32-bit gray picture, and overshoots: so does clean-fid's path, which clips."""
    picture = noise(1, 1, *old)
    theirs = Image.fromarray(picture[0, 0].numpy().astype(np.float32)).resize(new[::-1], Image.Resampling.BICUBIC)
    ours = resize(picture, *new)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours[0, 0], np.asarray(theirs).clip(0, 255), atol=2e-3)
    assert bool((ours != ours.round()).any())


def test_pillows_bytes_lie_within_their_rounding() -> None:
    """It rounds after the rows, which the columns' weights (absolute sum <= 1.25) pass on, and again: 0.5 x 2.25."""
    rows, columns = torch.meshgrid(torch.arange(40) / 6, torch.arange(56) / 9, indexing="ij")
    picture = (128 + 60 * rows.sin() * columns.cos()).to(torch.uint8)
    theirs = Image.fromarray(picture.numpy()).resize((33, 24), Image.Resampling.BICUBIC)
    gap = np.abs(resize(picture[None, None], 24, 33)[0, 0].numpy() - np.asarray(theirs))
    assert 0 < gap.max() < 1.13


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.integers(8, 40), st.integers(8, 40), st.integers(8, 70), st.integers(8, 70))
def test_a_constant_stays_constant(value, height, width, new_height, new_width) -> None:
    x = resize(torch.full((2, 3, height, width), value, dtype=torch.uint8), new_height, new_width)
    assert x.shape == (2, 3, new_height, new_width)
    assert (x - value).abs().max() < 1e-3


def test_a_fine_checkerboard_becomes_gray_where_aliasing_would_keep_it() -> None:
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255).to(torch.uint8)[None, None]
    x = resize(board, 16, 16)
    assert (x[..., 2:-2, 2:-2] - 127.5).abs().max() < 1
    assert (x - 127.5).abs().max() < 12  # at the edge the filter is cut
    assert board[..., ::4, ::4].unique().numel() == 1  # taking every fourth pixel: black all over


def test_a_wave_that_fits_keeps_its_energy_and_one_that_does_not_loses_it() -> None:
    place = torch.arange(128)
    slow, fast = (
        (127.5 + 100 * torch.sin(2 * torch.pi * place * k / 128)).expand(1, 1, 128, 128).clone() for k in (3, 50)
    )
    assert resize(slow, 32, 32).var() == pytest.approx(5000, rel=0.06)
    assert resize(fast, 32, 32).var() < 25


def test_the_same_size_keeps_the_bytes_and_bytes_stay_in_their_range() -> None:
    x = noise(2, 1, 16, 16)
    assert torch.equal(resize(x, 16, 16), x.float())
    edge = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    edge[..., 8:] = 255
    assert (resize(edge, 40, 40).min(), resize(edge, 40, 40).max()) == (0, 255)
    assert resize(edge.float(), 40, 40).max() > 256  # floats have no range to be kept in


def test_mean_brightness_is_kept() -> None:
    x = noise(1, 1, 64, 64)
    assert float(resize(x.float(), 16, 16).mean()) == pytest.approx(float(x.float().mean()), abs=0.5)


def test_channels() -> None:
    gray, colour, clear = noise(2, 1, 8, 8), noise(2, 3, 8, 8), noise(2, 4, 8, 8)
    assert torch.equal(as_rgb(gray), torch.cat([gray] * 3, 1))
    assert as_rgb(colour) is colour or torch.equal(as_rgb(colour), colour)
    clear[:, 3], clear[:, 3, 0] = 255, 0
    laid = as_rgb(clear)
    assert (laid[:, :, 0] == 255).all()
    assert torch.equal(laid[:, :, 1:], clear[:, :3, 1:].float())
    with pytest.raises(ValueError, match="got pictures with 2 channels; expected 1 "):
        as_rgb(colour[:, :2])


@pytest.mark.parametrize(
    ("shape", "size"), [((1, 1, 7, 20), (20, 20)), ((1, 20, 20), (20, 20)), ((1, 1, 20, 20), (20, 4))]
)
def test_what_is_too_small_is_refused(shape, size) -> None:
    with pytest.raises(ValueError, match=r"cannot resize .*: expected pictures .n c h w. with sides of 8 px and more"):
        resize(torch.zeros(shape, dtype=torch.uint8), *size)
