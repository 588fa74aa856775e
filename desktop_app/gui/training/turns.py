"""Work on the window's thread that is cut into pieces, with events handled in between."""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QTimer


class Turns(QObject):
    """Does one piece at once and each further one in a turn of the event loop."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: list[Callable[[], object]] = []
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._next)

    @property
    def are_done(self) -> bool:
        """Tell whether nothing waits."""
        return not self._waiting

    def take(self, pieces: Iterable[Callable[[], object]]) -> None:
        """Do these pieces; those of former calls that still wait are dropped."""
        self._waiting = list(pieces)
        self._next()

    def _next(self) -> None:
        self._timer.stop()
        if self._waiting:
            self._waiting.pop(0)()
        if self._waiting:
            self._timer.start()
