"""The model file: one safetensors file with the networks and everything needed to sample from them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zerosum import settings
from zerosum.data.spec import Images, Points
from zerosum.game import Game
from zerosum.play.checkpoint import DamagedFile, atomically

FORMAT = 1


def describe(spec: Images | Points) -> dict[str, Any]:
    """The data's shape as plain values, for a header."""
    return {"kind": type(spec).__name__} | asdict(spec)


def spec_of(description: dict[str, Any]) -> Images | Points:
    values = dict(description)
    values["classes"] = tuple(values["classes"])
    return Images(**values) if values.pop("kind") == "Images" else Points(**values)


def save(path: Path, game: Game, average: Game, header: dict[str, Any]) -> None:
    """Write the networks of `game` (those that sampling needs: as averaged) under their own names, and the header."""
    state = game.state_dict() | average.state_dict()
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    metadata = {"zerosum": json.dumps({"format": FORMAT} | header)}
    atomically(path, lambda part: save_file(tensors, part, metadata=metadata))


class Model:
    """A trained game, ready to sample.

    >>> model = load("runs/0001-glyphs-r3gan")                                                # doctest: +SKIP
    >>> model.sample(64, label="7", seed=1).shape                                             # doctest: +SKIP
    torch.Size([64, 28, 28, 1])
    """

    def __init__(self, game: Game, spec: Images | Points, header: dict[str, Any]):
        self.game, self.spec, self.header = game.eval().requires_grad_(False), spec, header

    def sample(self, n: int, label: int | str | None = None, seed: int | None = None, block: int = 256) -> Tensor:
        """n samples: uint8 [n h w c] pictures, or float [n d] points; of one label (a class's name or number) if asked.

        The same seed gives the same samples, however many are asked for at once after them. Raises ValueError for a
        label that the model does not know.
        """
        return self.draw(n, label, seed, block)[0]

    @torch.no_grad()
    def draw(
        self, n: int, label: int | str | None = None, seed: int | None = None, block: int = 256
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """As `sample`, with labels [n] and the probabilities [n] that D calls them real, where there are any."""
        if n < 1:
            raise ValueError(f"{n} samples asked for; expected 1 or more")
        chance = torch.Generator().manual_seed(torch.seed() if seed is None else seed)
        wanted = None if label is None else self.class_number(label)
        xs, ys, judged = [], [], []
        for start in range(0, n, block):
            # Whole blocks are drawn and the last is cut, so that sample i depends on the seed and i alone.
            y = self.game.labels(block, chance)
            y = y if wanted is None else torch.full((block,), wanted)
            x = self.game.sample(block, y, chance)[: n - start]
            xs.append(x.cpu())
            if y is not None:
                ys.append(y[: n - start])
            realness = self.game.realness(x, None if y is None else y[: n - start].to(x.device))
            if realness is not None:
                judged.append(realness.cpu())
        samples = torch.cat(xs)
        if isinstance(self.spec, Images):
            samples = ((samples.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        return samples, torch.cat(ys) if ys else None, torch.cat(judged) if judged else None

    def class_number(self, label: int | str) -> int:
        classes = self.spec.classes if self.game.classes else ()
        if not classes:
            raise ValueError(f"label {label!r} asked of a model that knows no labels: leave it out")
        if str(label) in classes:
            return classes.index(str(label))
        if str(label).isdigit() and int(label) < len(classes):
            return int(label)
        hint = settings.near(str(label), classes)
        raise ValueError(f"no label {label!r}. {hint}This model knows {', '.join(classes)}")


def load(path: str | Path, device: str = "cpu") -> Model:
    """A model from a run folder or a model file; nothing in it is executed.

    Raises FileNotFoundError where there is none, DamagedFile where it is not one that zerosum wrote.
    """
    path = Path(path)
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"no model in {path}: expected a run folder that was trained, or a model.safetensors")
    try:
        with safe_open(file, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})["zerosum"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        spec = spec_of(header["data"])
        recipe = settings.recipe_of(header["recipe"])
        game = recipe.game(recipe.config(**header["game"]), spec)
        game.load_state_dict(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedFile(f"{file} is damaged, or was not written by zerosum ({reason})") from error
    return Model(game.to(device), spec, header)
