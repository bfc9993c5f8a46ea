"""InceptionV3 with the weights that the name FID stands for, from a file that the user has.

The network is that of Szegedy et al. 2016 (arXiv:1512.00567), as in TensorFlow's graph of 2015-12-05, which Heusel et
al. 2017 (arXiv:1706.08500) measured with. The field carries its weights as `pt_inception-2015-12-05-6726825d.pth`,
where 6726825d are the first digits of the file's sha256. Three quirks of that graph: average pools do not count their
padding; the pool of the very last block takes the maximum; there are 1,008 classes.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from zerosum.metrics.features import Features, digest
from zerosum.metrics.resize import as_rgb, resize

SHA256 = "6726825d"  # how the sha256 of the FID's weights begins
SIDE = 299

Kernel = int | tuple[int, int]
Step = tuple[tuple[int, Kernel], ...]  # convolutions that read the same input: how wide, and how large


class Convolution(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, before: int, after: int, kernel: Kernel, stride: int = 1, pad: bool = True):
        super().__init__()
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (high // 2, wide // 2) if pad else 0
        self.conv = nn.Conv2d(before, after, (high, wide), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Paths of convolutions side by side, and a pool; what they give is joined in the channels.

    A path that `halves` has stride 2 and no padding in its last step. Names are those of the weights' file: the k-th
    step of a path is path_k, its forks path_ka and path_kb; a path of one step has no number.
    """

    def __init__(self, before: int, pool: int, halves: bool = False, maximum: bool = False, **paths: list[Step]):
        super().__init__()
        self.halves, self.maximum, self.paths = halves, maximum, []
        for name, steps in paths.items():
            width, path = before, []
            for k, step in enumerate(steps, 1):
                names = [(f"{name}_{k}" if len(steps) > 1 else name) + fork for fork in ("ab" if step[1:] else [""])]
                last = halves and k == len(steps)
                for own, (after, kernel) in zip(names, step, strict=True):
                    self.add_module(own, Convolution(width, after, kernel, 2 if last else 1, pad=not last))
                path.append(names)
                width = sum(after for after, _ in step)
            self.paths.append(path)
        if pool:
            self.branch_pool = Convolution(before, pool, 1)

    def pool(self, x: Tensor) -> Tensor:
        if self.halves:
            return max_pool2d(x, 3, 2)
        if self.maximum:
            return self.branch_pool(max_pool2d(x, 3, 1, 1))
        return self.branch_pool(avg_pool2d(x, 3, 1, 1, count_include_pad=False))

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for path in self.paths:
            y = x
            for names in path:
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            seen.append(y)
        return torch.cat([*seen, self.pool(x)], 1)


def _steps(*steps: tuple[int, Kernel]) -> list[Step]:
    return [(step,) for step in steps]


def _small(before: int, pool: int) -> Mixed:
    """At 35 x 35 (figure 5 of the paper)."""
    return Mixed(
        before,
        pool,
        branch1x1=_steps((64, 1)),
        branch5x5=_steps((48, 1), (64, 5)),
        branch3x3dbl=_steps((64, 1), (96, 3), (96, 3)),
    )


def _factored(width: int) -> Mixed:
    """At 17 x 17: 7 x 7 as 1 x 7 and 7 x 1 (figure 6)."""
    tall, flat = (7, 1), (1, 7)
    return Mixed(
        768,
        192,
        branch1x1=_steps((192, 1)),
        branch7x7=_steps((width, 1), (width, flat), (192, tall)),
        branch7x7dbl=_steps((width, 1), (width, tall), (width, flat), (width, tall), (192, flat)),
    )


def _forked(before: int, maximum: bool) -> Mixed:
    """At 8 x 8: the filter bank grows wider, not deeper (figure 7)."""
    fork: Step = ((384, (1, 3)), (384, (3, 1)))
    return Mixed(
        before,
        192,
        maximum=maximum,
        branch1x1=_steps((320, 1)),
        branch3x3=[*_steps((384, 1)), fork],
        branch3x3dbl=[*_steps((448, 1), (384, 3)), fork],
    )


class Inception(nn.Module):
    """[n 3 299 299] in 0..255 -> the last pool's features [n 2048]; `fc` reads 1,008 classes from them."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, 2, pad=False)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, pad=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _small(192, 32), _small(256, 64), _small(288, 64)
        self.Mixed_6a = Mixed(
            288, 0, halves=True, branch3x3=_steps((384, 3)), branch3x3dbl=_steps((64, 1), (96, 3), (96, 3))
        )
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(_factored, (128, 160, 160, 192))
        self.Mixed_7a = Mixed(
            768,
            0,
            halves=True,
            branch3x3=_steps((192, 1), (320, 3)),
            branch7x7x3=_steps((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)),
        )
        self.Mixed_7b, self.Mixed_7c = _forked(1280, maximum=False), _forked(2048, maximum=True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - 128) / 128  # as the graph has it: not 127.5
        for name, layer in self.named_children():
            if name in ("Conv2d_3b_1x1", "Mixed_5b"):
                x = max_pool2d(x, 3, 2)
            if name != "fc":
                x = layer(x)
        return x.mean((2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """[n 2048] -> [n 1008], without the bias: so Salimans et al. 2016 (arXiv:1606.03498) scored."""
        return features @ self.fc.weight.T


def load_inception(state: dict[str, Tensor]) -> Inception:
    """The network with these weights. Raises ValueError where they are another network's."""
    with torch.device("meta"):  # nothing is drawn, nothing is filled twice
        net = Inception()
    weights = {name: value.float() for name, value in state.items() if not name.endswith("num_batches_tracked")}
    try:
        net.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        flaw = str(error).splitlines()[1].strip()[:120]
        raise ValueError(f"these are not the weights of the FID's InceptionV3 ({flaw} ...): give its file") from None
    return net.eval().requires_grad_(False)


def read_weights(path: Path) -> dict[str, Tensor]:
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        named = isinstance(found, dict) and all(map(torch.is_tensor, found.values()))
        flaw = "" if named else "other things than tensors"
    except Exception as error:  # a damaged pickle may raise anything
        flaw = (str(error).splitlines() or [type(error).__name__])[0][:120]
    if flaw:
        raise ValueError(f"{path.name} holds no weights ({flaw}): expected .pth or .safetensors, tensors by name")
    return found


def inception_features(path: Path) -> Features:
    """The 2,048 features of Inception with the weights in this file, .pth or .safetensors, which nothing downloads.

    With the file that the FID is known by, its name is "inception-2015-12-05" and distances are called FID; with
    any other, safetensors included, they are FD(the file's name). Raises ValueError for another network's file.
    """
    net, pinned = load_inception(read_weights(path)), digest(path)
    known = pinned.startswith(SHA256)
    return Features(
        name="inception-2015-12-05" if known else path.stem,
        about=f"InceptionV3 with the {'FID weights' if known else f'weights of {path.name}'}, last pool; "
        f"pictures resized to {SIDE} px by an antialiased cubic filter, not rounded",
        hash=pinned,
        width=2048,
        takes=(0, 0, 0),
        read=lambda pictures: net(resize(as_rgb(pictures), SIDE, SIDE).clamp(0, 255)),
        probabilities=lambda features: net.logits(features).softmax(1),
        fid=known,
        block=20,
    )
