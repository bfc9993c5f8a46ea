"""What a run will be like, before it is begun; and which precision it is played in."""

from __future__ import annotations

import json
import time

import pytest
import torch

from zerosum import forecast as forecasting
from zerosum import run
from zerosum.data.deck import deck_of
from zerosum.forecast import Forecast, chosen, forecast, peak_memory, quickly
from zerosum.play.hand import Hand
from zerosum.settings import resolve

SMALL = {"source": "glyphs", "limit": 256, "width": 4, "batch": 16, "quality_cost": 0, "checkup_cost": 0}


@pytest.fixture(scope="module")
def settings():
    return resolve("r1gan", None, SMALL | {"length": "4000 rounds"})


@pytest.fixture(scope="module")
def dataset(settings):
    return run.data_of(settings)


def deck(dataset):
    return deck_of(dataset, labelled=True, seed=0, device=torch.device("cpu"))


def test_a_forecast_is_near_to_what_is_then_measured(settings, dataset) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found = forecast(settings, dataset, longest=1.0)
    assert torch.equal(torch.get_rng_state(), before), "no chance is used up"
    assert found.seconds == pytest.approx(4000 * 16 / found.images_per_second)
    played = settings.model_copy(update={"play": settings.play.model_copy(update={"precision": found.precision})})
    one = forecasting._Try(played, dataset, deck(dataset), 1)
    start = time.perf_counter()
    for _ in range(60):
        one.round()
    measured = 60 * 16 / (time.perf_counter() - start)
    assert 1 / 4 < found.images_per_second / measured < 4  # others may be at work on this machine
    assert found.memory >= peak_memory(torch.device("cpu")) / 2 > 50 * 2**20


def test_every_unit_of_length_is_foretold(settings, dataset) -> None:
    n = len(dataset)
    for length, seconds in {
        "100 rounds": 20.0,
        "3.2 kimg": 40.0,
        f"{n // 16} epochs": 0.2 * (n // 16) * n / 16,
        "7 minutes": 420.0,
        "30 seconds": 30.0,
    }.items():
        other = settings.model_copy(update={"play": settings.play.model_copy(update={"length": length})})
        assert forecasting._length(other, dataset, 0.2) == pytest.approx(seconds), length


@pytest.mark.parametrize(
    ("seconds", "alike", "precision", "why"),
    [
        ((1.0, 0.5), 0.999, "bfloat16", "bfloat16 is 2.0 times as fast"),
        ((1.0, 0.9), 0.999, "float32", "bfloat16 would be 1.1 times as fast"),
        ((1.0, 0.5), 0.90, "float32", "bfloat16 would be 2.0 times as fast, gradients 90.00% alike"),
    ],
)
def test_bfloat16_is_taken_where_it_is_faster_and_tells_the_same(seconds, alike, precision, why) -> None:
    class Timed:
        broke = False

        def __init__(self, took: float):
            self.took = took

        def seconds(self) -> float:
            return self.took

    tries = {name: Timed(took) for name, took in zip(("float32", "bfloat16"), seconds, strict=True)}
    found, told = forecasting._chosen(tries, alike)
    assert found == precision
    assert told.startswith(why)


def test_gradients_in_both_precisions_are_of_one_game(settings, dataset) -> None:
    def tried(name: str) -> forecasting._Try:
        return forecasting._Try(forecasting._in(settings, name), dataset, deck(dataset), 1)

    hand = Hand(*deck(dataset).deal(16))
    assert forecasting._alike(hand, tried("float32"), tried("float32")) == pytest.approx(1.0, abs=1e-6)
    assert 0.99 < forecasting._alike(hand, tried("float32"), tried("bfloat16")) < 0.9999999
    other = tried("float32")
    for p in other.trainer.game.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    assert forecasting._alike(hand, tried("float32"), other) < 0.9, "other weights are told apart"


def test_a_short_run_is_not_tried_and_plays_in_float32(settings, dataset, tmp_path) -> None:
    for length in ("200 rounds", "30 seconds"):
        short = settings.model_copy(update={"play": settings.play.model_copy(update={"length": length})})
        assert quickly(short, dataset) is None
        assert chosen(short, None).play.precision == "float32"
    session = run.begin(resolve("r1gan", None, SMALL | {"length": "2 rounds"}), tmp_path / "run")
    assert session.folder.settings().play.precision == "float32", "what is played stands in config.yaml"
    assert session.expected is None


def test_what_was_found_is_what_is_played_and_told(monkeypatch, tmp_path) -> None:
    expected = Forecast("bfloat16", 1000.0, 90.0, 2**30, "bfloat16 is 1.5 times as fast")
    monkeypatch.setattr(forecasting, "quickly", lambda *_: expected)
    session = run.begin(resolve("r1gan", None, SMALL | {"length": "2 rounds"}), tmp_path / "run")
    assert session.folder.settings().play.precision == "bfloat16"
    assert session.settings.play.precision == "bfloat16"
    told = json.loads((tmp_path / "run" / "about.json").read_text())["forecast"]
    assert told == "1,000 examples/s · 1 min 30 s to play · 1.0 GiB at most · bfloat16 is 1.5 times as fast"
    run.conduct(session, lambda row, progress: None)


def test_a_precision_that_was_set_is_kept(settings, dataset) -> None:
    for name in ("float32", "bfloat16"):
        asked = settings.model_copy(update={"play": settings.play.model_copy(update={"precision": name})})
        found = forecast(asked, dataset, longest=0.0)
        assert (found.precision, found.why) == (name, "as set")
        assert chosen(asked, found) == asked


def test_a_game_that_breaks_in_bfloat16_is_played_in_float32(settings, dataset, monkeypatch) -> None:
    monkeypatch.setattr(forecasting, "ALIKE", -1.0)
    monkeypatch.setattr(forecasting, "WORTH", 0.0)
    assert forecast(settings, dataset, longest=0.0).precision == "bfloat16"
    wild = settings.model_copy(update={"game": settings.game.model_copy(update={"lr": 1e30})})
    found = forecast(wild, dataset, longest=0.0)
    assert (found.precision, found.why) == ("float32", "it breaks at once")


def test_what_is_changed_at_the_start_is_what_is_tried(settings, dataset) -> None:
    """play.changes at round 0 is how a run begins."""
    play = settings.play.model_copy(update={"changes": {0: {"batch": 8}}, "precision": "float32"})
    found = forecast(settings.model_copy(update={"play": play}), dataset, longest=0.0)
    assert found.seconds == pytest.approx(4000 * 8 / found.images_per_second)
