"""The generators of CycleGAN: few halvings, many residual blocks (Zhu et al. 2017, arXiv:1703.10593, appendix 7.2).

After Johnson et al. 2016, arXiv:1603.08155. Reflection padding, so that edges look like the rest.
"""

from torch import Tensor, nn

from zerosum.networks.padding import Padded, instance_norm


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect")


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions of x, each normed by picture: [n c h w] -> [n c h w]."""

    def __init__(self, channels: int):
        super().__init__()
        self.change = nn.Sequential(
            _conv(channels, channels, 3),
            instance_norm(channels),
            nn.ReLU(),
            _conv(channels, channels, 3),
            instance_norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


class Translator(Padded):
    """[n inputs h w] -> [n outputs h w] in (-1, 1), any height and width of 8 px and more.

    A 7x7 convolution, two halvings, `blocks` residual blocks, two doublings, a 7x7 convolution, tanh.
    """

    def __init__(self, inputs: int, outputs: int, channels: int, blocks: int):
        layers: list[nn.Module] = [_conv(inputs, channels, 7), instance_norm(channels), nn.ReLU()]
        for width in (channels, 2 * channels):
            layers += [_conv(width, 2 * width, 3, stride=2), instance_norm(2 * width), nn.ReLU()]
        layers += [ResidualBlock(4 * channels) for _ in range(blocks)]
        for width in (2 * channels, channels):
            layers += [nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1), instance_norm(width), nn.ReLU()]
        super().__init__(nn.Sequential(*layers, _conv(channels, outputs, 7), nn.Tanh()), 4)
