"""The plane of largest variance through latent vectors: the map that is there at once.

Shapes: N points, D latent dimensions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIT_POINTS = 20_000
_BLOCK = 65_536


@dataclass(frozen=True)
class Plane:
    """Two axes through the mean of latent vectors."""

    mean: NDArray[np.float32]
    """(D,)."""
    axes: NDArray[np.float32]
    """(2, D), orthonormal; zero where the latents have but one dimension."""
    positions: NDArray[np.float32]
    """(N, 2)."""
    explained: float
    """Share of the variance that the plane shows, in [0, 1]."""


def principal_plane(latents: NDArray[Any], seed: int = 0) -> Plane:
    """Return the principal plane of latents (N, D); at most 20,000 of them decide where it lies.

    The sign of each axis makes its largest component positive.
    """
    count, dimensions = latents.shape
    rows = np.arange(count)
    if count > _FIT_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(count, _FIT_POINTS, replace=False))
    sample = np.asarray(latents[rows], dtype=np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    axes, explained = _leading_axes(sample)
    full = np.zeros((2, dimensions))
    full[: len(axes)] = axes
    positions = np.empty((count, 2), np.float32)
    for start in range(0, count, _BLOCK):
        block = np.asarray(latents[start : start + _BLOCK], dtype=np.float64)
        positions[start : start + _BLOCK] = (block - mean) @ full.T
    return Plane(mean.astype(np.float32), full.astype(np.float32), positions, explained)


def _leading_axes(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return up to two principal axes (k, D) and the share of variance they hold."""
    count, dimensions = centred.shape
    if dimensions <= count:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        axes = vectors[:, ::-1][:, :2].T
    else:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        axes = (centred.T @ vectors[:, ::-1][:, :2]).T
        lengths = np.linalg.norm(axes, axis=1, keepdims=True)
        axes = np.divide(axes, lengths, out=np.zeros_like(axes), where=lengths > 1e-12)
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)[:, None]
    total = float(np.maximum(values, 0).sum())
    shown = float(np.maximum(values[::-1][:2], 0).sum())
    return axes, shown / total if total > 0 else 0.0
