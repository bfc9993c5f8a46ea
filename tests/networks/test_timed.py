"""The networks that are told the time: the paper's size, any shape, and that everything told is heard."""

import math

import pytest
import torch

from zerosum.networks.timed import Attention, TimedMLP, TimedUNet, norm, sinusoids


def awake(net: torch.nn.Module) -> torch.nn.Module:
    """The net with none of its weights at 0, where some begin."""
    for p in net.parameters():
        torch.nn.init.normal_(p, 0, 0.1)
    return net


def test_the_papers_network_has_its_size() -> None:
    """Appendix B: "our CIFAR10 model has 35.7 million parameters"."""
    with torch.device("meta"):
        net = TimedUNet(3, (128, 256, 256, 256), blocks=2, attention=(1,))
    assert sum(p.numel() for p in net.parameters()) == 35_746_307


@pytest.mark.parametrize("size", [(28, 28), (17, 26), (8, 9), (64, 40)])
@pytest.mark.parametrize("patch", [1, 2])
def test_any_size(size, patch) -> None:
    net = awake(TimedUNet(3, (4, 8), blocks=1, attention=(1,), classes=2, patch=patch))
    x, t, y = torch.randn(2, 3, *size), torch.tensor([3, 900]), torch.tensor([0, 2])
    assert net(x, t, y).shape == x.shape


def test_sinusoids() -> None:
    found = sinusoids(torch.tensor([0, 3]), 4)
    assert found[0].tolist() == [0, 0, 1, 1]
    expected = [math.sin(3), math.sin(0.03), math.cos(3), math.cos(0.03)]
    assert found[1].tolist() == pytest.approx(expected, rel=1e-5)
    apart = torch.pdist(sinusoids(torch.arange(1001), 64))
    assert apart.min() > 0.1, "every time of the chain looks another"


def test_it_begins_by_guessing_nothing() -> None:
    """The last layer begins at 0, so the first loss is that of no guess: E eps^2 = 1."""
    net = TimedUNet(1, (4, 8), blocks=1, classes=3)
    assert net(torch.randn(2, 1, 8, 8), torch.tensor([1, 2]), torch.tensor([0, 3])).abs().max() == 0


def test_time_and_label_are_heard() -> None:
    net = awake(TimedUNet(1, (4, 8), blocks=1, classes=3))
    x = torch.randn(1, 1, 8, 8).expand(4, 1, 8, 8)
    t, y = torch.full((4,), 500), torch.arange(4)
    by_label, by_time = net(x, t, y), net(x, torch.tensor([1, 10, 100, 1000]), torch.zeros(4, dtype=torch.long))
    for made in (by_label, by_time):
        assert torch.pdist(made.detach().flatten(1)).min() > 1e-4
    points = torch.randn(1, 2).expand(3, 2)
    told = awake(TimedMLP(2, (8,)))(points, torch.tensor([1, 100, 1000])).detach()
    assert torch.pdist(told).min() > 1e-5


def test_each_example_is_by_itself() -> None:
    net = awake(TimedUNet(1, (8, 8), blocks=1, classes=3))
    x, t, y = torch.randn(3, 1, 9, 11), torch.tensor([5, 50, 500]), torch.tensor([0, 1, 3])
    torch.testing.assert_close(net(x, t, y)[1:2], net(x[1:2], t[1:2], y[1:2]), rtol=1e-4, atol=1e-5)


def test_attention_is_softmax_of_scaled_products() -> None:
    layer, x = awake(Attention(8)), torch.randn(2, 8, 3, 4)
    query, key, value = layer.ask(x).flatten(2).transpose(1, 2).chunk(3, 2)
    weights = (query @ key.transpose(1, 2) / math.sqrt(8)).softmax(2)
    fetched = (weights @ value).transpose(1, 2).reshape(2, 8, 3, 4)
    torch.testing.assert_close(layer(x), x + layer.answer(fetched), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (4, 1), (6, 1), (18, 2), (32, 8), (48, 4), (128, 32), (256, 32)]
)
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    assert norm(channels).num_groups == groups


def test_dropout_is_in_the_blocks() -> None:
    torch.manual_seed(0)
    net = awake(TimedUNet(1, (4,), blocks=1, dropout=0.5))
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([5])
    assert not torch.equal(net(x, t), net(x, t))
    net.eval()
    assert torch.equal(net(x, t), net(x, t))


def test_odd_widths_are_widths() -> None:
    x, t = torch.randn(2, 1, 9, 7), torch.tensor([1, 500])
    assert TimedUNet(1, (5, 18), blocks=1)(x, t).shape == x.shape
