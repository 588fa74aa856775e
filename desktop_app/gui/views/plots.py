"""A plot in the look of the window; curves, bars and matrices are drawn on it."""

from collections.abc import Callable

import pyqtgraph as pg
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from desktop_app.gui.theme import TYPE, Theme, current_theme, follow_theme, number_font

_GRID = 0.14  # opacity of grid lines


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """Axes, a quiet grid, and no menus of its own; repaints in the colours of each theme."""

    def __init__(
        self, name: str, axes: dict[str, pg.AxisItem] | None = None, parent: QWidget | None = None
    ) -> None:
        """`axes` replaces "left" or "bottom"."""
        super().__init__(parent, enableMenu=False, axisItems=axes)
        self._coloured: list[Callable[[Theme], None]] = []
        self.setAccessibleName(name)
        self.plotItem.hideButtons()
        self.plotItem.setContentsMargins(0, 4, 8, 0)
        self.setFrameShape(self.Shape.NoFrame)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setTickFont(number_font(TYPE.caption))
            axis.setStyle(tickLength=-4, tickTextOffset=6, hideOverlappingLabels=True)
            axis.setStyle(maxTickLevel=0)  # grid lines of finer levels cost most of a repaint
            axis.enableAutoSIPrefix(False)
        self.getAxis("left").setWidth(52)
        self.showGrid(x=True, y=True, alpha=_GRID)
        follow_theme(self._themed)

    def sizeHint(self) -> QSize:
        """Return a modest size, so that several plots share a place."""
        return QSize(320, 160)

    def coloured(self, colour: Callable[[Theme], None]) -> None:
        """Call `colour` now and whenever the theme changes."""
        self._coloured.append(colour)
        colour(current_theme())

    def label_axes(self, x: str, y: str) -> None:
        """Name the axes; an empty name takes no room."""
        for side, name in (("bottom", x), ("left", y)):
            axis = self.getAxis(side)
            if name:
                axis.setLabel(name, **{"font-size": f"{TYPE.caption}px"})
            else:
                axis.showLabel(False)

    def _themed(self, theme: Theme) -> None:
        colours = theme.colours
        self.setBackground(colours.canvas)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(thin(theme.colour("border_strong")))
            axis.setTextPen(colours.text_secondary)
            axis.setTickPen(thin(theme.colour("border_strong")))
        for colour in self._coloured:
            colour(theme)


def thin(colour: QColor, opacity: float = 1.0) -> QPen:
    """Return a pen one pixel wide, which is what Qt draws fastest."""
    shade = QColor(colour)
    shade.setAlphaF(opacity)
    pen: QPen = pg.mkPen(shade, width=1)
    return pen
