"""Exact nearest neighbours by blocked matrix products: no matrix of all pairs is ever held.

Shapes: N queries, M points of the memory, D dimensions, k neighbours.
"""

import torch
from torch import Tensor

from desktop_app.sdk.errors import InvalidInput

_QUERIES = 2048
"""Queries at once: with 1024 points, 8 MB of distances, which stay in the processor's cache."""
_POINTS = 1024


class Neighbours:
    """A memory of points that answers which of them are nearest, by Euclidean distance."""

    def __init__(self, points: Tensor) -> None:
        """Hold points (M, D). Raises InvalidInput when there are none."""
        if len(points) == 0:
            raise InvalidInput("A memory of neighbours needs at least one point, got none.")
        self.points = points.float()
        self._squares = self.points.square().sum(1)

    def __len__(self) -> int:
        return len(self.points)

    def nearest(self, queries: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
        """Return distances and rows, both (N, k), of the `count` points nearest to queries (N, D).

        Nearest first; k is less than `count` where the memory holds fewer points.
        """
        count = min(count, len(self))
        found = [self._nearest(some, count) for some in torch.split(queries.float(), _QUERIES)]
        return torch.cat([part[0] for part in found]), torch.cat([part[1] for part in found])

    def _nearest(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        best = torch.full((len(queries), count), torch.inf, device=queries.device)
        rows = torch.zeros((len(queries), count), dtype=torch.int64, device=queries.device)
        for start in range(0, len(self), _POINTS):
            some = slice(start, start + _POINTS)
            partial = torch.addmm(self._squares[some], queries, self.points[some].T, alpha=-2)
            near, place = _smallest(partial, min(count, partial.shape[1]))
            both = torch.cat([best, near], dim=1)
            best, order = _smallest(both, count)
            rows = torch.cat([rows, place + start], dim=1).gather(1, order)
        squared = best + queries.square().sum(1, keepdim=True)
        return squared.clamp_min_(0).sqrt_(), rows


def _smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    if count == 1:
        return values.min(dim=1, keepdim=True)
    return values.topk(count, dim=1, largest=False)
