"""A box for one number that accepts any text and says what is wrong with it."""

import math
import re
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QLineEdit, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import CONTROL_HEIGHT, SPACE

_SLIDER_STEPS = 400
_LADDER = (1.0, 2.0, 5.0, 10.0)
"""Steps of a real number on a logarithmic scale."""


@dataclass(frozen=True)
class NumberScale:
    """The inclusive range of a number and how a slider and the arrow keys walk through it."""

    low: float | None
    high: float | None
    whole: bool
    logarithmic: bool = False

    @property
    def is_bounded(self) -> bool:
        """Tell whether a slider has two ends."""
        return self.low is not None and self.high is not None and self.high > self.low

    @property
    def slider_steps(self) -> int:
        """Positions of a slider over the range."""
        if self.whole and not self.logarithmic and self.is_bounded:
            return min(_SLIDER_STEPS, round((self.high or 0) - (self.low or 0)))
        return _SLIDER_STEPS

    def share(self, value: float) -> float:
        """Return where a number lies between low (0) and high (1)."""
        low, high = self._ends()
        value = min(max(value, low), high)
        if not self.logarithmic:
            return (value - low) / (high - low)
        if low > 0:
            return math.log(value / low) / math.log(high / low)
        unit = self._unit()
        return math.log1p((value - low) / unit) / math.log1p((high - low) / unit)

    def value(self, share: float) -> float:
        """Return the round number at a share of the way from low to high."""
        low, high = self._ends()
        if share <= 0 or share >= 1:
            return low if share <= 0 else high
        if not self.logarithmic:
            exact = low + (high - low) * share
            grain = 10.0 ** math.floor(math.log10((high - low) / 100))
            rounded = round(exact / grain) * grain
        else:
            unit = self._unit()
            span = math.log(high / low) if low > 0 else math.log1p((high - low) / unit)
            growth = math.exp(span * share)
            exact = low * growth if low > 0 else low + unit * (growth - 1)
            rounded = _rounded(exact, 2)
        rounded = round(rounded) if self.whole else float(f"{rounded:.12g}")
        return min(max(rounded, low), high)

    def stepped(self, value: float, steps: int) -> float:
        """Return the number some steps up or down, kept within the range."""
        for _ in range(abs(steps)):
            value = self._next(value, 1 if steps > 0 else -1)
        if self.low is not None:
            value = max(value, self.low)
        if self.high is not None:
            value = min(value, self.high)
        return round(value) if self.whole else float(f"{value:.12g}")

    def sentence(self) -> str:
        """Return the range in words, empty without one."""
        low, high = (_text(end) if end is not None else "" for end in (self.low, self.high))
        if low and high:
            return tr("{low} to {high}", low=low, high=high)
        if low:
            return tr("at least {low}", low=low)
        return tr("at most {high}", high=high) if high else ""

    def _ends(self) -> tuple[float, float]:
        return float(self.low or 0), float(self.high if self.high is not None else 1)

    def _unit(self) -> float:
        low, high = self._ends()
        return 1.0 if self.whole else (high - low) * 1e-4

    def _next(self, value: float, direction: int) -> float:
        if not self.logarithmic:
            return value + direction * self._grain()
        if self.whole:
            up = value * 2 if value > 0 else 1
            return up if direction > 0 else value // 2
        if value <= 0:
            return self._unit() if direction > 0 else value
        power = 10.0 ** math.floor(math.log10(value) + 1e-9)
        mantissa = round(value / power, 6)
        if direction > 0:
            return power * next(rung for rung in _LADDER if rung > mantissa)
        lower = [rung for rung in _LADDER if rung < mantissa]
        return power * (lower[-1] if lower else 0.5)

    def _grain(self) -> float:
        if self.whole:
            return 1.0
        if not self.is_bounded:
            return 0.1
        low, high = self._ends()
        return float(10.0 ** math.floor(math.log10((high - low) / 10)))


class NumberBox(QAbstractSpinBox):
    """Shows a number; what is typed stays as typed, right or wrong, and `problem` tells which.

    The wheel is left to the panel until the box has the focus.
    """

    edited = Signal()
    """The analyst changed the text."""

    def __init__(
        self,
        scale: NumberScale,
        value: float,
        *,
        unit: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._scale = scale
        self._unit = unit
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._line: QLineEdit = self.lineEdit()
        self._line.setTextMargins(SPACE.s - 2, 0, 0, 0)  # style sheets cannot pad a spin box
        self._line.textEdited.connect(lambda _text: self.edited.emit())
        self._line.editingFinished.connect(self._tidy)
        self.set_value(value)

    def value(self) -> float | int | None:
        """Return the number, None where the text is none."""
        return self._read(self._line.text())

    def set_value(self, value: float) -> None:
        """Show a number without telling anybody; where room is short its unit is cut off."""
        self._line.setText(self._shown(value))
        self._line.setCursorPosition(0)

    def problem(self) -> str:
        """Return what is wrong with the text as a sentence; empty when it can be used."""
        value, scale = self.value(), self._scale
        if value is None:
            words = self._line.text().strip()
            if scale.whole:
                return tr("Expected a whole number, got '{typed}'.", typed=words)
            return tr("Expected a number, got '{typed}'.", typed=words)
        if scale.low is not None and value < scale.low:
            return tr("Must be at least {low}.", low=_text(scale.low))
        if scale.high is not None and value > scale.high:
            return tr("Must be at most {high}.", high=_text(scale.high))
        return ""

    def sizeHint(self) -> QSize:
        """Return room for a number and its unit."""
        words = self.fontMetrics().horizontalAdvance(f"00000 {self._unit}")
        return QSize(words + 3 * SPACE.m, CONTROL_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Return room for a number."""
        return QSize(64, CONTROL_HEIGHT)

    def stepBy(self, steps: int) -> None:
        """Go up or down, on a logarithmic scale by factors."""
        value = self.value()
        start = value if value is not None else (self._scale.low or 0)
        self.set_value(self._scale.stepped(start, steps))
        self._line.selectAll()
        self.edited.emit()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        """Allow steps that stay within the range."""
        value, scale = self.value(), self._scale
        flags = QAbstractSpinBox.StepEnabledFlag.StepNone
        if value is None or scale.high is None or value < scale.high:
            flags |= QAbstractSpinBox.StepEnabledFlag.StepUpEnabled
        if value is None or scale.low is None or value > scale.low:
            flags |= QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        return flags

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let everything be typed; `problem` judges it."""
        return QValidator.State.Acceptable, text, position

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Count only while the box has the focus, so that scrolling a form changes nothing."""
        super().wheelEvent(event) if self.hasFocus() else event.ignore()

    def _tidy(self) -> None:
        """Write a number that can be used the usual way, with its unit."""
        value = self.value()
        if value is not None and not self.problem():
            self.set_value(value)

    def _shown(self, value: float) -> str:
        words = _text(value)
        return f"{words} {self._unit}" if self._unit else words

    def _read(self, text: str) -> float | int | None:
        words = self._without_unit(text.strip())
        words = words.replace(" ", "").replace("\u202f", "").replace("−", "-")
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", words):
            words = words.replace(",", "")
        try:
            value = float(words.replace(",", "."))
        except ValueError:
            return None
        if not math.isfinite(value):
            return None
        if not self._scale.whole:
            return value
        return int(value) if value == int(value) else None

    def _without_unit(self, words: str) -> str:
        """Return the number of a text that may end with the unit, or with its beginning."""
        for space in re.finditer(r"\s+", words):
            if self._unit.startswith(words[space.end() :]):
                return words[: space.start()]
        return words


def _text(value: float) -> str:
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return f"{value:.6g}"


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
