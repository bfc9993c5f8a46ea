"""The average of a generator's path: smoother than its last step (Yazıcı et al. 2019, arXiv:1806.04498)."""

import copy

import torch
from torch import Tensor, nn

from zerosum.game import Game


class Average:
    """An exponential moving average of the networks that a game ships, as a game of the same class: it can `sample`.

        w_bar <- b w_bar + (1 - b) w,    b = min(decay, (1 + t) / (10 + t)) after t rounds

    so that a young average follows fast (the schedule of TensorFlow's ExponentialMovingAverage). Buffers (batch-norm
    statistics) and the extra state of networks are copied: they are no parameters. Networks that sampling does not need
    are dropped from the copy.
    """

    def __init__(self, game: Game, decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"the average's decay is {decay}; expected 0 <= decay < 1 (0 keeps no average)")
        self.decay = decay
        kept = {name: module for name, module in game.named_children() if name in game.ships}
        if len(kept) < len(game.ships):
            raise ValueError(f"{type(game).__name__} ships {game.ships}, but has only {list(kept)}")
        dropped: dict[int, nn.Module | None] = {
            id(module): None for name, module in game.named_children() if name not in game.ships
        }
        self.game = copy.deepcopy(game, dict(dropped)).requires_grad_(False).eval()
        live = dict(game.named_parameters())
        self._parameters = [(p, live[name]) for name, p in self.game.named_parameters()]
        buffers = dict(game.named_buffers())
        self._buffers = [(b, buffers[name]) for name, b in self.game.named_buffers()]
        modules = dict(game.named_modules())
        self._states = [
            (module, modules[name])
            for name, module in self.game.named_modules()
            if name and type(module).get_extra_state is not nn.Module.get_extra_state
        ]

    @torch.no_grad()
    def update(self, rounds: int) -> None:
        """Follow the live game after its round number `rounds` (from 0)."""
        weight = 1 - min(self.decay, (1 + rounds) / (10 + rounds))
        averages: list[Tensor] = [average for average, _ in self._parameters]
        torch._foreach_lerp_(averages, [p for _, p in self._parameters], weight)
        for average, buffer in self._buffers:
            average.copy_(buffer)
        for copy_, module in self._states:
            copy_.set_extra_state(module.get_extra_state())
