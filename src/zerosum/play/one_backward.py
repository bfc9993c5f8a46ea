"""One backward pass through D for both losses of a round, where all players move at once.

D gives a sample one score s_i, and no sample's score depends on another sample. Whatever a loss asks of D on the fakes
then passes through the same numbers ds_i/dx_i: with c_i = dL_D/ds_i,

    dL_G/dx_i = (dL_G/ds_i / c_i) dL_D/dx_i

so that the pass which gives D its gradient gives G its own. Exact but for rounding, dropout in D included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from zerosum.game import Batch
from zerosum.play.chance import Chance
from zerosum.play.dynamics import Mover, Readings, field
from zerosum.play.hand import Hand
from zerosum.play.precision import is_out_of_memory

T = TypeVar("T")
LEAST = 1e-12  # of a score's gradient, times n: far below what float32 sees beside the others, far above 0
AGREE = 1e-4  # of the slopes' norm, in float32: rounding leaves 1e-6, a D that mixes a hundredth of the others 1e-2


class Cut(Batch):
    """A hand in which samples and scores are leaves: a gradient stops there, and goes on when it is told to."""

    def __init__(self, hand: Hand, movers: Sequence[Mover]):
        super().__init__(hand.x, hand.y)
        self.whole = hand.whole
        self.owners = {
            id(module): mover for mover in movers for network in mover.player.networks for module in network.modules()
        }
        self.cuts: list[tuple[Tensor, Tensor, Callable[[], Any], frozenset[Mover]]] = []

    def once(self, name: str, make: Callable[[], T], *of: nn.Module) -> T:
        def cut() -> Any:
            made = make()
            if not isinstance(made, Tensor):
                return made
            leaf = made.detach().requires_grad_()
            self.cuts.append((made, leaf, make, frozenset(self.owners[id(network)] for network in of)))
            return leaf

        found: T = super().once(name, cut, *of)
        return found

    def shared(self) -> tuple[Any, Any] | None:
        """The samples of one player and their scores by both, where the losses share these and nothing else."""
        if len(self.cuts) != 2:
            return None
        samples, scores = self.cuts
        fits = len(samples[3]) == 1 and len(scores[3]) == 2 and scores[1].numel() == len(samples[1]) == len(self.x)
        return (samples, scores) if fits else None


class OneBackward:
    """The players' own gradients as `field` gives them, in one pass through D where that is the same.

    Whether it is, is found out in the first round: by how the losses share what they judge, and by whether a sample's
    slope follows its own score alone. Where it is not, or memory does not suffice for both, `field` is played.
    """

    def __init__(self) -> None:
        self.exact: bool | None = None

    def __call__(self, movers: Sequence[Mover], hand: Hand) -> Readings:
        start = Chance(hand.x.device)
        try:
            if self.exact is None:
                self.exact = len(movers) == 2 and self._tried(movers, hand)
            if self.exact and len(movers) == 2 and len(hand.pieces) == 1:
                return self._both(movers, hand)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or movers[0].world.size > 1:
                raise
            self.exact = False  # it holds both graphs at once; `field` finds out in how many pieces to play
            start.again()
        return field(movers, hand)

    def _both(self, movers: Sequence[Mover], hand: Hand) -> Readings:
        cut = Cut(hand, movers)
        losses = [mover.loss(cut) for mover in movers]
        self._gradients(movers, [loss.total for loss in losses], cut.shared())
        cut.cuts.clear()
        found = [mover.done(loss) for mover, loss in zip(movers, losses, strict=True)]
        return {name: value for readings in found for name, value in readings.items()}

    def _tried(self, movers: Sequence[Mover], hand: Hand) -> bool:
        """Whether it is exact here. Chance and running statistics are put back."""
        start, cut = Chance(hand.x.device), Cut(hand, movers)
        buffers = {b: b.clone() for mover in movers for network in mover.player.networks for b in network.buffers()}
        for mover in movers:
            mover.player.loss(cut)  # in float32, whatever the table has
        shared = cut.shared()
        error = torch.ones((), device=hand.x.device) if shared is None else _disagreement(*shared)
        movers[0].world.average([error])
        with torch.no_grad():
            for buffer, value in buffers.items():
                buffer.copy_(value)
        cut.cuts.clear()  # they hold the cut, which holds them
        start.again()
        return bool(error < AGREE)

    def _gradients(self, movers: Sequence[Mover], totals: Sequence[Tensor], shared: Any) -> None:
        (made, sample, _, (maker,)), (scored, score, *_) = shared
        judge = next(mover for mover in movers if mover is not maker)
        total = dict(zip(movers, totals, strict=True))
        of_judge, *directly = _grad(total[judge], [score, *judge.parameters])
        of_maker, at_sample, *own = _grad(total[maker], [score, sample, *maker.parameters])
        seed = _away_from_zero(of_judge)
        through, *by_score = _grad(scored, [sample, *judge.parameters], seed)
        _put(judge, directly, by_score)
        _put(maker, own, _grad(made, maker.parameters, at_sample + through * _ratio(of_maker, seed, sample)))


def _disagreement(samples: Any, scores: Any) -> Tensor:
    """0 where a score moves with its own sample alone: two seeds then give gradients in the ratio of the seeds."""
    (_, sample, *_), (*_, score_again, _) = samples, scores
    with torch.autocast(sample.device.type, enabled=False):
        score = score_again()
        one = torch.rand_like(score) + 0.5
        other = torch.where(torch.rand_like(score) < 0.5, -one, 2 * one)
        (first,), (second,) = _grad(score, [sample], one, keep=True), _grad(score, [sample], other)
    error: Tensor = (second - first * _ratio(other, one, sample)).norm() / second.norm()
    return error.float()


def _grad(of: Tensor, at: Sequence[Tensor], seed: Tensor | None = None, *, keep: bool = False) -> tuple[Tensor, ...]:
    return torch.autograd.grad(of, list(at), seed, retain_graph=keep or None, allow_unused=True, materialize_grads=True)


def _away_from_zero(gradient: Tensor) -> Tensor:
    least = LEAST / gradient.numel()
    return torch.where(gradient.abs() < least, torch.full_like(gradient, least).copysign(gradient), gradient)


def _ratio(a: Tensor, b: Tensor, sample: Tensor) -> Tensor:
    return (a / b).view(-1, *[1] * (sample.ndim - 1)).to(sample.dtype)


def _put(mover: Mover, some: Sequence[Tensor], others: Sequence[Tensor]) -> None:
    """The sum of two parts of a gradient in its place. `done` sends it to the other ranks."""
    mover.gradients.expect()
    for p, a, b in zip(mover.parameters, some, others, strict=True):
        p.grad = a + b
