"""What the benches share: the judge of pictures, and what is written beside every figure."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zerosum.data import sources
from zerosum.data.dataset import Dataset
from zerosum.game import Game
from zerosum.metrics.features import LeNet, in_blocks, train_classifier
from zerosum.metrics.frechet import frechet_distance
from zerosum.model import fingerprint
from zerosum.play import checkpoint

RESULTS = Path(__file__).parent / "results"
COUNT = 5000


class Judge:
    """The Fréchet distance to training data in a LeNet's features, as a ratio to that of held-out data.

    Both sides have 5,000 pictures; the LeNet is fitted to the whole training split, with seed 0. 1 is a perfect
    generator (up to noise), below 1 is a copy of the training data.
    """

    def __init__(self, data: str):
        self.train, test = sources.load(data), sources.load(data, split="test")
        assert self.train.labels is not None
        assert test.labels is not None
        classes = len(self.train.spec.classes)
        self.net = classifier(self.train, classes)
        self.accuracy = float((in_blocks(self.net, test.examples).argmax(1) == test.labels).float().mean())
        chance = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(self.train), generator=chance)[:COUNT]
        held_out = torch.randperm(len(test), generator=chance)[:COUNT]  # MNIST's test halves differ: never a prefix
        self.reference = in_blocks(self.net.features, self.train.examples[chosen])
        self.held_out = frechet_distance(in_blocks(self.net.features, test.examples[held_out]), self.reference)

    def __call__(self, average: Game) -> dict[str, float]:
        """Ratio; share of samples that show the asked class, as the LeNet reads them; classes shown."""
        chance = torch.Generator().manual_seed(1)
        y = torch.arange(COUNT) % max(average.classes, 1)
        parts = [average.sample(500, y[i : i + 500] if average.classes else None, chance) for i in range(0, COUNT, 500)]
        pictures = as_bytes(torch.cat(parts))
        shown = in_blocks(self.net, pictures).argmax(1)
        ratio = frechet_distance(in_blocks(self.net.features, pictures), self.reference) / self.held_out
        figures = {"fd_ratio": round(ratio, 3), "classes_shown": int(shown.unique().numel())}
        if average.classes:
            figures["asked_class"] = round(float((shown == y).float().mean()), 4)
        return figures

    def describe(self) -> dict[str, Any]:
        return {
            "features": "LeNet, 64 numbers, 3 epochs, seed 0",
            "classifier_accuracy": round(self.accuracy, 4),
            "held_out_fd": round(self.held_out, 4),
            "samples": COUNT,
            "reference": f"{COUNT} of train",
            "held_out": f"{COUNT} of test, shuffled",
        }


def classifier(data: Dataset, classes: int) -> LeNet:
    """A LeNet fitted to the whole training split with seed 0: made once, then kept in the user's cache."""
    assert data.labels is not None
    made_of = f"{fingerprint(data)[:16]}-torch{torch.__version__}-threads{torch.get_num_threads()}"
    kept = Path.home() / ".cache" / "zerosum" / "judges" / f"{data.name}-{made_of}.safetensors"
    if kept.is_file():
        net = LeNet(data.spec.shape, classes)  # type: ignore[arg-type]
        net.load_state_dict(checkpoint.load(kept))
        return net.eval().requires_grad_(False)
    net = train_classifier(data.examples, data.labels, classes, epochs=3)
    kept.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(kept, net.state_dict())
    return net


def as_bytes(images: Tensor) -> Tensor:
    """[-1, 1] -> uint8, as the run folder writes pictures."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def hardware() -> dict[str, Any]:
    """Where and when a figure was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": next(
            (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
        ),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "not measured: no GPU at hand",
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def keep(name: str, result: dict[str, Any]) -> Path:
    """Write a result beside its hardware and date."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"hardware": hardware()} | result, indent=1) + "\n")
    return path
