"""Inception's shapes and its arithmetic, with weights drawn from a seed: the FID's own are not in this project."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from zerosum.metrics import inception
from zerosum.metrics.inception import Inception, inception_features, load_inception


def drawn() -> dict[str, torch.Tensor]:
    """Weights that keep the signal's size from layer to layer."""
    chance = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Inception().state_dict().items() if value.ndim}
    state = {}
    for name, shape in shapes.items():
        if name.endswith("running_var"):
            state[name] = torch.rand(shape, generator=chance) + 0.5
        elif len(shape) == 1:
            state[name] = 0.1 * torch.randn(shape, generator=chance) + name.endswith("bn.weight")
        else:
            state[name] = torch.randn(shape, generator=chance) * (2 / shape[1:].numel()) ** 0.5
    return state


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return drawn()


def test_the_architecture_is_the_published_one() -> None:
    with torch.device("meta"):
        net = Inception()
    assert sum(weight.numel() for weight in net.parameters()) == 23_850_960
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert shapes["Mixed_5d.branch5x5_2.conv.weight"] == (64, 48, 5, 5)
    assert shapes["Mixed_6a.branch3x3.conv.weight"] == (384, 288, 3, 3)
    assert shapes["Mixed_6b.branch7x7dbl_4.conv.weight"] == (128, 128, 7, 1)
    assert shapes["Mixed_6e.branch7x7_2.conv.weight"] == (192, 192, 1, 7)
    assert shapes["Mixed_7a.branch7x7x3_4.bn.running_var"] == (192,)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert shapes["fc.weight"] == (1008, 2048)
    assert sum(name.endswith("conv.weight") for name in shapes) == 94


def test_features_are_those_that_were_checked_against_torch_fidelity(state) -> None:
    """With torch-fidelity 0.4's extractor of the same weights, all 2,048 numbers and the logits were equal."""
    net = load_inception(state)
    x = (torch.arange(3 * 299 * 299) * 7919 % 256).reshape(1, 3, 299, 299).float()
    with torch.no_grad():
        seen = net(x)
        logits = net.logits(seen)
    assert seen.shape == (1, 2048)
    assert seen[0, [3, 701, 1385, 2047]].tolist() == pytest.approx([6.027470, 1.567329, 5.409978, 6.721006], rel=1e-4)
    assert torch.allclose(logits, net.fc(seen) - net.fc.bias, atol=1e-4)


def test_a_file_gives_features_of_any_picture_by_itself(state, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    save_file(state, tmp_path / "mine.safetensors")
    torch.save(state, tmp_path / "mine.pth")
    features, other = inception_features(tmp_path / "mine.safetensors"), inception_features(tmp_path / "mine.pth")
    assert torch.equal(before, torch.get_rng_state())
    x = torch.randint(256, (2, 1, 20, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    seen = features(x)
    assert seen.shape == (2, 2048)
    assert torch.allclose(other(x[1:].expand(-1, 3, -1, -1)), seen[1:], rtol=1e-4, atol=1e-4)
    assert features.probabilities is not None
    told = features.probabilities(seen)
    assert told.shape == (2, 1008)
    assert torch.allclose(told.sum(1), torch.ones(2))
    assert features.hash == hashlib.sha256((tmp_path / "mine.safetensors").read_bytes()).hexdigest()[:12]
    assert (features.name, features.distance) == ("mine", "FD(mine)")
    assert "antialiased" in features.about
    with pytest.raises(ValueError, match="got pictures with 2 channels"):
        features(x.expand(-1, 2, -1, -1))


def test_only_the_known_file_makes_a_fid(state, tmp_path: Path, monkeypatch) -> None:
    torch.save(state, tmp_path / "weights.pth")
    assert inception_features(tmp_path / "weights.pth").distance == "FD(weights)"
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()[:8])
    known = inception_features(tmp_path / "weights.pth")
    assert (known.name, known.distance) == ("inception-2015-12-05", "FID")


def test_other_files_are_refused_in_one_line(state, tmp_path: Path) -> None:
    torch.save({name: value for name, value in state.items() if not name.startswith("fc")}, tmp_path / "cut.pth")
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    torch.save(Path("a pickle of more than tensors"), tmp_path / "object.pth")
    torch.save({"epoch": 3, "net": state["fc.bias"]}, tmp_path / "nested.pth")
    torch.save([state["fc.bias"]], tmp_path / "list.pth")
    for name, flaw in {
        "nested.pth": "nested.pth holds no weights .other things than tensors",
        "list.pth": "list.pth holds no weights .other things than tensors",
        "cut.pth": "these are not the weights of the FID's InceptionV3 .*fc.weight",
        "other.safetensors": "these are not the weights of the FID's InceptionV3",
        "text.pth": "text.pth holds no weights",
        "text.safetensors": "text.safetensors holds no weights",
        "object.pth": "object.pth holds no weights",
    }.items():
        with pytest.raises(ValueError, match=flaw) as error:
            inception_features(tmp_path / name)
        assert len(str(error.value).splitlines()) == 1
        assert len(str(error.value)) < 300
