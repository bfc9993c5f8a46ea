"""Multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from zerosum.networks.minibatch import Minibatch


class MLP(nn.Sequential):
    """Linear layers with an activation between them: [n ...] -> [n outputs]. Inputs are flattened.

    `activation` makes a fresh layer for each place, e.g. `nn.ReLU` or `lambda: nn.LeakyReLU(0.2)`. `minibatch`, if
    given, makes a layer that adds features of the whole minibatch before the last linear one.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        outputs: int,
        activation: Callable[[], nn.Module],
        minibatch: Callable[[int], Minibatch] | None = None,
    ):
        sizes = [inputs, *widths]
        layers = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), activation())]
        features = sizes[-1]
        if minibatch is not None:
            sight = minibatch(features)
            layers.append(sight)
            features = sight.outputs
        super().__init__(*layers, nn.Linear(features, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1))
