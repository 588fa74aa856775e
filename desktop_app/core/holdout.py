"""Which training images are kept back: by a hash of their names, so that it never changes.

Shapes: N images.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def held_out(paths: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which of N images are kept back: about a share of them, and never all."""
    count = min(round(share * len(paths)), len(paths) - 1) if share > 0 else 0
    chosen = np.zeros(len(paths), np.bool_)
    chosen[_shuffled(paths, seed)[:count]] = True
    return chosen


def fold_numbers(paths: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold (N,) of each image; folds differ by one image at most."""
    numbers = np.zeros(len(paths), np.int64)
    numbers[_shuffled(paths, seed)] = np.arange(len(paths)) % folds
    return numbers


def _shuffled(paths: Sequence[str], seed: int) -> list[int]:
    """Return the rows in an order that depends on names and seed alone."""

    def mark(row: int) -> bytes:
        text = f"{seed} {paths[row]}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(text, digest_size=8).digest()

    return sorted(range(len(paths)), key=mark)
