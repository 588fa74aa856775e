"""What a run sees of images, and where its maps count: its region of interest, in one place.

Whoever hands images to the method of a run asks `seen_by` first, in training and afterwards;
whoever takes maps from it asks `counted`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.regions import InsideRegion, Region
from desktop_app.core.runs import Run
from desktop_app.sdk.data import Dataset


def seen_by(run: Run, data: Dataset) -> Dataset:
    """Return images as a run sees them: where they do not count, the mean colour it trained with.

    Raises UnreadableRun when the region of the run is gone.
    """
    region, known = run.region(), run.data()
    if region is None or known is None:
        return data
    colour = np.array(known["fill"], np.uint8)
    return InsideRegion(data, region.at(*data.sample_shape[1:]), colour)


def counted(region: Region | None, maps: NDArray[Any]) -> NDArray[Any]:
    """Return maps (N, H, W) that are not a number outside of a region."""
    if region is None:
        return maps
    return np.where(region.at(*maps.shape[1:]), maps, np.float32(np.nan))
