"""Renders `Curve`: lines or bars over one axis, with named lines across it."""

from collections.abc import Mapping

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.gui.theme import SPACE, TYPE, Theme, ui_font
from desktop_app.gui.views.chips import Chip, ChipRow
from desktop_app.gui.views.plots import Plot, thin
from desktop_app.sdk.views import Curve

_LABEL = {"position": 0.98, "anchors": [(1, 1), (1, 1)]}  # right end, above the line
_PLACE_LABEL = {"position": 0.95, "anchors": [(0, 0), (1, 0)]}  # upper end, beside the line
_MOST_MARKED = 60  # points up to which each has a mark
_BARS_WIDTH = 0.8  # of the distance between bars


class CurveView(QWidget):
    """A plot and, where there are several lines, their names."""

    def __init__(self, view: Curve, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self.plot = Plot(view.title)
        self.plot.label_axes(view.x_label, view.y_label)
        self.names = ChipRow(view.title)
        self.names.setVisible(len(view.lines) > 1)
        self._items = {name: self._item(place, name) for place, name in enumerate(view.lines)}
        for name, height in (view.marks or {}).items():
            self._mark(name, height, 0, _LABEL)
        for name, place in (view.places or {}).items():
            self._mark(name, place, 90, _PLACE_LABEL)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self.names)
        column.addWidget(self.plot, 1)
        self.names.toggled.connect(lambda key, on: self._items[key].setVisible(on))
        self.plot.coloured(self._colour)
        self.setMinimumHeight(180)

    def sizeHint(self) -> QSize:
        """Return room for a plot that can be read."""
        return QSize(360, 220)

    def _item(self, place: int, name: str) -> pg.GraphicsObject:
        x, y = (np.asarray(column, np.float64) for column in self._view.lines[name])
        if self._view.kind == "bars":
            count = len(self._view.lines)
            gap = float(np.min(np.diff(np.unique(x)))) if len(np.unique(x)) > 1 else 1.0
            width = gap * _BARS_WIDTH / count
            left = x - gap * _BARS_WIDTH / 2 + (place + 0.5) * width
            item = pg.BarGraphItem(x=left, height=y, width=width)
        else:
            item = pg.PlotDataItem(x, y, connect="finite", antialias=True)
        self.plot.addItem(item)
        if isinstance(item, pg.PlotDataItem):  # needs the view box that it was just put in
            item.setDownsampling(auto=True, method="peak")
            item.setClipToView(True)
        return item

    def _mark(self, name: str, value: float, angle: int, options: Mapping[str, object]) -> None:
        line = pg.InfiniteLine(value, angle=angle, label=name, labelOpts=options)
        line.label.setFont(ui_font(TYPE.caption))
        self.plot.addItem(line)

        def colour(theme: Theme) -> None:
            line.setPen(thin(theme.colour("text_secondary"), 0.8))
            line.label.setColor(theme.colour("text_secondary"))

        self.plot.coloured(colour)

    def _colour(self, theme: Theme) -> None:
        self.names.set_chips(
            [Chip(name, name, theme.category(place)) for place, name in enumerate(self._items)]
        )
        for place, (name, item) in enumerate(self._items.items()):
            pen = pg.mkPen(theme.category(place), width=1)
            if isinstance(item, pg.BarGraphItem):
                item.setOpts(brush=theme.category(place), pen=pen)
            else:
                many = len(self._view.lines[name][0]) > _MOST_MARKED
                item.setPen(pen)
                item.setSymbol(None if many else "o")
                item.setSymbolSize(5)
                item.setSymbolBrush(theme.category(place))
                item.setSymbolPen(None)
