"""What the commands share: options, and how they say lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from zerosum.terminal import console

Assignments = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change any setting.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]


def say(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        console.print(line)
