"""A checkpoint comes back as it was, to the last bit and in the same layout; or not at all."""

from __future__ import annotations

import json
import os
import resource

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from zerosum.play import checkpoint
from zerosum.play.checkpoint import Checkpoints, DamagedFile


def test_a_tree_comes_back_as_it_was(tmp_path):
    tree = {
        "weights": {"a": torch.rand(3, 4), "b": torch.arange(5, dtype=torch.int16), "none": None},
        "state": {0: {"step": torch.tensor(3.0)}, 1: {"step": torch.tensor(float("nan"))}},
        "list": [1, 2.5, "text", True, (1, (2,))],
        "tiny": 5e-324,
        "empty": {"list": [], "dict": {}, "tensor": torch.empty(0, 3)},
        "half": torch.rand(4).bfloat16(),
        "scalar": torch.tensor(7),
    }
    checkpoint.save(tmp_path / "a.safetensors", tree)
    back = checkpoint.load(tmp_path / "a.safetensors")
    assert list(back["state"]) == [0, 1]
    assert back["list"] == [1, 2.5, "text", True, (1, (2,))]
    assert (back["tiny"], back["empty"]["list"], back["empty"]["dict"]) == (5e-324, [], {})
    assert back["weights"]["none"] is None
    for a, b in [(tree["weights"]["a"], back["weights"]["a"]), (tree["half"], back["half"])]:
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    assert back["weights"]["b"].dtype == torch.int16
    assert back["empty"]["tensor"].shape == (0, 3)
    assert back["state"][1]["step"].isnan()


def test_the_layout_in_memory_comes_back(tmp_path):
    """Fused optimisers walk weights and moments by address: both must lie in memory as they did."""
    plain = torch.rand(4, 3, 5, 5)
    last = plain.contiguous(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "a.safetensors", {"last": last, "plain": plain, "turned": torch.rand(2, 3).T})
    back = checkpoint.load(tmp_path / "a.safetensors")
    assert back["last"].stride() == last.stride() == (75, 1, 15, 3)
    assert back["plain"].stride() == plain.stride() == (75, 25, 5, 1)
    assert torch.equal(back["last"], plain)
    assert torch.equal(back["plain"], plain)
    assert back["turned"].shape == (3, 2)


def test_what_is_no_plain_value_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(TypeError, match="ndarray"):
        checkpoint.save(tmp_path / "a.safetensors", {"x": np.zeros(3)})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(part):
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoint.atomically(path, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_full_disk_is_an_oserror_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, {"x": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match=r"a\.safetensors cannot be written .*too large"):
            checkpoint.save(path, {"x": torch.rand(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoint.load(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_new_file_has_the_mode_of_any(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        checkpoint.save(tmp_path / "a.safetensors", {"x": torch.rand(3)})
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_file_is_damaged(tmp_path, share):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, {"x": torch.rand(100, 100)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DamagedFile, match="damaged"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "header", ["[]", "3", "null", '{"dict": 3}', '{"tensor": "9"}', '{"dict": [["x"]]}', "{", '"x"']
)
def test_a_file_of_somebody_else_is_damaged(tmp_path, header):
    path = tmp_path / "a.safetensors"
    save_file({"0": torch.zeros(2)}, path, metadata={"zerosum": header})
    with pytest.raises(DamagedFile):
        checkpoint.load(path)
    save_file({"0": torch.zeros(2)}, path, metadata={"other": json.dumps({})})
    with pytest.raises(DamagedFile):
        checkpoint.load(path)


def test_no_file_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.safetensors"):
        checkpoint.load(tmp_path / "a.safetensors")


def test_the_newest_are_kept_and_a_damaged_one_passed_over(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", keep=2)
    for round_ in (5, 10, 99_999_999, 100_000_000):
        checkpoints.save(round_, {"round": round_})
    assert [int(p.stem) for p in checkpoints.paths()] == [99_999_999, 100_000_000]
    (tmp_path / "c" / "notes.safetensors").write_text("a stranger")
    assert checkpoints.load_latest() == ({"round": 100_000_000}, [])
    checkpoints.paths()[-1].write_bytes(b"")
    state, troubles = checkpoints.load_latest()
    assert state == {"round": 99_999_999}
    assert len(troubles) == 1
    checkpoints.paths()[0].write_bytes(b"x" * 50)
    with pytest.raises(DamagedFile, match="99999999"):
        checkpoints.load_latest()


def test_an_empty_folder_has_nothing_to_resume_from(tmp_path):
    with pytest.raises(DamagedFile, match="nothing to resume from"):
        Checkpoints(tmp_path, keep=2).load_latest()
