"""Small pictures in rows, as large as the place allows: filters, samples, reconstructions.

Shapes: N pictures, H rows, W columns, C channels (1 or 3).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop_app.gui.theme import SPACE, TYPE, Theme, current_theme, follow_theme, ui_font
from desktop_app.gui.widgets import image_from_array

_GAP = 2  # logical pixels between pictures
_CAPTION = 16
_LARGEST = 128  # logical pixels


class TileSheet(QWidget):
    """Draws equally large pictures in rows of a given length; enlarged pixels stay squares."""

    clicked = Signal(int)
    """Carries the number of the picture."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sheet: QImage | None = None
        self._count = 0
        self._size = QSize(1, 1)  # of one picture, in its own pixels
        self._columns = 8
        self._captions: Sequence[str] = ()
        self.setAccessibleName(name)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        follow_theme(self._themed)

    def set_tiles(
        self, pixels: NDArray[np.uint8], columns: int = 8, captions: Sequence[str] = ()
    ) -> None:
        """Show pictures uint8 (N, H, W, C), `columns` in a row."""
        count, height, width = pixels.shape[:3]
        if (count, columns, width, height) != self._layout() or bool(captions) != self._captioned:
            self.updateGeometry()
        self._count = count
        self._columns = max(1, columns)
        self._size = QSize(width, height)
        self._captions = captions
        # below one another: each picture is one piece of memory of the sheet
        self._sheet = (
            image_from_array(pixels.reshape(-1, width, pixels.shape[3])) if count else None
        )
        self.update()

    def count(self) -> int:
        """Return how many pictures are shown."""
        return self._count

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows from the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows at a width."""
        cell = self._cell(width)
        rows = -(-self._count // self._columns)
        return max(1, rows) * (cell.height() + _GAP) - _GAP

    def sizeHint(self) -> QSize:
        """Return the size at a middling width."""
        width = 320
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """Return a size below which nothing could be recognised."""
        return QSize(self._columns * 8, 16)

    def tile_area(self, index: int) -> QRect:
        """Return where a picture lies on the widget, its caption not counted."""
        cell = self._cell(self.width())
        row, column = divmod(index, self._columns)
        return QRect(
            column * (cell.width() + _GAP),
            row * (cell.height() + _GAP),
            cell.width(),
            cell.height() - (_CAPTION if self._captioned else 0),
        )

    def tile_at(self, x: float, y: float) -> int:
        """Return the picture at a place on the widget, -1 for none."""
        cell = self._cell(self.width())
        column, row = int(x) // (cell.width() + _GAP), int(y) // (cell.height() + _GAP)
        index = row * self._columns + column
        return index if 0 <= column < self._columns and 0 <= index < self._count else -1

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the pictures in sight."""
        if self._sheet is None:
            return
        painter = QPainter(self)
        area = self.tile_area(0)
        enlarged = area.width() * self.devicePixelRatioF() >= 2 * self._size.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not enlarged)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(current_theme().colour("text_secondary"))
        for index in range(self._count):
            target = self.tile_area(index)
            if not target.adjusted(0, 0, 0, _CAPTION).intersects(event.rect()):
                continue
            source = QRect(0, index * self._size.height(), self._size.width(), self._size.height())
            painter.drawImage(target, self._sheet, source)
            if index < len(self._captions):
                self._draw_caption(painter, target, self._captions[index])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which picture was clicked."""
        index = self.tile_at(event.position().x(), event.position().y())
        if index >= 0:
            self.clicked.emit(index)

    def event(self, event: QEvent) -> bool:
        """Show the number and the caption of the picture below the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.tile_at(event.pos().x(), event.pos().y())
            caption = self._captions[index] if 0 <= index < len(self._captions) else ""
            words = f"{index + 1}: {caption}" if caption else str(index + 1)
            QToolTip.showText(event.globalPos(), words if index >= 0 else "", self)
            return True
        return super().event(event)

    @property
    def _captioned(self) -> bool:
        return len(self._captions) > 0

    def _layout(self) -> tuple[int, int, int, int]:
        return self._count, self._columns, self._size.width(), self._size.height()

    def _cell(self, width: int) -> QSize:
        room = max(4, (width - (self._columns - 1) * _GAP) // self._columns)
        side = min(room, max(_LARGEST, self._size.width()))
        height = max(1, round(side * self._size.height() / self._size.width()))
        return QSize(side, height + (_CAPTION if self._captioned else 0))

    def _draw_caption(self, painter: QPainter, area: QRect, caption: str) -> None:
        below = QRect(area.left(), area.bottom() + 1, area.width(), _CAPTION)
        words = painter.fontMetrics().elidedText(
            caption, Qt.TextElideMode.ElideRight, below.width() - SPACE.xs
        )
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, words)

    def _themed(self, _theme: Theme) -> None:
        self.update()
