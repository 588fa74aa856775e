"""What a place shows before there is anything in it, and what to do about that."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role
from desktop_app.gui.widgets.names import named

_ICON = 40  # logical pixels
_WIDTH = 360  # of the text, logical pixels


class EmptyState(QWidget):
    """An icon, a title, a sentence and at most two buttons in the middle of an empty place."""

    acted = Signal()
    """The main button was pressed."""
    acted_otherwise = Signal()
    """The second button was pressed."""

    def __init__(
        self,
        icon: str,
        title: str,
        text: str = "",
        action: str = "",
        second_action: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon = icon
        self._picture = QLabel(alignment=Qt.AlignmentFlag.AlignHCenter)
        self._title = QLabel(title, alignment=Qt.AlignmentFlag.AlignHCenter)
        self._text = QLabel(text, alignment=Qt.AlignmentFlag.AlignHCenter)
        self._text.setWordWrap(True)
        set_role(self._title, "heading")
        set_role(self._text, "secondary")
        self.button = QPushButton()
        self.second_button = QPushButton()
        set_kind(self.button, "primary")
        self.button.clicked.connect(self.acted)
        self.second_button.clicked.connect(self.acted_otherwise)

        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE.s)
        buttons.addStretch()
        buttons.addWidget(self.button)
        buttons.addWidget(self.second_button)
        buttons.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
        column.setSpacing(SPACE.s)
        column.addStretch(2)
        column.addWidget(self._picture)
        column.addSpacing(SPACE.xs)
        column.addWidget(self._title)
        column.addWidget(self._text, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(SPACE.s)
        column.addLayout(buttons)
        column.addStretch(3)
        self.describe(icon, title, text, action, second_action)
        follow_theme(self._draw)

    def describe(
        self, icon: str, title: str, text: str = "", action: str = "", second_action: str = ""
    ) -> None:
        """Replace all that is shown; an empty `action` hides its button."""
        self._icon = icon
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        for button, label in ((self.button, action), (self.second_button, second_action)):
            button.setText(label)
            named(button, label)
            button.setVisible(bool(label))
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self._fit_text()
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the lines of the text short enough to read and to fit."""
        super().resizeEvent(event)
        self._fit_text()

    def minimumSizeHint(self) -> QSize:
        """Return a size that lets the place be made small; the text is cut before the window is."""
        return QSize(120, 80)

    def _fit_text(self) -> None:
        """Give the text its lines: a layout that centres a label does not ask how many they are."""
        width = min(_WIDTH, max(40, self.width() - 2 * SPACE.l))
        self._text.ensurePolished()
        self._text.setFixedSize(width, max(0, self._text.heightForWidth(width)))

    def _draw(self, _theme: Theme | None = None) -> None:
        ratio = self.devicePixelRatioF()
        self._picture.setPixmap(pixmap(self._icon, _ICON, "text_disabled", ratio))
