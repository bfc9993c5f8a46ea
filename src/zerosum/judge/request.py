"""What is asked of a judge: which data, how many samples, which features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from zerosum.data.dataset import Dataset
from zerosum.folder import Folder
from zerosum.judge.extractors import choose
from zerosum.judge.judging import Judge
from zerosum.judge.ranks import leader_first
from zerosum.play.precision import keep_memory
from zerosum.run import data_and_held_out
from zerosum.settings import Settings, load, resolve

MOST_KEPT = 10_000  # samples: 1.9 GiB with kept memory, 1.3 without; of 50,000, kept memory grew beyond 14 GiB
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """As the command line has it: `data` is a source by name or path, or None for what a run was trained on.

    `changes` are settings of the data (`size`, `channels`, `labels` ...), or of recipes that are trained.
    """

    data: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 5000
    seed: int = 0
    features: Path | nn.Module | None = None
    lpips: tuple[Path, Path] | None = None  # AlexNet's file, and that of its layers' weights

    def material(self, path: Path | None) -> tuple[Dataset, Dataset | None]:
        """The real data to compare `path` with: to train on, and held out. Raises ValueError where none is named."""
        return data_and_held_out(self.settings(path), most=self.samples)

    def settings(self, path: Path | None) -> Settings:
        """Those of the run at `path`, on other data if that is asked for."""
        if path is not None and not path.exists():
            raise FileNotFoundError(f"no run, folder or file called {path}: give one that is there")
        run = None if path is None else run_of(path)
        base = None if run is None else load(run.config)
        overrides = dict(self.changes)
        if self.data is not None:
            overrides["source"] = self.data
            if base is not None and resolve(base=base).data.source != self.data:
                base = {"recipe": base.get("recipe")}  # nothing else that was meant for the run's own data
        elif base is None:
            raise ValueError(f"{path} is no run of zerosum's: name the real pictures to compare with, --data FOLDER")
        return resolve(overrides=overrides, base=base)

    def trained(self, recipe: str, minutes: float) -> Settings:
        """The settings to train a recipe for so long."""
        overrides = dict(self.changes) | {"length": f"{minutes:.15g} minutes"}
        return resolve(recipe, overrides=overrides | ({} if self.data is None else {"source": self.data}))

    def ready(self) -> None:
        """Before anything is drawn: freed memory is kept, for speed, unless so much is asked for that it would grow."""
        if self.samples <= MOST_KEPT:
            keep_memory()

    def judge(self, train: Dataset, held_out: Dataset | None, tell: Tell = lambda line: None) -> Judge:
        """With the features that fit, or those asked for."""
        with leader_first():
            features = choose(train, held_out, self.features, tell)
        return Judge(train, held_out, features, self.samples, self.seed)


def run_of(path: Path) -> Folder | None:
    """The run folder that `path` is, or that a model file lies in."""
    found = Folder(path if path.is_dir() else path.parent)
    return found if found.config.is_file() and (path.is_dir() or path.suffix == ".safetensors") else None
