"""Multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with an activation between them: [n ...] -> [n outputs]. Inputs are flattened.

    `activation` makes a fresh layer for each place, e.g. `nn.ReLU` or `lambda: nn.LeakyReLU(0.2)`.
    """

    def __init__(self, inputs: int, widths: Sequence[int], outputs: int, activation: Callable[[], nn.Module]):
        sizes = [inputs, *widths]
        hidden = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), activation())]
        super().__init__(*hidden, nn.Linear(sizes[-1], outputs))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1))
