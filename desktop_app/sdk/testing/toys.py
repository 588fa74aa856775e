"""Small generated images on which a method can show that it learns.

Shapes: N images, 1 channel, S = 32 rows and columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import ArrayDataset, Images, as_images, as_pixels

SIDE = 32
_SPOT = 8


@dataclass(frozen=True)
class Planted:
    """Normal images followed by images with a planted defect."""

    images: Images
    """float32 (N, 1, S, S)."""
    anomalous: NDArray[np.bool_]
    """(N,)."""
    masks: NDArray[np.bool_]
    """(N, S, S): where the defects are."""


def discs(count: int, seed: int) -> ArrayDataset:
    """Return photographs of a bright disc on a shaded ground; place, size and light vary."""
    return _dataset(_discs(count, np.random.default_rng(seed)), "discs")


def planted(count: int, seed: int) -> Planted:
    """Return `count` discs without and `count` with a noisy square somewhere."""
    random = np.random.default_rng(seed)
    images = _discs(2 * count, random)
    masks = np.zeros((2 * count, SIDE, SIDE), np.bool_)
    for number in range(count, 2 * count):
        row, column = random.integers(2, SIDE - _SPOT - 2, 2)
        square = (slice(row, row + _SPOT), slice(column, column + _SPOT))
        images[number, 0][square] = random.integers(0, 2, (_SPOT, _SPOT))
        masks[number][square] = True
    images = as_images(as_pixels(images))
    return Planted(images, np.arange(2 * count) >= count, masks)


def groups(count: int, seed: int) -> tuple[ArrayDataset, NDArray[np.int64]]:
    """Return images of three kinds, `count` of each, and the kind (N,) of each image."""
    random = np.random.default_rng(seed)
    grid = np.arange(SIDE)
    kinds = [
        np.broadcast_to((grid // 4) % 2, (SIDE, SIDE)),
        np.broadcast_to(((grid // 4) % 2)[:, None], (SIDE, SIDE)),
        ((grid - SIDE / 2) ** 2 + ((grid - SIDE / 2) ** 2)[:, None] < 100).astype(float),
    ]
    which = np.repeat(np.arange(3), count)
    images = np.stack([kinds[kind] for kind in which])[:, None] * 0.6 + 0.2
    images = images + random.normal(0, 0.05, images.shape)
    order = random.permutation(len(which))
    return _dataset(images[order], "groups"), which[order].astype(np.int64)


def _dataset(images: NDArray[Any], name: str) -> ArrayDataset:
    """Return images as a data set whose pixels are read-only, as those of the cache are."""
    pixels = as_pixels(images)
    pixels.flags.writeable = False
    return ArrayDataset(pixels, name)


def _discs(count: int, random: np.random.Generator) -> Images:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    x, y = random.uniform(12, 20, (2, count, 1, 1))
    radius = random.uniform(5, 8, (count, 1, 1))
    light = random.uniform(0.6, 0.9, (count, 1, 1))
    distance = np.hypot(columns - x, rows - y)
    disc = light / (1 + np.exp(distance - radius))
    ground = 0.15 + 0.1 * columns / SIDE
    images = np.maximum(disc, ground) + random.normal(0, 0.01, (count, SIDE, SIDE))
    clipped: Images = np.clip(images, 0, 1).astype(np.float32)[:, None]
    return clipped
