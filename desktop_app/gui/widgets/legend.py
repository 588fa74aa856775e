"""What the colours of a picture mean: named ones as a list, continuous ones as a bar."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import (
    RADIUS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    number_font,
)
from desktop_app.gui.widgets.images import image_from_array

_ROW = 24  # height of a row, logical pixels
_CHIP = 10


@dataclass(frozen=True)
class LegendEntry:
    """A colour `#rrggbb`, its name, and how many images have it."""

    colour: str
    name: str
    count: int


class Legend(QWidget):
    """A list of colours; a click hides or shows one, a double click leaves it alone on screen."""

    visibility_changed = Signal(object)
    """Carries a bool array, True where the entry is shown."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: Sequence[LegendEntry] = ()
        self._shown = np.ones(0, bool)
        self._current = 0
        self.setAccessibleName(name)
        self.setToolTip(tr("Click to hide or show, double-click to show alone"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow_theme(self._themed)

    def set_entries(self, entries: Sequence[LegendEntry]) -> None:
        """Show other entries, all of them visible."""
        self._entries = tuple(entries)
        self._shown = np.ones(len(self._entries), bool)
        self._current = 0
        self.updateGeometry()
        self.update()

    def shown(self) -> NDArray[np.bool_]:
        """Return which entries are visible."""
        return self._shown.copy()

    def toggle(self, index: int) -> None:
        """Hide a visible entry or show a hidden one."""
        self._shown[index] = not self._shown[index]
        self._tell()

    def show_alone(self, index: int) -> None:
        """Hide all entries but one, or show all when it is alone already."""
        alone = self._shown[index] and self._shown.sum() == 1
        self._shown[:] = alone
        self._shown[index] = True
        self._tell()

    def sizeHint(self) -> QSize:
        """Return room for one row per entry."""
        return QSize(160, _ROW * len(self._entries))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows in sight."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first = event.rect().top() // _ROW
        last = min(len(self._entries), event.rect().bottom() // _ROW + 1)
        for index in range(first, last):
            self._draw_row(painter, theme, index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Hide or show the entry below the pointer."""
        index = int(event.position().y()) // _ROW
        if index < len(self._entries):
            self._current = index
            self.toggle(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Leave the entry below the pointer alone on screen; the first click hid it."""
        index = int(event.position().y()) // _ROW
        if index < len(self._entries):
            self._shown[index] = True
            self.show_alone(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk with the arrows, toggle with the space bar, Return shows alone."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        key = Qt.Key(event.key())
        if key in steps and self._entries:
            self._current = (self._current + steps[key]) % len(self._entries)
            self.update()
        elif key == Qt.Key.Key_Space and self._entries:
            self.toggle(self._current)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._entries:
            self.show_alone(self._current)
        else:
            super().keyPressEvent(event)

    def _draw_row(self, painter: QPainter, theme: Theme, index: int) -> None:
        entry, shown = self._entries[index], bool(self._shown[index])
        row = QRect(0, index * _ROW, self.width(), _ROW)
        if self.hasFocus() and index == self._current:
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(row).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS.s, RADIUS.s)
        chip = QRectF(SPACE.xs, row.center().y() - _CHIP / 2 + 0.5, _CHIP, _CHIP)
        colour = QColor(entry.colour) if shown else theme.colour("text_disabled")
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(colour if shown else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(chip.adjusted(0.75, 0.75, -0.75, -0.75))
        painter.setFont(number_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary" if shown else "text_disabled"))
        count = f"{entry.count:,}"
        width = painter.fontMetrics().horizontalAdvance(count) + SPACE.s
        centre = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            row.adjusted(0, 0, -SPACE.xs, 0), centre | Qt.AlignmentFlag.AlignRight, count
        )
        painter.setFont(self.font())
        painter.setPen(theme.colour("text" if shown else "text_disabled"))
        words = row.adjusted(SPACE.s + _CHIP + SPACE.xs, 0, -width - SPACE.xs, 0)
        name = painter.fontMetrics().elidedText(
            entry.name, Qt.TextElideMode.ElideMiddle, words.width()
        )
        painter.drawText(words, centre, name)

    def _tell(self) -> None:
        self.update()
        self.visibility_changed.emit(self.shown())

    def _themed(self, _theme: Theme) -> None:
        self.update()


class ColourBar(QWidget):
    """A strip of a colour map with the values of its two ends."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lut = np.zeros((1, 3), np.uint8)
        self._ends = ("", "")
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow_theme(self._themed)

    def set_scale(self, lut: NDArray[np.uint8], low: float, high: float) -> None:
        """Show the colours (K, 3) of the values from `low` to `high`."""
        self._lut = lut
        self._ends = (f"{low:.4g}", f"{high:.4g}")
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for the strip and the numbers below it."""
        return QSize(160, 30)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the strip and its ends."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(0, 2, self.width(), 8), image_from_array(self._lut[None]))
        painter.setFont(number_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        below = QRect(0, 12, self.width(), 18)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self._ends[0])
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self._ends[1])

    def _themed(self, _theme: Theme) -> None:
        self.update()
