"""The list of shortcuts."""

from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import SPACE
from desktop_app.gui.widgets.names import named

_WIDTH, _HEIGHT = 460, 520


class ShortcutList(QDialog):
    """Every action that has a shortcut, and the keys of the views."""

    def __init__(self, actions: list[QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Shortcuts"))
        self.resize(_WIDTH, _HEIGHT)
        rows = [
            (action.shortcut().toString(), action.text())
            for action in actions
            if not action.shortcut().isEmpty()
        ]
        rows += [
            (tr("Right, J"), tr("Inspector: next image")),
            (tr("Left, K"), tr("Inspector: previous image")),
            ("N", tr("Inspector: normal")),
            ("A", tr("Inspector: anomalous")),
            ("U", tr("Inspector: unsure")),
            (tr("Left, Right"), tr("Histogram: move the threshold, with Ctrl the review zone")),
        ]
        table = named(QTableWidget(len(rows), 2), tr("Shortcuts"))
        table.setHorizontalHeaderLabels([tr("Keys"), tr("What they do")])
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                table.setItem(row, column, QTableWidgetItem(text))
        column_box = QVBoxLayout(self)
        column_box.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.m)
        column_box.addWidget(table)
