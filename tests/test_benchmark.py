"""`zerosum bench`: what is counted, what is compared, what is kept."""

import importlib
import json
import os
import time

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from zerosum.benchmark import loops, measuring
from zerosum.benchmark.rivals import TURNS, WARM, alternate, rival
from zerosum.cli import app
from zerosum.networks import blocks
from zerosum.sections import Speed
from zerosum.settings import SettingsError, resolve


def test_operations_are_those_of_the_plain_round_by_hand() -> None:
    """Points through MLPs: 2 operations a weight and example forward, as many for each gradient that is asked for.

    D (2-8-1) sees reals and detached fakes in its turn, and fakes in G's; G (4-8-2) makes fakes once.
    """
    settings = resolve("lsgan", "points", {"source": "ring", "latent": 4, "hidden": [8], "batch": 10})
    weights_D, weights_G, first_D, first_G = 2 * 8 + 8, 4 * 8 + 8 * 2, 2 * 8, 4 * 8
    forward = weights_G + 3 * weights_D
    backward = 2 * (2 * weights_D - first_D) + (2 * weights_D) + (2 * weights_G - first_G)
    found = loops.PlainLoop(settings).operations()
    assert found == 2 * 10 * (forward + backward)


COUNTER = """
import os, torch

class Counter:
    def __init__(self, pace):
        self.pace, self.asked = pace, []

    def play(self, rounds):
        self.asked.append(rounds)
        return rounds * self.pace

    def told(self):
        return self.asked, os.getpid(), torch.get_num_threads()

    def fail(self, error):
        raise error
"""


@pytest.fixture
def counter(tmp_path, monkeypatch):
    """What takes turns in another process, which can import it: it says how often it was asked, and where it is."""
    (tmp_path / "counting.py").write_text(COUNTER)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("counting").Counter


def test_rivals_take_turns_in_processes_of_their_own(counter) -> None:
    with rival(1, counter, 0.5) as slow, rival(2, counter, 0.1) as fast:
        times = alternate({"slow": slow, "fast": fast}, 10.0)
        assert times == {"slow": [0.5] * TURNS, "fast": [pytest.approx(0.1)] * TURNS}
        # 10 s for two in five turns is 1 s a turn.
        (asked, here, threads), (others, there, more) = slow.ask("told"), fast.ask("told")
        assert asked == [WARM, 1] + [2] * TURNS
        assert others == [WARM, 1] + [10] * TURNS
        assert len({os.getpid(), here, there}) == 3
        assert (threads, more) == (1, 2)
    assert not slow.process.is_alive()


@pytest.mark.parametrize(
    ("error", "kind"), [(SettingsError("no such thing"), ValueError), (ArithmeticError("it broke"), RuntimeError)]
)
def test_what_goes_wrong_with_a_rival_is_told(error: Exception, kind: type[Exception], counter) -> None:
    with rival(1, counter, 0.5) as broken, pytest.raises(kind, match=str(error)):
        broken.ask("fail", error)


def test_a_rival_that_dies_is_missed(counter) -> None:
    with rival(1, counter, 0.5) as gone:
        gone.process.kill()
        gone.process.join()
        with pytest.raises((RuntimeError, OSError)):
            gone.ask("told")


def test_a_ratio_is_of_medians_and_its_spread_of_turns() -> None:
    assert measuring.ratio([4.0, 6.0, 50.0], [2.0, 2.0, 5.0]) == {"ratio": 3.0, "low": 2.0, "high": 10.0}


def test_our_layers_are_exchanged_for_torchs_with_the_same_weights_and_function() -> None:
    ours = nn.Sequential(
        nn.Linear(3, 4 * 2 * 2),
        blocks.Unflatten(4, 2, 2),
        nn.Conv2d(4, 4, 1),
        blocks.GroupNorm(2, 4),
        blocks.Flatten(),
        blocks.Dropout(0.5),
    )
    nn.init.normal_(ours[3].weight)
    x = torch.randn(5, 3)
    expected = ours.eval()(x)
    seen = []
    ours[2].register_forward_hook(lambda module, given, made: seen.append(given[0].is_contiguous()))
    loops.as_torch_has_them(ours)
    assert [type(layer).__module__.split(".")[0] for layer in ours] == ["torch"] * 6
    assert ours[5].p == 0.5
    torch.testing.assert_close(ours.eval()(x), expected)
    assert seen == [True]


def test_switches_that_change_nothing_are_said_to_with_the_reason() -> None:
    points = loops.Fast(resolve("gan", "points", {"source": "ring", "batch": 8}))
    points.play(1)
    idle = points.idle()
    assert idle["channels_last"] == idle["layers"] == "no pictures"
    assert idle["one_backward"] == "players move one after another"
    assert idle["compile"] == "off"
    assert ("graphs" in idle) == (points.device.type == "cpu")
    assert "fused" not in idle
    together = loops.Fast(resolve("dcgan", None, {"dynamics": "simultaneous", "batch": 8, "width": 4, "fused": False}))
    together.play(1)
    idle = together.idle()
    assert "channels_last" not in idle
    assert idle["one_backward"] == "not exact for these losses", "D has batch norm"
    assert idle["fused"] == "off"


def test_without_turns_one_thing_off_at_a_time() -> None:
    settings = resolve("gan", None, {"precision": "bfloat16"})
    others = measuring.without(settings)
    assert list(others) == ["bfloat16", *Speed.model_fields]
    assert others["bfloat16"].play.precision == "float32"
    assert others["bfloat16"].speed == settings.speed
    assert not others["fused"].speed.fused
    assert others["fused"].speed.model_copy(update={"fused": True}) == settings.speed
    assert list(measuring.without(resolve("gan", None, {"precision": "float32"}))) == list(Speed.model_fields)


def test_the_clock_is_cpu_time_where_one_thread_plays() -> None:
    class Sleeper(loops.Loop):
        def round(self) -> None:
            time.sleep(0.05)

    loop = Sleeper(resolve())
    assert torch.get_num_threads() == 1
    if loop.device.type == "cpu":
        assert loop.play(2) < 0.05


def bench(*words: str):
    return CliRunner().invoke(app, ["bench", *words])


def test_bench_tells_and_keeps_a_row_and_overwrites_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.json").write_text("mine")
    result = bench("gan", "--data", "ring", "--seconds", "0.2", "--threads", "1", "--explain")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "bench.json").read_text() == "mine"
    kept = json.loads((tmp_path / "bench-2.json").read_text())
    (row,) = kept["recipes"]
    assert kept["threads"] == 1
    assert kept["peak_gflops"]["float32"] > 0
    assert row["ratio"] == pytest.approx(row["examples_per_second"] / row["plain_examples_per_second"], rel=0.02)
    assert row["gflops"] * row["batch"] == pytest.approx(
        row["gflop_a_round"] * row["examples_per_second"], rel=0.2, abs=1
    )
    assert row["memory_bytes"] > 0
    assert row["low"] <= row["high"]
    assert set(Speed.model_fields) <= row["switches"].keys()
    assert row["switches"]["fused"]["ratio"] > 0
    assert row["switches"]["compile"] == {"idle": "off"}
    assert "idle: no GPU" in result.output
    assert "bench-2.json" in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("gann",), "no recipe called 'gann'. Did you mean 'gan'?"),
        (("dcgan", "--data", "ring"), "dcgan needs images"),
        (("gan", "--seconds", "0"), "--seconds 0: expected more than 0"),
    ],
)
def test_what_cannot_be_measured_is_one_line(words, told: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(*words)
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_where_no_recipe_is_named_those_that_do_not_fit_are_left_out(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(measuring, "RECIPES", {name: measuring.RECIPES[name] for name in ("dcgan", "gan")})
    heard: list[str] = []
    benchmark = measuring.Benchmark(0.1, 1, tmp_path / "bench.json")
    rows = list(measuring.bench([], "ring", benchmark, heard.append))
    assert [row["recipe"] for row in rows] == ["gan"]
    assert len(heard) == 1
    assert heard[0].startswith("dcgan is left out: dcgan needs images")
