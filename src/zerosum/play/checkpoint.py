"""Checkpoints: one safetensors file each, written atomically, read without running code.

A state is a tree of dicts, lists, tuples, tensors and plain values. Its tensors go into the file by number, the rest
into the file's header as JSON, so nothing is pickled and a reader needs no class.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as tensors_of
from safetensors.torch import save as to_bytes
from safetensors.torch import save_file
from torch import Tensor


class DamagedFile(ValueError):
    """The file is not what it should be: truncated, not safetensors, or without the header that zerosum writes."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` atomically: at any moment there is the old file, the new one, or none; never a part."""
    tensors: dict[str, Tensor] = {}
    header = json.dumps(_pack(state, tensors))
    atomically(path, lambda part: save_file(tensors, part, metadata={"zerosum": header}))


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote. Raises DamagedFile where it is anything else, FileNotFoundError where nothing is."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {})["zerosum"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        state = _unpack(json.loads(header), tensors)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        return state
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise DamagedFile(
            f"{path} is damaged, or was not written by zerosum ({error or type(error).__name__})"
        ) from error


def as_bytes(state: dict[str, Any]) -> bytes:
    """What `save` would write, for another process."""
    tensors: dict[str, Tensor] = {}
    header = json.dumps(_pack(state, tensors)).encode()
    return len(header).to_bytes(8, "little") + header + to_bytes(tensors)


def from_bytes(content: bytes) -> dict[str, Any]:
    """The state that `as_bytes` was given."""
    end = 8 + int.from_bytes(content[:8], "little")
    state: dict[str, Any] = _unpack(json.loads(content[8:end]), tensors_of(content[end:]))
    return state


def atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, put it on disk, and only then give it the name.

    It gets the mode of any new file, whatever `write` makes it. Raises OSError where the disk does not take it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch()
        mode = part.stat().st_mode
        write(part)
        part.chmod(mode)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written ({error})") from error
    finally:
        part.unlink(missing_ok=True)


def _pack(node: Any, tensors: dict[str, Tensor]) -> Any:
    """JSON for `node`, its tensors moved to `tensors`. Keys are strings or integers (optimisers number their state).

    A file has one layout, memory has two: fused optimisers walk a weight and its moments by address, so that moments
    which come back in another layout than their weight's would belong to other numbers.
    """
    if isinstance(node, Tensor):
        name = str(len(tensors))
        tensors[name] = node.detach().cpu().contiguous().clone()
        return {"channels_last" if node.ndim == 4 and not node.is_contiguous() else "tensor": name}
    if isinstance(node, dict):
        return {"dict": [[key, _pack(value, tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return {type(node).__name__: [_pack(value, tensors) for value in node]}
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise TypeError(f"a checkpoint holds tensors, numbers, text and containers of them; got {type(node).__name__}")


def _unpack(node: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(node, dict):
        return node
    ((kind, value),) = node.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "channels_last":
        return tensors[value].contiguous(memory_format=torch.channels_last)
    if kind == "dict":
        return {key: _unpack(child, tensors) for key, child in value}
    children = [_unpack(child, tensors) for child in value]
    return tuple(children) if kind == "tuple" else children


class Checkpoints:
    """A folder of checkpoints `000500.safetensors`, named by round; the oldest beyond `keep` are removed.

    Those of the rounds `held` stay.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder, self.keep = folder, keep
        self.held: set[int] = set()

    def paths(self) -> list[Path]:
        """Oldest first."""
        named = (p for p in self.folder.glob("*.safetensors") if re.fullmatch(r"\d+", p.stem))
        return sorted(named, key=lambda path: int(path.stem))

    def save(self, round_: int, state: dict[str, Any]) -> Path:
        """The new one is safe on disk before an old one goes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{round_:08d}.safetensors"
        save(path, state)
        for old in self.paths()[: -self.keep]:
            if int(old.stem) not in self.held:
                old.unlink()
        return path

    def load_latest(self) -> tuple[dict[str, Any], list[str]]:
        """The newest checkpoint that can be read, and what is wrong with any newer one.

        Raises DamagedFile where there is none.
        """
        troubles: list[str] = []
        for path in reversed(self.paths()):
            try:
                return load(path), troubles
            except DamagedFile as error:
                troubles.append(str(error))
        raise DamagedFile("; ".join(troubles) or f"no checkpoint in {self.folder}: there is nothing to resume from")
