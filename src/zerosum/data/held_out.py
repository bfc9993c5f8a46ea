"""Examples kept from training, to judge by: the source's own test split, or else a share of what there is."""

from dataclasses import replace

import torch
from torch import Tensor

from zerosum.data.dataset import Dataset
from zerosum.data.on_disk import OnDisk
from zerosum.data.spec import Domains

SHARE, FEWEST = 0.1, 500  # kept back where nobody says how much; of smaller sets, nothing


def keep_back(dataset: Dataset, share: float | None = None) -> tuple[Dataset, Dataset | None]:
    """The examples to train on, and those kept back: `share` of them, by default a tenth of 500 and more.

    Always the same ones of a set, whatever the run's seed: runs can be compared. Pairs stay together. Of two domains
    nothing is kept: who belongs to whom there is not for a cut to decide.
    """
    n = len(dataset)
    share = (SHARE if n >= FEWEST else 0.0) if share is None else share
    kept = round(share * n)
    if not kept or isinstance(dataset.spec, Domains):
        return dataset, None
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    note = f"{kept:,} of {n:,} were kept back to judge by (no test split; --set held_out=0 trains on all)"
    train = _rows(dataset, order[kept:].sort().values)
    return replace(train, notes=(*dataset.notes, note)), _rows(dataset, order[:kept].sort().values)


def _rows(dataset: Dataset, rows: Tensor) -> Dataset:
    of, held = dataset.factors, dataset.examples
    return replace(
        dataset,
        examples=held.only(rows) if isinstance(held, OnDisk) else held[rows],
        labels=None if dataset.labels is None else dataset.labels[rows],
        partners=None if dataset.partners is None else dataset.partners[rows],
        factors=None if of is None else {name: values[rows] for name, values in of.items()},
    )
