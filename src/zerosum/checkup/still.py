"""Asking a game without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zerosum.game import Game


@contextmanager
def untouched(game: Game, seed: int = 0) -> Iterator[None]:
    """Within, the game may be played as in a round, batch statistics and dropout too; afterwards it is as it was.

    Chance within follows from the seed, so that two askings of one game give one answer; the chance of the run is not
    used up. Parameters and their gradients are the caller's to leave alone.
    """
    devices = [game.device] if game.device.type == "cuda" else []
    kept = [buffer.clone() for buffer in game.buffers()]
    modes = [module.training for module in game.modules()]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        game.train()
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, was in zip(game.buffers(), kept, strict=True):
                    buffer.copy_(was)
            for module, mode in zip(game.modules(), modes, strict=True):
                module.training = mode
