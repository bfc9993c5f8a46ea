"""Nearest neighbours a block at a time: no matrix of all distances is ever in memory."""

import torch
from torch import Tensor

BLOCK = 1000  # rows at once: 200 MB against 50,000 points


def nearest(queries: Tensor, points: Tensor, k: int = 1, *, same: bool = False) -> tuple[Tensor, Tensor]:
    """The k nearest of points [m f] to each query [n f]: Euclidean distances, ascending [n k], and their rows [n k].

    With `same`, queries are the points and none is its own neighbour. Neighbours are found by |y|^2 - 2 x.y, and their
    distances then computed from the difference, so that a copy is at exactly 0. Raises ValueError where there are fewer
    than k others.
    """
    if len(points) - same < k:
        raise ValueError(f"{k} neighbours asked of {len(points) - same:,} points: give more points, or a smaller k")
    centre = points.float().mean(0)
    queries, points = queries.float() - centre, points.float() - centre  # smaller numbers, smaller rounding
    squares = points.square().sum(1)
    room = squares.new_empty(min(BLOCK, len(queries)), len(points))  # one for all blocks: new memory is slow memory
    distances, rows = [], []
    for start in range(0, len(queries), BLOCK):
        part = queries[start : start + BLOCK]
        order = torch.addmm(squares, part, points.T, alpha=-2, out=room[: len(part)])
        if same:
            order[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        near = order.topk(k, largest=False).indices if k > 1 else order.argmin(1, keepdim=True)
        exact = (part[:, None] - points[near]).square().sum(-1).sqrt()
        exact, ranks = exact.sort(1)
        distances.append(exact)
        rows.append(near.gather(1, ranks))
    return torch.cat(distances), torch.cat(rows)
