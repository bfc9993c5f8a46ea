"""The settings of a run: which recipe, on which data, played how. Names become values here, and nowhere deeper."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ValidationError

from zerosum.sections import Data, Play, Speed

if TYPE_CHECKING:
    from zerosum.recipes import Recipe


class SettingsError(ValueError):
    """A setting that cannot be: what was got, what was expected, what to do."""


class Settings(BaseModel, frozen=True, extra="forbid"):
    """A whole run, as its config.yaml holds it."""

    recipe: str
    data: Data = Data()
    game: Any
    play: Play = Play()
    speed: Speed = Speed()

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
    sections: dict[str, type[BaseModel]] = {"data": Data, "game": chosen.config, "play": Play, "speed": Speed}
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
    return Settings(recipe=name, **built)


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
