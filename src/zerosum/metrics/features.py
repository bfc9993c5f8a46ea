"""What pictures are compared by: the features of a small classifier, trained once on the user's own labelled data."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


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

    The caller's generators are left as they were. Raises ValueError for fewer pictures than one batch.
    """
    if len(pictures) < 128:
        raise ValueError(f"a classifier needs at least 128 labelled pictures, got {len(pictures)}")
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
def in_blocks(function: Callable[[Tensor], Tensor], pictures: Tensor, block: int = 1000) -> Tensor:
    """`function` [b ...] -> [b f] of the pictures [n ...], a block at a time, so that memory stays bounded: [n f]."""
    return torch.cat([function(part) for part in pictures.split(block)])
