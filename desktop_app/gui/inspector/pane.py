"""One picture among others of the same scene: they zoom and move together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPoint, QPointF, QRect, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.pictures import Photograph
from desktop_app.gui.inspector.zoom import Zoom
from desktop_app.gui.theme import (
    DARK,
    RADIUS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    ui_font,
)

_STEP = 1.25  # of a wheel click
_CLICK = 4  # logical pixels that a click may move
_CROSS = 9  # logical pixels from the middle of the cross to its end


class Pane(QWidget):
    """Shows a photograph or a small picture, with a heat map and an outline over it."""

    pointed = Signal(object)
    """Carries where the pointer is, QPointF in shares of the picture, or None."""
    clicked = Signal()
    """The picture was pressed and not moved."""

    def __init__(self, title: str, zoom: Zoom, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._zoom = zoom
        self._photograph = Photograph()
        self._shape = QSizeF()
        self._overlay: QImage | None = None
        self._opacity = 1.0
        self._lines: list[QLineF] = []
        self._contours: list[tuple[str, list[QLineF]]] = []
        self._cross: QPointF | None = None
        self._box = QRectF()
        self._pressed: QPointF | None = None
        self._message = ""
        self._dragged: QPointF | None = None
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        zoom.changed.connect(self.update)
        follow_theme(self._themed)

    def set_photograph(self, photograph: Photograph, shape: QSizeF | None = None) -> None:
        """Show a photograph, stretched to the proportions of `shape` where that is given."""
        self._photograph = photograph
        size = QSizeF(photograph.levels[0].size()) if photograph.levels else QSizeF()
        self._shape = shape if shape is not None and photograph.levels else size
        self.update()

    def set_overlay(self, overlay: QImage | None, opacity: float = 1.0) -> None:
        """Lay a picture with transparency over the whole photograph."""
        self._overlay = overlay
        self._opacity = opacity
        self.update()

    def set_outline(self, lines: NDArray[np.float32]) -> None:
        """Draw lines (n, 4), x1, y1, x2, y2 in shares of the photograph."""
        self._lines = [QLineF(*line) for line in lines.tolist()]
        self.update()

    def set_contours(self, contours: Sequence[tuple[str, NDArray[np.float32]]]) -> None:
        """Draw lines (n, 4) like an outline, each set in a colour by its role in a dark theme."""
        self._contours = [
            (role, [QLineF(*line) for line in lines.tolist()]) for role, lines in contours
        ]
        self.update()

    def set_message(self, message: str) -> None:
        """Say why there is nothing to see; shown only while there is no photograph."""
        self._message = message
        self.update()

    def set_box(self, box: tuple[float, float, float, float] | None) -> None:
        """Frame a place: top, left, bottom, right in shares of the photograph; None for none."""
        top, left, bottom, right = box or (0.0, 0.0, 0.0, 0.0)
        self._box = QRectF(left, top, right - left, bottom - top)
        self.update()

    def show_cross(self, at: QPointF | None) -> None:
        """Mark where the pointer is in another pane."""
        self._cross = at
        self.update()

    def picture_area(self) -> QRectF:
        """Return where on the widget the photograph lies."""
        return self._zoom.area(self._shape, QSizeF(self.size()))

    def full_size_scale(self) -> float:
        """Return the zoom at which a pixel of the photograph is a pixel of the screen."""
        fitted = Zoom().area(self._shape, QSizeF(self.size()))
        if not self._photograph.levels or fitted.isEmpty():
            return 1.0
        return self._photograph.levels[0].width() / (fitted.width() * self.devicePixelRatioF())

    def sizeHint(self) -> QSize:
        """Return a size at which something can be recognised."""
        return QSize(280, 280)

    def minimumSizeHint(self) -> QSize:
        """Return a size that leaves room for the other panes."""
        return QSize(96, 96)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw photograph, heat map, outline, cross and title."""
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        area = self.picture_area()
        if area.isEmpty():
            self._draw_message(painter, theme)
        else:
            self._draw_picture(painter, area)
            self._draw_lines(painter, area)
            self._draw_box(painter, area)
            self._draw_cross(painter, area, theme)
        self._draw_title(painter, theme)
        if self.hasFocus():
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer."""
        clicks = event.angleDelta().y() / 120
        if clicks and not self.picture_area().isEmpty():
            self._zoom.zoom_at(_STEP**clicks, self._share(event.position()))
            event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to move the picture."""
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._dragged = self._pressed = event.position()
            if self._zoom.scale > 1:
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the picture, or tell where the pointer is."""
        area = self.picture_area()
        if area.isEmpty():
            return
        if self._dragged is not None:
            moved = event.position() - self._dragged
            self._dragged = event.position()
            self._zoom.move(moved.x() / area.width(), moved.y() / area.height())
        at = self._share(event.position())
        inside = 0 <= at.x() < 1 and 0 <= at.y() < 1
        self.pointed.emit(at if inside else None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Leave the picture where it is, or tell that it was clicked."""
        pressed, self._pressed, self._dragged = self._pressed, None, None
        is_left = event.button() == Qt.MouseButton.LeftButton
        if is_left and pressed is not None and _is_near(event.position(), pressed):
            self.clicked.emit()
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the whole picture, or its own pixels where the whole is shown already."""
        if self._zoom.scale > 1:
            self._zoom.fit()
        else:
            self._zoom.zoom_at(max(2.0, self.full_size_scale()), self._share(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that the pointer is gone."""
        self.pointed.emit(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with plus and minus, fit with 0; every other key is the panel's."""
        factors = {Qt.Key.Key_Plus: _STEP, Qt.Key.Key_Equal: _STEP, Qt.Key.Key_Minus: 1 / _STEP}
        key = Qt.Key(event.key())
        if key in factors:
            self._zoom.zoom_at(factors[key], QPointF(0.5, 0.5))
        elif key == Qt.Key.Key_0:
            self._zoom.fit()
        else:
            super().keyPressEvent(event)

    def _share(self, place: QPointF) -> QPointF:
        area = self.picture_area()
        if area.isEmpty():
            return QPointF(0.5, 0.5)
        offset = place - area.topLeft()
        return QPointF(offset.x() / area.width(), offset.y() / area.height())

    def _draw_picture(self, painter: QPainter, area: QRectF) -> None:
        ratio = self.devicePixelRatioF()
        image = self._photograph.level(area.width() * ratio)
        smooth = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(smooth, area.width() * ratio < 3 * image.width())
        painter.drawImage(area, image)
        if self._overlay is not None:
            painter.setRenderHint(smooth, True)
            painter.setOpacity(self._opacity)
            painter.drawImage(area, self._overlay)
            painter.setOpacity(1.0)

    def _draw_lines(self, painter: QPainter, area: QRectF) -> None:
        """Draw contours and, over them, the outline of the mask.

        Photographs are the same in every theme, so lines over them have bright colours.
        """
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(area.topLeft())
        painter.scale(area.width(), area.height())
        drawn = (*self._contours, ("on_accent", self._lines))
        for role, lines in [one for one in drawn if one[1]]:
            for colour, width in (("shadow", 3.5), (role, 1.5)):
                pen = QPen(DARK.colour(colour), width * self.devicePixelRatioF())
                pen.setCosmetic(True)
                pen.setCapStyle(Qt.PenCapStyle.RoundCap)
                painter.setPen(pen)
                painter.drawLines(lines)
        painter.restore()

    def _draw_box(self, painter: QPainter, area: QRectF) -> None:
        if self._box.isEmpty():
            return
        place = QRectF(
            area.left() + self._box.left() * area.width(),
            area.top() + self._box.top() * area.height(),
            self._box.width() * area.width(),
            self._box.height() * area.height(),
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in (("shadow", 4.0), ("accent", 2.0)):
            painter.setPen(QPen(DARK.colour(colour), width))
            painter.drawRect(place)

    def _draw_cross(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        if self._cross is None:
            return
        x = area.left() + self._cross.x() * area.width()
        y = area.top() + self._cross.y() * area.height()
        for colour, width in (("shadow", 3.0), ("on_accent", 1.0)):
            painter.setPen(QPen(theme.colour(colour), width))
            painter.drawLine(QPointF(x - _CROSS, y), QPointF(x + _CROSS, y))
            painter.drawLine(QPointF(x, y - _CROSS), QPointF(x, y + _CROSS))

    def _draw_title(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(ui_font(TYPE.caption))
        width = painter.fontMetrics().horizontalAdvance(self._title) + 2 * SPACE.s
        label = QRect(QPoint(SPACE.s, SPACE.s), QSize(width, 20))
        ground = theme.colour("surface")
        ground.setAlpha(215)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(label, RADIUS.s, RADIUS.s)
        painter.setPen(theme.colour("text_secondary"))
        painter.drawText(label, Qt.AlignmentFlag.AlignCenter, self._title)

    def _draw_message(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(ui_font(TYPE.body))
        painter.setPen(theme.colour("text_secondary"))
        area = self.rect().adjusted(SPACE.l, SPACE.xl, -SPACE.l, -SPACE.l)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        message = self._photograph.problem or self._message or tr("Loading…")
        painter.drawText(area, flags, message)

    def _themed(self, _theme: Theme) -> None:
        self.update()


def _is_near(first: QPointF, second: QPointF) -> bool:
    return QLineF(first, second).length() <= _CLICK
