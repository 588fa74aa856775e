"""The command palette: type a few letters of what is wanted, press Enter."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QDialog, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import SPACE
from desktop_app.gui.widgets.fields import SearchField
from desktop_app.gui.widgets.names import named

_WIDTH, _HEIGHT = 520, 380


class CommandPalette(QDialog):
    """Lists actions that match what is typed."""

    def __init__(self, actions: list[QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Command palette"))
        self.resize(_WIDTH, _HEIGHT)
        self._actions = [action for action in actions if action.isEnabled()]
        self._search = named(SearchField(tr("Type a command")), tr("Type a command"))
        self._list = named(QListWidget(), tr("Commands"))
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.m)
        column.setSpacing(SPACE.s)
        column.addWidget(self._search)
        column.addWidget(self._list)
        self._search.textChanged.connect(self._show)
        self._search.installEventFilter(self)
        self._list.itemActivated.connect(lambda _item: self._run())
        self._list.itemClicked.connect(lambda _item: self._run())
        self._show("")
        self._search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move in the list while the pointer of the text stays where it is."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            if event.key() in steps:
                last = self._list.count() - 1
                row = self._list.currentRow() + steps[Qt.Key(event.key())]
                self._list.setCurrentRow(max(0, min(last, row)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)

    def _show(self, text: str) -> None:
        words = text.casefold().split()
        self._list.clear()
        for action in self._actions:
            name = f"{action.data()}: {action.text()}"
            if all(word in name.casefold() for word in words):
                shortcut = action.shortcut().toString()
                item = QListWidgetItem(f"{name}\t{shortcut}" if shortcut else name)
                item.setData(Qt.ItemDataRole.UserRole, action)
                self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _run(self) -> None:
        items = self._list.selectedItems()
        if not items:
            return
        action: QAction = items[0].data(Qt.ItemDataRole.UserRole)
        self.accept()
        action.trigger()
