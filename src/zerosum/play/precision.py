"""How numbers are held while a loss is evaluated, and where."""

import ctypes
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

Precision = Callable[[], AbstractContextManager[object]]


def choose_device(name: str = "auto") -> torch.device:
    """`auto` is a GPU where there is one. Raises ValueError where the named device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("neither cpu nor cuda")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device = '{name}' is not usable here ({str(error).splitlines()[0]}): use cpu or auto"
        ) from None
    return device


def full(device: torch.device) -> Precision:
    """Everything in the parameters' own precision."""
    return nullcontext


def bfloat16(device: torch.device) -> Precision:
    """Networks in bfloat16 where autocast allows; parameters, scores' objectives and penalties stay in float32."""
    return lambda: torch.autocast(device.type, torch.bfloat16)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory left, on a GPU or of the system."""
    words = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in words


def keep_memory() -> None:
    """Ask glibc to keep freed memory instead of giving each large tensor back to the system: 1.1x faster rounds on CPU.

    A round allocates and frees the same large blocks thousands of times; by default each is mapped, page-faulted and
    unmapped anew. Elsewhere than glibc this does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX of <malloc.h>
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 256 * 2**20)
