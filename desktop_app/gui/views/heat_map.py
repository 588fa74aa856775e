"""Renders `HeatMap`: a matrix (H, W) as a picture, with the value below the pointer."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSize
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import SPACE, TYPE, colour_map, number_font, set_role
from desktop_app.gui.views.image_grid import diverging
from desktop_app.gui.views.plots import Plot
from desktop_app.gui.widgets import ColourBar
from desktop_app.gui.wording import number
from desktop_app.sdk.views import HeatMap


class HeatMapView(QWidget):
    """The matrix, its colours, and a line that tells row, column and value."""

    def __init__(self, view: HeatMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._matrix = np.asarray(view.matrix, np.float64)
        self.plot = Plot(view.title)
        self.plot.showGrid(x=False, y=False)
        self.plot.label_axes(view.column_label, view.row_label)
        self.plot.invertY(True)
        self.plot.setAspectLocked(True)
        finite = self._matrix[np.isfinite(self._matrix)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        if low < 0 < high:
            high = max(-low, high)
            low, table = -high, diverging()
        else:
            table = colour_map("viridis")
        self.picture = pg.ImageItem(self._matrix, axisOrder="row-major", levels=(low, high or 1.0))
        self.picture.setLookupTable(table)
        self.plot.addItem(self.picture)
        self.bar = ColourBar(view.title)
        self.bar.set_scale(table, low, high)
        self.value = QLabel()
        self.value.setFont(number_font(TYPE.caption))
        set_role(self.value, "caption")
        below = QHBoxLayout()
        below.setSpacing(SPACE.m)
        below.addWidget(self.bar, 1)
        below.addWidget(self.value, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self.plot, 1)
        column.addLayout(below)
        self.setMinimumHeight(260)
        self.plot.scene().sigMouseMoved.connect(self._hover)

    def sizeHint(self) -> QSize:
        """Return room for a matrix that can be read."""
        return QSize(360, 320)

    def _hover(self, place: QPointF) -> None:
        on_matrix = self.plot.plotItem.vb.mapSceneToView(place)
        row, column = int(np.floor(on_matrix.y())), int(np.floor(on_matrix.x()))
        height, width = self._matrix.shape
        if 0 <= row < height and 0 <= column < width:
            value = number(float(self._matrix[row, column]))
            self.value.setText(
                tr("row {row}, column {column}: {value}", row=row, column=column, value=value)
            )
        else:
            self.value.clear()
