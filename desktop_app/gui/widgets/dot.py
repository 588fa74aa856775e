"""A dot in the colour of a label."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget


class Dot(QWidget):
    """A dot of colour before a word."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = ""
        self.setFixedSize(10, 10)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_colour(self, colour: str) -> None:
        """Show a colour `#rrggbb`, or nothing for ""."""
        self._colour = colour
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of the dot."""
        return QSize(10, 10)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the dot."""
        if self._colour:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._colour))
            painter.drawEllipse(self.rect().adjusted(1, 1, -1, -1))
