"""Features that the user brings: any PyTorch module, or a file of TorchScript or ONNX."""

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from zerosum.metrics.features import Features, Map, digest, in_blocks, weights_hash


def module_features_of(module: nn.Module, shape: Sequence[int], name: str) -> Features:
    """The features that a module sees in pictures of this shape [c h w]: float [n c h w] in 0..1 -> [n f] or [n f h w].

    A copy of it is kept in eval mode; of maps [n f h w] the mean is taken. Raises ValueError where it cannot read such
    pictures.
    """
    net = copy.deepcopy(module).eval()
    pinned = weights_hash(net.state_dict(), repr(net))
    return _outside(net, shape, name, "a PyTorch module", pinned)


def module_features(path: Path, shape: Sequence[int]) -> Features:
    """`module_features_of` a file: TorchScript (.pt), or ONNX (.onnx) with the extra zerosum[onnx].

    TorchScript runs what the file says: load only files that you trust. Raises ValueError for another file, and where
    onnxruntime is not installed.
    """
    if path.suffix == ".onnx":
        return _outside(_onnx(path), shape, path.stem, "an ONNX file", digest(path))
    if path.suffix != ".pt":
        raise ValueError(f"{path.name} is no features file: expected TorchScript (.pt), ONNX (.onnx), Inception (.pth)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would have new exports use another format
        try:
            net = torch.jit.load(path, map_location="cpu").eval()
        except RuntimeError as error:
            raise ValueError(f"{path.name} is not TorchScript ({_line(error)}): save it with torch.jit.save") from None
    return _outside(net, shape, path.stem, "a TorchScript file", digest(path))


def _onnx(path: Path) -> Map:
    try:
        import onnxruntime
    except Exception:  # absent, or broken by what stands beside it
        raise ValueError(f"{path.name} needs onnxruntime: pip install zerosum[onnx]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no class of its own for a damaged file
        raise ValueError(f"{path.name} is not an ONNX model ({_line(error)}): export it again") from None
    (given, *_), (found, *_) = session.get_inputs(), session.get_outputs()

    def read(x: Tensor) -> Tensor:
        try:
            return torch.from_numpy(session.run([found.name], {given.name: x.numpy()})[0])
        except Exception as error:
            raise ValueError(str(error).strip().splitlines()[0]) from None  # its last line says nothing

    return read


def _outside(net: Map, shape: Sequence[int], name: str, kind: str, pinned: str) -> Features:
    """Features of what somebody else wrote; their width is seen on two black pictures."""

    def read(pictures: Tensor) -> Tensor:
        seen = net(pictures.float() / 255)
        return (seen.mean((2, 3)) if seen.ndim == 4 else seen).float()

    try:
        seen = in_blocks(read, torch.zeros(2, *shape, dtype=torch.uint8))
        flaw = "" if seen.ndim == 2 and len(seen) == 2 else f"2 gave {tuple(seen.shape)}"
    except Exception as error:  # it is not ours: it may raise anything
        flaw = _line(error)
    if flaw:
        raise ValueError(f"features {name} cannot read pictures {tuple(shape)} ({flaw}): expected [n c h w] -> [n f]")
    about = f"{kind} of the user's; pictures in 0..1 at their own size"
    return Features(name, about, pinned, seen.shape[1], tuple(shape), read, block=100)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:120]
