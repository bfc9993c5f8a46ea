"""Are the known factors of variation apart in the codes? MIG, the FactorVAE score and SAP.

Codes are numbers [n d], one column a code. A category is one column of whole numbers, not a one-hot: as ten columns it
would be ten codes that tell the same. Factors are named columns [n], of the same n examples: whole numbers are classes,
floating ones are amounts.

Where a formula needs classes, amounts are cut at their quantiles into 20 bins; so is a code of more than 20 values.
Every number's interval is from 100 resamplings of the examples, and its `floor` is a null: the mean of 20 shufflings of
the codes, which know nothing then. A perfect code scores 1 by MIG and FactorVAE, and close to 1 by SAP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zerosum.metrics.interval import Z
from zerosum.metrics.number import Number, TooFew

BINS = 20  # Locatello et al. 2019 (arXiv:1811.12359, appendix D)
RESAMPLED, SHUFFLED = 100, 20
VOTES, HAND = 800, 64  # votes to learn from, as many to test; examples a vote
FEWEST = 1000


def mutual_information_gap(codes: Tensor, factors: Mapping[str, Tensor], *, seed: int = 0) -> Number:
    """MIG (Chen et al. 2018, arXiv:1802.04942, eq. 6), 0..1, of codes [n d] and factors [n] each.

        mean over factors v of (I(z_1; v) - I(z_2; v)) / H(v),    z_1, z_2 = the two codes that tell most of v

    Of a code only its value is known here, not its density: I is that of the table of counts, as in Locatello et al.
    """
    return _number("MIG", _mig, codes, factors, seed)


def factor_vae_score(codes: Tensor, factors: Mapping[str, Tensor], *, seed: int = 0) -> Number:
    """The score of Kim & Mnih 2018 (arXiv:1802.05983, section 4), 0..1; chance is 1 / factors.

    A vote: draw a factor, and 64 examples that have one value of it, or one bin of values, as the examples are given
    and no others can be made; the code that varies least there, as a share of its variance in all, stands for the
    factor. How often does the factor that a code stands for in most of 800 votes prove right in 800 others?
    """
    chance = torch.Generator().manual_seed(seed)
    return _number("the FactorVAE score", lambda table: _votes(table, chance), codes, factors, seed)


def separated_attribute_predictability(codes: Tensor, factors: Mapping[str, Tensor], *, seed: int = 0) -> Number:
    """SAP (Kumar et al. 2018, arXiv:1711.00848, section 3), 0..1, of codes [n d] and factors [n] each.

        mean over factors of S_1 - S_2,    the two codes with the highest S

    S is how well one code alone predicts the factor: of an amount, the squared correlation; of classes, the balanced
    accuracy of the best guess in each bin of the code (its 19 thresholds).
    """
    return _number("SAP", _sap, codes, factors, seed)


@dataclass(frozen=True)
class _Table:
    codes: Tensor  # [n d]
    values: Tensor  # [n k]
    code_bins: Tensor  # [n d]
    bins: Tensor  # [n k]
    classes: Tensor  # [k], whether a factor is classes

    def take(self, rows: Tensor) -> _Table:
        return replace(self, **{name: getattr(self, name)[rows] for name in ("codes", "values", "code_bins", "bins")})

    def shuffle(self, rows: Tensor) -> _Table:
        return replace(self, codes=self.codes[rows], code_bins=self.code_bins[rows])

    def shares(self) -> Tensor:
        """The share of examples in each bin of each code and each bin of each factor: [d k a b]."""
        (n, d), k = self.codes.shape, len(self.classes)
        a, b = int(self.code_bins.max()) + 1, int(self.bins.max()) + 1
        pairs = torch.arange(d * k).view(d, k) * a * b + self.code_bins[:, :, None] * b + self.bins[:, None]
        return torch.bincount(pairs.flatten(), minlength=d * k * a * b).view(d, k, a, b).double() / n


def _number(
    name: str, score: Callable[[_Table], float], codes: Tensor, factors: Mapping[str, Tensor], seed: int
) -> Number:
    table, chance = _table(name, codes, factors), torch.Generator().manual_seed(seed)
    n, value = len(codes), score(table)
    resampled = [score(table.take(torch.randint(n, (n,), generator=chance))) for _ in range(RESAMPLED)]
    shuffled = [score(table.shuffle(torch.randperm(n, generator=chance))) for _ in range(SHUFFLED)]
    margin = Z * float(torch.tensor(resampled, dtype=torch.float64).std())
    return Number(value, value - margin, value + margin, "higher", floor=sum(shuffled) / SHUFFLED)


def _table(name: str, codes: Tensor, factors: Mapping[str, Tensor]) -> _Table:
    if codes.ndim != 2 or codes.shape[1] < 2 or not codes.isfinite().all():
        raise ValueError(f"{name} needs codes [n d] of finite numbers, two and more each, got {tuple(codes.shape)}")
    if len(codes) < FEWEST:
        raise TooFew(name, f"{FEWEST:,} examples", len(codes), "encode more of the data")
    for factor, values in factors.items():
        if values.shape != (len(codes),) or not values.isfinite().all():
            shape = tuple(values.shape)
            raise ValueError(f"{name}: factor '{factor}' must be {len(codes):,} finite numbers, got {shape}")
        if bool((values == values[0]).all()):
            raise ValueError(f"{name}: factor '{factor}' has one value in all examples: leave it out")
    if len(factors) < 2:
        raise ValueError(f"{name} needs 2 factors and more, got {len(factors)}: one alone is never mixed with another")
    columns = list(factors.values())
    classes = torch.tensor([not values.is_floating_point() for values in columns])
    bins = torch.stack([_binned(values, keep=not values.is_floating_point()) for values in columns], 1)
    code_bins = torch.stack([_binned(code) for code in codes.T], 1)
    return _Table(codes.double(), torch.stack(columns, 1).double(), code_bins, bins, classes)


def _binned(values: Tensor, *, keep: bool = False) -> Tensor:
    """Which bin each is in, [n] -> [n] from 0: its own value where these are few, or are kept, else its quantile."""
    distinct, own = values.unique(return_inverse=True)
    if keep or len(distinct) <= BINS:
        return own
    ends = values.sort().values[torch.arange(1, BINS) * len(values) // BINS]
    return torch.bucketize(values.contiguous(), ends, right=True)


def _mig(table: _Table) -> float:
    joint = table.shares()
    code, factor = joint.sum(3), joint[0].sum(1)  # [d k a], [k b]
    information = _entropy(code) + _entropy(factor) - _entropy(joint.flatten(2))  # [d k], nats
    best = information.topk(2, 0).values
    return float(((best[0] - best[1]) / _entropy(factor)).mean())


def _entropy(shares: Tensor) -> Tensor:
    return -torch.special.xlogy(shares, shares).sum(-1)


def _votes(table: _Table, chance: torch.Generator) -> float:
    n, k = table.bins.shape
    factor = torch.randint(k, (2 * VOTES,), generator=chance)
    kind = table.bins[torch.randint(n, (2 * VOTES,), generator=chance), factor]  # as often as it occurs
    order, counts = table.bins.argsort(0), torch.stack([torch.bincount(b, minlength=n) for b in table.bins.T])  # [k n]
    first = (counts.cumsum(1) - counts)[factor, kind]
    rank = (torch.rand(2 * VOTES, HAND, generator=chance) * counts[factor, kind, None]).long()
    hands = order[first[:, None] + rank, factor[:, None]]  # [votes hand]
    spread = table.codes.var(0)
    shares = table.codes[hands].var(1) / spread
    stands = shares.masked_fill(spread == 0, torch.inf).argmin(1)  # a code that never varies stands for nothing
    learnt = torch.zeros(table.codes.shape[1], k).index_put_((stands[:VOTES], factor[:VOTES]), torch.ones(VOTES), True)
    return float((learnt.argmax(1)[stands[VOTES:]] == factor[VOTES:]).double().mean())


def _sap(table: _Table) -> float:
    codes, values = (_standard(x) for x in (table.codes, table.values))
    line = (codes.T @ values / len(codes)).square()  # [d k]
    joint = table.shares()
    there = joint[0].sum(1) > 0  # [k b]
    given = joint / joint.sum(2, keepdim=True).clamp_min(1e-12)  # of each class, where its examples are: [d k a b]
    guess = given.max(3).values.sum(2) / there.sum(1)
    best = torch.where(table.classes, guess, line).topk(2, 0).values
    return float((best[0] - best[1]).mean())


def _standard(x: Tensor) -> Tensor:
    """Columns of mean 0 and variance 1; of 0 where they never vary."""
    x = x - x.mean(0)
    return x / x.square().mean(0).sqrt().clamp_min(1e-12)
