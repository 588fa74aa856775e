"""Rows of the list of runs: the model, and how one row is painted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from desktop_app.gui.i18n import tr
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
from desktop_app.gui.wording import moment, number

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 58  # logical pixels
_BADGE = 18
_BAR = 3
SUMMARY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Live:
    """What a job tells of a run at this moment."""

    state: JobState
    progress: float
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
        top = QRect(inside.left(), inside.top(), inside.width(), 22)
        room = _draw_badge(painter, theme, state, top)
        painter.setFont(ui_font(TYPE.body, QFont.Weight.DemiBold))
        painter.setPen(theme.colour("text_disabled" if row.problem else "text"))
        _draw_words(painter, top.adjusted(0, 0, -room - SPACE.s, 0), row.title)
        below = QRect(inside.left(), top.bottom() + 1, inside.width(), 18)
        value = live.value if live is not None and live.value is not None else row.value
        self._draw_second_line(painter, theme, row, value, below)
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
        self, painter: QPainter, theme: Theme, row: RunSummary, value: float | None, area: QRect
    ) -> None:
        painter.setPen(theme.colour("text_secondary"))
        painter.setFont(number_font(TYPE.caption))
        room = 0
        if row.metric and value is not None:
            words = tr("{metric} {value}", metric=row.metric, value=number(value))
            room = painter.fontMetrics().horizontalAdvance(words) + SPACE.s
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(area, right, words)
        parts = [self._method_title(row.method), moment(row.created)]
        words = row.problem or " · ".join(part for part in parts if part)
        painter.setFont(ui_font(TYPE.caption))
        _draw_words(painter, area.adjusted(0, 0, -room, 0), words)


def _draw_words(painter: QPainter, area: QRect, words: str) -> None:
    shown = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, shown)


_PILLS = {
    "": ("hover", "text_secondary"),
    "accent": ("selection", "accent"),
    "good": ("good_fill", "good"),
    "warning": ("warning_fill", "warning"),
    "bad": ("bad_fill", "bad"),
}
"""Background and text of a badge by its tone, as the style sheet has them."""


def _draw_badge(painter: QPainter, theme: Theme, state: JobState, line: QRect) -> int:
    """Draw the state at the right end of a line and return its width."""
    words, tone = state_words(state)
    ground, ink = _PILLS[tone]
    painter.setFont(ui_font(TYPE.caption))
    width = painter.fontMetrics().horizontalAdvance(words) + 2 * SPACE.s
    pill = QRect(line.right() + 1 - width, line.top() + 2, width, _BADGE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour(ground))
    painter.drawRoundedRect(pill, _BADGE / 2, _BADGE / 2)
    painter.setPen(theme.colour(ink))
    painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, words)
    return width


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
