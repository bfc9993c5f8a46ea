"""Pictures on disk are a tensor like any other, of which only what is asked for is read; decks read ahead."""

from __future__ import annotations

import copy
import mmap
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.data.dataset import Dataset
from zerosum.data.deck import Deck, deck_of
from zerosum.data.on_disk import OnDisk
from zerosum.data.reader import Reader
from zerosum.data.spec import Images

SHAPE = (50, 6, 5, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    file = tmp_path_factory.mktemp("kept") / "pixels"
    PIXELS.tofile(file)
    return np.memmap(file, np.uint8, "r", shape=SHAPE)


@pytest.fixture(params=["all", "some"])
def both(request, mapped):
    """The same pictures on disk and in memory: all of a file, or some in another order."""
    rows = torch.arange(50) if request.param == "all" else torch.randperm(50)[:20]
    memory = torch.from_numpy(PIXELS)[rows].permute(0, 3, 1, 2)
    return OnDisk(mapped, None if request.param == "all" else rows), memory


TAKEN = {
    "row": lambda x: x[3],
    "last": lambda x: x[-1],
    "first": lambda x: x[:7],
    "every third": lambda x: x[1::3],
    "rows": lambda x: x[torch.tensor([5, 5, 0, 19])],
    "mask": lambda x: x[torch.arange(len(x)) % 2 == 0],
    "table": lambda x: x[torch.tensor([[1, 2], [3, 4]])],
    "index_select": lambda x: x.index_select(0, torch.tensor([4, 2])),
    "plane": lambda x: x[:, :1],
    "pixels": lambda x: x[..., 2:4, 1],
    "two indices": lambda x: x[torch.tensor([1, 2]), torch.tensor([0, 1])],
    "float": lambda x: x.float() / 127.5 - 1,
    "turned": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "range": lambda x: torch.stack(x.aminmax()),
    "joined": lambda x: torch.cat([x, x]),
    "compared": lambda x: x == x[:, :1],
    "clone": lambda x: x.clone(),
    "iterated": lambda x: torch.stack(list(x)[:4]),
    "split": lambda x: x.split(7)[1].float(),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_tensor_like_any_other(both, name):
    disk, memory = both
    found = TAKEN[name](disk)
    assert not isinstance(found, OnDisk)
    assert torch.equal(found, TAKEN[name](memory))
    assert found.contiguous().numpy().size == found.numel()


def test_its_shape(both):
    disk, memory = both
    assert (disk.shape, disk.dtype, len(disk)) == (memory.shape, memory.dtype, len(memory))
    assert (disk.ndim, disk.nbytes, disk.device) == (4, memory.nbytes, memory.device)
    assert repr(disk) == f"OnDisk({list(memory.shape)} of 50 pictures)"
    assert copy.deepcopy(disk) is disk


def test_nothing_is_copied_but_what_is_asked_for(mapped, monkeypatch):
    """The deck, what it keeps of a set, and a copy of the deck all look at the one mapping."""
    read, true = [], OnDisk._read
    monkeypatch.setattr(OnDisk, "_read", lambda self, rows: read.append(rows.numel()) or true(self, rows))
    disk = OnDisk(mapped).only(torch.arange(40))
    start = mapped.ctypes.data
    assert start <= disk.held.data_ptr() < start + mapped.nbytes
    data = Dataset("own", Images(3, 6, 5), disk, None)
    deck = deck_of(data, labelled=False, seed=0, device=torch.device("cpu"))
    twin = copy.deepcopy(deck)
    for one in (deck, twin):
        one.deal(4)
    assert disk[:3].shape == (3, 3, 6, 5)
    parts = [part.float() for part in disk.split(4)]
    assert max(read) == 4
    assert torch.equal(torch.cat(parts), disk.float())
    assert not mapped.flags.writeable


def test_the_system_is_told_what_will_be_read(tmp_path):
    """All of the pages of each row, and no others."""

    class Told(mmap.mmap):
        def madvise(self, advice, start, length):
            assert (advice, start % mmap.PAGESIZE) == (mmap.MADV_WILLNEED, 0)
            told.append((start, start + length))

    told, size, page = [], 100 * 100 * 3, mmap.PAGESIZE
    (tmp_path / "pixels").write_bytes(bytes(4 * size))
    disk = OnDisk(np.memmap(tmp_path / "pixels", np.uint8, "r", shape=(4, 100, 100, 3)), torch.tensor([3, 1]))
    disk.mapped = SimpleNamespace(base=Told(-1, 4 * size))
    disk.read(torch.tensor([1, 0]))
    assert told == [(row * size // page * page, (row + 1) * size) for row in (1, 3)]


hands = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 3)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=40)
@given(hands=hands, seed=st.integers(0, 2**32), cut=st.integers(0, 5))
def test_dealt_as_from_memory(mapped, hands, seed, cut):
    """Whatever sizes and parts are asked for, and across a resume: reading ahead changes nothing."""
    memory = Deck(torch.from_numpy(PIXELS).permute(0, 3, 1, 2), torch.arange(50), seed=seed)
    disk = Deck(OnDisk(mapped), torch.arange(50), seed=seed)
    for turn, (size, of) in enumerate(hands):
        if turn == cut:
            state, disk = disk.state_dict(), Deck(OnDisk(mapped), torch.arange(50), seed=seed + 1)
            disk.load_state_dict(state)
        (x, y), (u, v) = (deck.deal(size * of, (of - 1, of)) for deck in (memory, disk))
        assert torch.equal(x, u)
        assert x.stride() == u.stride()
        assert torch.equal(y, v)
        assert torch.equal(memory.last, disk.last)
        assert (memory.images, memory.epochs) == (disk.images, disk.epochs)
        one, other = memory.state_dict(), disk.state_dict()
        assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one)


def test_a_state_that_is_put_back_is_dealt_again(mapped):
    """As the probe does with its copy of a deck."""
    deck = Deck(OnDisk(mapped), None, seed=0)
    deck.deal(16)
    state = deck.state_dict()
    first = [deck.deal(16)[0] for _ in range(5)]
    twin = copy.deepcopy(deck)
    for one in (deck, twin):
        one.load_state_dict(state)
        assert all(torch.equal(one.deal(16)[0], x) for x in first)


class Slow:
    """A disk that takes 0.1 s."""

    def __init__(self, true):
        self.true, self.done = true, threading.Semaphore(0)

    def __call__(self, *args):
        time.sleep(0.1)
        found = self.true(*args)
        self.done.release()
        return found

    def wait(self, times=1):
        """Until it has read so many times more: as the game does that plays meanwhile."""
        assert all(self.done.acquire(timeout=10) for _ in range(times))


def test_what_is_expected_is_read_meanwhile():
    read, rows = Slow(lambda rows: rows * 10), torch.arange(3)
    reader = Reader(read)
    assert torch.equal(reader.take(rows), rows * 10)
    first = reader.stalled
    assert first >= 0.09  # nobody had told it
    read.wait()
    reader.expect(rows + 1)
    read.wait()
    assert torch.equal(reader.take(rows + 1), (rows + 1) * 10)
    assert reader.stalled - first < 0.09
    reader.expect(rows)
    before = reader.stalled
    assert torch.equal(reader.take(rows + 5), (rows + 5) * 10)  # another than expected
    assert reader.stalled - before >= 0.09


def test_a_deck_tells_how_long_it_waited(mapped, monkeypatch):
    memory = Deck(torch.zeros(5, 3, 4, 4, dtype=torch.uint8), None, seed=0)
    memory.deal(3)
    assert memory.stalled == 0
    slow = Slow(OnDisk.read)
    monkeypatch.setattr(OnDisk, "read", lambda self, rows: slow(self, rows))
    waiting, playing = (Deck(OnDisk(mapped), None, seed=0) for _ in range(2))
    for _ in range(8):
        waiting.deal(5)
    slow.wait(9)  # what was dealt, and what is read ahead
    playing.deal(5)
    first = playing.stalled
    slow.wait()
    for _ in range(7):
        slow.wait()
        playing.deal(5)
    assert first >= 0.09
    assert playing.stalled - first < 0.3 < waiting.stalled


def test_an_error_of_the_thread_is_raised_where_the_rows_are_asked_for():
    def read(rows):
        if len(rows) == 2:
            raise OSError("the disk is gone")
        return rows

    reader = Reader(read)
    reader.expect(torch.arange(2))
    assert len(reader.take(torch.arange(3))) == 3  # nobody asked for the two
    reader.expect(torch.arange(2))
    with pytest.raises(OSError, match="the disk is gone"):
        reader.take(torch.arange(2))
    assert len(reader.take(torch.arange(4))) == 4


def threads():
    return {thread for thread in threading.enumerate() if thread.name.startswith("zerosum-reader")}


def test_the_thread_goes_with_its_deck(mapped):
    before = threads()
    deck = Deck(OnDisk(mapped), None, seed=0)
    deck.deal(3)
    twin = copy.deepcopy(deck)
    twin.deal(3)
    (ours, theirs) = threads() - before
    del deck, twin
    for thread in (ours, theirs):
        thread.join(5)
        assert not thread.is_alive()
