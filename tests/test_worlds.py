"""Ranks play every recipe together, each on its own share of the data: they stay one, and play what one would."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zerosum.recipes import RECIPES

RANK = Path(__file__).parent / "ranks.py"
COUPLED = {
    "progan": "D sees how much its minibatch varies, that of one rank",
}


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """What so many ranks, or one rank in so many pieces, became: by rank."""

    @cache
    def played(size: int, pieces: int = 1) -> list[dict[str, torch.Tensor]]:
        folder = tmp_path_factory.mktemp(f"ranks-{size}")
        ranks = [
            subprocess.Popen(
                [sys.executable, RANK, str(rank), str(size), folder, str(pieces)], stderr=subprocess.PIPE, text=True
            )
            for rank in range(size)
        ]
        told = [rank.communicate(timeout=300)[1] for rank in ranks]
        assert [rank.returncode for rank in ranks] == [0] * size, told
        return [load_file(folder / f"{rank}.safetensors") for rank in range(size)]

    return played


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_stay_identical(play, size: int) -> None:
    one, *others = play(size)
    assert {name.partition(".")[0] for name in one} >= RECIPES.keys()
    for other in others:
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert torch.equal(value, other[name]), name


def test_the_gradient_is_the_mean(play) -> None:
    """The hands were 2s and 6s, the gradient is the hand's mean: 1 - (2 + 6) / 2, and the reading before that is 4."""
    one, _ = play(2)
    assert one["line"].item() == -3
    assert one["line.value"].item() == 4


WATCHED = ("r3gan.reading.D.D_x", "r3gan.reading.D.D_Gz")  # seen from the middle of a rank's own scores


def differences(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> dict[str, float]:
    """The largest difference of anything, by recipe; relative to what is above 1."""
    found: dict[str, float] = {}
    for name, value in some.items():
        far = (value.double() - others[name].double()).abs() / value.double().abs().clamp(min=1)
        recipe = name.partition(".")[0]
        if far.numel() and name not in WATCHED and not name.endswith("num_batches_tracked"):
            found[recipe] = max(found.get(recipe, 0.0), float(far.max()))
    return found


@pytest.mark.parametrize(("size", "pieces"), [(2, 1), (4, 1), (1, 4)])
def test_several_play_what_one_would(play, size: int, pieces: int) -> None:
    """One process with a batch of 16; two with 8 each, four with 4, or four pieces after one another: within 1e-6."""
    one = play(1)[0]
    found = differences(one, play(size, pieces)[0])
    found.pop("line")  # which is dealt by rank
    normed = {name.partition(".")[0] for name in one if "running_var" in name}
    coupled = COUPLED.keys() if pieces == 1 else {"progan"} | normed  # a piece has its own statistics, a rank not
    assert normed >= {"r1gan", "dcgan", "infogan"}
    assert {name for name, far in found.items() if far > 1e-6} <= coupled, found
    assert len(found) == len(RECIPES) + 1
