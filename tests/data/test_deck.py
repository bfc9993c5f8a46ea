"""The deck: every example once an epoch, the same again after a resume, numbers in [-1, 1]."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.data.deck import Deck, TwoDecks

sizes = st.integers(1, 40)


def numbers(n: int) -> torch.Tensor:
    """n points that are their own index: what is dealt shows which was dealt."""
    return torch.arange(float(n)).reshape(n, 1)


@settings(deadline=None, max_examples=60)
@given(n=sizes, batch=sizes, deals=st.integers(1, 12), seed=st.integers(0, 2**32))
def test_every_epoch_is_a_permutation(n, batch, deals, seed):
    deck = Deck(numbers(n), torch.arange(n), seed=seed)
    dealt = []
    for _ in range(deals):
        x, y = deck.deal(batch)
        assert x.shape == (batch, 1)
        assert torch.equal(x[:, 0].long(), y)
        assert torch.equal(deck.last, y)
        dealt.append(y)
    whole = torch.cat(dealt)
    assert deck.images == len(whole)
    assert deck.epochs == len(whole) / n
    for epoch in whole.split(n):
        assert len(epoch.unique()) == len(epoch)  # the last one may be unfinished


@settings(deadline=None, max_examples=40)
@given(n=sizes, batch=sizes, before=st.integers(0, 6), seed=st.integers(0, 2**32))
def test_a_resumed_deck_deals_the_same(n, batch, before, seed):
    deck = Deck(numbers(n), None, seed=seed)
    for _ in range(before):
        deck.deal(batch)
    state = deck.state_dict()
    expected = [deck.deal(batch)[0] for _ in range(5)]
    other = Deck(numbers(n), None, seed=seed + 1)
    other.load_state_dict(state)
    assert other.images == before * batch
    assert all(torch.equal(other.deal(batch)[0], x) for x in expected)
    assert all(isinstance(value, torch.Tensor | int) for value in state.values())


def test_state_survives_a_file(tmp_path):
    deck = Deck(numbers(7), None, seed=3)
    deck.deal(5)
    torch.save(deck.state_dict(), tmp_path / "deck.pt")
    other = Deck(numbers(7), None, seed=0)
    other.load_state_dict(torch.load(tmp_path / "deck.pt", weights_only=True))
    assert torch.equal(deck.deal(9)[0], other.deal(9)[0])


def test_images_are_normalised_exactly():
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(2, 3, 1, 1)
    x, y = Deck(images, None, seed=0).deal(2)
    assert y is None
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x.min() == -1
    assert x.max() == 1
    assert torch.equal(x, images.float() / 127.5 - 1)


def test_images_keep_their_planes():
    images = torch.randint(256, (5, 3, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    deck = Deck(images, torch.arange(5), seed=0)
    x, y = deck.deal(5)
    assert torch.equal(((x + 1) * 127.5).round().to(torch.uint8), images[y])


def test_points_are_dealt_as_they_are():
    points = torch.tensor([[1.5, -300.0], [2.5, 7.0]])
    x, _ = Deck(points, None, seed=0).deal(2)
    assert torch.equal(x.sort(0).values, points.sort(0).values)


def test_the_seed_decides_and_epochs_differ():
    first, second = (Deck(numbers(50), None, seed=1) for _ in range(2))
    one = first.deal(50)[0]
    assert torch.equal(one, second.deal(50)[0])
    assert not torch.equal(one, first.deal(50)[0])
    assert not torch.equal(one, Deck(numbers(50), None, seed=2).deal(50)[0])


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    Deck(numbers(9), None, seed=0).deal(20)
    assert torch.equal(before, torch.get_rng_state())


def test_what_cannot_be_dealt_is_refused():
    with pytest.raises(ValueError, match="0 examples"):
        Deck(numbers(0), None, seed=0)
    with pytest.raises(ValueError, match="got 2 labels for 3 examples"):
        Deck(numbers(3), torch.zeros(2), seed=0)
    with pytest.raises(ValueError, match="got a batch of 0"):
        Deck(numbers(3), None, seed=0).deal(0)
    with pytest.raises(ValueError, match="had 3 examples, this one has 4"):
        Deck(numbers(4), None, seed=0).load_state_dict(Deck(numbers(3), None, seed=0).state_dict())


@settings(deadline=None, max_examples=40)
@given(n=sizes, size=sizes, of=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_parts_of_a_batch_are_the_whole(n, size, of, seed):
    """Each rank is given its slice of what one deck would deal, and counts the whole."""
    whole, ranks = Deck(numbers(n), None, seed=seed), [Deck(numbers(n), None, seed=seed) for _ in range(of)]
    for _ in range(3):
        x = whole.deal(of * size)[0]
        parts = [deck.deal(of * size, (rank, of))[0] for rank, deck in enumerate(ranks)]
        assert [len(part) for part in parts] == [size] * of
        assert torch.equal(torch.cat(parts), x)
        for deck in ranks:
            assert (deck.images, deck.epochs) == (whole.images, whole.epochs)
            assert torch.equal(deck.state_dict()["order"], whole.state_dict()["order"])


@pytest.mark.parametrize(
    "make", [lambda: Deck(numbers(6), None, seed=0), lambda: TwoDecks(pictures(6), pictures(6), seed=0)]
)
def test_a_batch_that_cannot_be_cut_is_refused(make):
    deck = make()
    for n, part in ((10, (0, 3)), (9, (3, 3)), (9, (-1, 3)), (9, (0, 0))):
        with pytest.raises(ValueError, match=rf"got part {part[0]} of {part[1]} of a batch of {n}"):
            deck.deal(n, part)
    assert deck.images == 0
    assert deck.deal(9, (2, 3))[0].shape[0] == 3
    assert deck.images == 9


def test_two_decks_deal_parts_too():
    whole, (one, other) = (
        TwoDecks(pictures(9), pictures(7), seed=1),
        (TwoDecks(pictures(9), pictures(7), seed=1) for _ in range(2)),
    )
    for _ in range(3):
        dealt, first, second = whole.deal(4), one.deal(4, (0, 2)), other.deal(4, (1, 2))
        for side in (0, 1):
            assert torch.equal(dealt[side], torch.cat([first[side], second[side]]))


def pictures(n: int, first: int = 0) -> torch.Tensor:
    """n pictures whose single level is their index, from `first` on."""
    return torch.arange(first, first + n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 3, 2, 4).contiguous()


def which(x: torch.Tensor) -> torch.Tensor:
    """The levels that were dealt as [-1, 1]."""
    assert x.min() >= -1
    assert x.max() <= 1
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().long()


@settings(deadline=None, max_examples=30)
@given(n=sizes, batch=sizes, seed=st.integers(0, 2**32))
def test_partners_stay_together(n, batch, seed):
    deck = Deck(pictures(n), pictures(n, 100), seed=seed)
    for _ in range(4):
        x, y = deck.deal(batch)
        assert x.shape == y.shape == (batch, 3, 2, 4)
        assert y.dtype == torch.float32
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(which(y), which(x) + 100)
        assert torch.equal(which(x), deck.last)


def test_partners_may_have_other_channels():
    y = Deck(pictures(5), pictures(5)[:, :1], seed=0).deal(3)[1]
    assert y.shape == (3, 1, 2, 4)
    with pytest.raises(ValueError, match="got 4 labels for 5 examples"):
        Deck(pictures(5), pictures(4), seed=0)


@settings(deadline=None, max_examples=40)
@given(n=sizes, m=sizes, batch=sizes, seed=st.integers(0, 2**32))
def test_two_decks_deal_each_domain_once_an_epoch(n, m, batch, seed):
    decks = TwoDecks(pictures(n), pictures(m, 100), seed=seed)
    dealt = [decks.deal(batch) for _ in range(5)]
    for side, count, first in ((0, n, 0), (1, m, 100)):
        whole = which(torch.cat([hand[side] for hand in dealt]))
        for epoch in whole.split(count):
            assert len(epoch.unique()) == len(epoch)
            assert set(epoch.tolist()) <= set(range(first, first + count))
    assert len(decks) == n
    assert decks.images == 5 * batch
    assert decks.epochs == 5 * batch / n


def test_two_decks_keep_orders_of_their_own():
    """What is dealt together belongs together as often as by chance; the same seed deals the same."""
    decks, again = (TwoDecks(pictures(200), pictures(200), seed=3) for _ in range(2))
    together = 0
    for _ in range(20):
        (a, b), (c, d) = decks.deal(100), again.deal(100)
        assert torch.equal(a, c)
        assert torch.equal(b, d)
        together += int((which(a) == which(b)).sum())
    assert together < 30  # of 2,000; 10 by chance
    assert not torch.equal(decks.deal(100)[0], TwoDecks(pictures(200), pictures(200), seed=4).deal(100)[0])


@settings(deadline=None, max_examples=20)
@given(n=sizes, m=sizes, batch=sizes, before=st.integers(0, 5))
def test_resumed_two_decks_deal_the_same(n, m, batch, before):
    decks = TwoDecks(pictures(n), pictures(m), seed=1)
    for _ in range(before):
        decks.deal(batch)
    state = decks.state_dict()
    expected = [decks.deal(batch) for _ in range(4)]
    other = TwoDecks(pictures(n), pictures(m), seed=2)
    other.load_state_dict(state)
    assert other.images == before * batch
    for a, b in expected:
        x, y = other.deal(batch)
        assert torch.equal(a, x)
        assert torch.equal(b, y)
