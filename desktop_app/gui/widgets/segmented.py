"""A choice of a few that are all in sight: tools of the map, ways to show an image."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from desktop_app.gui.icons import set_icon
from desktop_app.gui.widgets.names import named


@dataclass(frozen=True)
class Segment:
    """One choice: a key for the program, a name for the analyst, perhaps an icon instead."""

    key: str
    name: str
    icon: str = ""
    tip: str = ""
    shortcut: str = ""


class Segmented(QFrame):
    """Buttons in one outline of which exactly one is chosen."""

    chosen = Signal(str)
    """Carries the key of the new choice."""

    def __init__(
        self, name: str, segments: Sequence[Segment], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("segmented", True)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(1, 1, 1, 1)
        self._row.setSpacing(1)
        for segment in segments:
            self.add(segment)
        next(iter(self._buttons.values())).setChecked(True)

    def add(self, segment: Segment) -> None:
        """Offer one more choice, the last one."""
        button = self._buttons[segment.key] = _button(segment)
        self._group.addButton(button)
        self._row.addWidget(button)
        button.toggled.connect(lambda on: self.chosen.emit(segment.key) if on else None)

    def choice(self) -> str:
        """Return the key of the chosen segment."""
        return next(key for key, button in self._buttons.items() if button.isChecked())

    def choose(self, key: str) -> None:
        """Choose a segment; raises KeyError for an unknown key."""
        self._buttons[key].setChecked(True)

    def button(self, key: str) -> QToolButton:
        """Return the button of a segment, to disable it or to explain why it is disabled."""
        return self._buttons[key]


def _button(segment: Segment) -> QToolButton:
    tip = segment.tip or segment.name
    tip = f"{tip} ({segment.shortcut})" if segment.shortcut else tip
    button = named(QToolButton(), segment.name, tip)
    button.setCheckable(True)
    if segment.icon:
        button.setProperty("glyph", True)
        button.setIconSize(QSize(16, 16))
        set_icon(button, segment.icon)
    else:
        button.setText(segment.name)
    if segment.shortcut:
        button.setShortcut(segment.shortcut)
    return button
