"""Decks of examples, dealt in shuffled batches without waiting for the device."""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor

from zerosum.data.dataset import Dataset
from zerosum.data.on_disk import OnDisk
from zerosum.data.reader import Reader
from zerosum.data.spec import Domains, Points


class Order:
    """The shuffled order of n examples, a new one each epoch; the same seed draws the same on every device."""

    def __init__(self, n: int, seed: int, device: torch.device):
        self.n, self.device = n, device
        self.drawn = 0  # examples so far
        self._generator = torch.Generator().manual_seed(seed)
        self._shuffle()

    def draw(self, n: int) -> Tensor:
        """Indices [n] of the next n examples, over as many epochs as that takes."""
        if n < 1:
            raise ValueError(f"got a batch of {n}: at least 1 is needed")
        pieces = []
        missing = n
        while missing:
            if self._position == self.n:
                self._shuffle()
            piece = self._order[self._position : self._position + missing]
            self._position += len(piece)
            missing -= len(piece)
            pieces.append(piece)
        self.drawn += n
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def peek(self, n: int) -> Tensor:
        """What `draw` will give next; nothing is drawn."""
        twin = copy.copy(self)  # the order itself is never changed, only replaced
        twin._generator = torch.Generator()
        twin._generator.set_state(self._generator.get_state())
        return twin.draw(n)

    def state_dict(self) -> dict[str, Any]:
        return {
            "generator": self._generator.get_state(),
            "order": self._order.cpu().clone(),
            "position": self._position,
            "images": self.drawn,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if len(state["order"]) != self.n:
            raise ValueError(
                f"the saved deck had {len(state['order'])} examples, this one has {self.n}: "
                "resume with the data the run was started with"
            )
        self._generator.set_state(state["generator"].cpu())
        self._order = state["order"].to(self.device, copy=True)
        self._position = int(state["position"])
        self.drawn = int(state["images"])

    def _shuffle(self) -> None:
        self._order = torch.randperm(self.n, generator=self._generator).to(self.device, non_blocking=True)
        self._position = 0


class Deck:
    """Deals every example exactly once an epoch, in a new order each epoch, in batches of any size.

    Images (uint8) stay uint8 on `device` and are normalised as they are dealt; points (float) are dealt as they are.
    What goes with each example is dealt beside it: labels [n], or partners, pictures uint8 [n c h w].
    A batch may span the end of an epoch, so its shape never varies; it may be larger than the data set.
    The order comes from the deck's own generator on the CPU: the same seed deals the same batches on every device.

    Pictures that stay on disk (`OnDisk`) are dealt the same: the next batch is read while this one is played, on the
    guess that as many will be asked for, and only batches travel to the device.

    >>> deck = Deck(torch.arange(5.0).reshape(5, 1), None, seed=0)
    >>> deck.deal(3)[0].shape, deck.deal(3)[0].shape, deck.images, deck.epochs
    (torch.Size([3, 1]), torch.Size([3, 1]), 6, 1.2)
    """

    last: Tensor  # int64 [n]: which examples were dealt last

    def __init__(
        self, examples: Tensor, labels: Tensor | None, *, seed: int, device: str | torch.device = "cpu"
    ) -> None:
        if len(examples) == 0:
            raise ValueError("got a deck of 0 examples: at least 1 is needed")
        if labels is not None and len(labels) != len(examples):
            raise ValueError(f"got {len(labels)} labels for {len(examples)} examples: one label each is needed")
        self.device = torch.device(device)
        self._reader = Reader(partial(_read, examples, self.device)) if isinstance(examples, OnDisk) else None
        self._held = None if self._reader else _held(examples).to(self.device)
        self._labels = None if labels is None else _held(labels).to(self.device)
        self._order = Order(len(examples), seed, torch.device("cpu") if self._reader else self.device)
        self.last = torch.zeros(0, dtype=torch.int64, device=self._order.device)

    def __len__(self) -> int:
        return self._order.n

    @property
    def images(self) -> int:
        """Examples dealt so far."""
        return self._order.drawn

    @property
    def epochs(self) -> float:
        """Times the whole deck was dealt so far."""
        return self._order.drawn / len(self)

    @property
    def stalled(self) -> float:
        """Seconds that `deal` has waited for pictures to come from disk; 0 where they are in memory."""
        return self._reader.stalled if self._reader else 0.0

    def deal(self, n: int, part: tuple[int, int] = (0, 1)) -> tuple[Tensor, Tensor | None]:
        """The next n examples: images as x/127.5 - 1 in [-1, 1], float32 [n c h w] channels_last; labels int64 [n].

        Of part (i, k), only the i-th of k equal slices of them is given; all n are counted as dealt. Raises ValueError
        where n cannot be cut so.
        """
        _check_part(n, part)
        self.last = _slice(self._order.draw(n), part)
        if self._reader:
            x = self._reader.take(self.last)
            self._reader.expect(_slice(self._order.peek(n), part))
            images = _normalised(x.to(self.device, non_blocking=True))
        else:
            assert self._held is not None
            images = _dealt(self._held, self.last)
        return images, None if self._labels is None else _dealt(self._labels, self.last.to(self.device))

    def state_dict(self) -> dict[str, Any]:
        """All that decides what will be dealt: tensors and ints only."""
        return self._order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken; ValueError if that deck had another number of examples."""
        self._order.load_state_dict(state)
        self.last = self.last[:0]


class TwoDecks:
    """Two domains, dealt side by side, each in an order of its own: what is dealt together does not belong together."""

    def __init__(self, a: Tensor, b: Tensor, *, seed: int, device: str | torch.device = "cpu") -> None:
        self.a = Deck(a, None, seed=seed, device=device)
        self.b = Deck(b, None, seed=seed ^ 2**31, device=device)  # torch reads the lower 32 bits of a seed
        self.device = self.a.device

    def __len__(self) -> int:
        return len(self.a)

    @property
    def images(self) -> int:
        """Examples of the first domain dealt so far."""
        return self.a.images

    @property
    def epochs(self) -> float:
        """Times the first domain was dealt so far."""
        return self.a.epochs

    @property
    def stalled(self) -> float:
        """Seconds that `deal` has waited for pictures to come from disk."""
        return self.a.stalled + self.b.stalled

    def deal(self, n: int, part: tuple[int, int] = (0, 1)) -> tuple[Tensor, Tensor]:
        """The next n pictures of each domain, float32 in [-1, 1]; of part (i, k), the i-th of k slices of them."""
        return self.a.deal(n, part)[0], self.b.deal(n, part)[0]

    def state_dict(self) -> dict[str, Any]:
        return {"a": self.a.state_dict(), "b": self.b.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.a.load_state_dict(state["a"])
        self.b.load_state_dict(state["b"])


def _held(values: Tensor) -> Tensor:
    """Pictures as [n h w c]: a gathered batch, seen as [n c h w], is then in channels_last format at no cost."""
    if values.dtype == torch.uint8 and values.ndim == 4:
        return values.permute(0, 2, 3, 1).contiguous()
    return values.float() if values.is_floating_point() else values.long()


def _dealt(held: Tensor, which: Tensor) -> Tensor:
    chosen = held.index_select(0, which)
    return _normalised(chosen) if held.dtype == torch.uint8 else chosen


def _normalised(pictures: Tensor) -> Tensor:
    """uint8 [n h w c] -> float [n c h w] in [-1, 1], channels_last."""
    return pictures.float().div_(127.5).sub_(1.0).permute(0, 3, 1, 2)


def _read(examples: OnDisk, device: torch.device, which: Tensor) -> Tensor:
    """The pictures in memory, from where a GPU takes them without being waited for: uint8 [n h w c]."""
    pictures = examples.read(which)
    return pictures.pin_memory() if device.type == "cuda" else pictures


def _check_part(n: int, part: tuple[int, int]) -> None:
    i, k = part
    if not 0 <= i < k or n % k:
        raise ValueError(f"got part {i} of {k} of a batch of {n}: expected part 0 .. {k - 1}, and {k} to divide it")


def _slice(which: Tensor, part: tuple[int, int]) -> Tensor:
    i, k = part
    size = len(which) // k
    return which[i * size : (i + 1) * size]


def deck_of(dataset: Dataset, *, labelled: bool, seed: int, device: torch.device) -> Deck | TwoDecks:
    """The data as it is dealt: points over their scale, with labels if the game takes any, partners, or two domains."""
    examples, spec = dataset.examples, dataset.spec
    if isinstance(spec, Points):
        examples = examples / spec.scale
    if isinstance(spec, Domains):
        assert dataset.partners is not None
        return TwoDecks(examples, dataset.partners, seed=seed, device=device)
    beside = dataset.labels if labelled else dataset.partners
    return Deck(examples, beside, seed=seed, device=device)
