"""Layers that are written for speed: the values of torch's own."""

import pytest
import torch
from torch import nn

from zerosum.networks.blocks import Flatten, GroupNorm


def test_flatten_is_torchs_and_gives_its_gradient_back_as_convolutions_like_it() -> None:
    x = torch.randn(3, 4, 5, 6).contiguous(memory_format=torch.channels_last).requires_grad_()
    seen = []
    before = x * 1.0
    before.register_hook(seen.append)
    flat, head = Flatten()(before), torch.randn(3, 120)
    assert torch.equal(flat, nn.Flatten()(x))
    (flat * head).sum().backward()
    assert torch.equal(x.grad, head.view(3, 4, 5, 6))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("groups", [8, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_group_norm_is_torchs_with_its_slopes(groups, dtype) -> None:
    torch.manual_seed(0)
    ours, theirs = GroupNorm(groups, 8), nn.GroupNorm(groups, 8)
    for layer in (ours, theirs):
        nn.init.constant_(layer.weight, 1.5)
    x = torch.randn(3, 8, 5, 6).to(dtype).contiguous(memory_format=torch.channels_last)
    own, torchs = (x.clone(memory_format=torch.preserve_format).requires_grad_() for _ in range(2))
    y, z = ours(own), theirs(torchs.float())
    tolerance = 1e-6 if dtype == torch.float32 else 1e-2
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert y.dtype == dtype
    assert float((y - z).detach().norm()) <= tolerance * float(z.detach().norm())
    head = torch.randn_like(z)
    y.float().mul(head).sum().backward()
    z.mul(head).sum().backward()
    assert float((own.grad.float() - torchs.grad.float()).norm()) <= tolerance * float(torchs.grad.float().norm())
    assert float((ours.weight.grad - theirs.weight.grad).norm()) <= tolerance * float(theirs.weight.grad.norm())
