"""Which library makes float32 products: only one that is exact, only if faster, or all stays as it was."""

from types import SimpleNamespace

import pytest
import torch

from zerosum.play import matmul


@pytest.fixture
def setting(monkeypatch) -> SimpleNamespace:
    """In place of torch's, so that nothing outlasts a test, and whatever torch has it."""
    setting = SimpleNamespace(fp32_precision="none")
    monkeypatch.setattr(torch.backends.mkldnn, "matmul", setting, raising=False)
    return setting


def seconds(monkeypatch, setting, usual: float, onednn: float) -> None:
    monkeypatch.setattr(matmul, "_seconds", lambda a, b: onednn if setting.fp32_precision == "bf16" else usual)


def test_taken_where_faster_and_exact(monkeypatch, setting) -> None:
    seconds(monkeypatch, setting, 1.2, 1.0)
    assert matmul.onednn_is_better()
    assert setting.fp32_precision == "none", "asking changes nothing"
    with matmul.by_onednn():
        assert setting.fp32_precision == "bf16"
    assert setting.fp32_precision == "none"


def test_left_where_it_is_no_faster(monkeypatch, setting) -> None:
    seconds(monkeypatch, setting, 1.05, 1.0)
    assert not matmul.onednn_is_better()
    assert setting.fp32_precision == "none"


def test_left_where_it_is_bfloat16_indeed(monkeypatch, setting) -> None:
    """As on processors with matrix units: a product of rounded factors is told from one of float32."""
    product = torch.Tensor.__matmul__
    seconds(monkeypatch, setting, 9.0, 1.0)

    def rounded(a, b):
        return product(a.bfloat16(), b.bfloat16()).float() if a.dtype == torch.float32 else product(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not matmul.onednn_is_better()
    assert setting.fp32_precision == "none"


def test_whatever_is_taken_is_exact() -> None:
    """On this processor, by torch's own setting."""
    if not matmul.onednn_is_better():
        return  # then nothing is taken
    a, b = torch.randn(2, 300, 300)
    exact = a.double() @ b.double()
    with matmul.by_onednn():
        assert float((a @ b - exact).norm() / exact.norm()) < matmul.EXACT


def test_where_torch_cannot_be_asked(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends, "mkldnn", SimpleNamespace(is_available=lambda: True))  # 2.8 and before
    assert not matmul.onednn_is_better()
