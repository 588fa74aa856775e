"""Heat maps of the open run: from its results, or made when an image is looked at.

A large folder has no maps on disk. Then the method is asked for the one that is looked at, and
first, once, for those of a few images more, so that all are coloured on one scale.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.columns import ResultColumns, thinned
from desktop_app.gui.methods import can
from desktop_app.gui.scorescale import usual_rows
from desktop_app.gui.session import Session
from desktop_app.sdk.data import even_rows

Map = NDArray[np.float32]

_SAMPLED = 12  # images whose maps set the scale
_KEPT = 64
_USUAL_MAPS = 64  # maps of usual images, evenly chosen, that are looked at
_USUAL_SHARE = 99.0  # percent of their pixels that count as usual


class HeatMaps(QObject):
    """Maps by row of the session's table."""

    arrived = Signal()
    """A map that was wanted is at hand, or the scale is known."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._made: OrderedDict[int, Map] = OrderedDict()  # by image id
        self._limits: tuple[float, float] | None = None
        self._usual: float | None = None
        session.result_changed.connect(self._forget)
        session.run_changed.connect(self._forget)
        self._find_usual()  # a run may have been open before the inspector was

    @property
    def are_there(self) -> bool:
        """Whether there are maps at all, on disk or on demand."""
        result = self._session.result
        return result is not None and (result.maps is not None or self._can_be_made)

    @property
    def limits(self) -> tuple[float, float]:
        """One scale for all maps: the values of the first and the last colour."""
        result = self._session.result
        if result is not None and result.maps is not None:
            return result.map_range
        return self._limits or (0.0, 1.0)

    @property
    def usual(self) -> float | None:
        """The value below which nearly all pixels of usual images lie.

        Usual are held-out images, else normal ones that are no training images, else those.
        None while it is not known: no maps on disk, or no such images.
        """
        return self._usual

    def map(self, row: int) -> Map | None:
        """Return the map (H, W) of a row if it is at hand; else it is on its way, if possible."""
        result = self._session.result
        if result is None or not 0 <= row < len(result.index):
            return None
        if result.maps is not None and result.index[row] >= 0:
            return result.map(row)
        made = self._made.get(int(self._session.table.ids[row]))
        if made is None and self._can_be_made and self._is_looked_at(result)[row]:
            self._ask(row)
        return made

    def peaks(self) -> dict[int, float]:
        """Return the highest value of each map that was made, by row."""
        ids = np.array(list(self._made), dtype=np.int64)
        rows = np.flatnonzero(np.isin(self._session.table.ids, ids))
        found = self._session.table.ids[rows].tolist()
        return {
            row: float(np.nanmax(self._made[image_id]))
            for row, image_id in zip(rows.tolist(), found, strict=True)
        }

    @property
    def _can_be_made(self) -> bool:
        return can(self._session, "localizes", "scores")

    @staticmethod
    def _is_looked_at(result: ResultColumns) -> NDArray[np.bool_]:
        """Return (N,), True for images that the run has looked at, all at once or on arrival."""
        looked: NDArray[np.bool_] = result.index >= 0
        return looked if result.scores is None else looked | np.isfinite(result.scores)

    def _ask(self, row: int) -> None:
        table, result = self._session.table, self._session.result
        ids = [int(table.ids[row])]
        if self._limits is None and result is not None and result.maps is None:
            known = np.flatnonzero(self._is_looked_at(result))
            spread = known[even_rows(len(known), _SAMPLED)]
            ids += [image_id for image_id in table.ids[spread].tolist() if image_id != ids[0]]
        unique = list(dict.fromkeys(ids))
        self._session.inference.request("localize", {"ids": unique}, {}, self._take)

    def _take(self, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        maps = arrays["maps"].astype(np.float32)
        if self._limits is None:
            low, high = np.nanpercentile(maps, (1, 99.9))
            self._limits = float(low), float(max(high, low + 1e-12))
        for image_id, made in zip(header["ids"], maps, strict=True):
            self._made[image_id] = made
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        self.arrived.emit()

    def _forget(self) -> None:
        self._made.clear()
        self._limits = self._usual = None
        self._find_usual()

    def _find_usual(self) -> None:
        result, rows = self._session.result, usual_rows(self._session)
        if result is None or result.maps is None or not len(rows):
            return
        maps = thinned(result.maps)
        chosen = even_rows(len(rows), _USUAL_MAPS)
        places = np.sort(result.index[rows[np.unique(chosen)]])

        def found() -> float:
            return float(np.nanpercentile(np.asarray(maps[places]), _USUAL_SHARE))

        def take(value: float) -> None:
            if self._session.result is result:
                self._usual = value
                self.arrived.emit()

        self._session.background.run("usual maps", found, take)
