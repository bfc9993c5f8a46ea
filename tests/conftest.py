"""What the tests of runs share: tiny games, tiny data, and states that are compared to the last bit."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zerosum.play import checkpoint
from zerosum.recipes import RECIPES

collect_ignore = ["ranks.py"]  # a program that test_worlds starts
torch.set_num_threads(1)
# Started in the background, a shell may have these ignored, and commands would inherit that: tests send them.
for ignored, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, usual)

SMALL = {"width": 4, "latent": 4, "blocks": 1, "group": 4, "expansion": 1}
PLAY = {"batch": 8, "tiles": 4, "average": 0.9, "pictures": "50 %"}


def tiny(recipe: str) -> dict[str, Any]:
    """Settings that make any recipe small: what it has of them."""
    settings: dict[str, Any] = dict(PLAY)
    for name, field in RECIPES[recipe].config.model_fields.items():
        if name in SMALL:
            settings[name] = SMALL[name]
        elif name == "hidden" or name.endswith("widths"):
            settings |= {name: (8,) * len(field.default)} if field.default else {}
    return settings | {"source": RECIPES[recipe].example, "limit": 30}


def alike(a: Any, b: Any) -> bool:
    """Whether two trees of tensors and values are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return bool(a == b)


def end_state(run: Path) -> dict[str, Any]:
    """The last checkpoint of a run: weights, average, optimisers, generators, deck, unwritten rows; not the time."""
    state = checkpoint.load(max((run / "checkpoints").glob("*.safetensors")))
    del state["seconds"]
    return state


def readings(run: Path) -> list[dict[str, float]]:
    """The rows of readings; not the time."""
    rows = [json.loads(line) for line in (run / "readings.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="session")
def small() -> Callable[[str], dict[str, Any]]:
    return tiny


@pytest.fixture
def same_run() -> Callable[[Path, Path], None]:
    """Fails where two runs differ in their last checkpoint or in any reading."""

    def check(a: Path, b: Path) -> None:
        one, other = end_state(a), end_state(b)
        assert one.keys() == other.keys()
        for part in one:
            assert alike(one[part], other[part]), f"{part} differs between {a.name} and {b.name}"
        assert readings(a) == readings(b)

    return check
