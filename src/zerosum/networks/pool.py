"""A pool of fakes for the judge to look back on (Shrivastava et al. 2017, arXiv:1612.07828, section 2.3)."""

import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """Of the fakes [n c h w], what is judged in their place [n c h w], and what the pool would hold afterwards.

    Until it holds `most`, every fake goes in and is judged as it is. Then each changes places, with probability 1/2,
    with one of the pool, a different one each: so half of what is judged is new, and fakes are met again for a while.
    Asking changes nothing: `held`, [m c h w], becomes what it would be by setting it.
    """

    def __init__(self, shape: tuple[int, int, int], most: int):
        super().__init__()
        self.most, self.held = most, torch.empty(0, *shape)

    def forward(self, fakes: Tensor) -> tuple[Tensor, Tensor]:
        held, fakes = self.held.to(fakes.device), fakes.detach().float()
        if len(held) < self.most:
            return fakes, torch.cat([held, fakes])[: self.most]
        n = min(len(fakes), self.most)
        places = torch.randperm(self.most, device=fakes.device)[:n]
        swaps = torch.rand(n, 1, 1, 1, device=fakes.device) < 0.5
        old, new = held[places], fakes[:n]
        judged = torch.cat([torch.where(swaps, old, new), fakes[n:]])
        return judged, held.index_copy(0, places, torch.where(swaps, new, old))

    def get_extra_state(self) -> Tensor:
        return self.held

    def set_extra_state(self, state: Tensor) -> None:
        self.held = state
