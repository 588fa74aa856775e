"""Renders `Table`: rows of text and numbers, to sort and to copy."""

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.views.exporting import copy_rows
from desktop_app.gui.widgets import named
from desktop_app.gui.wording import number
from desktop_app.sdk.views import Table

Index = QModelIndex | QPersistentModelIndex

_MOST_ROWS = 12  # that a table shows without scrolling


class TableView(QTableView):
    """The rows; a click on a heading sorts, Ctrl+C copies what is selected."""

    def __init__(self, view: Table, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, view.title, tr("Click a heading to sort, Ctrl+C copies the selected rows"))
        self._view = view
        model = QSortFilterProxyModel(self)
        model.setSourceModel(_Rows(view, self))
        model.setSortRole(Qt.ItemDataRole.UserRole)
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setStretchLastSection(True)
        self.setSortingEnabled(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.resizeColumnsToContents()

    def sizeHint(self) -> QSize:
        """Return room for the first rows."""
        rows = min(len(self._view.rows), _MOST_ROWS)
        return QSize(360, self.horizontalHeader().sizeHint().height() + 26 * rows + 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the selected rows."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selected()
        else:
            super().keyPressEvent(event)

    def copy_selected(self) -> None:
        """Put the selected rows, or all when none is, on the clipboard in the order shown."""
        model = self.model()
        selected = sorted(index.row() for index in self.selectionModel().selectedRows())
        rows = [
            [
                model.index(row, column).data(Qt.ItemDataRole.UserRole)
                for column in range(model.columnCount())
            ]
            for row in selected or range(model.rowCount())
        ]
        copy_rows(self._view.columns, rows)


class _Rows(QAbstractTableModel):
    def __init__(self, view: Table, parent: QWidget) -> None:
        super().__init__(parent)
        self._view = view

    def rowCount(self, _parent: Index | None = None) -> int:
        return len(self._view.rows)

    def columnCount(self, _parent: Index | None = None) -> int:
        return len(self._view.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._view.rows[index.row()]
        value = row[index.column()] if index.column() < len(row) else ""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return number(value) if isinstance(value, float) else str(value)
        if role == Qt.ItemDataRole.UserRole:
            return value
        if role == Qt.ItemDataRole.TextAlignmentRole and isinstance(value, int | float):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._view.columns[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and self._is_number(section):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _is_number(self, column: int) -> bool:
        rows = self._view.rows
        return bool(rows) and column < len(rows[0]) and isinstance(rows[0][column], int | float)
