"""How many images arrived in each of the last hours, as small bars."""

import time
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import Theme, current_theme, follow_theme
from desktop_app.gui.watch.rows import HOUR

HOURS = 24
_GAP = 2  # logical pixels between two bars


class HourBars(QWidget):
    """A bar for each hour, the present one at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: Sequence[int] = [0] * HOURS
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_counts(self._counts)
        follow_theme(self._themed)

    def set_counts(self, counts: Sequence[int]) -> None:
        """Show other counts, the oldest hour first."""
        self._counts = counts
        text = tr("Images of the last {n} hours: {counts}", n=len(counts), counts=list(counts))
        self.setAccessibleName(text)
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size at which hours can be told apart."""
        return QSize(180, 40)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bars, and a line where an hour had none."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        most = max(1, *self._counts)
        for hour, count in enumerate(self._counts):
            height = max(2.0, (self.height() - 2) * count / most)
            is_present = hour == len(self._counts) - 1
            role = "border_strong" if count and not is_present else "border"
            painter.setBrush(theme.colour("accent" if count and is_present else role))
            left = self._left(hour)
            width = self._left(hour + 1) - left - _GAP
            painter.drawRect(QRectF(left, self.height() - height, max(1.0, width), height))

    def event(self, event: QEvent) -> bool:
        """Say how many images an hour had."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            hour = min(int(event.pos().x() * len(self._counts) / max(1, self.width())), HOURS - 1)
            ends = time.time() - HOUR * (len(self._counts) - 1 - hour)
            words = tr(
                "{first} to {last}: {n} images",
                first=_clock(ends - HOUR),
                last=_clock(ends),
                n=f"{self._counts[hour]:,}",
            )
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

    def _left(self, hour: int) -> float:
        return hour * self.width() / len(self._counts)

    def _themed(self, _theme: Theme) -> None:
        self.update()


def _clock(moment: float) -> str:
    return time.strftime("%H:%M", time.localtime(moment))
