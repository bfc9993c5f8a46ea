"""Pictures that stay on disk: a tensor whose rows are read as they are asked for, and never all copied to memory."""

from __future__ import annotations

import mmap
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

_ALONG_ROWS = (torch.ops.aten.slice.Tensor, torch.ops.aten.select.int, torch.ops.aten.index_select.default)


class OnDisk(Tensor):
    """Some rows of memory-mapped pictures, uint8 [m h w c], as one tensor uint8 [n c h w] that cannot be written to.

    What is taken of it along the first axis (`x[5]`, `x[:64]`, `x[::9]`, `x[rows]`) is read from disk, as a tensor in
    memory; the parts of `x.split(1000)` are still on disk. Any other operation reads the whole set first: right, but
    only for sets that memory can hold.
    """

    @staticmethod
    def __new__(cls, mapped: np.memmap[Any, Any], rows: Tensor | None = None) -> OnDisk:
        m, height, width, channels = mapped.shape
        shape = (m if rows is None else len(rows), channels, height, width)
        # A tensor that has a shape and no memory: every operation on it comes to __torch_dispatch__.
        made: OnDisk = Tensor._make_wrapper_subclass(cls, shape, dtype=torch.uint8)
        return made

    def __init__(self, mapped: np.memmap[Any, Any], rows: Tensor | None = None):
        self.mapped = mapped
        self.rows = torch.arange(len(mapped)) if rows is None else rows  # int64 [n]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the mapping is read-only, as it should be
            self.held = torch.from_numpy(mapped)

    def read(self, rows: Tensor) -> Tensor:
        """These rows [...] of the n, laid out in memory as they are on disk: uint8 [... h w c]."""
        return self._read(self.rows[rows])

    def only(self, rows: Tensor) -> OnDisk:
        """These rows of the n, still on disk."""
        return OnDisk(self.mapped, self.rows[rows])

    def _read(self, rows: Tensor) -> Tensor:
        """uint8 [... h w c] of the mapping's rows [...]."""
        self._announce(rows)
        return self.held.index_select(0, rows.flatten()).reshape(*rows.shape, *self.held.shape[1:])

    def _announce(self, rows: Tensor) -> None:
        """Have the system fetch these rows, all at once and nothing else.

        Unasked, it would fetch them one by one as they are touched, each with 128 KiB around it.
        """
        if not hasattr(mmap, "MADV_WILLNEED"):
            return
        assert isinstance(self.mapped.base, mmap.mmap)
        size = self.held[0].numel()
        for row in rows.flatten().tolist():
            start = row * size // mmap.PAGESIZE * mmap.PAGESIZE
            self.mapped.base.madvise(mmap.MADV_WILLNEED, start, (row + 1) * size - start)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        x = args[0]
        if isinstance(x, OnDisk):
            if func is torch.ops.aten.index.Tensor and len(args[1]) == 1:
                return x._pictures(x.rows[args[1][0]])
            if func in _ALONG_ROWS and (len(args) == 1 or args[1] == 0):
                return x._pictures(func(x.rows, *args[1:]))
            if func is torch.ops.aten.split.Tensor and len(args) == 2:
                return [OnDisk(x.mapped, rows) for rows in x.rows.split(args[1])]
        return func(*tree_map(_whole, args), **tree_map(_whole, kwargs or {}))

    def _pictures(self, rows: Tensor) -> Tensor:
        """uint8 [... c h w] of the mapping's rows [...]."""
        return self._read(rows).movedim(-1, -3)

    def __deepcopy__(self, memo: dict[int, Any]) -> OnDisk:
        return self  # nobody can write to it: it need not be read to be copied

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDisk({list(self.shape)} of {len(self.held):,} pictures)"


def _whole(value: Any) -> Any:
    return value._pictures(value.rows) if isinstance(value, OnDisk) else value
