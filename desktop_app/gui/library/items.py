"""What the gallery shows, as plain data: columns by row, words and marks only when asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["", "normal", "anomalous", "unsure"]


@dataclass(frozen=True)
class TileBadge:
    """The marks on one tile; an empty one is not drawn."""

    label: str = ""
    colour: str = ""
    """Colour of the label as `#rrggbb`."""
    verdict: Verdict = ""
    problem: str = ""
    """Why the image is quarantined."""
    remark: str = ""
    """More for the tool tip."""
    left_out: bool = False
    """It is not trained on: drawn faintly, with a mark."""


def no_badge(_row: int) -> TileBadge:
    """Mark nothing."""
    return TileBadge()


def no_path(_row: int) -> str:
    """Offer no file to drag."""
    return ""


def short_number(value: float) -> str:
    """Return a score in at most eight characters; nothing where it is not a number."""
    if math.isnan(value):
        return ""
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-3:
        return f"{value:.2e}"
    return f"{value:.3f}" if size < 100 else f"{value:.1f}"


@dataclass(frozen=True)
class GalleryItems:
    """Columns and functions of the row number, 0 to n - 1; cheap for a million rows."""

    ids: NDArray[np.int64]
    """(n,) what the thumbnail provider is asked for."""
    caption: Callable[[int], str]
    badge: Callable[[int], TileBadge] = no_badge
    scores: NDArray[np.float64] | None = None
    """(n,) shown beside the caption; not a number means none."""
    path: Callable[[int], str] = no_path
    """Absolute path of the file, for dragging it elsewhere."""

    def __len__(self) -> int:
        return len(self.ids)


NO_ITEMS = GalleryItems(np.zeros(0, np.int64), lambda _row: "")
