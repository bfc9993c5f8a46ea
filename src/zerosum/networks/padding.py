"""Pictures of any height and width, for networks that halve them."""

from torch import Tensor, nn
from torch.nn.functional import pad

from zerosum.networks.blocks import GroupNorm


class Padded(nn.Module):
    """[n c h w] -> [n c' h w] by a network that needs sides which are multiples of `multiple`.

    The edges are repeated outwards to the next multiple, and what came of them is cropped.
    """

    def __init__(self, network: nn.Module, multiple: int):
        super().__init__()
        self.network, self.multiple = network, multiple

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        missing_rows, missing_columns = -height % self.multiple, -width % self.multiple
        if not missing_rows and not missing_columns:
            return self.network(x)
        top, left = missing_rows // 2, missing_columns // 2
        x = pad(x, (left, missing_columns - left, top, missing_rows - top), mode="replicate")
        return self.network(x)[:, :, top : top + height, left : left + width]


def instance_norm(channels: int) -> nn.Module:
    """Every channel of every picture by itself to mean 0 and variance 1, then a learnt scale and shift.

    What batch norm is where a batch is one picture; so no picture depends on its neighbours (Ulyanov et al. 2016,
    arXiv:1607.08022). As groups of one channel: that keeps the layout in memory that convolutions are fastest in.
    """
    return GroupNorm(channels, channels)
