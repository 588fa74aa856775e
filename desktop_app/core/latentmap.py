"""What a map shows of latent vectors, where each of them lies on it, and what it hides.

A map has the method's own two dimensions, the plane of largest variance, any two dimensions, or
three axes of largest variance that are turned on the screen. But for own layouts all of them are
orthogonal projections: a point `p` of the map is the latent `p @ axes + mean`.

Shapes: M vectors, D latent dimensions, k axes (2 or 3).
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from desktop_app.core.projection import along, principal_axes

Kind = Literal["own", "plane", "dimensions", "space"]
Floats = NDArray[np.float32]

NEIGHBOURS = 10
"""Neighbours of a vector that `neighbours_lost` looks for on the map."""
MOST_COMPARED = 20_000
"""Vectors whose neighbours are compared; of more, a random choice."""
_BLOCK = 65_536
_DISTANCES = 8_000_000  # computed at once: 32 MB


@dataclass(frozen=True)
class Axes:
    """Which coordinates of latent vectors a map shows."""

    kind: Kind = "plane"
    dimensions: tuple[int, int] = (0, 1)
    """Across and up, for the kind "dimensions" alone."""


@dataclass(frozen=True)
class Projection:
    """Latent vectors as coordinates."""

    kind: Kind
    coordinates: Floats
    """(M, k)."""
    mean: Floats
    """(D,)."""
    axes: Floats
    """(k, D), orthonormal or zero."""
    explained: float | None = None
    """Share of the variance that the axes hold, in [0, 1]; None where that says nothing."""

    def place(self, latents: Floats) -> Floats:
        """Return the coordinates (n, k) of other latent vectors (n, D)."""
        return along(latents, self.mean, self.axes)

    def turned(self, rotation: NDArray[np.floating[Any]]) -> "Projection":
        """Return what is seen on the screen, two axes, after a rotation (3, 3) of three."""
        if self.coordinates.shape[1] == 2:
            return self
        seen = rotation[:2].astype(np.float32)
        return replace(self, coordinates=self.coordinates @ seen.T, axes=seen @ self.axes)


def offered(dimensions: int) -> tuple[Kind, ...]:
    """Return the kinds of axes that latents of D dimensions can be seen along, the best first."""
    if dimensions == 2:
        return ("own",)
    return ("plane",) if dimensions < 2 else ("plane", "dimensions", "space")


def projected(latents: NDArray[Any], axes: Axes, seed: int = 0) -> Projection:
    """Return latents (M, D) along axes; those that do not fit fall back to the best there are."""
    kinds = offered(latents.shape[1])
    kind = axes.kind if axes.kind in kinds else kinds[0]
    if kind == "own":
        nothing, unit = np.zeros(2, np.float32), np.eye(2, dtype=np.float32)
        return Projection(kind, latents.astype(np.float32, copy=False), nothing, unit)
    if kind == "dimensions":
        return _along_dimensions(latents, axes.dimensions)
    mean, directions, shares = principal_axes(latents, 3 if kind == "space" else 2, seed)
    positions = along(latents, mean, directions)
    return Projection(kind, positions, mean, directions, float(shares.sum()))


def plane_distances(latents: NDArray[Any], shown: Projection) -> Floats:
    """Return how far each latent vector lies from what the map shows of it, (M,).

    The length of the part of the vector that is orthogonal to the axes.
    """
    distances = np.empty(len(latents), np.float32)
    for start in range(0, len(latents), _BLOCK):
        part = slice(start, start + _BLOCK)
        centred = np.asarray(latents[part], np.float64) - shown.mean
        squares = np.einsum("md,md->m", centred, centred)
        squares -= ((centred @ shown.axes.T) ** 2).sum(axis=1)
        distances[part] = np.sqrt(np.maximum(squares, 0))
    return distances


def neighbours_lost(
    latents: NDArray[Any], positions: Floats, count: int = NEIGHBOURS, seed: int = 0
) -> Floats:
    """Return which share of the nearest vectors of each is not among the nearest points, (M,).

    0: the map keeps all neighbours, 1: it keeps none. Of more than 20,000 vectors, a random choice
    is compared among itself, and the others are not a number.
    """
    total = len(latents)
    lost = np.full(total, np.nan, np.float32)
    rows = np.arange(total)
    if total > MOST_COMPARED:
        rows = np.sort(np.random.default_rng(seed).choice(total, MOST_COMPARED, replace=False))
    count = min(count, len(rows) - 1)
    if count < 1:
        return lost
    near = np.asarray(cKDTree(positions[rows]).query(positions[rows], count + 1)[1], np.int64)
    vectors = np.asarray(latents[rows], np.float32)
    vectors = vectors - vectors.mean(axis=0)  # distances of large numbers would lose digits
    lengths = np.einsum("md,md->m", vectors, vectors)
    step = max(1, _DISTANCES // len(rows))
    for start in range(0, len(rows), step):
        own = np.arange(start, min(start + step, len(rows)))
        squares = lengths - 2 * (vectors[own] @ vectors.T)
        squares[np.arange(len(own)), own] = np.inf
        true = np.argpartition(squares, count - 1, axis=1)[:, :count]
        kept = (true[:, :, None] == _others(near[own], own)[:, None, :]).any(axis=2)
        lost[rows[own]] = 1 - kept.mean(axis=1)
    return lost


def rotated(rotation: NDArray[np.floating[Any]], right: float, up: float) -> NDArray[np.float64]:
    """Return a rotation (3, 3) after another turn to the right and upwards, in radians."""
    across = np.array(
        [[np.cos(right), 0, np.sin(right)], [0, 1, 0], [-np.sin(right), 0, np.cos(right)]]
    )
    along_up = np.array([[1, 0, 0], [0, np.cos(up), np.sin(up)], [0, -np.sin(up), np.cos(up)]])
    turned = along_up @ across @ np.asarray(rotation, np.float64)
    left, _values, right_side = np.linalg.svd(turned)  # a thousand turns later still a rotation
    result: NDArray[np.float64] = left @ right_side
    return result


def _along_dimensions(latents: NDArray[Any], dimensions: tuple[int, int]) -> Projection:
    across, up = (min(number, latents.shape[1] - 1) for number in dimensions)
    mean = np.asarray(latents[: 20 * _BLOCK], np.float64).mean(axis=0).astype(np.float32)
    mean[[across, up]] = 0  # coordinates are the values themselves
    axes = np.zeros((2, latents.shape[1]), np.float32)
    axes[0, across] = axes[1, up] = 1
    positions = np.stack([latents[:, across], latents[:, up]], axis=1).astype(np.float32)
    sample = np.asarray(latents[:: max(1, len(latents) // 20_000)], np.float64)
    variances = sample.var(axis=0)
    total = float(variances.sum())
    shown = float(variances[np.unique([across, up])].sum())
    return Projection("dimensions", positions, mean, axes, shown / total if total > 0 else 0.0)


def _others(near: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the nearest points (n, count) of (n, count + 1) without the point itself.

    Where points coincide, the point itself may be missing: then the farthest goes.
    """
    is_own = near == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    others: NDArray[np.int64] = near[~is_own].reshape(len(near), -1)
    return others
