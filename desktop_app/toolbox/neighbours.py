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

    def __init__(self, points: Tensor, owners: Tensor | None = None) -> None:
        """Hold points (M, D), and the number (M,) of the owner of each, such as its image.

        Raises InvalidInput when there are no points.
        """
        if len(points) == 0:
            raise InvalidInput("A memory of neighbours needs at least one point, got none.")
        self.points = points.float()
        self._squares = self.points.square().sum(1)
        self._owners = None if owners is None else owners.to(points.device)

    def __len__(self) -> int:
        return len(self.points)

    def nearest(
        self, queries: Tensor, count: int = 1, apart: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return distances and rows, both (N, k), of the `count` points nearest to queries (N, D).

        Nearest first; k is less than `count` where the memory holds fewer points. Points of the
        owner `apart` (N,) of a query are passed over, as long as there are `count` others;
        a negative number passes over none.
        """
        count = min(count, len(self))
        if apart is None or self._owners is None or not bool((apart >= 0).any()):
            apart = torch.full((len(queries),), -1, device=queries.device)
        found = [
            self._nearest(some, count, self._spared(own, count))
            for some, own in zip(
                torch.split(queries.float(), _QUERIES), torch.split(apart, _QUERIES), strict=True
            )
        ]
        return torch.cat([part[0] for part in found]), torch.cat([part[1] for part in found])

    def _spared(self, apart: Tensor, count: int) -> Tensor | None:
        """Return the owners (n,) to pass over: those that leave enough; None without any."""
        if self._owners is None or not bool((apart >= 0).any()):
            return None
        names, sizes = torch.unique(self._owners, return_counts=True)
        crowding = names[sizes > len(self) - count]
        return torch.where(torch.isin(apart, crowding), -1, apart)

    def _nearest(self, queries: Tensor, count: int, apart: Tensor | None) -> tuple[Tensor, Tensor]:
        best = torch.full((len(queries), count), torch.inf, device=queries.device)
        rows = torch.zeros((len(queries), count), dtype=torch.int64, device=queries.device)
        for start in range(0, len(self), _POINTS):
            some = slice(start, start + _POINTS)
            partial = torch.addmm(self._squares[some], queries, self.points[some].T, alpha=-2)
            if apart is not None and self._owners is not None:
                partial.masked_fill_(apart[:, None] == self._owners[some], torch.inf)
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
