"""Loops that take turns, each in a process of its own: what one asks of torch and of the allocator stays its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch

TURNS = 5
WARM = 3  # rounds of each that do not count


class Rival:
    """An object in a process of its own; `ask` calls a method of it. Raises what went wrong there, in words."""

    def __init__(self, threads: int | None, make: Callable[..., Any], *given: Any):
        context = _context()
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, threads, make, given), daemon=True)
        self.process.start()
        other.close()
        self._answer()

    def ask(self, name: str, *given: Any) -> Any:
        self.pipe.send((name, given))
        return self._answer()

    def _answer(self) -> Any:
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise RuntimeError("a process that was timed ended without a word: was there too little memory?") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        self.pipe.close()
        self.process.join()


@contextlib.contextmanager
def rival(threads: int | None, make: Callable[..., Any], *given: Any) -> Iterator[Rival]:
    """A rival for as long as this is entered."""
    made = Rival(threads, make, *given)
    try:
        yield made
    finally:
        made.end()


def alternate(rivals: Mapping[str, Rival], seconds: float) -> dict[str, list[float]]:
    """Seconds a round takes each of them, in each of TURNS turns that they take one after another (A B A B ...)."""
    rounds = {}
    for name, each in rivals.items():
        each.ask("play", WARM)
        one = max(each.ask("play", 1), 1e-6)
        rounds[name] = max(1, round(seconds / len(rivals) / TURNS / one))
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(TURNS):
        for name, each in rivals.items():
            times[name].append(each.ask("play", rounds[name]) / rounds[name])
    return times


def _context() -> Any:
    """Processes that begin alike; where the system can, torch is imported once for all of them."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zerosum.benchmark.loops"])
    return context


def _serve(pipe: Connection, threads: int | None, make: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """Make the object, say so, and answer until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        made = make(*given)
        pipe.send("ready")
        while True:
            name, values = pipe.recv()
            pipe.send(getattr(made, name)(*values))
    except (EOFError, ConnectionError):
        return  # nobody asks any more
    except Exception as error:
        kind = ValueError if isinstance(error, ValueError) else RuntimeError
        pipe.send(kind(str(error) or type(error).__name__))
