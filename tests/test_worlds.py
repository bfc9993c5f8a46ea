"""Two ranks play every recipe together, each on its own share of the data with its own noise: they stay one."""

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from zerosum.recipes import RECIPES

RANK = Path(__file__).parent / "two_ranks.py"


def test_two_ranks_stay_identical(tmp_path) -> None:
    ranks = [
        subprocess.Popen([sys.executable, RANK, str(rank), str(tmp_path)], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    told = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], told
    one, other = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert one.keys() == other.keys()
    assert {name.partition(".")[0] for name in one} >= RECIPES.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    # The hands were 2s and 6s, the gradient is the hand's mean: 1 - (2 + 6) / 2, and the reading before that is 4.
    assert one["line"].item() == -3
    assert one["line.value"].item() == 4
