"""PSNR, SSIM and what else is measured of translated pictures: against torchmetrics and closed forms."""

import math

import pytest
import torch
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from zerosum.metrics import interval
from zerosum.metrics.number import TooFew
from zerosum.metrics.pairs import content_kept, lpips, psnr, ssim, translation_error


def pictures(n=6, channels=3, height=16, width=21, seed=0):
    """Smooth pictures, and the same with noise that differs in strength."""
    chance = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, channels, 4, 4, generator=chance)
    truth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1) * 255
    noise = torch.randn(truth.shape, generator=chance) * (1 + torch.arange(n) % 6)[:, None, None, None] * 6
    return (truth + noise).clamp(0, 255).to(torch.uint8), truth.to(torch.uint8)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 16, 21), (4, 11, 11)])
def test_ssim_is_that_of_torchmetrics_within_the_picture(channels, height, width) -> None:
    """Its map has places on the edges too, by mirroring: these are cut off."""
    made, truth = pictures(6, channels, height, width)
    theirs = StructuralSimilarityIndexMeasure(sigma=1.5, data_range=255.0, return_full_image=True)
    _, places = theirs(made.double(), truth.double())
    assert ssim(made, truth).value == pytest.approx(float(places[..., 5:-5, 5:-5].mean()), rel=1e-9)
    assert ssim(truth, made).value == pytest.approx(ssim(made, truth).value, rel=1e-12)


def test_psnr_is_that_of_torchmetrics_picture_by_picture() -> None:
    made, truth = pictures()
    theirs = PeakSignalNoiseRatio(data_range=255.0, dim=(1, 2, 3), reduction="elementwise_mean")
    assert psnr(made, truth).value == pytest.approx(float(theirs(made.double(), truth.double())), rel=1e-4)


def test_the_truth_itself() -> None:
    """Similarity 1; 10 log10(12 255^2) dB, as high as bytes can be trusted; no error; all content."""
    truth = pictures()[1]
    assert ssim(truth, truth).value == pytest.approx(1, abs=1e-12)
    assert psnr(truth, truth).value == pytest.approx(10 * math.log10(12 * 255**2), abs=1e-9)
    assert translation_error(truth, truth).value == 0
    classes = torch.arange(10)
    kept = content_kept(classes, classes)
    assert (kept.value, kept.high) == (1, pytest.approx(1, abs=1e-12))
    assert kept.low == pytest.approx(10 / (10 + interval.Z**2))  # Wilson's, where all is right


def test_errors_in_closed_form() -> None:
    """Pictures off by 1, 2 and 3 everywhere: means, Student's interval, and PSNR of the squares 1, 4 and 9."""
    truth = torch.full((3, 2, 12, 12), 100, dtype=torch.uint8)
    made = truth + torch.tensor([1, 2, 3], dtype=torch.uint8)[:, None, None, None]
    found = translation_error(truth, made)
    margin = 4.3026527 / math.sqrt(3)  # t of 2 degrees of freedom, deviation 1
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 - margin, 2 + margin), rel=1e-6)
    assert psnr(made, truth).value == pytest.approx(20 * math.log10(255) - 20 * math.log10(6) / 3)
    # Constant pictures have no variance: only the means' part of SSIM is left.
    c1 = 2.55**2
    expected = sum((2 * 100 * m + c1) / (100**2 + m**2 + c1) for m in (101, 102, 103)) / 3
    assert ssim(made, truth).value == pytest.approx(expected, rel=1e-9)
    assert content_kept(torch.tensor([1, 2, 3, 4]), torch.tensor([1, 2, 3, 0])).value == 0.75


def test_lpips_compares_directions_place_by_place() -> None:
    """Features (3, 4) and (4, 3) have unit vectors (.6, .8) and (.8, .6): squares .04 and .04, weighted 1 and 10."""
    a = torch.tensor([3.0, 4.0])[None, :, None, None].expand(2, 2, 5, 5)
    b = torch.tensor([4.0, 3.0])[None, :, None, None].expand(2, 2, 5, 5).clone()
    b[1] = a[1] * 7  # only longer: the same direction
    half = torch.cat([a[:, :1], -a[:, 1:]], 1)[..., :2, :2]
    found = lpips([a, half], [b, half], [torch.tensor([1.0, 10.0]), torch.ones(2)])
    assert found.tolist() == pytest.approx([0.04 + 0.4, 0.0], abs=1e-7)
    with pytest.raises(ValueError, match="with c weights each"):
        lpips([a], [b], [torch.ones(3)])
    with pytest.raises(ValueError, match="with c weights each"):
        lpips([], [], [])


def test_a_block_of_pictures_changes_nothing() -> None:
    made, truth = pictures(230, 1, 12, 12)
    parts = [ssim(made[i : i + 2], truth[i : i + 2]).value for i in range(0, 230, 2)]
    assert ssim(made, truth).value == pytest.approx(sum(parts) / len(parts), rel=1e-12)


def test_the_interval_covers_the_mean_of_all_pictures() -> None:
    """Of 400 intervals of 40 pictures each, 92 to 98 % hold what the 2,000 have on average."""
    made, truth = pictures(2000, 1, 12, 12, seed=1)
    expected = translation_error(made, truth).value
    chance = torch.Generator().manual_seed(2)
    held = 0
    for _ in range(400):
        rows = torch.randint(2000, (40,), generator=chance)
        found = translation_error(made[rows], truth[rows])
        held += found.low <= expected <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_what_cannot_be_compared_is_refused() -> None:
    made, truth = pictures()
    for compare in (psnr, ssim, translation_error):
        with pytest.raises(ValueError, match="cannot be compared"):
            compare(made, truth[:, :1])
        with pytest.raises(ValueError, match="cannot be compared"):
            compare(made[:0], truth[:0])
        with pytest.raises(TooFew, match="needs 2 examples, got 1"):
            compare(made[:1], truth[:1])
    with pytest.raises(ValueError, match="windows of 11x11 pixels, got pictures of 10x21: use PSNR"):
        ssim(made[:, :, :10], truth[:, :, :10])
    with pytest.raises(ValueError, match="a class before and after"):
        content_kept(torch.arange(3), torch.arange(4))
    with pytest.raises(TooFew, match="content kept needs 1 example"):
        content_kept(torch.arange(0), torch.arange(0))
