"""Pictures of the user's own, translated: any size, one file each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor

from zerosum import pictures
from zerosum.data.pictures import as_array, to_mode
from zerosum.data.spec import Domains, Pairs
from zerosum.game import Translator
from zerosum.model import Model
from zerosum.samples import free

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def write(model: Model, given: Sequence[Path], out: Path, *, direction: str | None = None, seed: int = 0) -> list[Path]:
    """Translate every picture (of a folder: each in it) into `out`/NAME.png; nothing is overwritten.

    `direction` is one of the game's own; none: its first. Dropout, where it is the noise, follows `seed`. Raises
    ValueError for a game that does not translate, a direction that it does not know, or what is no picture.
    """
    game, spec = model.game, model.spec
    if not isinstance(game, Translator) or not isinstance(spec, Pairs | Domains):
        raise ValueError(
            f"{model.header['recipe']} makes pictures from noise: zerosum sample; pix2pix and cyclegan translate"
        )
    way = direction or game.directions[0]
    if way not in game.directions:
        raise ValueError(f"this model translates {' and '.join(game.directions)}, not '{way}'")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a folder (--out)")
    channels = (spec.a if way == "AtoB" else spec.b).channels
    files = [file for path in given for file in _pictures(path)]
    opened = [(file, _open(file, channels)) for file in files]  # all are read before any is written
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for file, picture in opened:
        torch.manual_seed(seed)
        with torch.no_grad():
            made = game.translate(picture.to(game.device), way)
        image = pictures.to_uint8(made)[0]
        target = free(out / f"{file.stem}.png")
        pictures.save(Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image), target)
        written.append(target)
    return written


def _pictures(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"no picture or folder {path}")
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
    if not found:
        raise ValueError(f"{path} holds no pictures: expected {', '.join(ENDINGS)}")
    return found


def _open(file: Path, channels: int) -> Tensor:
    """[1 c h w] in [-1, 1], upright, decoded as training pictures are."""
    try:
        with Image.open(file) as opened:
            array = as_array(to_mode(ImageOps.exif_transpose(opened), channels), channels)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as a picture ({error})") from None
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
