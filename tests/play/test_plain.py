"""The plain loop by itself. That the fast one gives the same is tests/test_fast.py."""

import pytest
import torch
from torch import Tensor
from torch.optim import Adam

from zerosum.game import Batch, Game, Loss, Player
from zerosum.play.plain import Plain, loader
from zerosum.play.trainer import Trainer


class Fall(Game):
    """One player, one weight, loss 3 w: by gradient descent with step 0.1, w falls by 0.3 a turn."""

    def __init__(self, steps: int = 1, every: int = 1):
        super().__init__()
        self.G = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(self.G.weight, 2.0)
        self.turns = {"steps": steps, "every": every}

    def players(self) -> list[Player]:
        descent = lambda parameters: torch.optim.SGD(parameters, 0.1)  # noqa: E731
        return [Player("G", [self.G], lambda batch: Loss(w=3 * self.G.weight.sum()), descent, **self.turns)]


@pytest.mark.parametrize(("turns", "expected"), [({}, 1.1), ({"steps": 2}, 0.2), ({"every": 2}, 1.4)], ids=str)
def test_plain_takes_the_turns_that_players_ask_for(turns, expected: float) -> None:
    game = Fall(**turns)
    plain = Plain(game, lambda: (torch.zeros(1, 1), None))
    for _ in range(3):
        plain.round()
    assert game.G.weight.item() == pytest.approx(expected)


def test_plain_keeps_a_plain_average() -> None:
    game = Fall()
    plain = Plain(game, lambda: (torch.zeros(1, 1), None), average=0.9)
    plain.round()
    ((average, _),) = plain.average
    assert average.weight.item() == pytest.approx(0.9 * 2.0 + 0.1 * 1.7)
    assert Plain(Fall(), lambda: (torch.zeros(1, 1), None)).average == []


class Watched(Game):
    """Two scalars whose losses say which of the other's work they could reach."""

    def __init__(self):
        super().__init__()
        self.G, self.D = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        self.reached: dict[str, bool] = {}
        self.made = 0

    def players(self) -> list[Player]:
        adam = lambda parameters: Adam(parameters, 0.1, fused=True)  # noqa: E731
        return [Player("D", [self.D], self.loss("D"), adam), Player("G", [self.G], self.loss("G"), adam)]

    def make(self) -> Tensor:
        self.made += 1
        return self.G(torch.ones(1, 1))

    def loss(self, name: str):
        def of(batch: Batch) -> Loss:
            fake = batch.once("G(z)", self.make, self.G)
            self.reached[name] = fake.requires_grad
            return Loss(score=self.D(fake).sum())

        return of


def test_plain_detaches_fakes_for_the_judge_and_makes_them_once() -> None:
    game = Watched()
    plain = Plain(game, lambda: (torch.zeros(1, 1), None))
    plain.round()
    assert game.reached == {"D": False, "G": True}
    assert game.made == 1
    assert not any(group["fused"] for optimizer in plain.optimizers.values() for group in optimizer.param_groups)
    trainer = Trainer(fast := Watched(), lambda: (torch.zeros(1, 1), None))
    trainer.round()
    assert fast.reached == {"D": True, "G": True}, "the fast loop cuts no graph"


def test_a_loader_deals_every_example_once_an_epoch_beside_its_label() -> None:
    deal = loader(torch.arange(7.0)[:, None], torch.arange(7), 3)
    torch.manual_seed(0)
    dealt = [deal() for _ in range(4)]
    assert all(torch.equal(x.squeeze(1), y) for x, y in dealt)
    for first, second in (dealt[:2], dealt[2:]):
        assert len({*first[1].tolist(), *second[1].tolist()}) == 6
    with pytest.raises(ValueError, match="7 examples make no batch of 8"):
        loader(torch.zeros(7, 1), None, 8)
