"""Which device is played on."""

import pytest
import torch

from zerosum.play.precision import choose_device


def test_devices_that_are_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["nonsense", "meta", "cpu:x", "cuda:99", ""])
def test_a_device_that_is_not_there_is_told(name) -> None:
    with pytest.raises(ValueError, match=rf"device = '{name}' is not usable here \(.+\): use cpu or auto") as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)
