"""The command line, as tests of the judge use it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from zerosum.cli import app


@pytest.fixture
def zs() -> Callable[..., str]:
    """A command that must succeed: what it printed."""

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, f"{result.output}{result.stderr}"
        return result.stdout

    return run


@pytest.fixture
def refused() -> Callable[..., str]:
    """A command that must fail with one line: that line."""

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code in (1, 2), result.output
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    return run
