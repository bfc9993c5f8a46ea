"""Are samples of use to a classifier? Train on synthetic, test on real; and real + synthetic against real alone.

Every classifier here is the same small network, fitted with the same number of steps, whatever it is fitted to: a set
of 600 pictures is seen more often than one of 60,000, and none is trained longer. Every number varies with the test
pictures and with a seed, which draws the subset, the first weights and the order; its interval covers both.

A generator that copies its training data scores like real data here: look at `memorising` beside it. And a generator
that saw all labels knows more than a classifier that is given 1 % of them: what `usefulness` then tells is whether
samples can stand in for data that may not be handed out, not that labels come from nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zerosum.metrics.features import in_blocks
from zerosum.metrics.interval import mean_over_both
from zerosum.metrics.number import Number, TooFew

Labelled = tuple[Tensor, Tensor]  # uint8 [n c h w], int64 [n] in 0 .. classes - 1

# Of 64 pictures. 6 seconds of one core, enough for MNIST (98.4 % from 60,000), short for Fashion-MNIST
# (83 %; 88 % with 1,200): there a full set is told from a small one only with more.
STEPS = 400
BATCH = 64
SHIFT = 2  # pixels: what LeNet gains by it from 600 digits, 94 -> 96 %, is not to be called a gain by samples
PEAK = 6e-3  # Adam's highest learning rate
SEEDS = (0, 1, 2)


class Learner(nn.Sequential):
    """LeNet-5's layers (LeCun et al. 1998), 16 and 32 channels: uint8 [n c h w] -> logits [n classes]."""

    def __init__(self, shape: Sequence[int], classes: int):
        channels, height, width = shape
        super().__init__(
            nn.Conv2d(channels, 16, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (height // 4) * (width // 4), 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(pictures.float() / 255)


def fit(sets: Sequence[Labelled], classes: int, *, steps: int = STEPS, seed: int = 0, shift: int = SHIFT) -> Learner:
    """A classifier fitted to labelled sets, of which each batch of 64 holds equal parts: Adam, one cycle up to 6e-3.

    Pictures are moved by up to `shift` pixels, their edges repeated. The caller's generators are left as they were.
    """
    chance = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Learner(sets[0][0].shape[1:], classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters(), PEAK)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps)
    part = BATCH // len(sets)
    orders = [_order(len(labels), steps * part, chance).split(part) for _, labels in sets]
    for hands in zip(*orders, strict=True):
        pictures = torch.cat([x[rows] for (x, _), rows in zip(sets, hands, strict=True)])
        labels = torch.cat([y[rows] for (_, y), rows in zip(sets, hands, strict=True)])
        optimizer.zero_grad()
        cross_entropy(net(_moved(pictures, shift, chance)), labels).backward()
        optimizer.step()
        schedule.step()
    return net.requires_grad_(False)


def classification_accuracy(
    pictures: Tensor,
    labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    *,
    seeds: Sequence[int] = SEEDS,
    steps: int = STEPS,
    shift: int = SHIFT,
) -> Number:
    """The accuracy on test pictures of a classifier fitted to these pictures and labels, mean over the seeds, 0..1.

    Of samples, tested on real data, this is the classification accuracy score (Ravuri & Vinyals 2019,
    arXiv:1905.10887). Raises ValueError for data of one class, sets that do not fit together, or one seed.
    """
    _check("classification accuracy", classes, seeds, [(pictures, labels)], (test, test_labels))
    fitted = [fit([(pictures, labels)], classes, steps=steps, seed=seed, shift=shift) for seed in seeds]
    return _accuracy([_right(net, (test, test_labels)) for net in fitted])


@dataclass(frozen=True)
class Scores:
    """What classifiers say of samples; each 0..1 but for the share, of which 1 is a perfect sampler (or a copier)."""

    cas: Number  # fitted to samples, tested on real data; its floor is what as many real pictures give
    real: Number  # fitted to as many real pictures
    share: Number  # cas / real
    gan_test: Number  # fitted to real pictures, tested on samples: do they show what was asked?
    count: int  # pictures that each classifier was fitted to


def classification_scores(
    samples: Labelled,
    train: Labelled,
    test: Labelled,
    classes: int,
    *,
    seeds: Sequence[int] = SEEDS,
    steps: int = STEPS,
    shift: int = SHIFT,
) -> Scores:
    """CAS (Ravuri & Vinyals 2019), its share of the same on real data, and GAN-test (Shmelkov et al. 2018,
    arXiv:1807.09499). All with as many samples as real pictures; a seed draws which."""
    _check("the classification accuracy score", classes, seeds, [samples, train], test)
    count = min(len(samples[1]), len(train[1]))
    right: dict[str, list[Tensor]] = {"cas": [], "real": [], "gan_test": []}
    for seed in seeds:
        of_samples, of_real = (
            fit([_some(labelled, count, seed)], classes, steps=steps, seed=seed, shift=shift)
            for labelled in (samples, train)
        )
        right["cas"].append(_right(of_samples, test))
        right["real"].append(_right(of_real, test))
        right["gan_test"].append(_right(of_real, samples))
    numbers = {name: _accuracy(rows) for name, rows in right.items()}
    real, share = numbers["real"].value, numbers["cas"].value / numbers["real"].value
    # A ratio's interval is that of its linear part (the delta method); both arms share test pictures and seeds.
    gaps = torch.stack(right["cas"]) - share * torch.stack(right["real"])
    ratio = mean_over_both(share + gaps / real, "higher")
    return Scores(
        replace(numbers["cas"], floor=real),
        numbers["real"],
        replace(ratio, floor=1.0),
        replace(numbers["gan_test"], floor=real),
        count,
    )


@dataclass(frozen=True)
class Gain:
    """What samples add to some real pictures: accuracies 0..1 on the test set, and their paired difference."""

    share: float  # of the labelled training pictures
    labelled: int  # how many those are
    real: Number
    both: Number
    difference: Number  # both - real
    helps: Literal["yes", "no", "cannot tell"]  # no: samples do harm


def usefulness(
    samples: Labelled,
    train: Labelled,
    test: Labelled,
    classes: int,
    *,
    shares: Sequence[float] = (0.01, 0.05, 0.1, 1.0),
    seeds: Sequence[int] = SEEDS,
    steps: int = STEPS,
    shift: int = SHIFT,
) -> list[Gain]:
    """Real pictures alone against real + synthetic, half of each batch each, at each share of the real labels.

    Both sides have the same subset, seed and number of steps, and are tested on the same pictures. Raises TooFew where
    a share leaves fewer than 10 labels a class, ValueError as `classification_accuracy` does.
    """
    _check("usefulness", classes, seeds, [samples, train], test)
    rows = []
    for share in shares:
        count = round(share * len(train[1]))
        if not 10 * classes <= count <= len(train[1]):
            needs = f"{10 * classes:,} to {len(train[1]):,} real pictures at a share of the labels"
            raise TooFew("usefulness", needs, count, f"leave out the share {share:g}")
        arms: tuple[list[Tensor], list[Tensor]] = ([], [])
        for seed in seeds:
            some = _some(train, count, seed)
            for arm, sets in zip(arms, ([some], [some, samples]), strict=True):
                arm.append(_right(fit(sets, classes, steps=steps, seed=seed, shift=shift), test))
        difference = mean_over_both(torch.stack(arms[1]) - torch.stack(arms[0]), "higher")
        helps: Literal["yes", "no", "cannot tell"]
        helps = "yes" if difference.low > 0 else "no" if difference.high < 0 else "cannot tell"
        rows.append(Gain(share, count, _accuracy(arms[0]), _accuracy(arms[1]), difference, helps))
    return rows


def _check(name: str, classes: int, seeds: Sequence[int], fitted: Sequence[Labelled], test: Labelled) -> None:
    """One line for what cannot be measured."""
    for pictures, labels in (*fitted, test):
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or min(pictures.shape[2:]) < 4:
            got = f"{pictures.dtype} {tuple(pictures.shape)}"
            raise ValueError(f"{name} needs uint8 pictures [n c h w] of 4 pixels and more a side, got {got}")
        if pictures.shape[1:] != test[0].shape[1:]:
            shapes = f"{tuple(pictures.shape[1:])} and {tuple(test[0].shape[1:])}"
            raise ValueError(f"{name} needs pictures of one shape, got {shapes}: fit them to one size and colour first")
        if (
            labels.shape != (len(pictures),)
            or not len(labels)
            or not 0 <= int(labels.min()) <= int(labels.max()) < classes
        ):
            raise ValueError(f"{name} needs a label in 0 .. {classes - 1} for each of {len(pictures):,} pictures")
    if any(len(labels.unique()) < 2 for _, labels in fitted):
        raise ValueError(f"{name} needs labels of 2 classes and more, got one: there is nothing to tell apart")
    if len(set(seeds)) < 2:
        raise TooFew(name, "2 seeds", len(set(seeds)), "one training does not tell how far another would be from it")


def _some(labelled: Labelled, count: int, seed: int) -> Labelled:
    """`count` of them, drawn by the seed: fewer of one seed are among more."""
    rows = torch.randperm(len(labelled[1]), generator=torch.Generator().manual_seed(seed))[:count]
    return labelled[0][rows], labelled[1][rows]


def _order(n: int, count: int, chance: torch.Generator) -> Tensor:
    """`count` rows of n: each as often as the others, as nearly as can be, in an order of chance."""
    return torch.cat([torch.randperm(n, generator=chance) for _ in range(-(-count // n))])[:count]


def _moved(pictures: Tensor, shift: int, chance: torch.Generator) -> Tensor:
    n, _, height, width = pictures.shape
    down, across = torch.randint(-shift, shift + 1, (2, n, 1), generator=chance)
    rows = (torch.arange(height) + down).clamp(0, height - 1)[:, :, None]
    columns = (torch.arange(width) + across).clamp(0, width - 1)[:, None]
    return pictures[torch.arange(n)[:, None, None], :, rows, columns].permute(0, 3, 1, 2)


def _right(net: Learner, test: Labelled) -> Tensor:
    """Which of the test pictures are read as labelled: [n] of 0.0 and 1.0."""
    return (in_blocks(net, test[0], 200).argmax(1) == test[1]).double()


def _accuracy(right: Sequence[Tensor]) -> Number:
    """The share that is right, over seeds and test pictures: its interval ends at 0 and 1."""
    number = mean_over_both(torch.stack(list(right)), "higher")
    return replace(number, low=max(number.low, 0.0), high=min(number.high, 1.0))
