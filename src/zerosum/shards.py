"""Many samples, in tar files of a few thousand each, as WebDataset reads them: made by one process or by several.

A sample is a file or two in a tar, named by its number: 000000042.png, and 000000042.cls with the number of its class,
where it has one; points are 000000042.npy. Sample i is the same whoever makes it, so a shard is made by whichever rank
it falls to, and one that is there already is never made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.model import Model
from zerosum.play.checkpoint import atomically
from zerosum.play.precision import choose_device
from zerosum.stream import BLOCK, Stream

MOST_FILES = 10_000  # in a folder of pictures; what is more becomes shards
PER_SHARD = 8000
ABOUT = "shards.json"
Tell = Callable[[int, int], None]
Files = dict[str, bytes]  # of one sample: name and content


@dataclass(frozen=True)
class Made:
    """What one rank did."""

    shards: int  # of all ranks
    new: int  # made now, by this rank
    samples: int  # in those
    seconds: float

    def __str__(self) -> str:
        """
        >>> print(Made(125, 60, 480_000, 100.0)), print(Made(1, 0, 0, 0.0))
        125 shards: 60 made now, 4,800 samples/s
        1 shard: there already
        (None, None)
        """
        (rank, size), head = ranks(), f"{self.shards:,} shard{'s' * (self.shards > 1)}: "
        by = f" by rank {rank} of {size}" if size > 1 else ""
        if not self.new:
            return f"{head}there already" if size == 1 else f"{head}none left to make{by}"
        return f"{head}{self.new:,} made now{by}, {self.samples / self.seconds:,.0f} samples/s"


def ranks() -> tuple[int, int]:
    """The number of this process, and of how many, as torchrun tells both; of one elsewhere."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def device(name: str) -> str:
    """What `auto`, cpu or cuda is for this process: each rank of a machine has a GPU of its own. Raises ValueError."""
    chosen, local = choose_device(name), os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if local and chosen.type == "cuda" and chosen.index is None else str(chosen)


def meant(n: int, out: Path, per_shard: int | None, *, scored: bool = False) -> bool:
    """Whether n samples into `out` are shards: where their size is said, or a folder is to take more than 10,000.

    Raises ValueError where shards cannot be what is asked for, or several ranks would write anything else.
    """
    sharded = per_shard is not None or (not out.suffix and n > MOST_FILES)
    if sharded and out.suffix:
        raise ValueError(f"shards are written into a folder, got {out}: name one, or leave --per-shard out")
    if sharded and scored:
        raise ValueError("scores are drawn on a .png or kept in an .npz, not in shards: leave --scores out")
    if not sharded and ranks()[1] > 1:
        raise ValueError(f"ranks share shards, and {out} is none: name a folder, and --per-shard if few are drawn")
    return sharded


def write(
    model: Model,
    n: int,
    *,
    label: str | None,
    seed: int,
    out: Path,
    per_shard: int | None = None,
    tell: Tell = lambda made, of: None,
) -> Made:
    """Make the shards of `model.draw(n, label, seed)` that fall to this rank and are not there yet.

    Rank r makes every size-th shard, from r on; ranks exchange nothing. shards.json says what the shards are of. `tell`
    is told after each sample how many are made, of how many.

    Raises ValueError for a model or label that gives no samples, and where `out` holds anything else.
    """
    (rank, size), per_shard = ranks(), per_shard or PER_SHARD
    asked = None if label is None else torch.full((BLOCK,), model.class_number(label))
    model.check_samples()
    _claim(out, _about(model, n, label, seed, per_shard), rank)
    parts = {_name(at): range(at * per_shard, min((at + 1) * per_shard, n)) for at in range(-(-n // per_shard))}
    mine = {name: part for name, part in islice(parts.items(), rank, None, size) if not (out / name).exists()}
    start, of = time.perf_counter(), sum(map(len, mine.values()))
    samples = _samples(model, chain.from_iterable(mine.values()), asked, seed)
    told = _telling(samples, tell, of)
    for name, part in mine.items():
        atomically(out / name, partial(_fill, samples=islice(told, len(part))))
    return Made(len(parts), len(mine), of, time.perf_counter() - start)


def _telling(samples: Iterable[Files], tell: Tell, of: int) -> Iterator[Files]:
    for made, sample in enumerate(samples, 1):
        tell(made, of)
        yield sample


def _fill(path: Path, samples: Iterable[Files]) -> None:
    """Their files as a tar; of nobody, from 1970, so that its bytes are the same whenever it is made."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in chain.from_iterable(sample.items() for sample in samples):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def _name(number: int) -> str:
    return f"samples-{number:06d}.tar"


def _samples(model: Model, numbers: Iterator[int], asked: Tensor | None, seed: int) -> Iterator[Files]:
    """The files of each of these samples, whose numbers rise."""
    stream = Stream(model.game, seed)
    for block, members in groupby(numbers, lambda number: number // BLOCK):
        made, y, _ = stream.block(block, asked)
        x = model.as_data(made).cpu().numpy()
        for number in members:
            row = number % BLOCK
            yield _files(f"{number:09d}", x[row], None if y is None else int(y[row]))


def _files(name: str, sample: np.ndarray, label: int | None) -> Files:
    content = io.BytesIO()
    if sample.ndim == 1:
        np.save(content, sample, allow_pickle=False)
    else:
        Image.fromarray(sample.squeeze(-1) if sample.shape[-1] == 1 else sample).save(content, "PNG")
    files = {f"{name}.{'npy' if sample.ndim == 1 else 'png'}": content.getvalue()}
    return files if label is None else files | {f"{name}.cls": str(label).encode()}


def _about(model: Model, n: int, label: str | None, seed: int, per_shard: int) -> dict[str, Any]:
    """What every byte of the shards depends on."""
    game, weights = model.game, hashlib.sha256()
    for name, value in game.state_dict().items():
        if isinstance(value, Tensor):
            weights.update(f"{name} {tuple(value.shape)}".encode() + value.cpu().numpy().tobytes())
    return {
        "format": "WebDataset",
        "recipe": model.header["recipe"],
        "model": weights.hexdigest()[:16],
        "samples": n,
        "per_shard": per_shard,
        "seed": seed,
        "label": label,
        "classes": list(model.spec.classes) if game.classes else [],
        "device": game.device.type,
    } | {name: getattr(game, name) for name in game.at_sampling}


def _claim(out: Path, about: dict[str, Any], rank: int) -> None:
    """Say in the folder what its shards are of; whichever rank comes first. Raises ValueError where it is another's."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out} cannot be a folder ({error.strerror}): name another --out") from None
    others = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    file = out / ABOUT
    if not file.exists():  # looked for after `others`: shards of another rank stand beside it
        if others:
            raise ValueError(f"{out} holds {others[0]}, and no shards of samples: name another --out")
        own = out / f".{rank}-{ABOUT}"
        atomically(own, lambda part: part.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8"))
        own.replace(file)
    try:
        there = dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ValueError(f"{file} was not written by zerosum sample: name another --out") from None
    differs = [f"{key} {there.get(key)}, not {value}" for key, value in about.items() if there.get(key) != value]
    if differs:
        raise ValueError(f"{out} holds other samples ({'; '.join(differs)}): name another --out")
