"""Squares cut out of the images of a data set, read alone where the data set can do that.

Shapes: n squares, C channels, t their side.
"""

from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Dataset, Pixels

Kind = TypeVar("Kind", bound=np.generic)


@runtime_checkable
class GivesCrops(Protocol):
    """A data set that need not read a whole image for a part of it."""

    def crops(self, rows: NDArray[np.int64], corners: NDArray[np.int64], side: int) -> Pixels:
        """Return squares (n, C, t, t) of rows (n,) at tops and lefts (n, 2)."""


def crops_of(
    data: Dataset, rows: NDArray[np.int64], corners: NDArray[np.int64], side: int
) -> Pixels:
    """Return squares (n, C, t, t) of rows (n,) at tops and lefts (n, 2); each image read once."""
    if isinstance(data, GivesCrops):
        return data.crops(rows, corners, side)
    found = np.empty((len(rows), data.sample_shape[0], side, side), np.uint8)
    for row in np.unique(rows).tolist():
        image = data.pixels(slice(row, row + 1))[0]
        for place in np.flatnonzero(rows == row).tolist():
            found[place] = square(image, corners[place], side)
    return found


def square(image: NDArray[Kind], corner: NDArray[np.int64], side: int) -> NDArray[Kind]:
    """Return the square (..., t, t) of an array (..., H, W) at top and left (2,)."""
    top, left = corner.tolist()
    return image[..., top : top + side, left : left + side]
