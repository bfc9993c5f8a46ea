"""Features: what each extractor computes, that a sample is seen by itself, and what is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zerosum.metrics.features import (
    Features,
    LeNet,
    classifier_features,
    in_blocks,
    point_features,
    random_features,
    reduced,
    train_classifier,
    weights_hash,
)
from zerosum.metrics.number import TooFew


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def dark_and_bright(side: int, n: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n) % 2
    return (noise(n, 1, side, side) // 4 + 120 * labels[:, None, None, None]).to(torch.uint8), labels


def extractors() -> dict[str, Features]:
    net = LeNet((3, 12, 16), 4).eval().requires_grad_(False)
    shape = (3, 12, 16)
    return {
        "classifier": classifier_features(net, shape),
        "random": random_features(shape),
    }


@pytest.mark.parametrize("name", ["classifier", "random"])
def test_a_sample_is_seen_by_itself_and_the_same_every_time(name) -> None:
    features, x = extractors()[name], noise(7, 3, 12, 16)
    seen = features(x)
    assert seen.shape == (7, features.width)
    assert seen.dtype == torch.float32
    assert not seen.requires_grad
    assert torch.equal(seen, features(x))
    assert torch.allclose(features(x[2:3]), seen[2:3], rtol=1e-5, atol=1e-6)
    assert (seen.std(0) > 0).double().mean() > 0.5  # a ReLU may be shut for all
    assert len(features.hash) == 12
    assert features.distance == f"FD({features.name})"


def test_the_classifiers_features_are_its_last_layer_but_one_and_its_probabilities_read_them() -> None:
    x, labels = dark_and_bright(16)
    net = train_classifier(x, labels, 2, epochs=6)
    features = classifier_features(net, (1, 16, 16), held_out=dark_and_bright(16, 200))
    seen = features(x)
    assert torch.equal(seen, net.features(x))
    assert torch.allclose(features.probabilities(seen), net(x).softmax(1))
    assert features.accuracy == 1
    assert classifier_features(net, (1, 16, 16), held_out=(x, 1 - labels)).accuracy == 0
    assert classifier_features(net, (1, 16, 16)).accuracy is None
    again = LeNet((1, 16, 16), 2)
    again.load_state_dict(net.state_dict())
    assert classifier_features(again, (1, 16, 16)).hash == features.hash
    assert random_features((1, 16, 16)).probabilities is None


def test_larger_pictures_are_reduced_for_a_classifier_and_it_says_so() -> None:
    x = noise(60, 1, 80, 80)
    small, net = reduced(x), LeNet((1, 32, 32), 2).eval().requires_grad_(False)
    assert (small.shape, small.dtype) == ((60, 1, 32, 32), torch.uint8)
    features = classifier_features(net, (1, 80, 80))
    assert "reduced to 32 x 32 px, antialiased" in features.about
    assert torch.allclose(features(x), net.features(small), atol=0.01)  # training alone rounds to bytes
    assert not torch.equal(features(x), net.features(small))
    assert reduced(noise(2, 3, 100, 50)).shape == (2, 3, 32, 16)
    assert reduced(noise(2, 3, 400, 50)).shape == (2, 3, 32, 8)
    same = noise(2, 3, 32, 20)
    assert reduced(same) is same


def test_a_classifier_of_too_little_is_refused() -> None:
    x, labels = dark_and_bright(16)
    with pytest.raises(TooFew, match="a classifier needs at least 128 labelled pictures, got 100: use random_features"):
        train_classifier(x[:100], labels[:100], 2)
    with pytest.raises(TooFew, match="a classifier needs labels of 2 classes and more, got 1: use random_features"):
        train_classifier(x, torch.zeros(256, dtype=torch.long), 2)


def test_the_random_convolutions_are_pinned() -> None:
    """Bits of the filters, and numbers that they give: results of different machines can be compared."""
    assert [random_features((c, 28, 28)).hash for c in (1, 3)] == ["a97bc8cf6a35", "4f71cad92a55"]
    rough = (torch.arange(28 * 28) ** 2 * 7919 % 65521 % 256).to(torch.uint8).reshape(1, 1, 28, 28)
    seen = random_features((1, 28, 28))(rough)[0, [1, 26, 61, 95]]
    assert seen.tolist() == pytest.approx([0.058861, 0.024726, 0.05278, 0.029907], rel=1e-4)
    assert random_features((1, 28, 28), seed=1).hash != random_features((1, 28, 28)).hash
    before = torch.get_rng_state()
    random_features((1, 28, 28))
    assert torch.equal(before, torch.get_rng_state())


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(8, 70), st.integers(8, 70))
def test_random_convolutions_see_any_size_and_no_brightness_of_an_empty_picture(channels, height, width) -> None:
    features = random_features((channels, height, width))
    flat = torch.stack([torch.full((channels, height, width), v, dtype=torch.uint8) for v in (0, 90, 255)])
    assert features(flat).abs().max() < 1e-5
    assert features(noise(2, channels, height, width)).mean() > 1e-3


def test_random_convolutions_see_a_change_of_every_kind() -> None:
    """Farther from the original with every step of blur, of noise and of pictures that are copies of one."""
    x = torch.zeros(300, 1, 24, 24)
    chance = torch.Generator().manual_seed(0)
    for picture, (row, column) in zip(x, torch.randint(4, 14, (300, 2), generator=chance).tolist(), strict=True):
        picture[:, row : row + 7, column : column + 3] = 255
    features = random_features((1, 24, 24))
    real = features(x.to(torch.uint8))

    def gap(changed: torch.Tensor) -> float:
        seen = features(changed.clamp(0, 255).to(torch.uint8))
        return float((seen.mean(0) - real.mean(0)).square().sum() + (seen.std(0) - real.std(0)).square().sum())

    noisy = torch.randn(x.shape, generator=chance)
    blurs = [gap(nn.functional.avg_pool2d(x, k, 1, k // 2)) for k in (1, 3, 5, 7)]
    noises = [gap(x + level * noisy) for level in (0, 10, 30, 90)]
    copies = [gap(torch.cat([x[:1].expand(k, -1, -1, -1), x[k:]])) for k in (0, 75, 150, 300)]
    for ladder in (blurs, noises, copies):
        assert ladder[0] == pytest.approx(0, abs=1e-9)
        assert ladder == sorted(ladder)


def test_points_are_their_own_features() -> None:
    x = torch.randn(5, 2, dtype=torch.float64)
    assert torch.equal(point_features(2)(x), x.float())
    with pytest.raises(ValueError, match=r"features points read float points .n 2.; got float64 .5, 3."):
        point_features(2)(torch.zeros(5, 3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("pictures", "got"),
    [
        (torch.zeros(2, 3, 12, 16), "float32 .2, 3, 12, 16."),
        (noise(2, 1, 12, 16), "uint8 .2, 1, 12, 16."),
        (noise(2, 3, 12, 20), "uint8 .2, 3, 12, 20."),
        (noise(3, 12, 16), "uint8 .3, 12, 16."),
        (noise(0, 3, 12, 16), "uint8 .0, 3, 12, 16."),
    ],
)
@pytest.mark.parametrize("name", ["classifier", "random"])
def test_pictures_that_do_not_fit_are_refused(name, pictures, got) -> None:
    with pytest.raises(ValueError, match=f"read uint8 pictures .n 3 12 16., sides of 8 px and more; got {got}$"):
        extractors()[name](pictures)


def test_pictures_under_8_px_are_refused() -> None:
    with pytest.raises(ValueError, match="sides of 8 px and more"):
        random_features((1, 7, 12))(noise(2, 1, 7, 12))


def test_a_hash_knows_names_shapes_and_values() -> None:
    weight = torch.arange(6.0)
    found = weights_hash({"a": weight})
    others = [{"b": weight}, {"a": weight.reshape(2, 3)}, {"a": weight + 1e-6}, {"a": weight.double()}]
    assert len({found, *map(weights_hash, others)}) == 5
    assert weights_hash({"a": weight}, "Conv") != found == weights_hash({"a": weight.clone()})


def test_blocks_change_nothing() -> None:
    x = noise(23, 1, 8, 8)
    assert torch.equal(in_blocks(lambda part: part.float().mean((2, 3)), x, 5), x.float().mean((2, 3)))
