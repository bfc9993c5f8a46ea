"""Decks of examples, dealt in shuffled batches without waiting for the device."""

from typing import Any

import torch
from torch import Tensor

from zerosum.data.dataset import Dataset
from zerosum.data.spec import Domains, Points


class Deck:
    """Deals every example exactly once an epoch, in a new order each epoch, in batches of any size.

    Images (uint8) stay uint8 on `device` and are normalised as they are dealt; points (float) are dealt as they are.
    What goes with each example is dealt beside it: labels [n], or partners, pictures uint8 [n c h w].
    A batch may span the end of an epoch, so its shape never varies; it may be larger than the data set.
    The order comes from the deck's own generator on the CPU: the same seed deals the same batches on every device.

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
        self._held = _held(examples).to(self.device)
        self._labels = None if labels is None else _held(labels).to(self.device)
        self._generator = torch.Generator().manual_seed(seed)
        self._dealt = 0
        self._shuffle()
        self.last = self._order[:0]

    def __len__(self) -> int:
        return len(self._held)

    @property
    def images(self) -> int:
        """Examples dealt so far."""
        return self._dealt

    @property
    def epochs(self) -> float:
        """Times the whole deck was dealt so far."""
        return self._dealt / len(self)

    def deal(self, n: int) -> tuple[Tensor, Tensor | None]:
        """The next n examples: images as x/127.5 - 1 in [-1, 1], float32 [n c h w] channels_last; labels int64 [n]."""
        self.last = self._draw(n)
        return _dealt(self._held, self.last), None if self._labels is None else _dealt(self._labels, self.last)

    def state_dict(self) -> dict[str, Any]:
        """All that decides what will be dealt: tensors and ints only."""
        return {
            "generator": self._generator.get_state(),
            "order": self._order.cpu().clone(),
            "position": self._position,
            "images": self._dealt,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken; ValueError if that deck had another number of examples."""
        if len(state["order"]) != len(self):
            raise ValueError(
                f"the saved deck had {len(state['order'])} examples, this one has {len(self)}: "
                "resume with the data the run was started with"
            )
        self._generator.set_state(state["generator"].cpu())
        self._order = state["order"].to(self.device, copy=True)
        self._position = int(state["position"])
        self._dealt = int(state["images"])
        self.last = self._order[:0]

    def _draw(self, n: int) -> Tensor:
        """Indices of the next n examples, over as many epochs as that takes."""
        if n < 1:
            raise ValueError(f"got a batch of {n}: at least 1 is needed")
        pieces = []
        missing = n
        while missing:
            if self._position == len(self):
                self._shuffle()
            piece = self._order[self._position : self._position + missing]
            self._position += len(piece)
            missing -= len(piece)
            pieces.append(piece)
        self._dealt += n
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _shuffle(self) -> None:
        self._order = torch.randperm(len(self), generator=self._generator).to(self.device, non_blocking=True)
        self._position = 0


class TwoDecks:
    """Two domains, dealt side by side, each in an order of its own: what is dealt together does not belong together."""

    def __init__(self, a: Tensor, b: Tensor, *, seed: int, device: str | torch.device = "cpu") -> None:
        self.a = Deck(a, None, seed=seed, device=device)
        self.b = Deck(b, None, seed=seed ^ 2**31, device=device)  # torch reads the lower 32 bits of a seed

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

    def deal(self, n: int) -> tuple[Tensor, Tensor]:
        """The next n pictures of each domain, float32 in [-1, 1]."""
        return self.a.deal(n)[0], self.b.deal(n)[0]

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
    return chosen.float().div_(127.5).sub_(1.0).permute(0, 3, 1, 2) if held.dtype == torch.uint8 else chosen


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
