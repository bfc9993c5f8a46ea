"""What a judge sees with: the user's file, the points themselves, a classifier of the data, or a fixed net."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from zerosum.data.dataset import Dataset
from zerosum.data.held_out import keep_back
from zerosum.data.known import cache
from zerosum.data.spec import Points
from zerosum.metrics.features import (
    Features,
    LeNet,
    classifier_features,
    point_features,
    random_features,
    reduced,
    train_classifier,
)
from zerosum.metrics.inception import inception_features
from zerosum.metrics.modules import module_features, module_features_of
from zerosum.model import fingerprint
from zerosum.play import checkpoint

FEWEST = 160  # labelled pictures of which a classifier is made, and a tenth kept to see how well it reads
TENTH, BATCH = 0.1, 128
EPOCHS, STEPS = 2, 300  # of a classifier: so many epochs, and never fewer steps
Tell = Callable[[str], None]


def choose(
    train: Dataset, held_out: Dataset | None, named: Path | nn.Module | None = None, tell: Tell = lambda line: None
) -> Features:
    """What fits the data, unless a file is named: Inception's weights (.pth, .safetensors), TorchScript (.pt), ONNX.

    Of labelled pictures, a small classifier trained on them once, and kept in the user's cache; else fixed random
    convolutions. `tell` is told, in a line, of what takes its time.
    """
    if isinstance(named, nn.Module):
        return module_features_of(named, train.spec.shape, type(named).__name__)
    if named is not None:
        if not named.is_file():
            raise FileNotFoundError(f"no features file {named}: give Inception's weights (.pth), TorchScript or ONNX")
        if isinstance(train.spec, Points):
            raise ValueError(f"{named} reads pictures, and {train.name} is a set of points: leave --features out")
        inception = named.suffix in (".pth", ".safetensors")
        return inception_features(named) if inception else module_features(named, train.spec.shape)
    if isinstance(train.spec, Points):
        return point_features(train.spec.dim)
    if train.labels is None or len(train) < FEWEST or len(train.labels.unique()) < 2:
        return random_features(train.spec.shape)
    return _classifier(train, held_out, tell)


def _classifier(train: Dataset, held_out: Dataset | None, tell: Tell) -> Features:
    if held_out is None or held_out.labels is None:  # its accuracy is told of pictures that it did not see
        train, held_out = keep_back(train, TENTH)
    assert train.labels is not None
    made_of = f"{fingerprint(train)[:16]}-{EPOCHS}-{STEPS}-torch{torch.__version__}"
    kept = cache() / "judges" / f"{train.name}-{made_of}.safetensors"
    pictures, classes = reduced(train.examples), len(train.spec.classes)
    if kept.is_file():
        net = LeNet(tuple(pictures.shape[1:]), classes)  # type: ignore[arg-type]
        net.load_state_dict(checkpoint.load(kept))
        net.eval().requires_grad_(False)
    else:
        tell(f"a small classifier is trained on {len(train):,} labelled pictures, once ({kept})")
        epochs = max(EPOCHS, -(-STEPS // (len(pictures) // BATCH)))
        net = train_classifier(pictures, train.labels, classes, epochs=epochs)
        kept.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(kept, net.state_dict())
    assert held_out is not None
    assert held_out.labels is not None
    return classifier_features(net, train.spec.shape, (held_out.examples, held_out.labels))
