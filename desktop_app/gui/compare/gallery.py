"""Images that two runs rank most differently, with both ranks below each."""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from desktop_app.gui.compare.comparison import Pair, Way
from desktop_app.gui.i18n import tr
from desktop_app.gui.library.items import GalleryItems
from desktop_app.gui.library.linked import LinkedGallery
from desktop_app.gui.session import Session

_TILE = 112  # logical pixels


class DisagreementGallery(LinkedGallery):
    """The largest difference first."""

    def __init__(self, session: Session) -> None:
        self._pair: Pair | None = None
        self._way: Way = "both"
        super().__init__(session)
        self.set_tile_size(_TILE)
        self.setAccessibleName(tr("Images that the runs rank most differently"))

    def show_pair(self, pair: Pair | None, way: Way) -> None:
        """Show what two runs disagree on, all of it or one way alone."""
        self._pair, self._way = pair, way
        if len(self._session.table) == len(self._ids):
            self.set_columns(self._columns())
            self.show_order()

    def wanted_order(self) -> NDArray[np.int64]:
        """Return the visible rows that both runs have scored, the largest difference first."""
        if self._pair is None or len(self._pair.up) != len(self._session.table):
            return np.zeros(0, np.int64)
        order = self._pair.orders[self._way]
        shown = order[self._session.visible[order]]
        if self._way == "both":
            return shown
        differences = self._pair.differences[shown]
        return shown[differences > 0 if self._way == "other" else differences < 0]

    def _columns(self) -> GalleryItems:
        columns = super()._columns()
        return GalleryItems(columns.ids, self._caption, columns.badge, None, columns.path)

    def _caption(self, row: int) -> str:
        pair = self._pair
        if pair is None or row >= len(pair.up) or not np.isfinite(pair.differences[row]):
            return PurePosixPath(self._session.table.paths[row]).stem
        across, up = 100 * pair.across[row], 100 * pair.up[row]
        return f"{signed(pair, row)}: {across:.0f} → {up:.0f} %"


def signed(pair: Pair, row: int) -> str:
    """Return by how many percent points the other run ranks an image higher, with its sign."""
    return f"{100 * float(pair.differences[row]):+.0f}".replace("-", "−")
