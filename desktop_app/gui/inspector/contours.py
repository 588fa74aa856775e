"""At which value of the heat maps the contours of a threshold lie.

Scores and maps rarely share a scale: a score is a mean of the worst places, a sum, a likelihood. So
a threshold is carried over by rank. Of the images that are looked at, as many have a place in their
map above the contour's value as have a score above the threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.maps import HeatMaps
from desktop_app.gui.session import Session
from desktop_app.sdk.data import even_rows

_SAMPLED = 256  # images whose maps are looked at, evenly over the ranking
_FEWEST = 8  # below these nothing is said


@dataclass(frozen=True)
class Scale:
    """Scores beside the highest values of maps, both ascending (n,)."""

    scores: NDArray[np.float64]
    peaks: NDArray[np.float64]

    @property
    def is_one(self) -> bool:
        """Whether a score is the highest value of its map."""
        return bool(np.allclose(self.scores, self.peaks, rtol=1e-3))

    def value(self, score: float) -> float:
        """Return the value of the maps that stands for a score; straight on beyond both ends."""
        if self.is_one:
            return score
        low, high = float(self.scores[0]), float(self.scores[-1])
        slope = (self.peaks[-1] - self.peaks[0]) / (high - low) if high > low else 0.0
        within = min(max(score, low), high)
        return float(np.interp(within, self.scores, self.peaks)) + (score - within) * float(slope)


def scale_of(scores: NDArray[np.floating], peaks: NDArray[np.floating]) -> Scale | None:
    """Return the scale of images with these scores and peaks (n,); None for too few of them."""
    known = np.isfinite(scores) & np.isfinite(peaks)
    if int(known.sum()) < _FEWEST:
        return None
    return Scale(
        np.sort(scores[known].astype(np.float64)), np.sort(peaks[known].astype(np.float64))
    )


class ContourScale(QObject):
    """Finds the scale of the open result, behind the window."""

    changed = Signal()

    def __init__(self, session: Session, maps: HeatMaps, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._maps = maps
        self._scale: Scale | None = None
        session.result_changed.connect(self._find)
        maps.arrived.connect(self._take_made)
        self._find()

    def value(self, score: float | None) -> float | None:
        """Return the value of the maps that stands for a score; None while it is not known."""
        return None if score is None or self._scale is None else self._scale.value(score)

    def meaning(self) -> str:
        """Say what the contours mean, for the analyst."""
        if self._scale is None:
            return tr("The scale of the heat maps is not known yet.")
        if self._scale.is_one:
            return tr("Where the heat map reaches the threshold: the scores are its highest values")
        return tr(
            "Scores and heat maps differ in scale: as many images have a place above the contour's "
            "value as have a score above the threshold"
        )

    def _find(self) -> None:
        self._scale = None
        result = self._session.result
        if result is None or result.scores is None or result.maps is None:
            self.changed.emit()
            return
        rows = np.flatnonzero((result.index >= 0) & np.isfinite(result.scores))
        ranked = rows[np.argsort(result.scores[rows], kind="stable")]
        places = even_rows(len(ranked), _SAMPLED)
        chosen, maps = ranked[places], result.maps
        scores, index = result.scores[chosen], result.index[chosen]

        def found() -> Scale | None:
            return scale_of(scores, np.array([np.nanmax(maps[place]) for place in index]))

        def take(scale: Scale | None) -> None:
            if self._session.result is result:
                self._scale = scale
                self.changed.emit()

        self._session.background.run("contours", found, take)

    def _take_made(self) -> None:
        """Where maps are made one by one, learn from those that were looked at."""
        result = self._session.result
        if result is None or result.scores is None or result.maps is not None:
            return
        peaks = self._maps.peaks()
        scores = np.array([result.scores[row] for row in peaks])
        self._scale = scale_of(scores, np.array(list(peaks.values())))
        self.changed.emit()
