"""Inputs that Qt lacks: a search that waits for the typist, a slider that shows its number."""

import math

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLineEdit, QSlider, QWidget

from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, Theme, follow_theme

_PAUSE = 150  # ms without a keystroke before a search starts
_STEPS = 1000  # of a slider


class SearchField(QLineEdit):
    """A line with a loupe; `searched` fires once the typist pauses, at once on Return."""

    searched = Signal(str)

    def __init__(self, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText(hint)
        self.setAccessibleName(hint)
        self.setToolTip(hint)
        self.setClearButtonEnabled(True)
        self._glyph = self.addAction(
            pixmap("search", 16, "text_secondary"), QLineEdit.ActionPosition.LeadingPosition
        )
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self._search)
        self.textEdited.connect(lambda _text: self._pause.start())
        self.returnPressed.connect(self._search)
        self.textChanged.connect(lambda text: None if text else self._search())
        follow_theme(self._draw)

    def _search(self) -> None:
        self._pause.stop()
        self.searched.emit(self.text())

    def _draw(self, _theme: Theme) -> None:
        ratio = self.devicePixelRatioF()
        self._glyph.setIcon(pixmap("search", 16, "text_secondary", ratio))


class SliderField(QWidget):
    """A slider beside a spin box over the same number, on a linear or a logarithmic scale."""

    value_changed = Signal(float)

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        value: float,
        *,
        decimals: int = 2,
        suffix: str = "",
        logarithmic: bool = False,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._low, self._high, self._logarithmic = low, high, logarithmic
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setPageStep(_STEPS // 10)
        self.number = QDoubleSpinBox()
        self.number.setRange(low, high)
        self.number.setDecimals(decimals)
        self.number.setSingleStep(max(10.0**-decimals, (high - low) / 100))
        self.number.setSuffix(suffix)
        self.number.setKeyboardTracking(False)
        self.number.setFixedWidth(84)
        for part in (self.slider, self.number):
            part.setAccessibleName(name)
            part.setToolTip(tip or name)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        self.setFocusProxy(self.slider)
        self.set_value(value)
        self.slider.valueChanged.connect(self._slid)
        self.number.valueChanged.connect(self._typed)

    def value(self) -> float:
        """Return the number."""
        return self.number.value()

    def set_value(self, value: float) -> None:
        """Show a number without telling anybody; values outside the range are clipped."""
        with QSignalBlocker(self.number), QSignalBlocker(self.slider):
            self.number.setValue(value)
            self.slider.setValue(self._step(self.number.value()))

    def set_range(self, low: float, high: float) -> None:
        """Let the number run from `low` to `high`; it is clipped where it lies outside."""
        self._low, self._high = low, high
        with QSignalBlocker(self.number):
            self.number.setRange(low, high)
        self.set_value(self.number.value())

    def _slid(self, step: int) -> None:
        share = step / _STEPS
        if self._logarithmic:
            value = self._low * (self._high / self._low) ** share
        else:
            value = self._low + (self._high - self._low) * share
        with QSignalBlocker(self.number):
            self.number.setValue(value)
        self.value_changed.emit(self.number.value())

    def _typed(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._step(value))
        self.value_changed.emit(value)

    def _step(self, value: float) -> int:
        if self._high <= self._low:
            return 0
        if self._logarithmic:
            return round(_STEPS * math.log(value / self._low) / math.log(self._high / self._low))
        return round(_STEPS * (value - self._low) / (self._high - self._low))
