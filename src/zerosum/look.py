"""One look at a game, always at the same noise or pictures: two looks can be compared, and many make a film.

A look gives sheets by the folder that they go to: `grids` always; `judged` where a network judges; `reconstructions`
where an autoencoder gives pictures back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum import pictures
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Points
from zerosum.game import Game, Translator
from zerosum.play.trainer import Trainer

POINTS = 2000  # drawn of each cloud
ROWS = 8  # of translations and reconstructions

Sheets = dict[str, Image.Image]


class View(Protocol):
    """What `Session` looks through. Nothing is changed by a look, and no chance is used up."""

    def draw(self) -> Sheets: ...


def look_at(trainer: Trainer, dataset: Dataset, tiles: int, seed: int) -> View:
    """The view that fits: a cloud of points, pictures from noise, or pictures from pictures."""
    if isinstance(trainer.game, Translator):
        return Translations(trainer, dataset)
    if isinstance(dataset.spec, Points):
        return Cloud(trainer, dataset, dataset.spec, seed)
    return FixedNoise(trainer, dataset, tiles, seed)


class FixedNoise:
    """Pictures of fixed noise, a column a class where the game knows some."""

    def __init__(self, trainer: Trainer, dataset: Dataset, tiles: int, seed: int):
        self.trainer = trainer
        game = trainer.game
        self.columns = None
        if 1 < game.classes <= 20:  # a column a class, or several, so that the sheet is about square
            self.columns = game.classes * max(1, round(tiles**0.5 / game.classes))
            tiles = max(1, tiles // self.columns) * self.columns
        self.y = (torch.arange(tiles) % game.classes).to(game.device) if game.classes else None
        self.z = game.showcase(tiles, torch.Generator().manual_seed(seed)).to(game.device)
        self.real = _as_dealt(dataset.examples[: ROWS**2], game)

    @torch.no_grad()
    def draw(self) -> Sheets:
        """What the averaged networks make of the noise; with D's score on each tile, if there is one."""
        average, game = self.trainer.average.game, self.trainer.game
        samples = average.generate(self.z, self.y)
        images = pictures.to_uint8(samples)
        sheets = {"grids": pictures.grid(images, self.columns)}
        if (scores := _unmoved(game, lambda: game.realness(samples, self.y))) is not None:
            sheets["judged"] = pictures.scored_grid(images, scores.float().tolist(), self.columns)
        if (back := _unmoved(game, lambda: game.reconstruct(self.real))) is not None:
            sheets["reconstructions"] = _side_by_side([self.real, back])
        return sheets


class Translations:
    """Rows of pictures: what is given, what is made of it, and what it should be, or how it comes back."""

    def __init__(self, trainer: Trainer, dataset: Dataset):
        self.trainer = trainer
        assert dataset.partners is not None
        rows = min(ROWS, len(dataset.examples), len(dataset.partners))
        a, b = (_as_dealt(side[:rows], trainer.game) for side in (dataset.examples, dataset.partners))
        self.given = {"AtoB": (a, b), "BtoA": (b, a)}

    @torch.no_grad()
    def draw(self) -> Sheets:
        game: Any = self.trainer.average.game
        columns: list[Tensor] = []
        for direction in game.directions:
            x, truth = self.given[direction]
            with torch.random.fork_rng(devices=[game.device] if game.device.type == "cuda" else []):
                torch.manual_seed(0)  # dropout, where it is the noise
                made = game.translate(x, direction)
                back = next((way for way in game.directions if way != direction), None)
                columns += [x, made, truth if back is None else game.translate(made, back)]
        return {"grids": _side_by_side(columns)}


class Cloud:
    """Points and the data, on the landscape of what D believes, if anybody judges."""

    def __init__(self, trainer: Trainer, dataset: Dataset, spec: Points, seed: int):
        self.trainer, self.spec = trainer, spec
        self.real = dataset.examples[:POINTS].numpy()
        game = trainer.game
        self.z = game.showcase(POINTS, torch.Generator().manual_seed(seed)).to(game.device)

    @torch.no_grad()
    def draw(self) -> Sheets:
        game, scale = self.trainer.game, self.spec.scale

        def believed(points: Any) -> Any:
            """D's belief in points [k d] of the data's own units: [k]."""
            dealt = torch.as_tensor(points / scale, dtype=torch.float32, device=game.device)
            scores = _unmoved(game, lambda: game.realness(dealt))
            assert scores is not None
            return scores.float().cpu().numpy()

        nobody = _unmoved(game, lambda: game.realness(torch.zeros(2, *self.spec.shape, device=game.device))) is None
        made = self.trainer.average.game.generate(self.z).float().cpu() * scale
        return {"grids": pictures.points_picture(made.numpy(), self.real, None if nobody else believed)}


def _unmoved(game: Game, ask: Callable[[], Tensor | None]) -> Tensor | None:
    """What the live game answers when nothing is learnt from it: no batch statistics, no chance used up."""
    game.eval()
    try:
        with torch.random.fork_rng(devices=[game.device] if game.device.type == "cuda" else []):
            return ask()
    finally:
        game.train()


def _as_dealt(examples: Tensor, game: Game) -> Tensor:
    """uint8 [n c h w] -> float [n c h w] in [-1, 1]."""
    return examples.to(game.device).float().div_(127.5).sub_(1.0)


def _side_by_side(columns: list[Tensor]) -> Image.Image:
    """A sheet with a row for every place in the columns [n c h w] in [-1, 1]; few columns are set side by side."""
    sheets = [pictures.to_uint8(column) for column in columns]
    coloured = [np.repeat(s, 3, axis=3) if s.shape[3] == 1 else s for s in sheets]
    tiles = np.stack(coloured, axis=1).reshape(-1, *coloured[0].shape[1:])
    repeats = max(1, ROWS // (2 * len(columns)))
    return pictures.grid(tiles, len(columns) * repeats)
