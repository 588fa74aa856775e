"""A row of small pictures: neighbours of an image, frames of a walk."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop_app.gui.theme import RADIUS, SPACE, Theme, current_theme, follow_theme

_GAP = SPACE.xs


@dataclass(frozen=True)
class Frame:
    """One small picture."""

    image: QImage | None
    tip: str = ""


class Strip(QWidget):
    """Shows pictures in equal squares, as many rows as `columns` demand."""

    chosen = Signal(int)
    """Carries the number of the picture that was clicked."""

    def __init__(self, name: str, columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self._frames: Sequence[Frame] = ()
        self._marked = -1
        self._current = 0
        self._hovered = -1
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow_theme(self._themed)

    def set_frames(self, frames: Sequence[Frame]) -> None:
        """Show other pictures."""
        grown = len(frames) != len(self._frames)
        self._frames = tuple(frames)
        self._current = min(self._current, max(0, len(frames) - 1))
        if grown:
            self._follow_width()
        self.update()

    def mark(self, number: int) -> None:
        """Outline one picture, -1 for none."""
        self._marked = number
        self.update()

    def height_at(self, width: int) -> int:
        """Return the height of all rows."""
        rows = max(1, -(-len(self._frames) // self._columns))
        return rows * self._edge(width) + (rows - 1) * _GAP

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the pictures square."""
        super().resizeEvent(event)
        self._follow_width()

    def sizeHint(self) -> QSize:
        """Return room for one row of small pictures."""
        return QSize(220, self.height_at(220))

    def minimumSizeHint(self) -> QSize:
        """Return room for tiny pictures."""
        return QSize(120, 24)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the pictures."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, frame in enumerate(self._frames):
            area = QRectF(self._area(number))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("raised"))
            painter.drawRoundedRect(area, RADIUS.s, RADIUS.s)
            if frame.image is not None and not frame.image.isNull():
                small = frame.image.width() < area.width() * self.devicePixelRatioF() / 2
                smooth = QPainter.RenderHint.SmoothPixmapTransform
                painter.setRenderHint(smooth, not small)
                size = frame.image.size().scaled(
                    area.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio
                )
                left = area.left() + (area.width() - size.width()) / 2
                top = area.top() + (area.height() - size.height()) / 2
                painter.drawImage(QRectF(left, top, size.width(), size.height()), frame.image)
            focused = self.hasFocus() and number == self._current
            if number in (self._marked, self._hovered) or focused:
                strong = number == self._marked or focused
                painter.setPen(QPen(theme.colour("accent" if strong else "border_strong"), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), RADIUS.s, RADIUS.s)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a picture."""
        number = self._number_at(event)
        if number >= 0:
            self._current = number
            self.chosen.emit(number)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what the picture below the pointer is; a drag chooses along the way."""
        number = self._number_at(event)
        if number != self._hovered:
            self._hovered = number
            tip = self._frames[number].tip if number >= 0 else ""
            QToolTip.showText(event.globalPosition().toPoint(), tip, self)
            if number >= 0 and event.buttons() & Qt.MouseButton.LeftButton:
                self.chosen.emit(number)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Light up nothing."""
        self._hovered = -1
        self.update()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk with the arrows, choose with Space or Return."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        key = Qt.Key(event.key())
        if key in steps and self._frames:
            self._current = max(0, min(len(self._frames) - 1, self._current + steps[key]))
            self.update()
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return) and self._frames:
            self.chosen.emit(self._current)
        else:
            super().keyPressEvent(event)

    def _follow_width(self) -> None:
        height = self.height_at(self.width())
        if height != self.height():
            self.setFixedHeight(height)

    def _edge(self, width: int) -> int:
        return max(16, (width - (self._columns - 1) * _GAP) // self._columns)

    def _area(self, number: int) -> QRect:
        row, column = divmod(number, self._columns)
        edge = self._edge(self.width())
        return QRect(column * (edge + _GAP), row * (edge + _GAP), edge, edge)

    def _number_at(self, event: QMouseEvent) -> int:
        place = event.position().toPoint()
        found = (n for n in range(len(self._frames)) if self._area(n).contains(place))
        return next(found, -1)

    def _themed(self, _theme: Theme) -> None:
        self.update()
