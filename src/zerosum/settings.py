"""The settings of a run: which recipe, on which data, played how. Names become values here, and nowhere deeper."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, Field, NonNegativeInt, ValidationError, field_validator, model_validator

from zerosum.span import Span

if TYPE_CHECKING:
    from zerosum.recipes import Recipe


class SettingsError(ValueError):
    """A setting that cannot be: what was got, what was expected, what to do."""


class Data(BaseModel, frozen=True, extra="forbid"):
    """What is learnt from."""

    source: str = Field("glyphs", description="a set by name (glyphs, ring, mnist, ...) or a path")
    size: int | tuple[int, int] | None = Field(None, description="side, or height and width, to fit pictures to")
    channels: Literal[1, 3, 4] | None = Field(None, description="1 gray, 3 colour, 4 colour and alpha; none: as found")
    labels: str | None = Field(None, description="a file of labels, where folders do not tell them")
    limit: int | None = Field(None, ge=1, description="use at most so many examples")
    direction: Literal["AtoB", "BtoA"] = Field("AtoB", description="of pairs: which picture is given, which is made")
    held_out: float | None = Field(
        None, ge=0, le=0.5, description="share kept to judge by, without a test split; none: 10 % of 500 and more"
    )

    @field_validator("size", mode="before")
    @classmethod
    def _as_printed(cls, size: Any) -> Any:
        """'128x256' and '128,256' are sizes too."""
        parts = re.split(r"[x,]", size) if isinstance(size, str) else []
        return [int(part) for part in parts] if len(parts) == 2 and all(p.strip().isdigit() for p in parts) else size


class Play(BaseModel, frozen=True, extra="forbid"):
    """How the game is played and watched."""

    seed: int = Field(0, ge=0, lt=2**63, description="every draw follows from it")
    batch: int = Field(64, ge=1, description="examples dealt a turn")
    length: str = Field("3 minutes", description="when to stop: rounds, kimg, epochs or minutes")
    dynamics: Literal["alternating", "simultaneous", "extragradient"] = Field(
        "alternating", description="order of the turns"
    )
    cooldown: float = Field(0.0, ge=0, le=1, description="last share of the length, in which learning rates fall to 0")
    average: float = Field(0.999, ge=0, lt=1, description="decay a round of the generator's moving average; 0: none")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the networks; losses stay in float32")
    device: str = Field("auto", description="cpu, cuda, cuda:1 ...; auto: a GPU if there is one")
    readings: str = Field("50 rounds", description="how often a line of readings (means) is written")
    pictures: str = Field("1 %", description="how often the fixed noise is pictured")
    tiles: int = Field(64, ge=1, le=400, description="fixed noise vectors pictured")
    quality: str = Field("5 %", description="how often KID and coverage of 500 samples are measured")
    quality_cost: float = Field(0.05, ge=0, le=1, description="of the training time, at most, for that; 0: never")
    stop: Literal["length", "auto"] = Field("length", description="auto: also where the samples get no better")
    checkups: str = Field("2 %", description="how often the doctor looks at players, scores and samples")
    checkup_cost: float = Field(0.03, ge=0, le=1, description="of the training time, at most, for that; 0: never")
    pace: dict[str, float] = Field({}, description="a player's learning rate, times this: {D: 2} (Heusel et al. 2017)")
    augment: float = Field(0.0, ge=0, le=1, description="share of what D sees that is moved, cut, recoloured by chance")
    treat: Literal["advise", "auto"] = Field("advise", description="auto: a sick run goes back and is played otherwise")
    changes: dict[NonNegativeInt, dict[str, Any]] = Field({}, description="what changes at a round: {800: {batch: 9}}")
    checkpoints: str = Field("10 %", description="how often a checkpoint is saved")
    keep: int = Field(2, ge=1, description="checkpoints kept, newest first")

    @model_validator(mode="after")
    def _falling_rates_are_waited_for(self) -> Play:
        if self.stop == "auto" and self.cooldown:
            raise ValueError(
                f"stop = auto ends a run at constant rates; with cooldown = {self.cooldown:g} they fall towards its "
                "end, where samples get better once more: set cooldown to 0, or stop to length"
            )
        return self

    @field_validator("length", "readings", "pictures", "quality", "checkups", "checkpoints", mode="before")
    @classmethod
    def _is_a_span(cls, text: Any, info: Any) -> str:
        span = Span.parse(text)
        if info.field_name == "length" and span.unit == "%":
            raise ValueError("the whole cannot be a share of itself: give rounds, kimg, epochs or minutes")
        if info.field_name == "readings" and (span.unit != "rounds" or span.amount != int(span.amount)):
            raise ValueError("expected a whole number of rounds, so that a resumed run writes the same lines")
        return str(text)


class Settings(BaseModel, frozen=True, extra="forbid"):
    """A whole run, as its config.yaml holds it."""

    recipe: str
    data: Data = Data()
    game: Any
    play: Play = Play()

    def to_yaml(self) -> str:
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        return text


def recipe_of(name: str) -> Recipe:
    """The recipe of that name. Raises SettingsError with near misses."""
    from zerosum.recipes import RECIPES

    if name not in RECIPES:
        raise SettingsError(f"no recipe called '{name}'. {near(name, RECIPES)}All: zerosum recipes")
    return RECIPES[name]


def resolve(
    recipe: str | None = None,
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
) -> Settings:
    """The defaults, changed by a config file's content `base`, by a preset, by overrides; each wins over the last.

    Where no preset is named, a recipe may have a usual one, for pictures or for points.

    Keys are bare (`lr`) or dotted (`game.lr`). Raises SettingsError for what is unknown or out of range.
    """
    from zerosum.recipes import DEFAULT

    base = dict(base or {})
    named = base.pop("recipe", None)
    name = str(recipe or named or DEFAULT)
    chosen = recipe_of(name)
    sections: dict[str, type[BaseModel]] = {"data": Data, "game": chosen.config, "play": Play}
    if preset is not None and preset not in chosen.presets:
        known = ", ".join(chosen.presets) or "none"
        raise SettingsError(f"{name} has no preset '{preset}'. {near(preset, chosen.presets)}It has: {known}")
    values: dict[str, dict[str, Any]] = {section: {} for section in sections}
    if preset is None and not base:
        preset = _usual(chosen, (overrides or {}).get("source"))
    for changes in (_flat(base, sections), chosen.presets[preset] if preset else {}, overrides or {}):
        for key, value in changes.items():
            section, field = _find(str(key), sections, name)
            values[section][field] = value
    built: dict[str, Any] = {section: _build(model, values[section], section) for section, model in sections.items()}
    return Settings(recipe=name, data=built["data"], game=built["game"], play=built["play"])


def _flat(base: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """{"play": {"batch": 32}} -> {"play.batch": 32}."""
    flat: dict[str, Any] = {}
    for section, part in base.items():
        if section not in sections:
            raise SettingsError(
                f"unknown section '{section}' in the config. {near(str(section), sections)}"
                f"Expected: recipe, {', '.join(sections)}"
            )
        if not isinstance(part, Mapping | types.NoneType):
            raise SettingsError(f"section '{section}' of the config is {part!r}: expected lines of 'key: value'")
        flat |= {f"{section}.{key}": value for key, value in (part or {}).items()}
    return flat


def _usual(recipe: Recipe, source: Any) -> str | None:
    """The preset that is meant where none is named: `points` for an embedded set of points, else `default`."""
    from zerosum.data.toy import TOYS

    wanted = "points" if source in TOYS and "points" in recipe.presets else "default"
    return wanted if wanted in recipe.presets else None


def load(path: Path) -> dict[str, Any]:
    """The content of a config.yaml, for `resolve`. Raises SettingsError where it is not one."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path} cannot be read as a config ({reason})") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} is not a config: expected the sections recipe, data, game, play")
    return content


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """['lr=1e-4', 'play.batch=32'] -> a mapping, the values read as YAML. Raises SettingsError without '='."""
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise SettingsError(f"'{assignment}' is not a setting: expected key=value, such as lr=1e-4")
        try:
            values[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError:
            values[key.strip()] = text
    return values


def near(word: str, known: Any) -> str:
    """'Did you mean 'x'? ', or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'? " if close else ""


def _find(key: str, sections: Mapping[str, type[BaseModel]], recipe: str) -> tuple[str, str]:
    """The section and field that a bare or dotted key means."""
    section, _, field = key.rpartition(".")
    places = [s for s, model in sections.items() if field in model.model_fields and section in ("", s)]
    if len(places) == 1:
        return places[0], field
    if places:
        choice = " or ".join(f"{place}.{field}" for place in places)
        raise SettingsError(f"'{field}' is a setting of {' and of '.join(places)}: write {choice}")
    fields = {f: (s, m.model_fields[f].description) for s, m in sections.items() for f in m.model_fields}
    about = ""
    if hint := difflib.get_close_matches(field, fields, n=1, cutoff=0.5):
        place, description = fields[hint[0]]
        about = f"Did you mean '{place}.{hint[0]}'? ({description}) "
    raise SettingsError(f"{recipe} has no setting '{key}'. {about}All: zerosum config {recipe}")


def _build(model: type[BaseModel], values: Mapping[str, Any], section: str) -> BaseModel:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        message = message[0].lower() + message[1:]
        if not first["loc"]:  # a rule between fields
            raise SettingsError(f"{section}: {message}") from error
        field = str(first["loc"][0])
        info = model.model_fields[field]
        raise SettingsError(
            f"{section}.{field} = {values[field]!r}: {message} "
            f"({kind(info.annotation)}; default {info.default!r}; {info.description})"
        ) from error


def kind(annotation: Any) -> str:
    """A type as people read it: `int`, `float or none`, `alternating | simultaneous`."""
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return " | ".join(str(a) for a in typing.get_args(annotation))
    if origin in (types.UnionType, typing.Union):
        return " or ".join(kind(a) for a in typing.get_args(annotation))
    if origin is tuple:
        return "list of " + kind(typing.get_args(annotation)[0])
    return "none" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
