"""A word in a coloured pill: a state, a count, a family."""

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from desktop_app.gui.theme import set_tone

Tone = Literal["", "accent", "good", "warning", "bad"]


class Badge(QLabel):
    """Shows one or two words; the tone says whether they are good or bad news."""

    def __init__(self, text: str = "", tone: Tone = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("badge", True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        set_tone(self, tone)

    def show_state(self, text: str, tone: Tone = "") -> None:
        """Replace the words and their tone."""
        self.setText(text)
        set_tone(self, tone)
