"""How well a map keeps the neighbours that images have among their vectors.

Venna & Kaski, Neighborhood preservation in nonlinear projection methods, 2001, eq. 1:

    trustworthiness = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_j max(0, r(i, j) - k)

with j the k nearest of i on the map, and r(i, j) the rank of j among the neighbours of i by their
vectors. Recall is the share of the k nearest by vectors that are among the k nearest on the map.

Shapes: N images, D dimensions, n images that are looked at, d dimensions of the map, k neighbours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

NEIGHBOURS = 15
"""k, where there are images enough."""
_MOST_POINTS = 2000
"""n: their ranks are 8 MB, and a map is judged in a third of a second."""
_BLOCK = 256


@dataclass(frozen=True)
class Quality:
    """What a map keeps, both in [0, 1]."""

    trustworthiness: float
    """Those near on the map are near by their vectors."""
    recall: float
    """Those near by their vectors are near on the map; of a random map k / (n - 1)."""


class MapQuality:
    """Judges maps of the same vectors, whose ranks it holds; evenly spaced ones where many."""

    def __init__(
        self, vectors: NDArray[Any], neighbours: int = NEIGHBOURS, most: int = _MOST_POINTS
    ) -> None:
        """Rank the neighbours of vectors (N, D); N must be at least 3."""
        count = len(vectors)
        self.rows = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
        """(n,): the images that are looked at."""
        self.neighbours = max(1, min(neighbours, (len(self.rows) - 1) // 2))
        """k: the formula needs less than half of the images."""
        self._ranks = _ranks(np.asarray(vectors[self.rows], np.float64))

    def of(self, positions: NDArray[Any]) -> Quality:
        """Return the quality of a map (N, d) of the same images."""
        points = np.asarray(positions[self.rows], np.float64)
        n, k = len(points), self.neighbours
        wrong = kept = 0
        for start in range(0, n, _BLOCK):
            near = _distances(points, start)  # (block, n), itself at -1
            nearest = np.argpartition(near, k, axis=1)[:, : k + 1]
            ranks = np.take_along_axis(self._ranks[start : start + _BLOCK], nearest, axis=1)
            others = ranks[ranks > 0].astype(np.int64)  # itself has rank 0
            wrong += int(np.maximum(others - k, 0).sum())
            kept += int((others <= k).sum())
        return Quality(1 - 2 * wrong / (n * k * (2 * n - 3 * k - 1)), kept / (n * k))


def _ranks(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return r (n, n): 0 for a point itself, 1 for its nearest other one."""
    n = len(points)
    ranks = np.empty((n, n), np.int32 if n > np.iinfo(np.int16).max else np.int16)
    for start in range(0, n, _BLOCK):
        order = np.argsort(_distances(points, start), axis=1, kind="stable")
        places = np.broadcast_to(np.arange(n, dtype=ranks.dtype), order.shape)
        np.put_along_axis(ranks[start : start + _BLOCK], order, places, axis=1)
    return ranks


def _distances(points: NDArray[np.float64], start: int) -> NDArray[np.float64]:
    """Return squared distances (block, n) of the points from `start` on, to themselves -1."""
    distances = cdist(points[start : start + _BLOCK], points, "sqeuclidean")
    rows = np.arange(len(distances))
    distances[rows, rows + start] = -1
    return distances
