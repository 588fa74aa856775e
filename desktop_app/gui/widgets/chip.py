"""A pill that is on or off, with a dot of colour and a count; or one that can be taken away."""

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QLayout, QLayoutItem, QSizePolicy, QWidget

from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, TYPE, Theme, current_theme, follow_theme, number_font
from desktop_app.gui.widgets.names import named

_HEIGHT = 24
_DOT = 8
_CROSS = 12
_WIDEST = 220  # logical pixels; longer names are shortened


class Chip(QAbstractButton):
    """Shows a word; with a colour a dot before it, with a count a number behind it."""

    def __init__(
        self,
        text: str,
        *,
        colour: str = "",
        count: int | None = None,
        closable: bool = False,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setText(text)
        self._colour = colour
        self._count = "" if count is None else f"{count:,}"
        self._closable = closable
        self.setCheckable(not closable)
        self.setFont(number_font(TYPE.caption + 1))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        named(self, f"{text} {self._count}".strip(), tip or text)
        follow_theme(self._themed)

    def set_colour(self, colour: str) -> None:
        """Give the dot another colour `#rrggbb`."""
        self._colour = colour
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of the words, the dot and the number."""
        return QSize(min(_WIDEST, self._content_width()), _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Return a width at which the word can still be guessed."""
        return QSize(min(64, self._content_width()), _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the pill."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pill = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(theme.colour(self._edge()), 1))
        painter.setBrush(theme.colour(self._ground()))
        painter.drawRoundedRect(pill, _HEIGHT / 2, _HEIGHT / 2)
        left = SPACE.s + 2
        if self._colour:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._colour))
            painter.drawEllipse(QRectF(left, (self.height() - _DOT) / 2, _DOT, _DOT))
            left += _DOT + SPACE.xs + 2
        right = self.width() - SPACE.s - 2
        if self._closable:
            right -= _CROSS
            cross = pixmap("x", _CROSS, "text_secondary", self.devicePixelRatioF())
            painter.drawPixmap(QPoint(right, (self.height() - _CROSS) // 2), cross)
            right -= SPACE.xs
        middle = Qt.AlignmentFlag.AlignVCenter
        if self._count:
            painter.setPen(theme.colour("text_secondary" if self.isEnabled() else "text_disabled"))
            space = QRect(left, 0, right - left, self.height())
            painter.drawText(space, middle | Qt.AlignmentFlag.AlignRight, self._count)
            right -= self.fontMetrics().horizontalAdvance(self._count) + SPACE.s - 2
        painter.setPen(theme.colour("text" if self.isEnabled() else "text_disabled"))
        words = QRect(left, 0, right - left, self.height())
        elided = Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self.text(), elided, words.width())
        painter.drawText(words, middle, shown)

    def _edge(self) -> str:
        if self.hasFocus():
            return "accent"
        return "accent" if self.isChecked() else "border"

    def _ground(self) -> str:
        if self.isDown():
            return "pressed"
        if self.isChecked():
            return "selection"
        return "hover" if self.underMouse() and self.isEnabled() else "raised"

    def _content_width(self) -> int:
        metrics = self.fontMetrics()
        width = 2 * (SPACE.s + 2) + metrics.horizontalAdvance(self.text()) + 2
        width += _DOT + SPACE.xs + 2 if self._colour else 0
        width += metrics.horizontalAdvance(self._count) + SPACE.s - 2 if self._count else 0
        return width + (_CROSS + SPACE.xs if self._closable else 0)

    def _themed(self, _theme: Theme) -> None:
        self.update()


class FlowLayout(QLayout):
    """Puts widgets side by side and begins a new line where the width ends."""

    def __init__(self, gap: int = SPACE.xs) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._gap = gap
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        """Append an item; called by `addWidget`."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item, or None behind the last."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove an item and return it, or None behind the last."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def clear(self) -> None:
        """Remove all widgets and end them."""
        while self._items:
            widget = self._items.pop().widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def expandingDirections(self) -> Qt.Orientation:
        """Return none: the lines take what they need."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Return True: narrow lines are many lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines at a width."""
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, area: QRect) -> None:
        """Place the widgets."""
        super().setGeometry(area)
        self._place(area, move=True)

    def sizeHint(self) -> QSize:
        """Return the size of one line."""
        hints = [item.sizeHint() for item in self._shown()]
        width = sum(hint.width() for hint in hints) + self._gap * max(0, len(hints) - 1)
        return QSize(width, max((hint.height() for hint in hints), default=0))

    def minimumSize(self) -> QSize:
        """Return the size of the widest widget."""
        size = QSize()
        for item in self._shown():
            size = size.expandedTo(item.minimumSize())
        return size

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _place(self, area: QRect, *, move: bool) -> int:
        x, y, line = area.x(), area.y(), 0
        for item in self._shown():
            size = item.sizeHint()
            width = min(size.width(), area.width())
            if x > area.x() and x + width > area.x() + area.width():
                x, y, line = area.x(), y + line + self._gap, 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), QSize(width, size.height())))
            x += width + self._gap
            line = max(line, size.height())
        return y + line - area.y()
