"""What lies on the point canvas: the picture of the points, thumbnails, rings, the lasso."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from desktop_app.gui.theme import RADIUS, TYPE, current_theme, number_font

_EDGE = 40  # of a thumbnail, logical pixels
_MOST_SMALL = 4000  # thumbnails that are kept in the size of the map: 26 MB
_GUEST = 9  # from the middle of the mark of a guest to its corners
_TRIAD = 26  # length of the axes of space in their corner

LaidPicture = tuple[QPointF, QImage, tuple[int, int, int], bool]
"""Centre on the widget, thumbnail, colour of its frame, whether it is faded."""


class _OnWidget(pg.GraphicsObject):  # type: ignore[misc]
    """An item that covers the view and paints in the widget's own pixels."""

    def boundingRect(self) -> QRectF:
        """Cover whatever is in view."""
        rect: QRectF = self.viewRect()
        return rect if rect is not None else QRectF()

    def viewTransformChanged(self) -> None:
        """Cover the new view."""
        super().viewTransformChanged()
        self.prepareGeometryChange()


class MapPicture(_OnWidget):
    """Paints the image that the canvas makes, pixel by pixel."""

    def __init__(self, painted: Callable[[], tuple[QImage, QPointF]]) -> None:
        super().__init__()
        self._painted = painted

    def paint(self, painter: QPainter, *_rest: Any) -> None:
        """Ask for the image and copy it."""
        image, corner = self._painted()
        painter.save()
        painter.resetTransform()
        painter.drawImage(corner, image)
        painter.restore()


class MapOverlay(_OnWidget):
    """Paints lines to neighbours, thumbnails, rings, the mark of a guest, and the lasso."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures: Sequence[LaidPicture] = ()
        self._current: Sequence[QPointF] = ()
        self._hovered: Sequence[QPointF] = ()
        self._reach = 0.0
        self._lines: Sequence[tuple[QPointF, QPointF]] = ()
        self._guest: QPointF | None = None
        self._triad: NDArray[np.float64] | None = None
        self._path = QPolygonF()
        self._focused = False
        self.setZValue(10)

    def set_pictures(self, pictures: Sequence[LaidPicture]) -> None:
        """Show these thumbnails."""
        self._pictures = pictures
        self.update()

    def set_rings(
        self, current: Sequence[QPointF], hovered: Sequence[QPointF], reach: float
    ) -> None:
        """Ring these places with circles of radius `reach`."""
        self._current, self._hovered, self._reach = current, hovered, reach
        self.update()

    def set_lines(self, lines: Sequence[tuple[QPointF, QPointF]]) -> None:
        """Draw lines between these places."""
        self._lines = lines
        self.update()

    def set_guest(self, place: QPointF | None) -> None:
        """Mark the place of an image that is not among the points."""
        self._guest = place
        self.update()

    def set_triad(self, axes: NDArray[np.float64] | None) -> None:
        """Show in a corner where the three axes point, (2, 3) across and up; None in the plane."""
        self._triad = axes
        self.update()

    def set_path(self, path: QPolygonF) -> None:
        """Show a lasso; an empty path shows none."""
        self._path = QPolygonF(path)
        self.update()

    def set_focused(self, focused: bool) -> None:
        """Show that the keyboard moves the map."""
        self._focused = focused
        self.update()

    def paint(self, painter: QPainter, *_rest: Any) -> None:
        """Draw from back to front."""
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        theme = current_theme()
        for colour, width in ((theme.colour("canvas"), 4.0), (theme.colour("accent"), 1.75)):
            painter.setPen(QPen(colour, width))  # a seam sets the lines off from the points
            for start, end in self._lines:
                painter.drawLine(start, end)
        for picture in self._pictures:
            _draw_picture(painter, *picture)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for places, colour, width in (
            (self._current, theme.colour("accent"), 2.5),
            (self._hovered, theme.colour("text"), 1.5),
        ):
            painter.setPen(QPen(colour, width))
            for place in places:
                painter.drawEllipse(place, self._reach, self._reach)
        if self._guest is not None:
            _draw_guest(painter, self._guest)
        if self._triad is not None:
            _draw_triad(painter, self._triad)
        if self._path.size() > 1:
            colour = theme.colour("accent")
            painter.setPen(QPen(colour, 1.5))
            colour.setAlpha(36)
            painter.setBrush(colour)
            painter.drawPolygon(self._path)
        if self._focused:
            ratio = painter.device().devicePixelRatio()
            width, height = painter.device().width() / ratio, painter.device().height() / ratio
            painter.setPen(QPen(theme.colour("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, 0.5, width - 1, height - 1))
        painter.restore()


def _draw_picture(
    painter: QPainter, centre: QPointF, image: QImage, colour: tuple[int, int, int], faded: bool
) -> None:
    ratio = painter.device().devicePixelRatio()
    small = _reduced(image.cacheKey(), round(_EDGE * ratio), image)
    size = QSizeF(small.size()) / ratio
    area = QRectF(centre - QPointF(size.width() / 2, size.height() / 2), size)
    painter.setOpacity(0.3 if faded else 1.0)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(*colour))
    painter.drawRoundedRect(area.adjusted(-2, -2, 2, 2), RADIUS.s, RADIUS.s)
    painter.drawImage(area, small)
    painter.setOpacity(1.0)


_small: dict[tuple[int, int], QImage] = {}
"""Thumbnails in the size of the map, by the key of the image and the edge in pixels."""


def _reduced(key: int, edge: int, image: QImage) -> QImage:
    """Return an image that fits a square of `edge` pixels; made once, not at every move."""
    found = _small.get((key, edge))
    if found is None:
        if len(_small) >= _MOST_SMALL:
            _small.clear()
        found = image.scaled(
            edge,
            edge,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        ).convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
        _small[key, edge] = found
    return found


def _draw_guest(painter: QPainter, place: QPointF) -> None:
    """Draw a diamond, which no image of the folder has."""
    theme = current_theme()
    corners = [QPointF(0, -_GUEST), QPointF(_GUEST, 0), QPointF(0, _GUEST), QPointF(-_GUEST, 0)]
    painter.setPen(QPen(theme.colour("canvas"), 2))
    painter.setBrush(theme.colour("accent"))
    painter.drawPolygon(QPolygonF([place + corner for corner in corners]))


def _draw_triad(painter: QPainter, axes: NDArray[np.float64]) -> None:
    """Draw where the axes of space point, in the lower left corner."""
    theme = current_theme()
    ratio = painter.device().devicePixelRatio()
    height = painter.device().height() / ratio
    centre = QPointF(_TRIAD + 14, height - _TRIAD - 14)
    painter.setFont(number_font(TYPE.caption))
    for number, (across, up) in enumerate(axes.T.tolist(), start=1):
        end = centre + QPointF(across, -up) * _TRIAD
        painter.setPen(QPen(theme.colour("text_secondary"), 1.5))
        painter.drawLine(centre, end)
        beyond = centre + QPointF(across, -up) * (_TRIAD + 8) + QPointF(-3, 4)
        painter.drawText(beyond, str(number))
