"""Float32 matrix products on a CPU by oneDNN, where that is faster and as exact as what torch takes by default.

torch's default, MKL, runs at less than half speed on processors not made by Intel. oneDNN is asked for by allowing it
bfloat16: without matrix units (AMX) it then still computes in float32, with them it does not. So the error is measured
where the game is played, and not believed.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

SIDE = 512
EXACT = 2e-6
"""Largest error, of root mean squares: float32's is some 1e-6 at this side, bfloat16's 3e-3."""
FASTER = 1.1


def onednn_is_better() -> bool:
    """Whether float32 products are as exact by oneDNN, and faster. Takes about 10 ms; nothing is left changed.

    False too where torch is too old to ask (2.8 and before).
    """
    setting = _setting()
    if setting is None:
        return False
    chance = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, SIDE, SIDE, generator=chance)
    usual = _seconds(a, b)
    with by_onednn():
        exact = a.double() @ b.double()
        error = (a @ b - exact).norm() / exact.norm()
        return bool(error < EXACT) and _seconds(a, b) * FASTER < usual


@contextlib.contextmanager
def by_onednn() -> Iterator[None]:
    """Float32 products are made by oneDNN, for as long as this is entered: others in this process keep theirs."""
    setting = _setting()
    assert setting is not None, "ask onednn_is_better first"
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        yield
    finally:
        setting.fp32_precision = before


def _setting() -> Any:
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return getattr(torch.backends.mkldnn, "matmul", None) if there else None


def _seconds(a: Tensor, b: Tensor, times: int = 3) -> float:
    """The fastest of a few products: others on the machine can only slow it down."""

    def once() -> float:
        start = time.perf_counter()
        a @ b
        return time.perf_counter() - start

    once()
    return min(once() for _ in range(times))
