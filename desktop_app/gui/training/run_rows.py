"""Rows of the list of runs: the model, and how one row is painted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop_app.core.runs import JobState
from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import (
    RADIUS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    number_font,
    ui_font,
)
from desktop_app.gui.training.states import state_words
from desktop_app.gui.training.summaries import RunSummary
from desktop_app.gui.widgets.badge import Tone
from desktop_app.gui.wording import moment, number

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 58  # logical pixels
_SIGN = 16
_BAR = 3
SUMMARY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Live:
    """What a job tells of a run at this moment."""

    state: JobState
    progress: float
    metric: str
    value: float | None


class RunModel(QAbstractListModel):
    """Summaries, newest first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: Sequence[RunSummary] = ()

    def set_rows(self, rows: Sequence[RunSummary]) -> None:
        """Show other runs; the same ones in the same order are only renewed."""
        same = [row.path for row in rows] == [row.path for row in self._rows]
        if same:
            self._rows = tuple(rows)
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
        else:
            self.beginResetModel()
            self._rows = tuple(rows)
            self.endResetModel()

    def row(self, index: Index) -> RunSummary:
        """Return a summary."""
        return self._rows[index.row()]

    def rowCount(self, _parent: Index | None = None) -> int:
        """Return how many runs there are."""
        return len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the summary, or what is said of it."""
        row = self._rows[index.row()]
        if role == SUMMARY:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.problem or f"{row.title}\n{row.folder}\n{row.path}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.title}, {state_words(row.state)[0]}"
        return None


class RunDelegate(QStyledItemDelegate):
    """Title and state above, method, time and main metric below, and a thin progress bar."""

    def __init__(
        self,
        live: Callable[[RunSummary], Live | None],
        is_open: Callable[[RunSummary], bool],
        method_title: Callable[[str], str],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._live = live
        self._is_open = is_open
        self._method_title = method_title

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """Return the height of every row."""
        return QSize(160, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one run."""
        row: RunSummary = index.data(SUMMARY)
        live = self._live(row)
        state = live.state if live is not None else row.state
        theme = current_theme()
        area: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_ground(painter, theme, option, area, opened=self._is_open(row))
        inside = area.adjusted(SPACE.m, SPACE.s - 2, -SPACE.m, -SPACE.s)
        sign, tint = _signs(state)
        picture = pixmap(sign, _SIGN, tint, painter.device().devicePixelRatio())
        painter.drawPixmap(inside.left(), inside.top() + 3, picture)
        top = QRect(inside.left(), inside.top(), inside.width(), 22)
        top.setLeft(top.left() + _SIGN + SPACE.s)
        painter.setFont(ui_font(TYPE.body, QFont.Weight.DemiBold))
        painter.setPen(theme.colour("text_disabled" if row.problem else "text"))
        _draw_words(painter, top, row.title)
        below = QRect(top.left(), top.bottom() + 1, top.width(), 18)
        measured: Live | RunSummary = row
        if live is not None and live.value is not None:
            measured = live
        self._draw_second_line(painter, theme, row, state, measured, below)
        progress = live.progress if live is not None else row.progress
        if 0 < progress < 1:
            _draw_progress(painter, theme, state, progress, inside)
        painter.restore()

    def _draw_ground(
        self,
        painter: QPainter,
        theme: Theme,
        option: QStyleOptionViewItem,
        area: QRect,
        *,
        opened: bool,
    ) -> None:
        flags = option.state
        if flags & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("selection"))
        elif flags & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        if opened:
            painter.fillRect(
                QRect(area.left(), area.top(), 3, area.height()), theme.colour("accent")
            )
        if flags & QStyle.StateFlag.State_HasFocus:
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(area).adjusted(0.5, 0.5, -0.5, -0.5))

    def _draw_second_line(
        self,
        painter: QPainter,
        theme: Theme,
        row: RunSummary,
        state: JobState,
        measured: Live | RunSummary,
        area: QRect,
    ) -> None:
        painter.setPen(theme.colour("text_secondary"))
        painter.setFont(number_font(TYPE.caption))
        room = 0
        if measured.metric and measured.value is not None:
            words = f"{measured.metric} {number(measured.value)}"
            room = painter.fontMetrics().horizontalAdvance(words) + SPACE.s
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(area, right, words)
        method = self._method_title(row.method)
        parts = [
            "" if state is JobState.FINISHED else state_words(state)[0],
            "" if row.title.startswith(method) else method,
            PurePath(row.folder).name,
            moment(row.created),
        ]
        words = row.problem or " · ".join(part for part in parts if part)
        painter.setFont(ui_font(TYPE.caption))
        _draw_words(painter, area.adjusted(0, 0, -room, 0), words)


def _draw_words(painter: QPainter, area: QRect, words: str) -> None:
    shown = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, shown)


def _signs(state: JobState) -> tuple[str, str]:
    """Return the icon of a state and its tint."""
    return _SIGNS[state], _TINTS[state_words(state)[1]]


_SIGNS = {
    JobState.QUEUED: "queue",
    JobState.STARTING: "clock",
    JobState.RUNNING: "play",
    JobState.PAUSING: "pause",
    JobState.PAUSED: "pause",
    JobState.STOPPING: "stop",
    JobState.FINISHED: "check-circle",
    JobState.STOPPED: "stop",
    JobState.FAILED: "error",
    JobState.OUT_OF_MEMORY: "memory",
    JobState.CRASHED: "error",
    JobState.LOST: "warning",
}
_TINTS: dict[Tone, str] = {
    "": "text_secondary",
    "accent": "accent",
    "good": "good",
    "warning": "warning",
    "bad": "bad",
}


def _draw_progress(
    painter: QPainter, theme: Theme, state: JobState, progress: float, inside: QRect
) -> None:
    groove = QRectF(inside.left(), inside.bottom() + 2, inside.width(), _BAR)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("pressed"))
    painter.drawRoundedRect(groove, RADIUS.s / 2, RADIUS.s / 2)
    done = QRectF(groove)
    done.setWidth(max(_BAR, groove.width() * progress))
    painter.setBrush(theme.colour("accent_fill" if state.is_active else "border_strong"))
    painter.drawRoundedRect(done, RADIUS.s / 2, RADIUS.s / 2)
