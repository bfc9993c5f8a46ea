"""The samples that a seed gives, one block after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.game import Game

BLOCK = 64  # samples drawn at once


class Stream:
    """The samples of a game by one seed, a block at a time; those that are passed over cost their noise alone.

    One generator goes through all of them. A seed for each block would find any of them at once, but torch's generator
    on the CPU knows 2^32 seeds: of the blocks of a million samples, two would be the same in one case of 35.
    """

    def __init__(self, game: Game, seed: int | None):
        self.game, self.at, self.chance = game, 0, torch.Generator()
        self.chance.manual_seed(self.chance.seed() if seed is None else seed)

    @torch.no_grad()
    def block(
        self, number: int, asked: Tensor | None = None, *, scored: bool = False
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The 64 samples from 64 `number` on [64 ...], their labels (those asked for, or drawn), their scores if asked.

        Numbers rise from call to call.
        """
        game, chance = self.game, self.chance
        for _ in range(self.at, number):
            game.labels(BLOCK, chance)
            for _ in range(game.draws):
                game.noise(BLOCK, chance)
        self.at = number + 1
        y = game.labels(BLOCK, chance)
        y = y if y is None or asked is None else asked
        x = game.sample(BLOCK, y, chance)
        return x, y, game.realness(x, None if y is None else y.to(x.device)) if scored else None
