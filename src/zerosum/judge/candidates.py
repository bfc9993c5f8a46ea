"""What is judged: samples of a run or of a model file, or whatever a folder, a zip or an npz holds."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum import model
from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Images, Points, Spec
from zerosum.judge.ranks import spread
from zerosum.play.precision import choose_device
from zerosum.stream import BLOCK

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Candidate:
    """Samples, and where they came from."""

    name: str
    examples: Tensor  # uint8 [n c h w] | float32 [n d]
    labels: Tensor | None  # int64 [n], numbers of the data's classes: what each was asked to show
    origin: dict[str, Any]  # recipe, rounds ... of a run; what makes it this one: sha256
    seconds: float = 0.0  # that drawing took


def is_model(path: Path) -> bool:
    """Whether a path is a run folder, or a model file."""
    return (path / MODEL).is_file() or path.suffix == ".safetensors" or (path / "config.yaml").is_file()


def candidate(path: Path, data: Dataset, count: int, seed: int = 0) -> Candidate:
    """`count` samples of the run or model file at `path`, by `seed`; or at most so many of the pictures that lie there.

    Raises ValueError where they are not of the shape of `data`, FileNotFoundError or DataError where nothing is.
    """
    return _drawn(path, data, count, seed) if is_model(path) else _read(path, data, count)


def check(shown: Candidate) -> None:
    """Raises ValueError for what no number would mean anything of: values that are not finite, or all the same."""
    examples = shown.examples
    if examples.is_floating_point() and not examples.isfinite().all():
        raise ValueError(f"{shown.name}: some samples are not finite numbers: the model has diverged")
    if len(examples) > 1 and bool((examples[1:] == examples[0]).all()):
        raise ValueError(
            f"{shown.name}: all {len(examples):,} samples are the same to the last bit: the generator has "
            "collapsed to one picture, and no number says more than that"
        )


def _drawn(path: Path, data: Dataset, count: int, seed: int) -> Candidate:
    loaded = model.load(path, str(choose_device()))
    _check_shape(path, loaded.spec, data)
    asked = None
    if loaded.game.classes and data.labels is not None and loaded.spec.classes == data.spec.classes:
        rows = torch.randint(len(data), (count,), generator=torch.Generator().manual_seed(seed))
        asked = data.labels[rows]  # classes as often as the data has them: what is compared is the drawing
    start = time.perf_counter()
    parts = spread(
        count,
        BLOCK,
        lambda first, end: loaded.draw(end - first, None if asked is None else asked[first:end], seed, first=first)[:2],
    )
    x, y = torch.cat([part[0] for part in parts]), _labels([part[1] for part in parts])
    seconds = time.perf_counter() - start
    if y is not None:
        y = _numbers_of(y, loaded.spec.classes, data.spec.classes)
    file = path / MODEL if path.is_dir() else path
    origin = {name: loaded.header[name] for name in ("recipe", "rounds", "images", "seed", "trained_on")}
    origin |= {"sha256": _sha256(file)}
    return Candidate(str(path), x.permute(0, 3, 1, 2) if x.ndim == 4 else x, y, origin, seconds)


def _labels(parts: list[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _read(path: Path, data: Dataset, count: int) -> Candidate:
    if isinstance(data.spec, Points):
        return _read_points(path, data, count)
    found = sources.load(str(path), limit=count)
    _check_shape(path, found.spec, data)
    labels = None if found.labels is None else _numbers_of(found.labels, found.spec.classes, data.spec.classes)
    told = replace(found, name="") if labels is None else found
    origin = {"files": found.name, "notes": list(found.notes), "sha256": model.fingerprint(told)}
    return Candidate(str(path), found.examples, labels, origin)


def _read_points(path: Path, data: Dataset, count: int) -> Candidate:
    """An npz with `points` [n d], as `zerosum sample` writes it."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            points = torch.from_numpy(np.asarray(arrays["points"], np.float32))
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path} holds no points: expected a run, or an npz with an array 'points' [n d]") from None
    if points.ndim != 2 or points.shape[1:] != data.spec.shape:
        raise ValueError(f"{path} holds points {list(points.shape)}, and {data.name} is [n {data.spec.size}]")  # type: ignore[union-attr]
    return Candidate(str(path), points[:count], None, {"files": path.name, "sha256": _sha256(path)})


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _check_shape(path: Path, spec: Spec, data: Dataset) -> None:
    """The candidate's pictures must be the data's in size and channels: nothing is stretched behind anybody's back."""
    if type(spec) is not type(data.spec) or spec.shape != data.spec.shape:
        raise ValueError(
            f"{path} holds {_said(spec)}, and {data.name} is {_said(data.spec)}: to judge them on one size, "
            "fit the data with --set size=... --set channels=..., or name other data with --data"
        )


def _said(spec: Spec) -> str:
    if isinstance(spec, Images):
        return f"{spec.height}x{spec.width} {'gray' if spec.channels == 1 else 'colour'} pictures"
    return f"{spec.size}-d points" if len(spec.shape) == 1 else f"{type(spec).__name__.lower()} of pictures"


def _numbers_of(labels: Tensor, own: tuple[str, ...], theirs: tuple[str, ...]) -> Tensor | None:
    """Labels by `own` classes as numbers of `theirs`; None where a class is none of them."""
    if not set(own) <= set(theirs):
        return None
    return torch.tensor([theirs.index(name) for name in own])[labels]
