"""What is needed next is read by a thread of its own while the game is played."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any

import torch
from torch import Tensor


class Reader:
    """Gives `read(rows)`, and reads ahead what it is told will be asked for next.

    The thread lets go of Python's lock while torch copies rows, or waits for a disk to bring them. What was read ahead
    is used only if it is what is asked for: reading ahead never changes what is given. An error in the thread is
    raised where the rows are asked for.
    """

    def __init__(self, read: Callable[[Tensor], Tensor]):
        self.stalled = 0.0  # seconds that `take` has waited
        self._read = read
        self._thread = ThreadPoolExecutor(1, "zerosum-reader")
        self._ahead: tuple[Tensor, Future[Tensor]] | None = None

    def take(self, rows: Tensor) -> Tensor:
        """What `read` makes of these rows."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or not torch.equal(ahead[0], rows):
            ahead = (rows, self._thread.submit(self._read, rows))
        start = perf_counter()
        try:
            return ahead[1].result()
        finally:
            self.stalled += perf_counter() - start

    def expect(self, rows: Tensor) -> None:
        """Begin to read these rows, which will be asked for next."""
        self._ahead = (rows, self._thread.submit(self._read, rows))

    def __deepcopy__(self, memo: dict[int, Any]) -> Reader:
        return Reader(self._read)  # a thread cannot be copied; what was read ahead is read again
