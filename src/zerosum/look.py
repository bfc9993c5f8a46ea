"""One look at a game, always at the same noise: so that two looks can be compared, and many make a film."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from zerosum import pictures
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Images
from zerosum.play.trainer import Trainer

POINTS = 2000  # drawn of each cloud


class Look:
    """Fixed noise, and how it is laid out: a column a class where the game knows some."""

    def __init__(self, trainer: Trainer, dataset: Dataset, tiles: int, seed: int):
        self.trainer, self.dataset = trainer, dataset
        classes = trainer.game.classes
        self.columns = None
        if 1 < classes <= 20:  # a column a class, or several, so that the sheet is about square
            self.columns = classes * max(1, round(tiles**0.5 / classes))
            tiles = max(1, tiles // self.columns) * self.columns
        tiles = tiles if isinstance(dataset.spec, Images) else POINTS
        self.y = torch.arange(tiles) % classes if classes else None
        self.z = trainer.game.noise(tiles, torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def draw(self) -> tuple[Image.Image, Image.Image | None]:
        """What the averaged generator makes of the noise: as it is; and with D's score on each tile, if there is one.

        Points come in one picture, on the landscape of D's belief. Nothing is changed, and no chance is used up.
        """
        game = self.trainer.game
        y = None if self.y is None else self.y.to(game.device)
        samples = self.trainer.average.game.generate(self.z.to(game.device), y)
        game.eval()
        try:
            spec = self.dataset.spec
            if not isinstance(spec, Images):
                real, made = self.dataset.examples[:POINTS], samples.float().cpu() * spec.scale
                return pictures.points_picture(made.numpy(), real.numpy(), self._judge(spec.scale)), None
            images, realness = pictures.to_uint8(samples), game.realness(samples, y)
            grid = pictures.grid(images, self.columns)
            scores = None if realness is None else realness.float().tolist()
            return grid, None if scores is None else pictures.scored_grid(images, scores, self.columns)
        finally:
            game.train()

    def _judge(self, scale: float) -> pictures.Judge | None:
        """D's belief in points [k d] of the data's own units -> [k]; None where nobody judges."""
        game: Any = self.trainer.game

        def believed(points: Any) -> Any:
            dealt = torch.as_tensor(points / scale, dtype=torch.float32, device=game.device)
            return game.realness(dealt).float().cpu().numpy()

        return None if game.realness(torch.zeros(1, *self.dataset.spec.shape, device=game.device)) is None else believed
