"""What the walk through the latent space shows on the map: the decoded place and the way."""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt

from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.theme import Theme, current_theme, follow_theme


class WalkMarks(QObject):
    """A cross and a dashed line on a canvas."""

    def __init__(self, canvas: PointCanvas) -> None:
        super().__init__(canvas)
        self._way = pg.PlotCurveItem()
        self._cross = pg.ScatterPlotItem(symbol="+", size=17)
        for item, height in ((self._way, 20), (self._cross, 21)):
            item.setZValue(height)
            canvas.addItem(item, ignoreBounds=True)
        follow_theme(self._themed)

    def set_visible(self, visible: bool) -> None:
        """Show or hide both."""
        self._way.setVisible(visible)
        self._cross.setVisible(visible)

    def show_place(self, place: tuple[float, float] | None, far: bool) -> None:
        """Mark the decoded place, and whether it is far from all images; None for none."""
        colours = current_theme().colours
        self._cross.setPen(pg.mkPen(colours.warning if far else colours.text, width=2.5))
        self._cross.setData([] if place is None else [{"pos": place}])

    def show_way(self, ends: NDArray[np.float32] | None) -> None:
        """Draw the way through these places (n, 2); None for none."""
        if ends is None:
            self._way.setData([], [])
        else:
            self._way.setData(ends[:, 0], ends[:, 1])

    def _themed(self, theme: Theme) -> None:
        self._way.setPen(pg.mkPen(theme.colours.accent, width=2, style=Qt.PenStyle.DashLine))
        self._cross.setPen(pg.mkPen(theme.colours.text, width=2.5))
