"""What the system tells of changes in folders, so that a worker need not wait for its next look.

Network drives tell nothing of what other machines write, and systems tell of only so many folders:
a notice is a hint to look now, and the worker looks now and then anyway.
"""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

_CALM_MS = 50  # changes that come together are one notice


class FolderNotices(QObject):
    """Tells that something has changed in one of some folders."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._system = QFileSystemWatcher(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CALM_MS)
        self._timer.timeout.connect(self.changed)
        self._system.directoryChanged.connect(self._take)

    @property
    def folders(self) -> list[str]:
        """The folders that the system tells of."""
        return self._system.directories()

    def follow(self, folders: Iterable[Path]) -> None:
        """Be told of these folders and of no others."""
        wanted, known = {str(folder) for folder in folders}, set(self.folders)
        if known - wanted:
            self._system.removePaths(sorted(known - wanted))
        if wanted - known:
            self._system.addPaths(sorted(wanted - known))

    def _take(self, _folder: str) -> None:
        if not self._timer.isActive():  # a notice that waits is not put off by others
            self._timer.start()
