"""Anomaly maps as pictures, without a window: one scale for a whole data set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Black-body like: dark where normal, through red and yellow to white; luminance rises evenly.
_STOPS = np.array(
    [
        [0.00, 0, 0, 4],
        [0.20, 49, 10, 91],
        [0.40, 134, 37, 104],
        [0.60, 215, 70, 66],
        [0.80, 251, 154, 41],
        [1.00, 252, 253, 191],
    ]
)
MOST_MAP_BYTES = 2e9
"""Maps of a folder that need more on the disk are not kept."""

OUTSIDE = 128
"""The grey of what does not count."""

_TABLE = np.stack(
    [np.interp(np.linspace(0, 1, 256), _STOPS[:, 0], _STOPS[:, part]) for part in (1, 2, 3)], axis=1
).astype(np.uint8)


def heat_picture(anomaly_map: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return a map (H, W) as colours (H, W, 3) between the values `low` and `high`.

    What is not a number, because it lies outside of the region of interest, is grey.
    """
    share = (np.asarray(anomaly_map, dtype=np.float64) - low) / max(high - low, 1e-12)
    colours = _TABLE[(np.nan_to_num(np.clip(share, 0, 1)) * 255).astype(np.uint8)]
    colours[np.isnan(share)] = OUTSIDE
    return colours
