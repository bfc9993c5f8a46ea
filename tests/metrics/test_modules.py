"""Features that the user brings: pinned, in eval mode, and refused in a line that names them."""

import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from zerosum.metrics.features import digest
from zerosum.metrics.modules import module_features, module_features_of


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


class Odd(nn.Module):
    """A user's module: maps with a batch norm and dropout, which must not be in training mode."""

    def __init__(self, channels: int = 3):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(channels, 5, 3), nn.BatchNorm2d(5), nn.Dropout(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def odd() -> Odd:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Odd()


def test_a_users_module_is_copied_put_in_eval_mode_and_pinned() -> None:
    module, x = odd(), noise(6, 3, 12, 16)
    features = module_features_of(module, (3, 12, 16), "odd")
    seen = features(x)
    assert module.training
    assert torch.allclose(seen, odd().eval()(x / 255).mean((2, 3)), atol=1e-6)
    with torch.no_grad():
        module.net[0].weight.zero_()
    assert torch.equal(features(x), seen)
    assert (
        module_features_of(module, (3, 12, 16), "odd").hash
        != features.hash
        == module_features_of(odd(), (3, 12, 16), "").hash
    )


def test_torchscript_is_read_from_a_file(tmp_path: Path) -> None:
    path, x = tmp_path / "eyes.pt", noise(3, 3, 12, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(odd().eval(), torch.zeros(1, 3, 12, 16)).save(path)
    features = module_features(path, (3, 12, 16))
    assert torch.allclose(features(x), module_features_of(odd(), (3, 12, 16), "odd")(x), atol=1e-6)
    assert (features.name, features.hash, features.width) == ("eyes", digest(path), 5)


def test_onnx_is_read_from_a_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    path, x = tmp_path / "eyes.onnx", noise(3, 3, 12, 16)
    onnx.save(mean_of_channels(onnx), path)
    features = module_features(path, (3, 12, 16))
    assert torch.allclose(features(x), x.float().mean((2, 3)) / 255, atol=1e-6)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match=r"text.onnx is not an ONNX model"):
        module_features(tmp_path / "text.onnx", (3, 12, 16))


def mean_of_channels(onnx):
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    given = helper.make_tensor_value_info("x", floats, ["n", 3, "h", "w"])
    found = helper.make_tensor_value_info("y", floats, ["n", 3, 1, 1])
    graph = helper.make_graph([node], "means", [given], [found])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_without_onnxruntime_the_line_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"a.onnx needs onnxruntime: pip install zerosum\[onnx\]"):
        module_features(tmp_path / "a.onnx", (3, 12, 16))


class Sick(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) / (x.amax((2, 3)) < 0.9)


def test_what_modules_do_wrong_is_said_in_one_line_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"features sick: got NaN or infinity, expected finite numbers .2, 3."):
        module_features_of(Sick(), (3, 12, 16), "sick")(noise(2, 3, 12, 16))
    with pytest.raises(ValueError, match=r"features odd cannot read pictures \(1, 12, 16\) .*channels") as error:
        module_features_of(odd(), (1, 12, 16), "odd")
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(ValueError, match=r"features flat cannot read .*2 gave .1152"):
        module_features_of(nn.Flatten(0), (3, 12, 16), "flat")
    (tmp_path / "text.pt").write_text("no module")
    with pytest.raises(ValueError, match=r"text.pt is not TorchScript"):
        module_features(tmp_path / "text.pt", (3, 12, 16))
    with pytest.raises(ValueError, match=r"eyes.zip is no features file: expected TorchScript"):
        module_features(tmp_path / "eyes.zip", (3, 12, 16))
