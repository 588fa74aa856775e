"""Everything that can be done, in one table: menus, shortcuts, command palette and their list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from desktop_app.gui.icons import set_icon


@dataclass(frozen=True)
class Command:
    """One thing to do."""

    menu: str
    text: str
    act: Callable[[], object]
    icon: str = ""
    shortcut: str = ""
    tip: str = ""
    checkable: bool = False
    separated: bool = False
    """A line stands above it in the menu."""


class Actions:
    """The commands of a window as menu entries with shortcuts."""

    def __init__(self, window: QMainWindow, commands: Sequence[Command]) -> None:
        self.commands = list(commands)
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, QMenu] = {}
        for command in self.commands:
            self._add(window, command)

    def __getitem__(self, text: str) -> QAction:
        """Return the action of a command by its text."""
        return self._actions[text]

    def all(self) -> list[QAction]:
        """Return all actions in the order of the table."""
        return list(self._actions.values())

    def menu(self, name: str) -> QMenu:
        """Return a menu by its name."""
        return self._menus[name]

    def _add(self, window: QMainWindow, command: Command) -> None:
        if command.menu not in self._menus:
            self._menus[command.menu] = window.menuBar().addMenu(command.menu)
        menu = self._menus[command.menu]
        if command.separated:
            menu.addSeparator()
        action = QAction(command.text, window)
        action.setToolTip(command.tip or command.text)
        action.setStatusTip(command.tip)
        action.setCheckable(command.checkable)
        action.setData(command.menu)
        if command.icon:
            set_icon(action, command.icon)
        if command.shortcut:
            action.setShortcut(QKeySequence(command.shortcut))
        act = command.act
        action.triggered.connect(lambda _checked=False: act())
        menu.addAction(action)
        window.addAction(action)
        self._actions[command.text] = action
