"""Looking into the images of a folder behind the window, in a process of its own.

A decoder that crashes on a broken file takes that process along, not the window. The table is read
again at growing intervals while it works, and once at its end.
"""

import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

_FIRST_MILLISECONDS = 800
_LONGEST_MILLISECONDS = 10_000


class Indexing(QObject):
    """Runs `loupe index` for a folder."""

    advanced = Signal()
    """More is known of the images."""
    ended = Signal(bool)
    """Everything is known; False when the process broke off."""

    def __init__(self, root: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        command = [sys.executable, "-m", "desktop_app", "index", str(root), "--workers", "1"]
        self._process = subprocess.Popen(
            [*command, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_FIRST_MILLISECONDS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    @property
    def is_running(self) -> bool:
        """Tell whether there is more to come."""
        return self._process.poll() is None

    def close(self) -> None:
        """Break off; what is known is kept."""
        self._timer.stop()
        if self.is_running:
            self._process.terminate()
            self._process.wait(timeout=5)

    def _look(self) -> None:
        code = self._process.poll()
        if code is not None:
            self.ended.emit(code == 0)
            return
        self.advanced.emit()
        self._timer.setInterval(min(2 * self._timer.interval(), _LONGEST_MILLISECONDS))
        self._timer.start()
