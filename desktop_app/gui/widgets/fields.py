"""Inputs: numbers and choices that ignore a passing wheel, a patient search, a slider field."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSlider,
    QSpinBox,
    QStyledItemDelegate,
    QWidget,
)

from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, Theme, follow_theme
from desktop_app.gui.widgets.names import named

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


class WholeNumberField(QSpinBox):
    """A spin box for whole numbers that leaves the wheel to the panel until it is clicked."""

    def __init__(self, name: str, low: int, high: int, value: int, tip: str = "") -> None:
        super().__init__()
        self.setRange(low, high)
        self.setValue(value)
        _settle(named(self, name, tip))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Count only while the field has the focus, so that scrolling a form changes nothing."""
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class NumberField(QDoubleSpinBox):
    """A spin box for real numbers that leaves the wheel to the panel until it is clicked."""

    def __init__(
        self, name: str, low: float, high: float, value: float, decimals: int = 2, tip: str = ""
    ) -> None:
        super().__init__()
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setSingleStep(max(10.0**-decimals, (high - low) / 100))
        self.setValue(value)
        _settle(named(self, name, tip))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Count only while the field has the focus, so that scrolling a form changes nothing."""
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class ChoiceField(QComboBox):
    """A combo box of (key, shown text) pairs that leaves the wheel to the panel."""

    chosen = Signal(str)
    """Carries the key that the analyst chose."""

    def __init__(self, name: str, choices: Sequence[tuple[str, str]] = (), tip: str = "") -> None:
        super().__init__()
        named(self, name, tip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setItemDelegate(QStyledItemDelegate(self))  # the default one ignores style sheets
        self.set_choices(choices)
        self.activated.connect(lambda index: self.chosen.emit(self.itemData(index)))

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer other choices; what was chosen stays chosen where it is still offered."""
        before = self.choice()
        with QSignalBlocker(self):
            self.clear()
            for key, text in choices:
                self.addItem(text, key)
            self.choose(before)

    def choice(self) -> str:
        """Return the key that is chosen, empty without choices."""
        return str(self.currentData() or "")

    def choose(self, key: str) -> None:
        """Choose by key without telling anybody; unknown keys are ignored."""
        index = self.findData(key)
        if index >= 0:
            with QSignalBlocker(self):
                self.setCurrentIndex(index)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel."""
        event.ignore()


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
        self.number = NumberField(name, low, high, value, decimals, tip)
        self.number.setSuffix(suffix)
        self.number.setFixedWidth(84)
        named(self.slider, name, tip)
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

    def set_range(self, low: float, high: float, decimals: int) -> None:
        """Take other ends without telling anybody; the number is clipped to them."""
        self._low, self._high = low, high
        with QSignalBlocker(self.number):
            self.number.setDecimals(decimals)
            self.number.setRange(low, high)
            self.number.setSingleStep(max(10.0**-decimals, (high - low) / 100))
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


def _settle(box: QAbstractSpinBox) -> None:
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    box.setKeyboardTracking(False)
    line = box.findChild(QLineEdit)
    if line is not None:
        line.setTextMargins(SPACE.s - 2, 0, 0, 0)  # style sheets cannot pad a spin box
