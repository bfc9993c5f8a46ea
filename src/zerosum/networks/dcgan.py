"""The networks of DCGAN (Radford et al. 2015, arXiv:1511.06434, section 3).

All the way convolutional: strides instead of pooling, transposed strides to grow, no hidden dense layer.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from zerosum.networks.blocks import Crop, Dropout, Flatten, Unflatten
from zerosum.networks.minibatch import Minibatch


def activation(slope: float) -> nn.Module:
    """LeakyReLU of this slope; ReLU at 0."""
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


class Generator(nn.Sequential):
    """[n latent] -> [n channels height width] in (-1, 1).

    A dense projection to widths[0] channels, then a transposed convolution a width, the last one to the picture, with
    these strides. Batch norm and activation after each but the last, which ends in tanh. No biases: batch norm has one.
    The projection is normed by channel, or with `norm_features` each of its numbers by itself.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, int, int],
        widths: Sequence[int],
        strides: Sequence[int],
        *,
        kernel: int = 5,
        slope: float = 0.0,
        norm_momentum: float = 0.1,
        norm_eps: float = 1e-5,
        norm_features: bool = False,
    ):
        if len(widths) != len(strides):
            raise ValueError(
                f"the generator has {len(widths)} widths but {len(strides)} strides: give one stride a width"
            )
        channels, height, width = shape
        growth = 1
        for stride in strides:
            growth *= stride
        rows, columns = -(-height // growth), -(-width // growth)
        layers: list[nn.Module] = [
            nn.Linear(latent, widths[0] * rows * columns, bias=False),
            Unflatten(widths[0], rows, columns),
            nn.BatchNorm2d(widths[0], norm_eps, norm_momentum),
        ]
        if norm_features:
            layers[1:] = [nn.BatchNorm1d(widths[0] * rows * columns, norm_eps, norm_momentum), layers[1]]
        layers.append(activation(slope))
        for before, after, stride in zip(widths, [*widths[1:], channels], strides, strict=True):
            layers.append(_grow(before, after, kernel, stride))
            layers += [nn.BatchNorm2d(after, norm_eps, norm_momentum), activation(slope)]
        layers[-2:] = [Crop(height, width), nn.Tanh()]
        super().__init__(*layers)


def _grow(before: int, after: int, kernel: int, stride: int) -> nn.ConvTranspose2d:
    """A transposed convolution that makes both sides exactly `stride` times as long."""
    if kernel < stride or (stride == 1 and kernel % 2 == 0):
        raise ValueError(f"kernel {kernel} cannot grow a picture by stride {stride}: take a larger or an odd kernel")
    padding = (kernel - stride + 1) // 2
    return nn.ConvTranspose2d(before, after, kernel, stride, padding, stride - kernel + 2 * padding, bias=False)


class Discriminator(nn.Module):
    """[n channels height width] (+ labels [n]) -> one score [n].

    A stride-2 convolution a width with LeakyReLU; batch norm in all but the first, if at all; dropout, if at all.
    `minibatch`, if given, makes a layer that adds features of the whole minibatch to those of each picture. With
    classes the label's embedding is projected on the features (Miyato & Koyama 2018, arXiv:1802.05637, eq. 3).
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        widths: Sequence[int],
        *,
        kernel: int = 5,
        slope: float = 0.2,
        batch_norm: bool = True,
        dropout: float = 0.0,
        classes: int = 0,
        minibatch: Callable[[int], Minibatch] | None = None,
    ):
        super().__init__()
        channels, height, width = shape
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip([channels, *widths], widths, strict=False)):
            normed = batch_norm and i > 0
            layers.append(nn.Conv2d(before, after, kernel, 2, (kernel - 1) // 2, bias=not normed))
            if normed:
                layers.append(nn.BatchNorm2d(after))
            layers.append(activation(slope))
            if dropout:
                layers.append(Dropout(dropout))
            height, width = ((side + 2 * ((kernel - 1) // 2) - kernel) // 2 + 1 for side in (height, width))
        if min(height, width) < 1:
            raise ValueError(
                f"{len(widths)} halvings leave nothing of {shape[1]}x{shape[2]} pictures: give fewer widths"
            )
        features = widths[-1] * height * width
        layers.append(Flatten())
        if minibatch is not None:
            sight = minibatch(features)
            layers.append(sight)
            features = sight.outputs
        self.features = nn.Sequential(*layers)
        self.score = nn.Linear(features, 1)
        self.label = nn.Embedding(classes, features) if classes else None
        if self.label is not None:
            nn.init.normal_(self.label.weight, 0, features**-0.5)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        features = self.features(x)
        score = self.score(features).squeeze(1)
        return score if self.label is None else score + (features * self.label(y)).sum(1)
