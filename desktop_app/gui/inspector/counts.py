"""The confusion matrix: found, missed, false alarms and passed, each a button."""

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop_app.core.scoring import Confusion
from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.judging import OUTCOMES
from desktop_app.gui.theme import (
    RADIUS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    number_font,
    ui_font,
)

_HEAD = 18  # above the cells, logical pixels
_SIDE = 72  # left of the cells


@dataclass(frozen=True)
class _Cell:
    kind: str
    row: int
    column: int
    tone: str


_CELLS = (
    _Cell("tp", 0, 0, "good"),
    _Cell("fn", 0, 1, "bad"),
    _Cell("fp", 1, 0, "bad"),
    _Cell("tn", 1, 1, "good"),
)


class ConfusionMatrix(QWidget):
    """Shows four counts; a click chooses the images behind one."""

    chosen = Signal(str)
    """Carries "tp", "fn", "fp" or "tn"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._confusion: Confusion | None = None
        self._marked = ""
        self._current = 0
        self._hovered = -1
        self.setAccessibleName(tr("Confusion matrix"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow_theme(self._themed)

    def set_confusion(self, confusion: Confusion | None) -> None:
        """Show other counts, or dashes where nothing is known."""
        self._confusion = confusion
        if confusion is not None:
            words = (f"{_name(kind)}: {getattr(confusion, kind)}" for kind in OUTCOMES)
            self.setAccessibleDescription(", ".join(words))
        self.update()

    def mark(self, kind: str) -> None:
        """Show that the images of a cell are the ones in sight; "" for none."""
        self._marked = kind
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for four numbers."""
        return QSize(230, 128)

    def minimumSizeHint(self) -> QSize:
        """Return a size at which the numbers still fit."""
        return QSize(190, 96)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the cells and their titles."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        centre = Qt.AlignmentFlag.AlignCenter
        for column, text in enumerate((tr("Flagged"), tr("Not flagged"))):
            area = self._area(0, column)
            painter.drawText(QRectF(area.left(), 0, area.width(), _HEAD), centre, text)
        side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        for row, text in enumerate((tr("Anomalous"), tr("Normal"))):
            area = self._area(row, 0)
            painter.drawText(QRectF(0, area.top(), _SIDE, area.height()), side, text)
        for number, cell in enumerate(_CELLS):
            self._draw_cell(painter, theme, number, cell)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the images of a cell."""
        number = self._cell_at(event.position())
        if number >= 0:
            self._current = number
            self.chosen.emit(_CELLS[number].kind)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the cell below the pointer and say what it counts."""
        number = self._cell_at(event.position())
        if number != self._hovered:
            self._hovered = number
            tip = _tip(_CELLS[number].kind) if number >= 0 else ""
            QToolTip.showText(event.globalPosition().toPoint(), tip, self)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Light up nothing."""
        self._hovered = -1
        self.update()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk with the arrows, choose with Space or Return."""
        moves = {
            Qt.Key.Key_Left: 1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: 2,
            Qt.Key.Key_Down: 2,
        }
        key = Qt.Key(event.key())
        if key in moves:
            self._current ^= moves[key]
            self.update()
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(_CELLS[self._current].kind)
        else:
            super().keyPressEvent(event)

    def _area(self, row: int, column: int) -> QRectF:
        width = (self.width() - _SIDE - SPACE.xs) / 2
        height = (self.height() - _HEAD - SPACE.xs) / 2
        left = _SIDE + column * (width + SPACE.xs)
        return QRectF(left, _HEAD + row * (height + SPACE.xs), width, height)

    def _cell_at(self, place: QPointF) -> int:
        for number, cell in enumerate(_CELLS):
            if self._area(cell.row, cell.column).contains(place):
                return number
        return -1

    def _draw_cell(self, painter: QPainter, theme: Theme, number: int, cell: _Cell) -> None:
        area = self._area(cell.row, cell.column).adjusted(0.5, 0.5, -0.5, -0.5)
        count = getattr(self._confusion, cell.kind) if self._confusion is not None else None
        coloured = bool(count)
        painter.setBrush(theme.colour(f"{cell.tone}_fill" if coloured else "raised"))
        focused = self.hasFocus() and number == self._current
        if cell.kind == self._marked or focused:
            painter.setPen(QPen(theme.colour("accent"), 2))
        elif number == self._hovered:
            painter.setPen(QPen(theme.colour("border_strong"), 1))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(area, RADIUS.m, RADIUS.m)
        number_area = area.adjusted(0, SPACE.xs, 0, -area.height() * 0.36)
        painter.setFont(number_font(TYPE.title, QFont.Weight.DemiBold))
        painter.setPen(theme.colour(cell.tone if coloured else "text_secondary"))
        centre = Qt.AlignmentFlag.AlignCenter
        painter.drawText(number_area, centre, "–" if count is None else f"{count:,}")
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        words = area.adjusted(0, area.height() * 0.58, 0, -2)
        painter.drawText(words, centre, _name(cell.kind))

    def _themed(self, _theme: Theme) -> None:
        self.update()


def _name(kind: str) -> str:
    return {
        "tp": tr("Found"),
        "fn": tr("Missed"),
        "fp": tr("False alarms"),
        "tn": tr("Passed"),
    }[kind]


def _tip(kind: str) -> str:
    return {
        "tp": tr("Anomalous and flagged. Click to show them."),
        "fn": tr("Anomalous but not flagged. Click to show them."),
        "fp": tr("Normal but flagged. Click to show them."),
        "tn": tr("Normal and not flagged. Click to show them."),
    }[kind]


def outcome_name(kind: str) -> str:
    """Return what a cell of the matrix counts, for the analyst."""
    return _name(kind)
