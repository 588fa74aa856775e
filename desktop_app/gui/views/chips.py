"""Names of lines in a row, each with its colour and its present value; a click hides a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
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
    ui_font,
)

_HEIGHT = 20  # logical pixels
_DOT = 8
_BETWEEN = SPACE.m


@dataclass(frozen=True)
class Chip:
    """A key for the program, a name for the analyst and a colour `#rrggbb`."""

    key: str
    name: str
    colour: str
    dashed: bool = False


class ChipRow(QWidget):
    """Chips one after the other, as many in a line as fit."""

    toggled = Signal(str, bool)
    """Carries a key and whether its line is shown now."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chips: Sequence[Chip] = ()
        self._values: dict[str, str] = {}
        self._widths: dict[str, int] = {}
        self._hidden: set[str] = set()
        self._current = 0
        self.setAccessibleName(name)
        self.setToolTip(tr("Click to hide or show, double-click to show alone"))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        follow_theme(self._themed)

    def set_chips(self, chips: Sequence[Chip]) -> None:
        """Show other chips; those that were hidden stay hidden."""
        if tuple(chips) == self._chips:
            return
        self._chips = tuple(chips)
        self._hidden &= {chip.key for chip in chips}
        self._widths.clear()
        self.updateGeometry()
        self.update()

    def set_values(self, values: Mapping[str, str]) -> None:
        """Show a value beside each name, by key."""
        if self._values == values:
            return
        before = self.heightForWidth(self.width())
        self._values = dict(values)
        if self.heightForWidth(self.width()) != before:
            self.updateGeometry()  # longer values take another line
        self.setAccessibleDescription(
            ", ".join(f"{chip.name} {values.get(chip.key, '')}" for chip in self._chips)
        )
        self.update()

    def is_shown(self, key: str) -> bool:
        """Tell whether the line of a chip is to be drawn."""
        return key not in self._hidden

    def toggle(self, key: str) -> None:
        """Hide a line, or show it again."""
        self._set_shown(key, key in self._hidden)

    def show_alone(self, key: str) -> None:
        """Hide all lines but one, or show all when it is alone already."""
        others = {chip.key for chip in self._chips} - {key}
        alone = others <= self._hidden
        self._set_shown(key, True)
        for other in others:
            self._set_shown(other, alone)

    def hasHeightForWidth(self) -> bool:
        """Say that narrow places need more lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines at a width."""
        areas = self._areas(width)
        return max((area.bottom() + 1 for area in areas), default=_HEIGHT)

    def sizeHint(self) -> QSize:
        """Return the size of one line of all chips."""
        areas = self._areas(100_000)
        return QSize(max((area.right() for area in areas), default=0), _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Return a size that lets the place be made small."""
        return QSize(60, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the chips."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = current_theme()
        for place, (chip, area) in enumerate(
            zip(self._chips, self._areas(self.width()), strict=True)
        ):
            self._draw(painter, theme, chip, area)
            if self.hasFocus() and place == self._current:
                painter.setPen(theme.colour("accent"))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(QRectF(area).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS.s, 4)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Hide or show what is below the pointer."""
        key = self._key_at(event)
        if key:
            self.toggle(key)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Leave what is below the pointer alone on screen; the first click hid it."""
        key = self._key_at(event)
        if key:
            self._set_shown(key, True)
            self.show_alone(key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk with the arrows, toggle with the space bar, Return shows alone."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        key = Qt.Key(event.key())
        if not self._chips:
            super().keyPressEvent(event)
        elif key in steps:
            self._current = (self._current + steps[key]) % len(self._chips)
            self.update()
        elif key == Qt.Key.Key_Space:
            self.toggle(self._chips[self._current % len(self._chips)].key)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.show_alone(self._chips[self._current % len(self._chips)].key)
        else:
            super().keyPressEvent(event)

    def _set_shown(self, key: str, shown: bool) -> None:
        if shown == (key not in self._hidden):
            return
        self._hidden.symmetric_difference_update({key})
        self.update()
        self.toggled.emit(key, shown)

    def _key_at(self, event: QMouseEvent) -> str:
        place = event.position().toPoint()
        for chip, area in zip(self._chips, self._areas(self.width()), strict=True):
            if area.contains(place):
                return chip.key
        return ""

    def _areas(self, width: int) -> list[QRect]:
        """Return where each chip lies; the room of a value never shrinks, so nothing jitters."""
        names, numbers = QFontMetrics(ui_font(TYPE.caption)), QFontMetrics(_numbers())
        areas: list[QRect] = []
        left = top = 0
        for chip in self._chips:
            value = self._values.get(chip.key, "")
            room = numbers.horizontalAdvance(value) + SPACE.xs if value else 0
            room = self._widths[chip.key] = max(room, self._widths.get(chip.key, 0))
            wide = 2 * SPACE.xs + _DOT + SPACE.xs + names.horizontalAdvance(chip.name) + 2 + room
            if left and left + wide > width:
                left, top = 0, top + _HEIGHT
            areas.append(QRect(left, top, min(wide, max(width, 40)), _HEIGHT))
            left += wide + _BETWEEN
        return areas

    def _draw(self, painter: QPainter, theme: Theme, chip: Chip, area: QRect) -> None:
        shown = chip.key not in self._hidden
        colour = QColor(chip.colour) if shown else theme.colour("text_disabled")
        left = area.left() + SPACE.xs
        middle = area.center().y() + 0.5
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(colour if shown and not chip.dashed else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QRectF(left, middle - _DOT / 2, _DOT, _DOT))
        words = area.adjusted(2 * SPACE.xs + _DOT, 0, -SPACE.xs, 0)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary" if shown else "text_disabled"))
        value = self._values.get(chip.key, "") if shown else ""
        name = painter.fontMetrics().elidedText(
            chip.name, Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(_numbers())
        painter.setPen(theme.colour("text"))
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, value)

    def _themed(self, _theme: Theme) -> None:
        self.update()


def _numbers() -> QFont:
    return number_font(TYPE.caption, QFont.Weight.DemiBold)
