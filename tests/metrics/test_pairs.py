"""Metrics of translated pictures against closed forms."""

import pytest
import torch

from zerosum.metrics.pairs import Segmenter, agreement, mean_difference, train_segmenter


def test_mean_difference_counts_in_bytes_and_does_not_wrap() -> None:
    a = torch.tensor([[[[0, 255], [10, 20]]]], dtype=torch.uint8)
    b = torch.tensor([[[[255, 0], [13, 20]]]], dtype=torch.uint8)
    assert mean_difference(a, b) == mean_difference(b, a) == pytest.approx((255 + 255 + 3 + 0) / 4)
    assert mean_difference(a, a) == 0
    with pytest.raises(ValueError, match="cannot be compared"):
        mean_difference(a, b[:, :, :1])
    with pytest.raises(ValueError, match="cannot be compared"):
        mean_difference(a[:0], b[:0])


def test_agreement_of_a_known_confusion() -> None:
    """Class 0: 3 of 4 right; class 1: 1 of 2; class 2 is in neither; class 3 is only read, never there."""
    truth = torch.tensor([[[0, 0, 0, 0, 1, 1]]])
    read = torch.tensor([[[0, 0, 0, 1, 1, 3]]])
    found = agreement(read, truth, 4)
    assert found.pixel == pytest.approx(4 / 6)
    assert found.by_class == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found.iou == pytest.approx((3 / 4 + 1 / 3) / 2)
    same = agreement(truth, truth, 4)
    assert (same.pixel, same.by_class, same.iou) == (1, 1, 1)
    assert agreement(read.to(torch.uint8), truth.to(torch.uint8), 4) == found
    many = torch.full((1, 20, 20), 11, dtype=torch.uint8)  # 11 * 12 + 11 is more than a byte's sign can carry
    assert agreement(many, many, 12).pixel == 1
    with pytest.raises(ValueError, match="must be alike"):
        agreement(read, truth[..., :3], 4)


def test_the_segmenter_reads_classes_off_pictures_and_leaves_the_callers_chance_alone() -> None:
    """Two textures of one mean: only their neighbourhood tells them apart."""
    chance = torch.Generator().manual_seed(0)
    maps = (torch.rand(96, 3, 4, generator=chance) < 0.5).repeat_interleave(6, 1).repeat_interleave(6, 2).long()
    checks = (torch.arange(18)[:, None] + torch.arange(24)) % 2
    stripes = (torch.arange(18)[:, None] + 0 * torch.arange(24)) % 2
    pictures = (torch.where(maps > 0, checks, stripes) * 200).to(torch.uint8)[:, None]
    before = torch.get_rng_state()
    net = train_segmenter(pictures[:64], maps[:64], 2, epochs=12)
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(net, Segmenter)
    assert not net.training
    assert agreement(net(pictures[64:]).argmax(1), maps[64:], 2).pixel > 0.97
    assert net(torch.zeros(1, 1, 13, 9, dtype=torch.uint8)).shape == (1, 2, 13, 9)


def test_what_does_not_fit_is_refused() -> None:
    pictures, maps = torch.zeros(40, 3, 8, 8, dtype=torch.uint8), torch.zeros(40, 8, 8)
    with pytest.raises(ValueError, match="expected at least 32, and a map"):
        train_segmenter(pictures[:10], maps[:10], 2)
    with pytest.raises(ValueError, match="expected at least 32, and a map"):
        train_segmenter(pictures, maps[:, :4], 2)
