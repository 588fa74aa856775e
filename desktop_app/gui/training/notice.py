"""A card about something worth knowing: a title, sentences, and what can be done in one click."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role, set_surface
from desktop_app.gui.widgets import named


@dataclass(frozen=True)
class Act:
    """A button: its words, what it does as a tool tip, and the doing."""

    words: str
    tip: str
    do: Callable[[], object]
    primary: bool = False
    enabled: bool = True


class NoticeCard(QFrame):
    """Hidden until there is something to say."""

    def __init__(self, icon: str, tint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon, self._tint = icon, tint
        set_surface(self, "card")
        self._picture = QLabel()
        self._title = QLabel(wordWrap=True)
        set_role(self._title, "heading")
        self._text = QLabel(wordWrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(self._text, "secondary")
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout()
        self._row.setSpacing(SPACE.s)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._title)
        words.addWidget(self._text)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        row.setSpacing(SPACE.m)
        row.addWidget(self._picture, alignment=Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addLayout(self._row)
        self.hide()
        follow_theme(self._draw)

    def say(self, title: str, text: str, acts: Sequence[Act]) -> None:
        """Show a title, sentences and buttons."""
        self._title.setText(title)
        self._text.setText(text)
        self.setAccessibleName(f"{title}: {text}")
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = [self._button(act) for act in acts]
        for place, button in enumerate(self.buttons):
            self._row.insertWidget(place, button)
        self.show()

    def _button(self, act: Act) -> QPushButton:
        button = named(QPushButton(act.words), act.words, act.tip)
        set_kind(button, "primary" if act.primary else "secondary")
        button.setEnabled(act.enabled)
        button.clicked.connect(lambda: act.do())
        return button

    def _draw(self, _theme: Theme) -> None:
        self._picture.setPixmap(pixmap(self._icon, 20, self._tint, self.devicePixelRatioF()))
