"""A small table beside the crosshair: every line of a plot with its values at that step."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop_app.gui.theme import RADIUS, SPACE, TYPE, current_theme, number_font, ui_font

_ROW = 18  # logical pixels
_DOT = 7
_AWAY = 14  # from the pointer


@dataclass(frozen=True)
class ValueRow:
    """A colour `#rrggbb`, a name and the columns of its values."""

    colour: str
    name: str
    values: Sequence[str]


class ValueTable(QWidget):
    """Floats over its parent, out of the pointer's way."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self._title = ""
        self._headings: Sequence[str] = ()
        self._rows: Sequence[ValueRow] = ()
        self._widths: list[int] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_values(
        self, title: str, headings: Sequence[str], rows: Sequence[ValueRow], pointer: QPoint
    ) -> None:
        """Show rows beside a place of the parent."""
        self._title, self._headings, self._rows = title, headings, rows
        self._fit()
        parent = self._over
        left = pointer.x() + _AWAY
        if left + self.width() > parent.width():
            left = pointer.x() - _AWAY - self.width()
        top = min(pointer.y() + _AWAY, parent.height() - self.height())
        self.move(max(0, left), max(0, top))
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the frame, the title and the rows."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.colour("border_strong"))
        painter.setBrush(theme.colour("raised"))
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(frame, RADIUS.s, RADIUS.s)
        middle = Qt.AlignmentFlag.AlignVCenter
        line = QRect(SPACE.s, SPACE.xs, self.width() - 2 * SPACE.s, _ROW)
        painter.setFont(_bold())
        painter.setPen(theme.colour("text"))
        painter.drawText(line, middle, self._title)
        self._draw_columns(painter, line.translated(0, _ROW), self._headings, "text_secondary")
        for place, row in enumerate(self._rows):
            line = QRect(SPACE.s, SPACE.xs + (2 + place) * _ROW, self.width() - 2 * SPACE.s, _ROW)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(row.colour))
            painter.drawEllipse(QRectF(line.left(), line.center().y() + 1 - _DOT / 2, _DOT, _DOT))
            painter.setFont(ui_font(TYPE.caption))
            painter.setPen(theme.colour("text_secondary"))
            painter.drawText(line.adjusted(_DOT + SPACE.xs, 0, 0, 0), middle, row.name)
            self._draw_columns(painter, line, row.values, "text")

    def _draw_columns(
        self, painter: QPainter, line: QRect, words: Sequence[str], tint: str
    ) -> None:
        painter.setFont(number_font(TYPE.caption))
        painter.setPen(current_theme().colour(tint))
        right = line.right()
        for text, width in reversed(list(zip(words, self._widths, strict=False))):
            area = QRect(right - width, line.top(), width, line.height())
            painter.drawText(
                area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text
            )
            right -= width + SPACE.m

    def _fit(self) -> None:
        names = QFontMetrics(ui_font(TYPE.caption))
        numbers = QFontMetrics(number_font(TYPE.caption))
        columns = zip(self._headings, *(row.values for row in self._rows), strict=True)
        self._widths = [
            max(numbers.horizontalAdvance(text) for text in column) for column in columns
        ]
        widest = max((names.horizontalAdvance(row.name) for row in self._rows), default=0)
        wide = _DOT + SPACE.xs + widest + sum(width + SPACE.m for width in self._widths)
        wide = max(wide, QFontMetrics(_bold()).horizontalAdvance(self._title)) + 2 * SPACE.s
        self.resize(wide, (2 + len(self._rows)) * _ROW + 2 * SPACE.xs)


def _bold() -> QFont:
    return number_font(TYPE.caption, QFont.Weight.DemiBold)
