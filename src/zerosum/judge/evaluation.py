"""The judgement of one candidate: a report of plain values, and the gallery of what looks most like a copy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum import __version__, model, pictures
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Domains, Images, Pairs
from zerosum.game import Game
from zerosum.judge import ranks, report, translations
from zerosum.judge.candidates import Candidate, candidate, check, is_model
from zerosum.judge.judging import Judge, Seen, number_or_need, plain
from zerosum.judge.request import Request, Tell, run_of
from zerosum.metrics.factors import factor_vae_score, mutual_information_gap, separated_attribute_predictability
from zerosum.metrics.features import in_blocks, reduced
from zerosum.metrics.memorising import Copying
from zerosum.metrics.number import Number
from zerosum.metrics.utility import classification_scores, usefulness
from zerosum.play.checkpoint import atomically

FEW = 2  # numbers of a factor that are factors of their own: x and y
STEPS = 1200  # of every classifier that tells whether samples are useful: Fashion-MNIST needs as many, MNIST a third
SHARES = (0.01, 0.05, 0.1, 1.0)  # of the labels, to which samples are added
Report = dict[str, Any]
Gallery = dict[str, Image.Image]
Score = Callable[[Tensor, dict[str, Tensor]], Number]


@dataclass(frozen=True)
class Evaluation:
    report: Report
    gallery: Gallery  # by file name


def evaluate(path: Path, asked: Request, *, utility: bool = False, tell: Tell = lambda line: None) -> Evaluation:
    """Judge the run, model or pictures at `path`. The same request gives the same digits.

    Where ranks are joined, each draws a part of the samples and sees a part of all examples; rank 0 concludes.
    Raises ValueError, FileNotFoundError, DataError where it cannot be judged: what was got, what was expected.
    """
    asked.ready()
    with ranks.leader_first():
        train, held_out = asked.material(path)
    if isinstance(train.spec, Pairs | Domains):
        found, sheets = ranks.concluded(lambda: translations.report(path, train, held_out, asked))
        return Evaluation(_headed(found, train), sheets)
    shown = candidate(path, train, asked.samples, asked.seed)
    check(shown)
    judge = asked.judge(train, held_out, tell)
    seen = judge.show(shown)
    return ranks.concluded(lambda: _evaluation(path, judge, shown, seen, utility=utility, tell=tell))


def _evaluation(path: Path, judge: Judge, shown: Candidate, seen: Seen, *, utility: bool, tell: Tell) -> Evaluation:
    train, held_out = judge.train, judge.held_out
    found = judged(judge, shown, seen)
    copies = _or_reason(lambda: _copying(judge, shown, path))
    found["copies"] = asdict(copies) if isinstance(copies, Copying) else copies
    if (factors := _factors(path, held_out)) is not None:
        found["factors"] = factors
    if utility:
        found["utility"] = _utility(shown, train, held_out, tell)
    gallery: Gallery = {}
    if isinstance(train.spec, Images) and isinstance(copies, Copying):
        gallery["copies.png"] = _gallery(shown, train, copies)
    return Evaluation(_headed(found, train), gallery)


def judged(judge: Judge, shown: Candidate, seen: Seen) -> Report:
    """The numbers of the samples, and those of held-out data; the protocol that pins them."""
    train, real = judge.train, judge.real
    counts = {"samples": len(shown.examples), "reference": len(judge.reference.features), "training": len(train)}
    counts["held out"] = 0 if real is None else len(real.features)
    features = {name: getattr(judge.features, name) for name in ("name", "about", "hash", "width", "accuracy")}
    numbers, real_numbers = judge.numbers(seen), {} if real is None else judge.numbers(real)
    return {
        "candidate": shown.name,
        "origin": shown.origin,
        "protocol": (
            f"{judge.features.distance} on {features['width']} numbers of {features['name']} ({features['hash']}); "
            f"{counts['samples']} samples against {counts['reference']} of {train.name}'s training data; "
            f"held out: {counts['held out']}; seed {judge.seed}; 95 % intervals"
        ),
        "counts": counts,
        "features": features,
        "seed": judge.seed,
        "numbers": plain(numbers),
        "real": plain(real_numbers),
        "beside_real": judge.beside_real(seen, numbers, real_numbers),
        "by_class": plain(judge.by_class(seen)),
    }


def lines(found: Report) -> list[str]:
    """A report as a person reads it."""
    return translations.lines(found) if "directions" in found else report.lines(found)


def keep(found: Evaluation, path: Path, out: Path | None) -> Path:
    """Write report.json and the gallery, into the run folder unless told otherwise; the folder that they are in.

    The folder is named by what was judged and how: the same evaluation is written to the same place with the same
    digits, another one beside it.
    """
    run = run_of(path)
    place = out or (run.evaluations if run else Path("evaluations"))
    told = [found.report["origin"]["sha256"], found.report["data"]["fingerprint"], found.report["protocol"]]
    told += [part for part in ("utility", "lpips") if part in found.report]
    name = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    rounds = found.report["origin"].get("rounds")
    folder = place / (f"{path.stem}-{name}" if rounds is None or out else f"round-{rounds}-{name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be a folder ({error.strerror}): name another --out") from None
    text = json.dumps(found.report, indent=1) + "\n"
    atomically(folder / "report.json", lambda part: part.write_text(text, encoding="utf-8"))
    for file, sheet in found.gallery.items():
        pictures.save(sheet, folder / file)
    return folder


def _headed(found: Report, train: Dataset) -> Report:
    data = {"name": train.name, "examples": len(train), "fingerprint": model.fingerprint(train)}
    whole = {"zerosum": __version__, "data": data | model.describe(train.spec)} | found
    plain_values: Report = json.loads(json.dumps(whole))  # as it will be read again: no tuples
    return plain_values


def _copying(judge: Judge, shown: Candidate, path: Path) -> Copying:
    run = run_of(path)
    trained_on = run.facts().get("data", {}).get("fingerprint") if run else None
    if trained_on not in (None, model.fingerprint(judge.train)):
        raise ValueError(
            f"{path} was trained on other pictures than these: whether it copies is told by those, without --data"
        )
    return judge.copying(shown.examples)


def _or_reason(judge: Callable[[], Copying]) -> Copying | Report:
    """Whether it copies; or why that cannot be said."""
    try:
        return judge()
    except ValueError as reason:
        return {"needs": str(reason)}


def _utility(shown: Candidate, train: Dataset, held_out: Dataset | None, tell: Tell) -> Any:
    """What the samples are worth to a classifier. Raises ValueError where there are no labels to learn."""
    if shown.labels is None or train.labels is None or held_out is None or held_out.labels is None:
        raise ValueError(
            f"--utility needs samples and real pictures with labels, and held-out ones; {shown.name} or {train.name} "
            "has none: train a recipe that is told labels (cgan, r1gan) on class folders"
        )
    classes = len(train.spec.classes)
    samples, real = (reduced(shown.examples), shown.labels), (reduced(train.examples), train.labels)
    test = reduced(held_out.examples), held_out.labels
    shares = [share for share in SHARES if round(share * len(train)) >= 10 * classes]
    tell(f"{6 + 6 * len(shares)} small classifiers are trained, to see what the samples are worth: some minutes")
    scores = classification_scores(samples, real, test, classes, steps=STEPS)
    gains = usefulness(samples, real, test, classes, shares=shares, steps=STEPS)
    return {"scores": asdict(scores), "gains": [asdict(gain) for gain in gains]}


def _factors(path: Path, held_out: Dataset | None) -> Report | None:
    """Whether the codes of a game that has some tell the known factors of held-out pictures apart."""
    if held_out is None or held_out.factors is None or not is_model(path):
        return None
    game = model.load(path).game
    codes = in_blocks(lambda part: _read(game, part), held_out.examples)
    if not codes.numel():
        return None
    factors = {name: values for name, values in _columns(held_out.factors).items() if len(values.unique()) > 1}
    scores: dict[str, Score] = {
        "MIG": mutual_information_gap,
        "FactorVAE score": factor_vae_score,
        "SAP": separated_attribute_predictability,
    }
    measured = {name: number_or_need(partial(score, codes, factors)) for name, score in scores.items()}
    return {"names": sorted(factors)} | plain(measured)


@torch.no_grad()
def _read(game: Game, part: Tensor) -> Tensor:
    """The codes of uint8 pictures [n c h w]; [n 0] where the game reads none."""
    codes = game.codes(part.float() / 127.5 - 1)
    return part.new_empty(len(part), 0) if codes is None else codes


def _columns(factors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Factors of a few numbers as one column each; those of many (the jitter of points) are noise, not factors."""
    found = {}
    for name, values in factors.items():
        if values.ndim == 1:
            found[name] = values
        elif values.shape[1] <= FEW:
            found |= {f"{name} {axis}": values[:, i] for i, axis in enumerate("xyzw"[: values.shape[1]])}
    return found


def _gallery(shown: Candidate, train: Dataset, copies: Copying) -> Image.Image:
    """The samples most like a training example, each to the left of it, the most alike first."""
    sides = [
        side.permute(1, 2, 0).numpy()
        for pair in copies.worst
        for side in (shown.examples[pair.sample], train.examples[pair.train])
    ]
    return pictures.grid(np.stack(sides), 8)
