"""Chance of many: everybody's draws are rows of one draw."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.networks.blocks import Dropout
from zerosum.play.chance import Chance, Part, chance


def draws(n: int) -> dict[str, torch.Tensor]:
    """All kinds of draws that games make, for n examples."""
    pictures = torch.zeros(n, 3, 4, 4)
    last = pictures.contiguous(memory_format=torch.channels_last)
    return {
        "randn": torch.randn(n, 5),
        "randn of a tuple": torch.randn((n, 17)),
        "rand": torch.rand(n, 1, 1, 1),
        "randint": torch.randint(7, (n,)),
        "randint from": torch.randint(1, 7, (n, 2)),
        "randint by name": torch.randint(3, size=(n,)),
        "randn_like": torch.randn_like(pictures),
        "randn_like, channels last": torch.randn_like(last),
        "rand_like": torch.rand_like(torch.zeros(n, 3)),
        "uniform_": torch.empty(n, 4).uniform_(-1, 1),
        "uniform_ of a view": torch.zeros(n, 6)[:, 2:5].uniform_(-1, 1),
        "bernoulli_": torch.empty(n, 2).bernoulli_(0.3),
        "dropout": Dropout(0.3)(torch.ones(n, 3, 4, 4)),
        "dropout, channels last": Dropout(0.3)(torch.ones_like(last)),
    }


@given(n=st.integers(1, 5), of=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_part_is_rows_of_the_whole(n: int, of: int, seed: int) -> None:
    torch.manual_seed(seed)
    whole, after = draws(n * of), torch.get_rng_state()
    for index in range(of):
        torch.manual_seed(seed)
        with Part(index, of):
            part = draws(n)
        for name, values in part.items():
            assert torch.equal(values, whole[name][index * n : (index + 1) * n]), name
        assert torch.equal(torch.get_rng_state(), after), "all generators stay alike"


def test_parts_of_parts_are_pieces_on_ranks() -> None:
    torch.manual_seed(0)
    whole = torch.randn(12, 2)
    for rank in range(2):
        for piece in range(3):
            torch.manual_seed(0)
            with Part(rank, 2), Part(piece, 3):
                found = torch.randn(2, 2)
            at = 6 * rank + 2 * piece
            assert torch.equal(found, whole[at : at + 2])


def test_what_has_a_generator_of_its_own_is_left_alone() -> None:
    alone = torch.randn(4, generator=torch.Generator().manual_seed(3))
    with Part(1, 2):
        assert torch.equal(torch.randn(4, generator=torch.Generator().manual_seed(3)), alone)
        assert torch.equal(torch.empty(4).normal_(generator=torch.Generator().manual_seed(3)), alone)
        number = torch.zeros(()).uniform_()
    assert 0 < number < 1


def test_chance_can_be_gone_back_to() -> None:
    before = Chance(torch.device("cpu"))
    first = torch.randn(3)
    before.again()
    assert torch.equal(torch.randn(3), first)
    assert chance(torch.device("cpu")).keys() == {"cpu"}
