"""An image under the mask that is painted over it."""

from typing import Literal

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.core.painting import Painting
from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.heat import outline
from desktop_app.gui.inspector.zoom import Zoom
from desktop_app.gui.theme import SPACE, TYPE, Theme, current_theme, follow_theme, ui_font
from desktop_app.gui.widgets import image_from_array

Tool = Literal["rectangle", "polygon", "brush"]

_VEIL = 170  # of 255: how much of the image is hidden where it does not count
_CLOSE = 8.0  # logical pixels from the first corner at which a click closes a polygon


class RegionCanvas(QWidget):
    """Shapes are drawn with the mouse: dragged, or for polygons clicked corner by corner."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tool: Tool = "rectangle"
        self.counts = True
        """Whether what is drawn counts, or is ignored."""
        self.brush_width = 0.05
        """Share of the longest side."""
        self.painting: Painting | None = None
        self._image = QImage()
        self._veil = QImage()
        self._border: list[QLineF] = []  # in shares of the image
        self._places: list[QPointF] = []  # shares of the image, of the shape that is drawn
        self._pointer: QPointF | None = None
        self.setAccessibleName(tr("Image on which the region is painted"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow_theme(self._themed)

    def set_painting(self, painting: Painting) -> None:
        """Paint on another mask."""
        self.painting = painting
        self.refresh()

    def set_image(self, image: QImage) -> None:
        """Show another image under the mask, at the proportions of the mask."""
        self._image = image
        self.update()

    def refresh(self) -> None:
        """Show the mask as it is now."""
        if self.painting is not None:
            veil = np.full((*self.painting.mask.shape, 4), 128, np.uint8)
            veil[..., 3] = np.where(self.painting.mask, 0, _VEIL)
            self._veil = image_from_array(veil)
            self._border = [QLineF(*line) for line in outline(self.painting.mask).tolist()]
        self.update()

    def set_tool(self, tool: Tool) -> None:
        """Draw other shapes; a polygon that is not closed is left."""
        self.tool = tool
        self._leave()

    def sizeHint(self) -> QSize:
        """Return a size at which details can be marked."""
        return QSize(720, 520)

    def minimumSizeHint(self) -> QSize:
        """Return a size at which something can be recognised."""
        return QSize(240, 180)

    def area(self) -> QRectF:
        """Return where on the widget the image lies."""
        if self.painting is None:
            return QRectF()
        height, width = self.painting.mask.shape
        return Zoom().area(QSizeF(width, height), QSizeF(self.size()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a shape, or set the next corner of a polygon."""
        if event.button() != Qt.MouseButton.LeftButton or self.painting is None:
            return
        place = self._share(event.position())
        if self.tool != "polygon":
            self._places = [place]
        elif len(self._places) >= 3 and self._is_first(event.position()):
            self._finish()
        else:
            self._places.append(place)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with a shape that is dragged."""
        self._pointer = self._share(event.position())
        if self._places and self.tool == "brush":
            self._places.append(self._pointer)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a shape that is dragged."""
        if self._places and self.tool != "polygon":
            self._pointer = self._share(event.position())
            self._finish()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Close a polygon."""
        if self.tool == "polygon":
            self._finish()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close a polygon with Enter, leave it with Escape."""
        if self._places and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish()
        elif self._places and event.key() == Qt.Key.Key_Escape:
            self._leave()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw image, mask and the shape that is drawn."""
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        area = self.area()
        if self._image.isNull() or area.isEmpty():
            painter.setFont(ui_font(TYPE.body))
            painter.setPen(theme.colour("text_secondary"))
            inner = self.rect().adjusted(SPACE.l, SPACE.l, -SPACE.l, -SPACE.l)
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, tr("Loading…"))
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(area, self._image)
        painter.drawImage(area, self._veil)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_border(painter, area, theme)
        self._draw_shape(painter, area, theme)

    def _draw_border(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        painter.save()
        painter.translate(area.topLeft())
        painter.scale(area.width(), area.height())
        for colour, width in ((theme.colour("shadow"), 3.0), (theme.colour("accent"), 1.5)):
            pen = QPen(colour, width * self.devicePixelRatioF())
            pen.setCosmetic(True)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLines(self._border)
        painter.restore()

    def _draw_shape(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        places = [*self._places, *([self._pointer] if self._pointer is not None else [])]
        points = [
            QPointF(area.x() + at.x() * area.width(), area.y() + at.y() * area.height())
            for at in places
        ]
        if not points:
            return
        colour = theme.colour("accent" if self.counts else "bad")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2))
        width = self.brush_width * max(area.width(), area.height())
        if self.tool == "brush":
            painter.drawEllipse(points[-1], width / 2, width / 2)
            if self._places:
                colour.setAlpha(150)
                round_cap, round_join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
                painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, round_cap, round_join))
                painter.drawPolyline(QPolygonF([points[0], *points]))
        elif self._places and self.tool == "rectangle":
            painter.drawRect(QRectF(points[0], points[-1]).normalized())
        elif self._places:
            painter.drawPolyline(QPolygonF(points))
            painter.setBrush(colour)
            for point in points[: len(self._places)]:
                painter.drawEllipse(point, 3, 3)

    def _finish(self) -> None:
        """Put the shape into the mask."""
        places = [(at.x(), at.y()) for at in self._places]
        painting = self.painting
        if painting is not None and places:
            last = self._pointer or self._places[-1]
            if self.tool == "rectangle":
                painting.rectangle(places[0], (last.x(), last.y()), counts=self.counts)
            elif self.tool == "polygon":
                painting.polygon(places, counts=self.counts)
            else:
                painting.brush(places, self.brush_width, counts=self.counts)
        self._leave()
        self.refresh()
        self.changed.emit()

    def _leave(self) -> None:
        self._places = []
        self.update()

    def _is_first(self, place: QPointF) -> bool:
        """Tell whether a place on the widget is the first corner of the polygon."""
        area, first = self.area(), self._places[0]
        corner = QPointF(area.x() + first.x() * area.width(), area.y() + first.y() * area.height())
        return (place - corner).manhattanLength() <= _CLOSE

    def _share(self, place: QPointF) -> QPointF:
        area = self.area()
        if area.isEmpty():
            return QPointF(0.5, 0.5)
        x = (place.x() - area.x()) / area.width()
        y = (place.y() - area.y()) / area.height()
        return QPointF(min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))

    def _themed(self, _theme: Theme) -> None:
        self.update()
