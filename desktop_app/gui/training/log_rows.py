"""Entries of the log, as a table model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtWidgets import QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import icon
from desktop_app.gui.theme import current_theme

Index = QModelIndex | QPersistentModelIndex

LEVELS = ("info", "warning", "error")
ENTRY = Qt.ItemDataRole.UserRole
_ICONS = {
    "info": ("info", "text_secondary"),
    "warning": ("warning", "warning"),
    "error": ("error", "bad"),
}
_TINTS = {"warning": "warning", "error": "bad"}


@dataclass(frozen=True)
class LogEntry:
    """One sentence of a job, or of the window itself."""

    time: float
    """Seconds since 1970."""
    level: str
    source: str
    text: str
    traceback: str = ""
    key: str = ""
    """Which run it belongs to, so that it can be told anew."""

    def words(self) -> str:
        """Return the entry as one line of text."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time))
        return f"{moment} {self.level.upper()} {self.source}: {self.text}"


class LogModel(QAbstractTableModel):
    """Entries in the order in which they came: time, source, text."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._entries: list[LogEntry] = []

    @property
    def entries(self) -> Sequence[LogEntry]:
        """All entries."""
        return self._entries

    def add(self, entries: Sequence[LogEntry]) -> None:
        """Append entries."""
        if entries:
            first = len(self._entries)
            self.beginInsertRows(QModelIndex(), first, first + len(entries) - 1)
            self._entries.extend(entries)
            self.endInsertRows()

    def forget(self, key: str | None = None) -> None:
        """Drop the entries of one run, or all."""
        kept = [] if key is None else [entry for entry in self._entries if entry.key != key]
        if len(kept) != len(self._entries):
            self.beginResetModel()
            self._entries = kept
            self.endResetModel()

    def rowCount(self, _parent: Index | None = None) -> int:
        """Return how many entries there are."""
        return len(self._entries)

    def columnCount(self, _parent: Index | None = None) -> int:
        """Return time, source, text."""
        return 3

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        entry = self._entries[index.row()]
        column = index.column()
        if role == ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            moment = time.strftime("%H:%M:%S", time.localtime(entry.time))
            return (moment, entry.source, entry.text)[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.words()
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return icon(*_ICONS.get(entry.level, _ICONS["info"]))
        if role == Qt.ItemDataRole.ForegroundRole:
            tint = _TINTS.get(entry.level, "text") if column == 2 else "text_secondary"
            return current_theme().colour(tint)
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the name of a column."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return (tr("Time"), tr("From"), tr("Message"))[section]
        return None


class LogFilter(QSortFilterProxyModel):
    """Leaves entries of at least a level that hold all words."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._least = 0
        self._words: list[str] = []

    def set_level(self, level: str) -> None:
        """Leave entries of this level and above."""
        self._least = LEVELS.index(level)
        self.invalidate()

    def set_words(self, text: str) -> None:
        """Leave entries that hold all words."""
        self._words = text.lower().split()
        self.invalidate()

    def filterAcceptsRow(self, row: int, _parent: Index) -> bool:
        """Say whether an entry is left."""
        model = self.sourceModel()
        if not isinstance(model, LogModel):
            return True
        entry = model.entries[row]
        level = LEVELS.index(entry.level) if entry.level in LEVELS else 0
        text = f"{entry.source} {entry.text}".lower()
        return level >= self._least and all(word in text for word in self._words)
