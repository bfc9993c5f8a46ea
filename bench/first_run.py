"""The first run as a stranger has it: seconds of `zerosum train` to the first grid and to recognisable digits.

    python bench/first_run.py --minutes 3

Runs the command itself, in a new process with an empty cache, on the embedded digits; then reads what each saved grid
shows with a LeNet fitted to other glyphs: digits are recognisable when it reads the asked class in 90 % of the tiles.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zerosum.metrics.features import in_blocks

from judge import Judge, keep


def tiles_of(grid: Path, count: int, columns: int) -> torch.Tensor:
    """The tiles of a saved grid of 28x28 pictures, brought back to 28x28: uint8 [n 1 28 28]."""
    picture = np.asarray(Image.open(grid).convert("L"))
    rows = count // columns
    zoom = next(z for z in range(1, 9) if abs(picture.shape[1] - columns * 28 * z) <= (columns + 1) * 8 * z)
    gap = (picture.shape[1] - columns * 28 * zoom) // (columns + 1)
    tiles = []
    for r in range(rows):
        for c in range(columns):
            top, left = gap + r * (28 * zoom + gap), gap + c * (28 * zoom + gap)
            tiles.append(picture[top : top + 28 * zoom : zoom, left : left + 28 * zoom : zoom])
    return torch.from_numpy(np.stack(tiles))[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    run = args.out or Path(tempfile.mkdtemp()) / "first"
    command = [sys.executable, "-m", "zerosum", "train", "--minutes", str(args.minutes), "--out", str(run)]
    environment = {k: v for k, v in os.environ.items() if k != "ZEROSUM_DATA"} | {"XDG_CACHE_HOME": tempfile.mkdtemp()}
    wall = time.time()
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    print(process.stdout)
    grids = sorted((run / "grids").glob("*.png"))
    first_image = next(g for g in grids if int(g.stem) > 0)
    judge = Judge("glyphs")
    rows = []
    for grid in grids:
        tiles = tiles_of(grid, 60, 10)
        shown = in_blocks(judge.net, tiles).argmax(1)
        share = float((shown == torch.arange(60) % 10).float().mean())
        rows.append(
            {"round": int(grid.stem), "wall_seconds": round(grid.stat().st_mtime - wall, 1), "read": round(share, 3)}
        )
    readable = next((row for row in rows if row["read"] >= 0.9), None)
    result = {
        "seed": 0,
        "minutes": args.minutes,
        "seconds_to_first_grid": round(grids[0].stat().st_mtime - wall, 1),
        "seconds_to_first_trained_grid": round(first_image.stat().st_mtime - wall, 1),
        "seconds_to_readable_digits": readable and readable["wall_seconds"],
        "judge": judge.describe(),
        "last": rows[-1],
        "rows": rows[:: max(1, len(rows) // 25)],
    }
    print({k: v for k, v in result.items() if k != "rows"})
    print(keep("first_run", result))


if __name__ == "__main__":
    main()
