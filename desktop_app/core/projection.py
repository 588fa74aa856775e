"""The directions of largest variance through latent vectors: the map that is there at once.

Shapes: N points, D latent dimensions.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIT_POINTS = 20_000
_BLOCK = 65_536


def principal_axes(
    latents: NDArray[Any], count: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Return mean (D,), axes (count, D) of largest variance and the share of each, (count,).

    At most 20,000 of the latents (N, D) decide; the sign of each axis makes its largest component
    positive; axes beyond the rank are zero.
    """
    total, dimensions = latents.shape
    rows = np.arange(total)
    if total > _FIT_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(total, _FIT_POINTS, replace=False))
    sample = np.asarray(latents[rows], dtype=np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    found, shares = leading_axes(sample, count)
    axes = np.zeros((count, dimensions))
    axes[: len(found)] = found
    shown = np.zeros(count)
    shown[: len(shares)] = shares
    return mean.astype(np.float32), axes.astype(np.float32), shown


def along(
    latents: NDArray[Any], mean: NDArray[np.float32], axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the coordinates (N, k) of latents (N, D) along axes (k, D) through a mean (D,)."""
    positions = np.empty((len(latents), len(axes)), np.float32)
    for start in range(0, len(latents), _BLOCK):
        block = np.asarray(latents[start : start + _BLOCK], dtype=np.float64)
        positions[start : start + _BLOCK] = (block - mean) @ axes.T
    return positions


def leading_axes(
    centred: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return up to `count` principal axes (k, D) of centred rows (n, D), the share of each (k,)."""
    rows, dimensions = centred.shape
    if dimensions <= rows:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        axes = vectors[:, ::-1][:, :count].T
    else:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        axes = (centred.T @ vectors[:, ::-1][:, :count]).T
        lengths = np.linalg.norm(axes, axis=1, keepdims=True)
        axes = np.divide(axes, lengths, out=np.zeros_like(axes), where=lengths > 1e-12)
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)[:, None]
    held = np.maximum(values[::-1], 0)
    total = float(held.sum())
    return axes, held[:count] / total if total > 0 else np.zeros(min(count, len(held)))
