"""The model file: one safetensors file with the networks and everything needed to sample from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from zerosum import settings
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Domains, Images, Pairs, Points, Spec
from zerosum.game import Game, Translator
from zerosum.play.checkpoint import DamagedFile, atomically
from zerosum.recipes import RECIPES
from zerosum.stream import BLOCK, Stream

FORMAT = 1
READ_BYTES = 64 * 2**20  # of the data, about, for its fingerprint
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Images, Points, Pairs, Domains)}


def describe(spec: Spec) -> dict[str, Any]:
    """The data's shape as plain values, for a header."""
    return {"kind": type(spec).__name__} | asdict(spec)


def spec_of(description: dict[str, Any]) -> Spec:
    """The shape that `describe` described. Raises KeyError, TypeError for anything else."""
    values = dict(description)
    kind = KINDS[values.pop("kind")]
    values["classes"] = tuple(values["classes"])
    if kind in (Pairs, Domains):
        values |= {side: Images(**(values[side] | {"classes": tuple(values[side]["classes"])})) for side in "ab"}
    spec: Spec = kind(**values)
    return spec


def fingerprint(dataset: Dataset) -> str:
    """A hash of the examples (of a large set: of every k-th), their labels and partners: is it the data of this run?"""
    examples, partners = dataset.examples, dataset.partners
    stride = examples.nbytes // READ_BYTES + 1
    found = hashlib.sha256(f"{tuple(examples.shape)} {examples.dtype} {dataset.spec}".encode())
    for tensor in (examples[::stride], dataset.labels, None if partners is None else partners[::stride]):
        if tensor is not None:
            found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def build(recipe: str, config: BaseModel, spec: Spec) -> Game:
    """The recipe's game for data of this shape. Raises SettingsError, ValueError where it is no data for it."""
    found = settings.recipe_of(recipe)
    kind, unlabelled = type(spec).__name__.lower(), found.labelled and not spec.classes
    if not isinstance(spec, found.takes) or unlabelled:
        others = [n for n, other in RECIPES.items() if isinstance(spec, other.takes) and not other.labelled]
        raise settings.SettingsError(
            f"{recipe} needs {found.needs}, and this is a set of {kind}{' without labels' * unlabelled}: "
            f"try --data {found.example}, or a recipe that takes what you have ({', '.join(others)})"
        )
    return found.game(config, spec)


def save(path: Path, game: Game, average: Game, header: dict[str, Any]) -> None:
    """Write the networks of `game` (those that sampling needs: as averaged) under their own names, and the header.

    What only further play needs (a count of pictures shown, a pool of fakes) stays in the checkpoints.
    """
    state = {name: value for name, value in game.state_dict().items() if not _for_play_only(game, name)}
    state |= {name: value for name, value in average.state_dict().items() if name.split(".")[0] in game.ships}
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    metadata = {"zerosum": json.dumps({"format": FORMAT} | header)}
    atomically(path, lambda part: save_file(tensors, part, metadata=metadata))


def _for_play_only(game: Game, name: str) -> bool:
    """Whether an entry of the game's state is the extra state of the game itself, or of a part without parameters."""
    part, dot, _ = name.partition(".")
    return name.endswith("_extra_state") and (not dot or next(game.get_submodule(part).parameters(), None) is None)


class Model:
    """A trained game, ready to sample.

    >>> model = load("runs/0001-glyphs-r3gan")                                                # doctest: +SKIP
    >>> model.sample(64, label="7", seed=1).shape                                             # doctest: +SKIP
    torch.Size([64, 28, 28, 1])
    """

    def __init__(self, game: Game, spec: Spec, header: dict[str, Any]):
        self.game, self.spec, self.header = game.eval().requires_grad_(False), spec, header

    def sample(self, n: int, label: int | str | None = None, seed: int | None = None) -> Tensor:
        """n samples: uint8 [n h w c] pictures, or float [n d] points; of one label (a class's name or number) if asked.

        The same seed gives the same samples, and more of them begin with the same ones. Raises ValueError for a label
        that the model does not know.
        """
        return self.draw(n, label, seed)[0]

    def draw(
        self,
        n: int,
        label: int | str | Tensor | None = None,
        seed: int | None = None,
        *,
        scored: bool = False,
        first: int = 0,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """As `sample`; with labels [n] if there are any, and if `scored`, the probabilities [n] that D calls them real.

        `label` may also hold the number of each sample's class: [n]. With `first`, the n samples from that one on: what
        is before them is passed over, not made, so that many samples can be drawn in parts.

        Whole blocks are drawn and the ends cut, so that sample i depends on the seed and i alone, to the last bit.
        """
        if n < 1:
            raise ValueError(f"{n} samples asked for; expected 1 or more")
        self.check_samples()
        stream, skip = Stream(self.game, seed), first % BLOCK
        wanted = label if isinstance(label, Tensor) or label is None else torch.full((n,), self.class_number(label))
        asked = None if wanted is None else nn.functional.pad(wanted, (skip, -(skip + n) % BLOCK)).split(BLOCK)
        blocks: list[tuple[Tensor | None, ...]] = []
        for i in range(-(-(skip + n) // BLOCK)):
            x, y, realness = stream.block(first // BLOCK + i, None if asked is None else asked[i], scored=scored)
            blocks.append((self.as_data(x), y, realness))  # bytes at once: many samples take little memory
        xs, ys, judged = (_joined(parts, skip, skip + n) for parts in zip(*blocks, strict=True))
        assert xs is not None
        return xs, ys, judged

    def latents(self, n: int, seed: int, label: int | str | None = None) -> tuple[Tensor, Tensor | None]:
        """The z [n d] and labels [n] that `sample` with this seed, and this label, makes its samples of."""
        self.check_samples()
        chance = torch.Generator().manual_seed(seed)
        wanted = None if label is None else self.class_number(label)
        drawn = [(self.game.labels(BLOCK, chance), self.game.noise(BLOCK, chance)) for _ in range(0, n, BLOCK)]
        z, y = (_joined(parts, 0, n) for parts in zip(*((z, y) for y, z in drawn), strict=True))
        assert z is not None
        return z, y if y is None or wanted is None else torch.full_like(y, wanted)

    @torch.no_grad()
    def picture(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """What is made of z [n d], and of labels [n], which a game with classes needs: as `sample` gives it."""
        device = self.game.device
        if y is None and self.game.classes:
            raise ValueError(f"{self.header['recipe']} is told labels: give one for each z")
        made = [
            self.game.generate(z[at : at + BLOCK].to(device), None if y is None else y[at : at + BLOCK].to(device))
            for at in range(0, len(z), BLOCK)
        ]
        return self.as_data(torch.cat(made).cpu())

    def check_samples(self) -> None:
        """Raises ValueError for a game that makes nothing out of noise alone."""
        if isinstance(self.game, Translator):
            raise ValueError(f"{self.header['recipe']} makes pictures out of pictures: zerosum translate RUN PICTURE")

    @property
    def judges(self) -> bool:
        """Whether there is a discriminator to ask."""
        return type(self.game).realness is not Game.realness

    def as_data(self, x: Tensor) -> Tensor:
        """What the game makes, as data: [-1, 1] float [n c h w] -> uint8 [n h w c]; points in the data's own units."""
        if isinstance(self.spec, Points):
            return x * self.spec.scale
        return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def class_number(self, label: int | str) -> int:
        classes = self.spec.classes if self.game.classes else ()
        if not classes:
            raise ValueError(f"label '{label}' asked of a model that knows no labels: leave it out")
        if str(label) in classes:
            return classes.index(str(label))
        if str(label).isdigit() and int(label) < len(classes):
            return int(label)
        hint = settings.near(str(label), classes)
        raise ValueError(f"no label '{label}'. {hint}This model knows {', '.join(classes[:30])}")


def _joined(parts: Sequence[Tensor | None], start: int, end: int) -> Tensor | None:
    """Blocks as one, cut, on the CPU; None where a block has none."""
    there = [part.cpu() for part in parts if part is not None]
    return torch.cat(there)[start:end] if there else None


def load(path: str | Path, device: str = "cpu", changes: Mapping[str, Any] | None = None) -> Model:
    """A model from a run folder or a model file; nothing in it is executed.

    `changes` are settings that only sampling reads (of ddpm: `sampling_steps`, `eta`, `guidance`). Raises
    FileNotFoundError where there is no model, DamagedFile where it is not one that zerosum wrote, SettingsError for
    any other setting.
    """
    path = Path(path)
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"no model in {path}: expected a run folder that was trained, or a model.safetensors")
    try:
        with safe_open(file, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})["zerosum"])
            if header["format"] > FORMAT:
                raise ValueError(f"format {header['format']}, and this zerosum reads up to {FORMAT}: upgrade it")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        spec = spec_of(header["data"])
        config = settings.recipe_of(header["recipe"]).config(**header["game"])
        game = build(header["recipe"], config, spec)
        own = {name: value for name, value in game.state_dict().items() if _for_play_only(game, name)}
        game.load_state_dict(tensors | own)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedFile(f"{file} is damaged, or was not written by zerosum ({reason})") from error
    if changes:
        game = _changed(game, header, spec, changes)
    return Model(game.to(device), spec, header)


def _changed(game: Game, header: dict[str, Any], spec: Spec, changes: Mapping[str, Any]) -> Game:
    """The same networks, with other settings for sampling. Raises SettingsError for any other setting."""
    for key in changes:
        if key.removeprefix("game.") not in game.at_sampling:
            known = ", ".join(game.at_sampling) or "none"
            raise settings.SettingsError(f"'{key}' is not read by sampling: {header['recipe']} has {known} that are")
    before = {f"game.{name}": value for name, value in header["game"].items()}
    config = settings.resolve(header["recipe"], overrides=before | dict(changes)).game
    changed = build(header["recipe"], config, spec)
    changed.load_state_dict(game.state_dict())
    return changed
