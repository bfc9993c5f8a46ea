"""Groups that were found without labels, matched one to one with the labels: how often are they wrong?"""

import numpy as np
import torch
from torch import Tensor


def match(groups: Tensor, labels: Tensor, kinds: int) -> Tensor:
    """The label that each group stands for, each another one, so that the most examples agree: [n], [n] -> [kinds].

    Both hold numbers in 0 .. kinds - 1; where there are fewer groups than labels or the other way round, some stand
    for nothing. Raises ValueError for numbers outside.
    """
    for numbers in (groups, labels):
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < kinds:
            raise ValueError(f"got numbers {int(numbers.min())} to {int(numbers.max())}; expected 0 to {kinds - 1}")
    counts = torch.bincount(groups * kinds + labels, minlength=kinds**2).reshape(kinds, kinds)
    return torch.from_numpy(assign(-counts.numpy(force=True).astype(float)))


def assign(cost: np.ndarray) -> np.ndarray:
    """The column of each row, no two the same, for which the sum of cost [n n] is least: [n].

    By shortest augmenting paths (Jonker & Volgenant 1987, doi:10.1007/BF02278710). Row after row is let in: it takes
    the column at the end of the cheapest chain "take his column, let him take another one", found by Dijkstra's
    algorithm on cost - u - v. Prices u, v keep these reduced costs at 0 or more, and at 0 where a column is taken.
    """
    n = len(cost)
    if cost.shape != (n, n) or not np.isfinite(cost).all():
        raise ValueError(f"got a cost of shape {cost.shape}; expected a square of finite numbers")
    u, v, owner = np.zeros(n), np.zeros(n), np.full(n, -1)
    for newcomer in range(n):
        length, via, seen = np.full(n, np.inf), np.full(n, -1), np.zeros(n, bool)
        row, column, so_far = newcomer, -1, 0.0
        while row >= 0:
            reach = so_far + cost[row] - u[row] - v
            shorter = ~seen & (reach < length)
            length[shorter], via[shorter] = reach[shorter], column
            column = int(np.where(seen, np.inf, length).argmin())
            seen[column], so_far, row = True, length[column], owner[column]
        passed = seen & (owner >= 0)
        u[newcomer] += so_far
        u[owner[passed]] += so_far - length[passed]
        v[passed] -= so_far - length[passed]
        while column >= 0:
            owner[column] = owner[via[column]] if via[column] >= 0 else newcomer
            column = via[column]
    return owner.argsort()
