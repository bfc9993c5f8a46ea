"""Samples of a model, written as a picture, an array file, or a folder of pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from zerosum import pictures
from zerosum.data.spec import Images
from zerosum.model import Model
from zerosum.play.checkpoint import atomically

MOST_TILES = 10_000  # in one picture


def write(model: Model, n: int, *, label: str | None, seed: int, out: Path, scored: bool = False) -> Path:
    """Draw n samples and write them to `out`, or to out-2, out-3 ... where that is taken: nothing is overwritten.

    .png     a grid; with `scored`, each tile carries the probability that D calls it real
    .npz     images uint8 [n h w c] (or points float32 [n d]), labels [n] where there are any; with `scored`, scores [n]
    else     a folder, with one PNG file a sample, named by number (and class)

    Raises ValueError for what cannot be written so, before anything is drawn.
    """
    _check(model, n, out, scored)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out.parent} cannot be a folder ({error.strerror}): name another --out") from None
    out = free(out)
    x, y, scores = model.draw(n, label, seed, scored=scored)
    if scored and scores is None:
        raise ValueError(f"{model.header['recipe']} has no probability to tell: leave --scores out")
    if out.suffix == ".npz":
        _write_arrays(out, x, y, scores)
    elif out.suffix == ".png":
        about = {"seed": str(seed), "recipe": model.header["recipe"]}
        pictures.save(_picture(model, x, scores), out, about)
    else:
        names = None if y is None else [model.spec.classes[k] for k in y.tolist()]
        _write_folder(out, x.numpy(), names)
    return out


def _check(model: Model, n: int, out: Path, scored: bool) -> None:
    if not out.name or out.name == "..":
        raise ValueError(f"samples cannot be written to '{out}': name a .png, an .npz, or a new folder")
    if scored and not model.judges:
        raise ValueError(f"{model.header['recipe']} has no discriminator to ask: leave --scores out")
    if out.suffix not in ("", ".png", ".npz"):
        raise ValueError(f"samples are written as .png, .npz or into a folder, got {out}: change its ending")
    if out.suffix == ".png" and n > MOST_TILES:
        raise ValueError(
            f"{n:,} samples are too many for a picture (at most {MOST_TILES:,}): write an .npz or a folder"
        )
    if not isinstance(model.spec, Images) and (not out.suffix or (scored and out.suffix == ".png")):
        raise ValueError(f"points are written as a plain .png, or as .npz with --scores if asked, got {out}")
    if scored and not out.suffix:
        raise ValueError(f"scores are drawn on a .png or kept in an .npz, got the folder {out}: leave --scores out")


def _picture(model: Model, x: Tensor, scores: Tensor | None) -> Image.Image:
    if not isinstance(model.spec, Images):
        return pictures.points_picture(x.numpy())
    return pictures.grid(x.numpy()) if scores is None else pictures.scored_grid(x.numpy(), scores.tolist())


def _write_arrays(out: Path, x: Tensor, y: Tensor | None, scores: Tensor | None) -> None:
    arrays = {"images" if x.ndim == 4 else "points": x, "labels": y, "scores": scores}
    found = {name: values.numpy() for name, values in arrays.items() if values is not None}

    def fill(part: Path) -> None:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **found)

    atomically(out, fill)


def _write_folder(out: Path, images: np.ndarray, classes: list[str] | None) -> None:
    """uint8 [n h w c] -> 000000.png, 000001.png ...; with the class, in letters that any file system takes."""
    out.mkdir()
    for i, image in enumerate(images):
        name = f"{i:06d}" + ("_" + re.sub(r"[^\w.-]+", "-", classes[i]) if classes else "")
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(out / f"{name}.png")


def free(out: Path) -> Path:
    """`out`, or where that is taken: out-2, out-3 ..."""
    candidate, number = out, 1
    while candidate.exists():
        number += 1
        candidate = out.with_name(f"{out.stem}-{number}{out.suffix}")
    return candidate
