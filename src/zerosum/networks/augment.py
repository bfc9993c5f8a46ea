"""DiffAugment: what D sees is moved, cut and recoloured by chance, reals and fakes alike (Zhao et al. 2020).

arXiv:2006.10738. Since G is taught through the same chance, and all of it has gradients, D cannot learn a small set by
heart, and G does not learn to make moved and recoloured pictures.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class DiffAugment(nn.Module):
    """Pictures [n c h w] -> [n c h w]: a `share` of them, drawn anew each time, recoloured, shifted and cut out.

    The amounts are the paper's: brightness, saturation (of three colours), contrast; shifts by up to 1/8 of a side; a
    square of half the side is blank. Beyond the border and in the square is 0, the middle of [-1, 1].
    """

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        changed = cut_out(shifted(recoloured(x)))
        return torch.where(_chance(x) < self.share, changed.to(x.dtype), x)

    def extra_repr(self) -> str:
        return f"share={self.share}"


def recoloured(x: Tensor) -> Tensor:
    """Brightness + U(-1/2, 1/2); saturation x U(0, 2), of three colours; contrast x U(1/2, 3/2)."""
    x = x + _chance(x) - 0.5
    if x.shape[1] == 3:
        x = torch.lerp(x.mean(1, keepdim=True).expand_as(x), x, 2 * _chance(x))
    return torch.lerp(x.mean((1, 2, 3), keepdim=True).expand_as(x), x, _chance(x) + 0.5)


def shifted(x: Tensor) -> Tensor:
    """Each picture by whole pixels, up to 1/8 of the side each way; 0 comes in from beyond the border."""
    n, c, h, w = x.shape
    down, right = h // 8, w // 8
    rows = torch.arange(h, device=x.device) + torch.randint(2 * down + 1, (n, 1), device=x.device)
    columns = torch.arange(w, device=x.device) + torch.randint(2 * right + 1, (n, 1), device=x.device)
    wide = pad(x, (right, right, down, down))
    tall = wide.gather(2, rows[:, None, :, None].expand(n, c, h, w + 2 * right))
    return tall.gather(3, columns[:, None, None, :].expand(n, c, h, w))


def cut_out(x: Tensor) -> Tensor:
    """A square of half the side, anywhere, is 0; what of it lies beyond the border is lost."""
    n, _, h, w = x.shape

    def within(side: int) -> Tensor:
        middle = torch.randint(side + 1, (n, 1), device=x.device)
        return (torch.arange(side, device=x.device) + 0.5 - middle).abs() < side / 4

    return x.masked_fill(within(h)[:, None, :, None] & within(w)[:, None, None, :], 0.0)


def augment(networks: Sequence[nn.Module], by: nn.Module) -> None:
    """From now on, pictures pass through `by` before these networks see them.

    Only where they play: asked without gradients, as for a picture or by the doctor, they see pictures as they are.
    """

    def first(network: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not torch.is_grad_enabled() or not network.training or given[0].ndim != 4:
            return None
        return (by(given[0]), *given[1:])

    for network in networks:
        network.register_forward_pre_hook(first)


def _chance(x: Tensor) -> Tensor:
    """U(0, 1), one for each picture: [n 1 1 1]."""
    return torch.rand(len(x), 1, 1, 1, device=x.device, dtype=torch.float32).to(x.dtype)
