"""Layers that more than one network is built from."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero each value with probability p in training and scale the rest by 1 / (1 - p) (Srivastava et al. 2014).

    The masks are 16 bits of a random 64-bit word each: p is kept to within 2^-17, and a CPU makes them 10 times as fast
    as one Bernoulli draw a value. Chance comes from torch's generator.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p = {p}; expected 0 <= p < 1")
        self.p = p
        self.threshold = min(round(p * 2**16), 2**16 - 1) - 2**15  # int16 words lie in [-2^15, 2^15)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = words.view(torch.int16)[: x.numel()] >= self.threshold
        # The mask takes the layout of x in memory, so that nothing is moved.
        mask = torch.empty_like(x)
        mask.as_strided((x.numel(),), (1,)).copy_(kept).mul_(1 / (1 - self.p))
        return x * mask

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Unflatten(nn.Module):
    """[n c*h*w] -> [n c h w], in the memory layout that convolutions are fastest in."""

    def __init__(self, channels: int, height: int, width: int):
        super().__init__()
        self.shape = channels, height, width

    def forward(self, x: Tensor) -> Tensor:
        return x.view(-1, *self.shape).contiguous(memory_format=torch.channels_last)


class Flatten(nn.Module):
    """[n c h w] -> [n c*h*w], whose gradient comes back in the memory layout that convolutions are fastest in."""

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and x.device.type == "cpu":
            x = x.view_as(x)  # a hook of its own: x may be a leaf, or be looked at by others
            x.register_hook(lambda slope: slope.contiguous(memory_format=torch.channels_last))
        return x.flatten(1)


class GroupNorm(nn.GroupNorm):
    """torch's group norm, by torch's kernel for the other memory layout where that is faster: on a CPU.

    The one for channels_last is up to 3 times as slow at one channel a group, and 4 to 20 times in bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        alone = self.num_groups == self.num_channels
        if x.device.type != "cpu" or not (alone or x.dtype == torch.bfloat16):
            return super().forward(x)
        return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last)


class Crop(nn.Module):
    """The middle height x width of a picture: for sizes that doubling does not meet exactly."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[-2] - self.height) // 2, (x.shape[-1] - self.width) // 2
        return x[..., top : top + self.height, left : left + self.width]


def doublings(height: int, width: int, smallest: int = 4) -> int:
    """How often both sides can be halved and stay at `smallest` or more: 28 -> 2, 32 -> 3, 64 -> 4.

    Raises ValueError where that is never: the picture is too small for a convolutional network.
    """
    count = 0
    while min(height, width) / 2 ** (count + 1) >= smallest:
        count += 1
    if count == 0:
        raise ValueError(
            f"pictures of {height}x{width} are too small here: expected at least {2 * smallest} on each side"
        )
    return count


def one_hot(y: Tensor, classes: int) -> Tensor:
    """[n] -> [n classes], float32."""
    return torch.nn.functional.one_hot(y, classes).float()


def normal_(network: nn.Module, std: float) -> None:
    """Every weight ~ N(0, std^2), as in Radford et al. 2015 (std 0.02); batch-norm scales ~ N(1, std^2); biases 0."""
    _initialise(network, lambda weight: nn.init.normal_(weight, 0, std), lambda scale: nn.init.normal_(scale, 1, std))


def glorot_(network: nn.Module) -> None:
    """Every weight uniform with the variance of Glorot & Bengio 2010; batch-norm scales 1; biases 0."""
    _initialise(network, nn.init.xavier_uniform_, nn.init.ones_)


def _initialise(network: nn.Module, weight: Callable[[Tensor], object], scale: Callable[[Tensor], object]) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            weight(module.weight)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            scale(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
