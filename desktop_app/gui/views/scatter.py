"""Renders `Scatter`: points in the plane, coloured by a number where there is one."""

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.theme import SPACE, colour_map
from desktop_app.gui.widgets import ColourBar
from desktop_app.sdk.views import Scatter


class ScatterView(QWidget):
    """The canvas of the latent map with axes, and a bar for the colours."""

    def __init__(self, view: Scatter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        points = np.asarray(view.points, np.float32)
        self.canvas = PointCanvas()
        self.canvas.setAccessibleName(view.title)
        self.canvas.show_axes(view.x_label, view.y_label)
        self.canvas.set_points(points[:, 0], points[:, 1])
        self.bar = ColourBar(view.title)
        self.bar.setVisible(view.colours is not None)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.bar)
        self.setMinimumHeight(260)
        if view.colours is not None:
            self._colour(np.asarray(view.colours, np.float64))

    def sizeHint(self) -> QSize:
        """Return room for a map that can be read."""
        return QSize(360, 300)

    def _colour(self, numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        table = colour_map("viridis")
        finite = numbers[np.isfinite(numbers)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        share = np.nan_to_num((numbers - low) / ((high - low) or 1.0))
        self.canvas.set_colours(np.rint(share * 255).astype(np.uint8), table)
        self.bar.set_scale(table, low, high)
