"""The points of a canvas as columns in a fixed random order, flat or turned in space.

The order is random so that no label is always on top, and so that the first of many points are a
fair sample of all; numbers of rows are turned into numbers of points and back at the border.

Shapes: n points, one per row.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SAMPLE = 100_000  # points that decide how large a cloud in space is


@dataclass(frozen=True)
class PointColumns:
    """One entry per point, in random order."""

    x: Floats
    y: Floats
    rows: NDArray[np.int64]
    """(n,) row number of each point."""
    points: NDArray[np.int64]
    """(n,) point of each row number: the inverse of `rows`."""
    space: Floats | None = None
    """(3, n) before any turn; None for points in the plane."""
    depth: Floats | None = None
    """(n,) towards the analyst; None for points in the plane."""

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """(n,) whether a point has a place."""
        return np.isfinite(self.x) & np.isfinite(self.y)

    @cached_property
    def extent(self) -> float:
        """Area that the points span, in map units squared."""
        if not self.finite.any():
            return 0.0
        x, y = (self.x, self.y) if self.finite.all() else (self.x[self.finite], self.y[self.finite])
        return float(np.ptp(x)) * float(np.ptp(y))

    @cached_property
    def radius(self) -> float:
        """How far points in space reach from the origin, however they are turned."""
        if self.space is None:
            return 0.0
        sample = self.space[:, :_SAMPLE].astype(np.float64)
        lengths = np.sqrt((sample**2).sum(axis=0))
        return float(np.nanmax(lengths, initial=0.0))

    def turned(self, rotation: NDArray[np.floating[Any]]) -> "PointColumns":
        """Return the points seen after a rotation (3, 3); points in the plane stay."""
        if self.space is None:
            return self
        x, y, depth = (_mixed(self.space, weights) for weights in rotation)
        return PointColumns(x, y, self.rows, self.points, self.space, depth)


def columns_of(
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
    z: NDArray[np.floating[Any]] | None = None,
) -> PointColumns:
    """Return columns of one point per row at x, y and, in space, z; (n,) each."""
    rows, points = _shuffled(len(x))
    across, up = (np.ascontiguousarray(axis[rows], np.float32) for axis in (x, y))
    if z is None:
        return PointColumns(across, up, rows, points)
    depth = np.ascontiguousarray(z[rows], np.float32)
    return PointColumns(across, up, rows, points, np.stack([across, up, depth]), depth)


@lru_cache(maxsize=2)
def _shuffled(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a fixed random order and its inverse, so that a map of epochs does not flicker."""
    rows = np.random.default_rng(0).permutation(count).astype(np.int64)
    points = np.empty_like(rows)
    points[rows] = np.arange(count)
    return rows, points


def _mixed(space: Floats, weights: NDArray[np.floating[Any]]) -> Floats:
    """Return the sum of the rows of `space` (3, n) by weights (3,), without large temporaries."""
    mixed: Floats = space[0] * np.float32(weights[0])
    for axis in (1, 2):
        mixed += space[axis] * np.float32(weights[axis])
    return mixed
