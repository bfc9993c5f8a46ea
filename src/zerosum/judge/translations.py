"""Translated pictures, judged: by the pictures that they should be where there are pairs, else by the other domain.

Beside every number stands the same number of the pictures as they were given: what doing nothing scores.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zerosum import model, pictures
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Pairs
from zerosum.game import Translator
from zerosum.judge.candidates import MODEL, is_model
from zerosum.judge.extractors import FEWEST
from zerosum.judge.judging import Numbers, number_or_need, plain
from zerosum.judge.report import figure, interval
from zerosum.judge.request import Request
from zerosum.metrics.features import in_blocks, random_features, train_classifier
from zerosum.metrics.frechet import frechet
from zerosum.metrics.kernel import kid
from zerosum.metrics.number import Number
from zerosum.metrics.pairs import content_kept, psnr, ssim, translation_error
from zerosum.metrics.perceptual import perceptual_distance
from zerosum.metrics.resize import as_rgb

ROWS = 8  # of the gallery


def report(
    path: Path, train: Dataset, held_out: Dataset | None, asked: Request
) -> tuple[dict[str, Any], dict[str, Image.Image]]:
    """The numbers of each direction that the game knows, on held-out pictures (where there are none, on its own)."""
    if not is_model(path):
        raise ValueError(f"{path} is no run: pictures are translated by a run of pix2pix or cyclegan")
    loaded = model.load(path)
    game = loaded.game
    assert isinstance(game, Translator)
    data = held_out or train
    told = "held-out" if held_out else "training"
    found: dict[str, Any] = {}
    sheets: dict[str, Image.Image] = {}
    for direction in game.directions:
        judged = Translated(game, direction, train, data, asked)
        found[direction] = judged.report()
        sheets[f"{direction}.png"] = judged.sheet()
    file = path / MODEL if path.is_dir() else path
    origin = {name: loaded.header[name] for name in ("recipe", "rounds", "images", "seed", "trained_on")}
    eyes = random_features(judged.target.shape[1:])
    head = {
        "candidate": str(path),
        "origin": origin | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        "protocol": f"{len(judged.given)} {told} pictures of {train.name}, seed {asked.seed}; {eyes.distance} on "
        f"{eyes.width} numbers of {eyes.name} ({eyes.hash}); 95 % intervals",
        "counts": {"translated": len(judged.given), "training": len(train)},
        "seed": asked.seed,
    }
    return head | {"directions": found}, sheets


class Translated:
    """What a game makes of pictures in one direction, and what they should look like."""

    def __init__(self, game: Translator, direction: str, train: Dataset, data: Dataset, asked: Request):
        self.game, self.direction, self.data, self.seed = game, direction, data, asked.seed
        assert data.partners is not None
        assert train.partners is not None
        forth = direction == "AtoB"
        given, other = (data.examples, data.partners) if forth else (data.partners, data.examples)
        self.given, self.other = given[: asked.samples], other[: asked.samples]
        self.target = (train.partners if forth else train.examples)[: asked.samples]
        self.train, self.forth = train, forth
        self.perceived = perceptual_distance(*asked.lpips) if asked.lpips else None
        self.made = self.translate(self.given, direction)

    @torch.no_grad()
    def translate(self, x: Tensor, direction: str) -> Tensor:
        """uint8 [n c h w] -> uint8; dropout, where it is the noise, by the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            parts = [self.game.translate(part.float() / 127.5 - 1, direction) for part in x.split(100)]
        return ((torch.cat(parts).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)

    def report(self) -> dict[str, Any]:
        numbers = self.closeness(self.made)
        if self.game.directions == ("AtoB", "BtoA"):
            back = next(way for way in self.game.directions if way != self.direction)
            numbers["cycle error"] = number_or_need(
                lambda: translation_error(self.translate(self.made, back), self.given)
            )
        if self.other.shape[1] == self.given.shape[1] and not self.paired:
            same = self.translate(self.other, self.direction)
            numbers["identity error"] = number_or_need(lambda: translation_error(self.other, same))
        if (kept := self.content()) is not None:
            numbers["content kept"] = kept
        alike = self.given.shape[1:] == self.made.shape[1:]
        return {"numbers": plain(numbers), "untranslated": plain(self.closeness(self.given)) if alike else {}}

    @property
    def paired(self) -> bool:
        return isinstance(self.data.spec, Pairs)

    def truth(self) -> Tensor | None:
        """What should have been made of each, where it is known."""
        if self.paired:
            return self.other
        partner = (self.data.factors or {}).get("partner")
        if partner is None:
            return None
        assert self.data.partners is not None
        return (self.data.partners[partner] if self.forth else self.data.examples[partner.argsort()])[: len(self.given)]

    def closeness(self, made: Tensor) -> Numbers:
        """To the truth where it is known, and to the other domain."""
        found: Numbers = {}
        if (truth := self.truth()) is not None:
            found |= {
                "difference": number_or_need(lambda: translation_error(made, truth)),
                "PSNR": number_or_need(lambda: psnr(made, truth)),
                "SSIM": number_or_need(lambda: ssim(made, truth)),
            }
            if (perceived := self.perceived) is not None:
                found["LPIPS"] = number_or_need(lambda: perceived(made, truth))
        eyes = random_features(made.shape[1:])
        seen, target = eyes(made), eyes(self.target)
        return found | {
            f"{eyes.distance}": number_or_need(lambda: frechet(seen, target)),
            f"KID({eyes.name})": number_or_need(lambda: kid(seen, target)),
        }

    def content(self) -> Number | None:
        """How often a classifier of the other domain reads the digit that was there, where digits are known."""
        wanted, told = _digits(self.data, of_b=not self.forth), _digits(self.train, of_b=self.forth)
        if wanted is None or told is None:
            return None
        pictures = self.train.partners if self.forth else self.train.examples
        assert pictures is not None
        if len(pictures) < FEWEST:
            return None
        reader = train_classifier(pictures, told, 10)
        return content_kept(wanted[: len(self.made)], in_blocks(reader, self.made).argmax(1))

    def sheet(self) -> Image.Image:
        """Rows of what was given, what was made, and what it should be, where that is known."""
        columns = [self.given, self.made] + ([] if (truth := self.truth()) is None else [truth])
        rows = [as_rgb(side[:ROWS].float()).permute(0, 2, 3, 1).to(torch.uint8) for side in columns]
        tiles = torch.stack(rows, 1).flatten(0, 1)
        return pictures.grid(tiles.numpy(), len(columns))


def _digits(data: Dataset, *, of_b: bool) -> Tensor | None:
    """The digit on each picture of a side: B is in an order of its own, which the partners undo."""
    factors = data.factors or {}
    if "digit" not in factors or "partner" not in factors:
        return None
    digits = factors["digit"]
    return torch.empty_like(digits).scatter_(0, factors["partner"], digits) if of_b else digits


def lines(found: dict[str, Any]) -> list[str]:
    """The report of every direction, as a person reads it."""
    told = [f" Judged    {found['candidate']} · {found['protocol'].partition(';')[0]}"]
    for direction, part in found["directions"].items():
        wide = max(map(len, part["numbers"]))
        told.append(
            f" {direction:<9} {'':<{wide}}  {'made':>9}  {'95 %':<20}  {'untranslated':>12}  {'95 %':<20}".rstrip()
        )
        for name, number in part["numbers"].items():
            if "needs" in number:
                told.append(f"           {number['needs']}")
                continue
            beside = part["untranslated"].get(name, {})
            there = f"{figure(beside['value']):>12}  {interval(beside):<20}" if "value" in beside else ""
            told.append(
                f"           {name:<{wide}}  {figure(number['value']):>9}  {interval(number):<20}  {there}".rstrip()
            )
    return told
