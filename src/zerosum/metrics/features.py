"""What samples are compared by: a fixed function of each sample alone, pinned by a hash, and named in every result."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, cross_entropy, pad

from zerosum.metrics.number import TooFew
from zerosum.metrics.resize import SMALLEST, resize

LARGEST = 32  # px: what the classifier and the random convolutions see of larger pictures
RANDOM_WIDTHS = (16, 32, 64, 96)
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Features:
    """Called with samples, pictures uint8 [n c h w] or points float [n dim], it gives features float32 [n width].

    The same sample has the same features, whatever stands beside it. `probabilities`, where the features are a
    classifier's, reads them: [n width] -> [n classes], rows of sum 1. Raises ValueError for samples that do not fit,
    and where the features come out in another shape, or not finite.
    """

    name: str
    about: str  # what it is, and what it does to the samples first
    hash: str  # 12 digits of the sha256 of the weights, or of the file
    width: int
    takes: tuple[int, ...]  # the shape of one sample; 0 stands for any
    read: Map
    probabilities: Map | None = None
    accuracy: float | None = None  # share of held-out pictures that the classifier names rightly
    fid: bool = False  # whether these are the features that the name FID stands for
    block: int = 1000  # samples at once

    @property
    def distance(self) -> str:
        """What a Fréchet distance in these features is called."""
        return "FID" if self.fid else f"FD({self.name})"

    def __call__(self, samples: Tensor) -> Tensor:
        self._check(samples)
        seen = in_blocks(self.read, samples, self.block)
        if seen.shape != (len(samples), self.width) or not seen.isfinite().all():
            flaw = f"shape {tuple(seen.shape)}" if seen.shape != (len(samples), self.width) else "NaN or infinity"
            raise ValueError(f"features {self.name}: got {flaw}, expected finite numbers {(len(samples), self.width)}")
        return seen

    def _check(self, samples: Tensor) -> None:
        shape, pictures = tuple(samples.shape), len(self.takes) == 3
        kind = samples.dtype == torch.uint8 if pictures else samples.is_floating_point()
        fits = samples.ndim == 1 + len(self.takes) and all(
            size in (0, got) for size, got in zip(self.takes, shape[1:], strict=True)
        )
        if not kind or not fits or not len(samples) or (pictures and min(shape[2:]) < SMALLEST):
            sizes = " ".join(["n", *(str(size or name) for size, name in zip(self.takes, "chw", strict=False))])
            wanted = f"float points [{sizes}]"
            if pictures:
                wanted = f"uint8 pictures [{sizes}], sides of {SMALLEST} px and more"
            got = str(samples.dtype).removeprefix("torch.")
            raise ValueError(f"features {self.name} read {wanted}; got {got} {shape}")


class LeNet(nn.Sequential):
    """LeNet's layers (LeCun et al. 1998), wider: uint8 [n c h w] -> logits [n classes]; 64 features before them."""

    def __init__(self, shape: tuple[int, int, int], classes: int):
        channels, height, width = shape
        super().__init__(
            nn.Conv2d(channels, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * (height // 4) * (width // 4), 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )
        self.shape = shape

    def features(self, pictures: Tensor) -> Tensor:
        """[n c h w] uint8 -> [n 64] float32."""
        x = pictures.float() / 255
        for layer in list(self)[:-1]:
            x = layer(x)
        return x

    def forward(self, pictures: Tensor) -> Tensor:
        return self[-1](self.features(pictures))


def train_classifier(pictures: Tensor, labels: Tensor, classes: int, *, epochs: int = 3, seed: int = 0) -> LeNet:
    """A LeNet fitted to uint8 pictures [n c h w] and labels [n]: Adam, one cycle up to 2e-3, batch 128, cross entropy.

    The caller's generators are left as they were. Raises TooFew for fewer pictures than one batch, or one class only.
    """
    if len(pictures) < 128:
        raise TooFew(
            "a classifier",
            "at least 128 labelled pictures",
            len(pictures),
            "use random_features",
        )
    if len(labels.unique()) < 2:
        raise TooFew("a classifier", "labels of 2 classes and more", 1, "use random_features")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = LeNet(tuple(pictures.shape[1:]), classes)  # type: ignore[arg-type]
        optimizer = torch.optim.Adam(net.parameters(), 1e-3)
        steps = epochs * (len(pictures) // 128)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        for _ in range(epochs):
            order = torch.randperm(len(pictures))
            for rows in order.split(128)[: len(pictures) // 128]:
                optimizer.zero_grad()
                cross_entropy(net(pictures[rows]), labels[rows]).backward()
                optimizer.step()
                schedule.step()
    return net.eval().requires_grad_(False)


@torch.no_grad()
def in_blocks(function: Map, pictures: Tensor, block: int = 1000) -> Tensor:
    """`function` [b ...] -> [b f] of the pictures [n ...], a block at a time, so that memory stays bounded: [n f]."""
    return torch.cat([function(part) for part in pictures.split(block)])


def reduced(pictures: Tensor) -> Tensor:
    """uint8 [n c h w] as a classifier is trained on: the longer side at most 32 px, antialiased, bytes again."""
    size = _reduced(pictures.shape[2:])
    if size == tuple(pictures.shape[2:]):
        return pictures
    return in_blocks(lambda part: resize(part, *size).round().to(torch.uint8), pictures, _block(pictures.shape))


def _reduced(sides: Sequence[int]) -> tuple[int, int]:
    scale = min(1.0, LARGEST / max(sides))
    height, width = (max(SMALLEST, round(side * scale)) for side in sides)
    return height, width


def _block(shape: Sequence[int]) -> int:
    """As many pictures at once as have a million pixels, 1,000 at the most."""
    return min(1000, max(1, 2**20 // (shape[-2] * shape[-1])))


def classifier_features(net: LeNet, shape: Sequence[int], held_out: tuple[Tensor, Tensor] | None = None) -> Features:
    """The 64 features of a classifier that was trained on `reduced` pictures of this shape [c h w].

    Its accuracy is that on the held-out pictures [n c h w] and labels [n], where there are some.
    """

    def read(pictures: Tensor) -> Tensor:
        return net.features(resize(pictures, *net.shape[1:]))

    accuracy = None
    if held_out is not None:
        pictures, labels = held_out
        shown = in_blocks(lambda part: net[-1](read(part)), pictures, _block(shape)).argmax(1)
        accuracy = float((shown == labels).double().mean())
    return Features(
        name="classifier",
        about=f"a LeNet trained on this data's labels, its last 64 numbers{_seen_at(shape)}",
        hash=weights_hash(net.state_dict()),
        width=64,
        takes=tuple(shape),
        read=read,
        probabilities=lambda features: net[-1](features).softmax(1),
        accuracy=accuracy,
        block=_block(shape),
    )


def random_features(shape: Sequence[int], seed: int = 0) -> Features:
    """96 numbers of pictures [c h w] of any size, from four layers of random convolutions, with no training.

    x_1 = the picture in -1..1;  y_l = ReLU(sqrt(2) W_l * x_l);  x_(l+1) = y_l, averaged 2 x 2;  the features are the
    means of y_4 over the picture. The filters W_l, 3 x 3, are orthogonal, then made to sum to 0 and to have length 1:
    they answer to edges and their neighbours, not to the brightness, which would drown everything else. Naeem et al.
    2020 (arXiv:2002.09797, section 4) judge with a random VGG where a trained network knows nothing of such data.

    Fréchet distances rank as a trained LeNet's do (bench/embedding.py): rank correlation over 56 damaged sets 0.83 on
    MNIST, 0.93 on Fashion-MNIST; over a GAN's training 1.
    """
    chance, widths = np.random.default_rng(seed), (shape[0], *RANDOM_WIDTHS)
    weights = [_filters(after, before, chance) for before, after in itertools.pairwise(widths)]

    def read(pictures: Tensor) -> Tensor:
        x = resize(pictures, *_reduced(shape[1:])) / 127.5 - 1
        for layer, weight in enumerate(weights):
            x = avg_pool2d(x, 2) if layer else x
            x = conv2d(pad(x, (1, 1, 1, 1), mode="replicate"), weight).relu() * 2**0.5
        return x.mean((2, 3))

    return Features(
        name="random",
        about=f"four layers of random convolutions, never trained, the means of the last{_seen_at(shape)}",
        hash=weights_hash({str(layer): weight for layer, weight in enumerate(weights)}),
        width=RANDOM_WIDTHS[-1],
        takes=tuple(shape),
        read=read,
        block=_block(shape),
    )


def _filters(after: int, before: int, chance: np.random.Generator) -> Tensor:
    """Orthogonal filters [after before 3 3] of sum 0 and length 1."""
    fan = before * 9
    q = np.linalg.qr(chance.standard_normal((max(after, fan), min(after, fan))))[0]
    w = (q if after >= fan else q.T).reshape(after, before, 3, 3)
    w = w - w.mean((1, 2, 3), keepdims=True)
    w /= np.linalg.norm(w.reshape(after, -1), axis=1)[:, None, None, None]
    return torch.from_numpy(np.round(w * 2**20) / 2**20).float()  # so that every LAPACK gives the same bits


def _seen_at(shape: Sequence[int]) -> str:
    height, width = _reduced(shape[1:])
    small = "" if (height, width) == tuple(shape[1:]) else f" reduced to {height} x {width} px, antialiased,"
    return f"; pictures{small} in their own channels"


def point_features(dim: int) -> Features:
    """Points [n dim] are their own features."""
    return Features("points", "the points themselves", weights_hash({}), dim, (dim,), lambda points: points.float())


def digest(path: Path) -> str:
    """12 digits of a file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def weights_hash(state: dict[str, Tensor], structure: str = "") -> str:
    """12 digits of the sha256 of named weights: their structure in words, names, types, shapes and bytes."""
    found = hashlib.sha256(structure.encode())
    for name, value in state.items():
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:12]
