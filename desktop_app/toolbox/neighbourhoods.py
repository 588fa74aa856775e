"""Lists of nearest vectors: of fitted images among each other, and of new images among them.

The search by matrix products rounds; the distances that are returned are taken anew from
differences, so that an image that is found again lies at distance 0.

Shapes: N vectors, M queries, D dimensions, k neighbours.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from desktop_app.sdk.data import Array
from desktop_app.toolbox.neighbours import Neighbours

BLOCK = 1024
"""Queries at a time."""
_SPARE = 4
"""More candidates than are asked for, as rounding may swap those at the edge."""
_DIFFERENCES = 4_000_000
"""Values of the differences that are made at once: 16 MB."""


class Neighbourhoods:
    """Finds the vectors nearest to others, and to each other."""

    def __init__(self, vectors: Array, device: str = "cpu") -> None:
        """Hold vectors (N, D). Raises InvalidInput when there are none."""
        self._vectors = vectors
        self._device = device
        self._memory = Neighbours(torch.from_numpy(vectors).to(device))
        self.spread = float(np.sqrt(vectors.var(axis=0, dtype=np.float64).sum()))
        """Root mean squared distance of the vectors from their mean."""

    def of_rows(self, rows: slice, count: int) -> tuple[NDArray[np.int64], Array]:
        """Return rows and distances, both (M, k), of the nearest others of the vectors in `rows`.

        Nearest first; k is N - 1 where that is less than `count`.
        """
        numbers = np.arange(len(self._vectors))[rows]
        near, distances = self.of(self._vectors[rows], min(count, len(self._vectors) - 1) + 1)
        itself = near == numbers[:, None]
        itself[~itself.any(axis=1), -1] = True  # it is not listed where duplicates take all places
        distances[itself] = -1  # sorted to the front, and left out
        order = np.argsort(distances, axis=1, kind="stable")[:, 1:]
        return np.take_along_axis(near, order, 1), np.take_along_axis(distances, order, 1)

    def of(self, queries: Array, count: int) -> tuple[NDArray[np.int64], Array]:
        """Return rows and distances, both (M, k), of the vectors nearest to queries (M, D)."""
        count = min(count, len(self._vectors))
        parts = [
            self._of(queries[start : start + BLOCK], count)
            for start in range(0, max(1, len(queries)), BLOCK)
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate(
            [part[1] for part in parts]
        )

    def _of(self, queries: Array, count: int) -> tuple[NDArray[np.int64], Array]:
        _, found = self._memory.nearest(torch.from_numpy(queries).to(self._device), count + _SPARE)
        rows: NDArray[np.int64] = found.cpu().numpy()
        distances = np.empty(rows.shape, np.float32)
        size = max(1, _DIFFERENCES // (rows.shape[1] * queries.shape[1]))
        for start in range(0, len(queries), size):
            some = slice(start, start + size)
            differences = self._vectors[rows[some]] - queries[some, None]  # (m, k, D)
            distances[some] = np.linalg.norm(differences, axis=2)
        order = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)
