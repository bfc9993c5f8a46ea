"""Several ranks judge as one does: to the last digit, and only rank 0 speaks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import zerosum

PROGRAM = """
import sys, time
from pathlib import Path
from zerosum.judge.ranks import concluded, joined, leader_first, spread
kept = Path(sys.argv[1])
with joined() as world:
    with leader_first():
        if world.rank == 0:
            time.sleep(0.3)
            kept.touch()
        assert kept.exists()
    print(spread(10, 4, lambda start, end: (start, end)), spread(3, 4, lambda start, end: world.rank))
    print(concluded(lambda: f"rank {world.rank} says so"))
    concluded(lambda: 1 / 0)
"""


def on_two_ranks(*words: object) -> list[tuple[int, str, str]]:
    """Two processes as torchrun begins them: exit code, stdout, stderr of each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words)]
    ranks = [
        subprocess.Popen(
            command,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [rank.communicate(timeout=200) for rank in ranks]
    return [(rank.returncode, *lines) for rank, lines in zip(ranks, told, strict=True)]


@pytest.fixture(scope="module")
def ring(tmp_path_factory, small) -> Path:
    folder = tmp_path_factory.mktemp("ranks") / "run"
    return zerosum.train("gan", "ring", out=folder, length="2 rounds", **(small("gan") | {"limit": 4000}))


def test_two_ranks_evaluate_as_one_does(zs, ring, tmp_path):
    asked = ["evaluate", ring, "--samples", 2100, "--json"]
    lead, other = on_two_ranks("-m", "zerosum", *asked, "--out", tmp_path / "two")
    alone = zs(*asked, "--out", tmp_path / "one")
    assert lead[0] == 0, lead
    assert lead[1] == alone
    assert json.loads(alone)["counts"]["samples"] == 2100
    assert other[:2] == (0, "")
    two, one = ([path.read_bytes() for path in (tmp_path / made).glob("*/report.json")] for made in ("two", "one"))
    assert two == one
    assert len(one) == 1


def test_a_rank_that_cannot_conclude_ends_all(tmp_path):
    lead, other = on_two_ranks("-c", PROGRAM, tmp_path / "kept")
    assert lead[1] == other[1] == "[(0, 8), (8, 10)] [0]\nrank 0 says so\n"
    assert lead[0] == other[0] == 1
    assert "ZeroDivisionError" in lead[2]
    assert "Traceback" not in other[2]
