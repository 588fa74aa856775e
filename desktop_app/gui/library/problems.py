"""What is wrong or odd with the files of the folder: quarantined ones and remarks."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QHeaderView, QStackedLayout, QTableView, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import icon
from desktop_app.gui.session import Session
from desktop_app.gui.theme import Theme, follow_theme
from desktop_app.gui.widgets import EmptyState, named

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


@dataclass(frozen=True)
class Finding:
    """One sentence about one file or folder."""

    path: str
    text: str
    is_problem: bool
    """True where it is not used for this reason."""
    row: int = -1
    """Row of the table, -1 for folders."""


class ProblemList(QWidget):
    """Lists files in quarantine first, then those with a remark."""

    count_changed = Signal(int, int)
    """Carries the number of problems and of remarks."""
    row_chosen = Signal(int)
    """Carries the row of the image that was chosen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._model = _Findings()
        self._table = named(QTableView(), tr("Problems and remarks"))
        self._table.setModel(self._model)
        self._table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self._table.setShowGrid(False)
        self._table.setWordWrap(False)
        self._table.verticalHeader().hide()
        self._table.verticalHeader().setDefaultSectionSize(28)
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(0, 320)
        self._table.clicked.connect(lambda index: self._choose(index.row()))
        self._table.activated.connect(lambda index: self._choose(index.row()))
        self._empty = EmptyState(
            "check-circle",
            tr("No problems"),
            tr("Every file that was looked into can be used. Broken files are listed here."),
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._table)
        session.table_changed.connect(self._show)
        follow_theme(self._themed)
        self._show()

    def findings(self) -> list[Finding]:
        """Return what is listed."""
        return self._model.findings

    def _show(self) -> None:
        session = self._session
        table, folder = session.table, session.folder
        problems = [
            Finding(path, text, True, row)
            for row, (path, text) in enumerate(zip(table.paths, table.problems, strict=True))
            if text
        ]
        remarks = [
            Finding(path, text, False, row)
            for row, (path, text) in enumerate(zip(table.paths, table.remarks, strict=True))
            if text and not table.problems[row]
        ]
        self._take(problems + remarks)
        if folder is not None:
            session.background.run("problems", folder.problems, self._add_folders)

    def _add_folders(self, problems: list[tuple[str, str]]) -> None:
        """Add the folders that could not be listed: no row of the table speaks of them."""
        listed = {finding.path for finding in self._model.findings if finding.is_problem}
        known = self._model.findings
        folders = [Finding(path, text, True) for path, text in problems if path not in listed]
        if folders:
            self._take(folders + [finding for finding in known if finding.row >= 0])

    def _take(self, findings: list[Finding]) -> None:
        self._model.take(findings)
        self._stack.setCurrentWidget(self._table if findings else self._empty)
        problems = sum(finding.is_problem for finding in findings)
        self.count_changed.emit(problems, len(findings) - problems)

    def _choose(self, number: int) -> None:
        row = self._model.findings[number].row
        if row >= 0:
            self.row_chosen.emit(row)

    def _themed(self, _theme: Theme) -> None:
        self._table.viewport().update()


class _Findings(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self.findings: list[Finding] = []

    def take(self, findings: list[Finding]) -> None:
        self.beginResetModel()
        self.findings = findings
        self.endResetModel()

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.findings)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else 2

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return (tr("File"), tr("Reason or remark"))[section]

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        finding = self.findings[index.row()]
        text = (finding.path, finding.text)[index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return text
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return (
                icon("warning", "warning") if finding.is_problem else icon("info", "text_secondary")
            )
        return None
