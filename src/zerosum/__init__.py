"""zerosum: train generative adversarial networks, see whether they are healthy, and take them with you.

>>> import zerosum
>>> run = zerosum.train("gan", data="ring", length="20 rounds", out=getfixture("tmp_path") / "run")
>>> zerosum.load(run).sample(5, seed=0).shape
torch.Size([5, 2])
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum import ranks
    from zerosum.model import Model
    from zerosum.settings import Settings

__version__ = "0.1.0"


def train(
    recipe: str | None = None,
    data: str | None = None,
    *,
    preset: str | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> Path:
    """Train a recipe (the default one if none is named) and return the run folder.

    `settings` are those of `zerosum config RECIPE`, by name: `length="5000 rounds"`, `batch=128`, `lr=1e-4`.
    Under torchrun all ranks train one run, and only the first returns: the others end here.
    Raises ValueError for what cannot be, NonFinite (an ArithmeticError) where the game breaks.
    """
    from zerosum import ranks
    from zerosum.settings import resolve

    chosen = resolve(recipe, preset, settings | ({"source": str(data)} if data is not None else {}))
    return _played(chosen, lambda: ranks.begin(chosen, None if out is None else Path(out)))


def resume(folder: str | Path, length: str | None = None) -> Path:
    """Go on with a run exactly where its last checkpoint is; to `length` ("9000 rounds") if it is to be another one.

    Raises RunError for a run that has reached its length, DamagedFile where no checkpoint can be read.
    """
    from zerosum import run

    found = run.Folder.open(folder)
    return _played(found.settings(), lambda: run.go_on(found, length))


def _played(settings: Settings, begin: Callable[[], ranks.Begun]) -> Path:
    """The folder of the session that `begin` gives, played to its end; of several ranks, only the first returns."""
    from zerosum import ranks, run

    with ranks.led(settings, begin) as begun:
        if begun is None:
            raise SystemExit  # this rank has followed to the end: what the caller does with the folder is for one
        run.conduct(begun[0], lambda row, progress: None)
        return begun[0].folder.path


def load(path: str | Path, device: str = "cpu") -> Model:
    """The model of a run folder, or of a model file: `load(path).sample(64)`. Nothing in the file is executed."""
    from zerosum import model

    return model.load(path, device)


def evaluate(
    of: str | Path,
    data: str | None = None,
    *,
    samples: int = 5000,
    seed: int = 0,
    features: Any = None,
    utility: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """How good the samples of a run, or the pictures in a folder or npz, are: the report of `zerosum evaluate --json`.

    `data` is what to compare with, by default what the run was trained on; `settings` are those of the data (`size`,
    `channels`, `labels`), `features` a file, or a module [n c h w] in 0..1 -> [n f]. Nothing is written.
    Raises ValueError, FileNotFoundError for what cannot be judged.
    """
    from zerosum.judge import evaluation
    from zerosum.judge.request import Request

    asked = Request(data, settings, samples, seed, Path(features) if isinstance(features, str) else features)
    return evaluation.evaluate(Path(of), asked, utility=utility).report


def diagnose(run: str | Path) -> dict[str, Any]:
    """Whether a run is healthy, and if not what it has, since when, why and what helps: as `zerosum diagnose --json`.

    `run` is its folder, also of a run that plays still, was killed or broke. Raises RunError for any other folder.
    """
    from zerosum import consultation

    return consultation.consult(run).report()
