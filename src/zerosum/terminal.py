"""Where commands write, and how they say that something went wrong."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, cast

import typer
from rich.console import Console


class _Stream:
    """Python's stdout or stderr as it is now; where nobody reads it any more, what is written is lost, and no error."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, what: str) -> Any:
        if what == "rich_proxied_file":  # else rich would go round this
            raise AttributeError
        there = getattr(sys, self._name)
        found = getattr(getattr(there, "rich_proxied_file", there), what)
        return partial(self._unless_closed, found) if what in ("write", "flush") else found

    def _unless_closed(self, do: Callable[..., Any], *values: str) -> Any:
        try:
            return do(*values)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def _console(name: str) -> Console:
    return Console(file=cast(IO[str], _Stream(name)), highlight=False, markup=False, emoji=False, soft_wrap=True)


console, errors = _console("stdout"), _console("stderr")
INTERRUPTED = 130  # as a shell says of Ctrl-C


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """A mistake of the user's is one line and exit code 2, trouble on the way 1; --debug shows the whole."""
    try:
        yield
    except KeyboardInterrupt:
        if debug:
            raise
        raise typer.Exit(INTERRUPTED) from None
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        if debug or not (code := _exit_code(error)):
            raise
        told = re.sub(r"\[Errno -?\d+\] ", "", " ".join(str(error).split()))
        errors.print(f"Error: {told}")
        raise typer.Exit(code) from None


def _exit_code(error: Exception) -> int:
    """2: something that was asked for cannot be; 1: the machine gave out; 0: a bug of ours, to be seen whole."""
    from zerosum.run import RunError

    if isinstance(error, ValueError | RunError | FileNotFoundError | IsADirectoryError | PermissionError):
        return 2
    return 1 if isinstance(error, OSError | MemoryError) or "out of memory" in str(error) else 0
