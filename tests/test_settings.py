"""Names become values in one place, and what cannot be is told in one line."""

from __future__ import annotations

import pytest
import yaml

from zerosum.recipes import DEFAULT, RECIPES
from zerosum.settings import Settings, SettingsError, load, parse_assignments, resolve
from zerosum.span import Span


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("500 rounds", 500, "rounds"),
        ("1 epoch", 1, "epochs"),
        ("0.05 minutes", 0.05, "minutes"),
        ("5%", 5, "%"),
        (" 1e3  images ", 1000, "images"),
        ("20kimg", 20, "kimg"),
        ("1 second", 1, "seconds"),
    ],
)
def test_a_span_is_read(text, amount, unit):
    assert Span.parse(text) == Span(amount, unit)


@pytest.mark.parametrize(
    "text", ["", "5", "rounds", "-5 rounds", "0 rounds", "nan rounds", "inf rounds", "5 hours", "1.2.3 %"]
)
def test_what_is_no_span_is_told(text):
    with pytest.raises(ValueError, match="expected a number above 0 and a unit"):
        Span.parse(text)


def test_points_have_a_usual_preset_of_their_own() -> None:
    points, pictures = resolve("r1gan", overrides={"source": "ring"}), resolve("r1gan")
    assert (points.play.batch, points.game.gamma, points.play.cooldown) == (256, 0.1, 1.0)
    assert (pictures.play.batch, pictures.game.gamma, pictures.play.cooldown) == (64, 1.0, 0.5)
    assert resolve("r1gan", "points").data.source == "ring"
    assert resolve("r1gan", "default", {"source": "ring"}).play.batch == 64
    assert resolve("cgan", overrides={"source": "ring"}).play.batch == 64, "it has no preset for points"


@pytest.mark.parametrize(("given", "size"), [("128x256", (128, 256)), ("32,64", (32, 64)), (32, 32), ([8, 9], (8, 9))])
def test_a_size_is_taken_as_it_is_printed(given, size) -> None:
    assert resolve("dcgan", overrides={"size": given}).data.size == size


def test_a_share_counts_spans():
    assert Span(5, "%").share({"%": 20.0}) == 4
    assert Span(1000, "images").share({"images": 250}) == 0.25


@pytest.mark.parametrize("recipe", RECIPES)
def test_defaults_presets_and_yaml_of_every_recipe(recipe, tmp_path):
    for preset in (None, *RECIPES[recipe].presets):
        settings = resolve(recipe, preset)
        assert settings.recipe == recipe
        file = tmp_path / "config.yaml"
        file.write_text(settings.to_yaml())
        assert resolve(base=load(file)) == settings


def test_each_wins_over_the_last():
    base = {"recipe": "gan", "game": {"lr": 0.5, "latent": 7}, "play": {"batch": 3}}
    settings = resolve(preset="fashion", overrides={"batch": 5, "play.seed": 9}, base=base)
    assert settings.game.latent == 7  # from the config
    assert settings.game.lr == 1e-4  # the preset over the config
    assert settings.play.batch == 5  # an override over the preset's 100
    assert settings.play.seed == 9
    assert resolve().recipe == DEFAULT


def test_values_are_read_as_yaml():
    read = parse_assignments(["lr=1e-4", "widths=[8, 4]", "labels=", "length=5 rounds", "x=a=b", "bad=[1"])
    assert read == {"lr": "1e-4", "widths": [8, 4], "labels": None, "length": "5 rounds", "x": "a=b", "bad": "[1"}
    assert resolve("gan", overrides={"lr": "1e-4"}).game.lr == 1e-4
    assert resolve("r3gan", overrides={"widths": [8, 4]}).game.widths == (8, 4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"recipe": "dcgn"}, "no recipe called 'dcgn'. Did you mean 'dcgan'?"),
        ({"recipe": "gan", "preset": "fashio"}, "Did you mean 'fashion'?"),
        ({"recipe": "r1gan", "preset": "x"}, "r1gan has no preset 'x'"),
        ({"overrides": {"lrr": 1}}, "Did you mean 'game.lr'?"),
        ({"overrides": {"play.lr": 1}}, "Did you mean 'game.lr'?"),
        ({"overrides": {"batch": "many"}}, "play.batch = 'many'"),
        ({"overrides": {"batch": 0}}, "greater than or equal to 1"),
        ({"overrides": {"length": 5}}, "play.length = 5: expected a number above 0 and a unit"),
        ({"overrides": {"length": "5 %"}}, "share of itself"),
        ({"overrides": {"readings": "1 minute"}}, "whole number of rounds"),
        ({"overrides": {"seed": 2**63}}, "less than"),
        ({"overrides": {"precision": "float16"}}, "'float32' or 'bfloat16'"),
        ({"base": {"gaem": {}}}, "unknown section 'gaem' in the config. Did you mean 'game'?"),
        ({"base": {1: {}, "x": {}}}, "unknown section '1'"),
        ({"base": {"play": ["batch"]}}, "section 'play' of the config is ['batch']"),
        ({"base": {"play": {3: 4}}}, "no setting 'play.3'"),
        ({"base": {"recipe": ["gan"]}}, "no recipe called"),
    ],
)
def test_what_cannot_be_is_told(arguments, told):
    with pytest.raises(SettingsError) as caught:
        resolve(**arguments)
    assert told in str(caught.value)


def test_a_name_in_two_sections_must_say_which(monkeypatch):
    from pydantic import BaseModel

    class Config(BaseModel):
        size: int = 3

    monkeypatch.setitem(RECIPES, "two", type("R", (), {"config": Config, "presets": {}}))
    with pytest.raises(SettingsError, match=r"write data\.size or game\.size"):
        resolve("two", overrides={"size": 4})
    assert resolve("two", overrides={"game.size": 4}).game.size == 4


@pytest.mark.parametrize("content", [b"- a\n- b", b"just text", b"a: [1", b"\xff\xfe\x00", b""])
def test_a_damaged_config_is_told(tmp_path, content):
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"config\.yaml"):
        load(file)
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


def test_an_assignment_needs_a_sign():
    for wrong in ("lr", "=3"):
        with pytest.raises(SettingsError, match="expected key=value"):
            parse_assignments([wrong])


def test_settings_are_plain_in_yaml():
    content = yaml.safe_load(resolve("gan", overrides={"size": (8, 9)}).to_yaml())
    assert list(content) == ["recipe", "data", "game", "play", "speed"]
    assert content["data"]["size"] == [8, 9]
    assert isinstance(resolve(base=content), Settings)
