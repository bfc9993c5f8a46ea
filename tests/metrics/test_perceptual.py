"""LPIPS: the published architecture, built a second time here from its description, and one line for other files."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from zerosum.metrics.perceptual import perceptual_distance

WIDTHS = (64, 192, 384, 256, 256)


def alexnet() -> nn.Sequential:
    """AlexNet's features as everybody numbers them: convolution, ReLU, pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """The files of a random AlexNet, with the classifier that is not needed, and of random weights."""
    torch.manual_seed(0)
    net = alexnet()
    state = {f"features.{name}": value for name, value in net.state_dict().items()}
    torch.save(state | {"classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "alexnet.pth")
    weights = {f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1) for i, width in enumerate(WIDTHS)}
    torch.save(weights, tmp_path / "alex.pth")
    return net, weights, tmp_path / "alexnet.pth", tmp_path / "alex.pth"


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_the_published_formula(files, channels):
    net, weights, *paths = files
    chance = torch.Generator().manual_seed(1)
    a, b = (torch.randint(0, 256, (60, channels, 40, 36), dtype=torch.uint8, generator=chance) for _ in range(2))

    def maps(x):
        x = x.expand(-1, 3, -1, -1).float() / 127.5 - 1
        x = (x - torch.tensor([-0.03, -0.088, -0.188])[:, None, None]) / torch.tensor([0.458, 0.448, 0.45])[
            :, None, None
        ]
        found = []
        for layer in net:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                found.append(normalize(x))
        return found

    with torch.no_grad():
        expected = sum(
            ((p - q).square() * w).sum(1).mean((1, 2))
            for p, q, w in zip(maps(a), maps(b), weights.values(), strict=True)
        )
    found = perceptual_distance(*paths)(a, b)
    assert found.value == pytest.approx(float(expected.mean()), rel=1e-4)
    assert found.low < found.value < found.high
    assert found.better == "lower"
    assert perceptual_distance(*paths)(a, a).value == 0


def test_other_files_and_small_pictures_are_said_in_one_line(files, tmp_path):
    _, _, backbone, lin = files
    with pytest.raises(ValueError, match=r"alex\.pth does not hold AlexNet"):
        perceptual_distance(lin, lin)
    with pytest.raises(ValueError, match="does not hold LPIPS's weights"):
        perceptual_distance(backbone, backbone)
    (tmp_path / "text.pth").write_text("nothing")
    with pytest.raises(ValueError, match="holds no weights"):
        perceptual_distance(tmp_path / "text.pth", lin)
    small = torch.zeros(3, 3, 28, 28, dtype=torch.uint8)
    with pytest.raises(ValueError, match="LPIPS needs pictures of 31 px and more, got 28x28: use SSIM"):
        perceptual_distance(backbone, lin)(small, small)
