"""Samples of a model, written as a picture, an array file, or a folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from zerosum import pictures
from zerosum.data.spec import Images
from zerosum.model import Model
from zerosum.play.checkpoint import atomically


def write(model: Model, n: int, *, label: str | None, seed: int, out: Path, scored: bool = False) -> Path:
    """Draw n samples and write them to `out`; nothing that is there already is overwritten.

    .png     a grid; with `scored`, each tile carries the probability that D calls it real
    .npz     images uint8 [n h w c] (or points float32 [n d]), and labels [n] where there are any
    else     a folder, with one PNG file a sample, named by number (and class)
    """
    out = _free(out)
    x, y, realness = model.draw(n, label, seed)
    values = x.numpy()
    if out.suffix == ".npz":
        arrays = {"images" if isinstance(model.spec, Images) else "points": values}
        arrays |= {} if y is None else {"labels": y.numpy()}
        _write_arrays(out, arrays)
        return out
    if not isinstance(model.spec, Images):
        if out.suffix != ".png":
            raise ValueError(f"points are written as .png or .npz, got {out}: name such a file with --out")
        pictures.save(pictures.points_picture(values), out)
        return out
    if out.suffix == ".png":
        if scored and realness is None:
            raise ValueError(f"{model.header['recipe']} has no discriminator to ask: leave --scores out")
        sheet = pictures.grid(values)
        if scored and realness is not None:
            sheet = pictures.scored_grid(values, realness.tolist())
        pictures.save(sheet, out, {"seed": str(seed), "recipe": model.header["recipe"]})
        return out
    if out.suffix:
        raise ValueError(f"samples are written as .png, .npz or into a folder, got {out}: change its ending")
    out.mkdir(parents=True)
    for i, image in enumerate(values):
        name = f"{i:06d}" + ("" if y is None else f"_{model.spec.classes[int(y[i])]}")
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(out / f"{name}.png")
    return out


def _write_arrays(out: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an npz file atomically."""
    out.parent.mkdir(parents=True, exist_ok=True)

    def fill(part: Path) -> None:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    atomically(out, fill)


def _free(out: Path) -> Path:
    """`out`, or where that is taken: out-2, out-3 ..."""
    candidate, number = out, 1
    while candidate.exists():
        number += 1
        candidate = out.with_name(f"{out.stem}-{number}{out.suffix}")
    return candidate
