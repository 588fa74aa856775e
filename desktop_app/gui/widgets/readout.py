"""Live numbers: a small caption over a value that does not jitter."""

from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.gui.theme import SPACE, TYPE, number_font, set_role, set_tone
from desktop_app.gui.widgets.badge import Tone

_NOTHING = "–"


class Readout(QFrame):
    """A caption and the value below it, such as "Images per second" and "1,240"."""

    def __init__(
        self, label: str, value: str = "", tip: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._label = QLabel(label)
        self._value = QLabel(value or _NOTHING)
        self._value.setFont(number_font(TYPE.heading, QFont.Weight.DemiBold))
        set_role(self._label, "caption")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self._label)
        column.addWidget(self._value)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.setToolTip(tip or label)
        self.set_value(value)

    def value(self) -> str:
        """Return what is shown."""
        return self._value.text()

    def set_value(self, value: str, tone: Tone = "") -> None:
        """Show a value; an empty one becomes a dash."""
        shown = value or _NOTHING
        if shown != self._value.text():
            self._value.setText(shown)
        set_tone(self._value, tone)
        self.setAccessibleName(f"{self._label.text()}: {shown}")


class ReadoutRow(QWidget):
    """Readouts side by side in columns of equal width."""

    def __init__(
        self, readouts: list[Readout], columns: int = 4, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._readouts = readouts
        self._columns = columns
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE.l)
        self._grid.setVerticalSpacing(SPACE.m)
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        self.show_only(readouts)

    def show_only(self, readouts: list[Readout]) -> None:
        """Show these of the readouts, in their order, and leave no gap for the others."""
        shown = [readout for readout in self._readouts if readout in readouts]
        for readout in self._readouts:
            self._grid.removeWidget(readout)
            readout.setParent(self)
        for place, readout in enumerate(shown):
            self._grid.addWidget(readout, place // self._columns, place % self._columns)
        for readout in self._readouts:
            readout.setVisible(readout in shown)
