"""What only a GPU can: rounds recorded as CUDA graphs, and float32 products on its tensor cores."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch

from zerosum.play.dynamics import Readings


class Recorder(Protocol):
    """Who can record what a function does on the device, and do it again."""

    def stream(self) -> AbstractContextManager[object]:
        """Where rounds are played, recorded and replayed, one after another."""

    def rehearsal(self) -> AbstractContextManager[object]:
        """Raises RuntimeError where what is done within could not be recorded: here that does no harm yet."""

    def record(self, function: Callable[[], Readings]) -> tuple[Readings, Callable[[], object]]:
        """What `function` returns, and what does all of it again, with the new values in those same tensors."""


class CudaGraphs:
    """Records by torch.cuda.graph, on a stream of its own: what is recorded must have been played on that stream."""

    def __init__(self, device: torch.device):
        self.device, self.side = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def stream(self) -> Iterator[None]:
        outer = torch.cuda.current_stream(self.device)
        self.side.wait_stream(outer)
        try:
            with torch.cuda.stream(self.side):
                yield
        finally:
            outer.wait_stream(self.side)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """A graph can neither wait for the GPU nor draw on the CPU."""
        drawn, mode = torch.get_rng_state(), torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls this mode a prototype
            torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)
        if not torch.equal(drawn, torch.get_rng_state()):
            raise RuntimeError("it draws chance on the CPU")

    def record(self, function: Callable[[], Readings]) -> tuple[Readings, Callable[[], object]]:
        graph = torch.cuda.CUDAGraph()
        # thread_local: a thread that reads pictures may ask for pinned memory meanwhile.
        with torch.cuda.graph(graph, stream=self.side, capture_error_mode="thread_local"):
            found = function()
        return found, graph.replay


def use_well(*, exact: bool) -> None:
    """Ask for a GPU's fastest kernels: cuDNN times its own; products of float32 are TF32, unless they must be exact.

    TF32 keeps float32's range and sums in float32, but reads 10 bits of each factor's fraction: a relative error of
    about 1e-3, smaller than bfloat16's. What autocast leaves in float32 (penalties, double backward) is played so.
    """
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = not exact
    torch.set_float32_matmul_precision("highest" if exact else "high")
