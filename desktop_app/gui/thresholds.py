"""The threshold that the analyst chose for a run on a folder: kept in the workspace, with undo."""

import hashlib
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from desktop_app.core.workspace import Workspace
from desktop_app.gui.undo import Rows

_CALM_MS = 400  # without a move before it is written: a dragged line would write all the time

_ONE_MOVE_SECONDS = 1.0  # moves that follow one another faster are taken back together


class ThresholdMoves:
    """Where the threshold was before each move; a line that is dragged moves once."""

    def __init__(self, put: Callable[[float | None], None]) -> None:
        self._put = put
        self._done: list[tuple[float | None, float | None]] = []
        self._undone: list[tuple[float | None, float | None]] = []
        self._moved = float("-inf")

    def add(self, before: float | None, after: float | None, *, follows: bool) -> bool:
        """Note a move; tell whether it is one of its own.

        With `follows`, nothing else was done since the last move, which it may go on with.
        """
        now = time.monotonic()
        goes_on = follows and bool(self._done) and now - self._moved < _ONE_MOVE_SECONDS
        self._moved = now
        self._undone.clear()
        if goes_on:
            before = self._done.pop()[0]
        self._done.append((before, after))
        return not goes_on

    def clear(self) -> None:
        """Forget all moves."""
        self._done.clear()
        self._undone.clear()

    def undo(self) -> Rows:
        """Put the threshold where it was before the last move; no row is changed."""
        return self._take(self._done, self._undone, 0)

    def redo(self) -> Rows:
        """Move the threshold again."""
        return self._take(self._undone, self._done, 1)

    def _take(
        self,
        source: list[tuple[float | None, float | None]],
        target: list[tuple[float | None, float | None]],
        end: int,
    ) -> Rows:
        self._moved = float("-inf")
        if source:
            move = source.pop()
            target.append(move)
            self._put(move[end])
        return np.zeros(0, np.int64)


class KeptThreshold(QObject):
    """Remembers one number beside the scores that it was chosen for.

    A run that was trained further scores anew, so a threshold for its former scores is forgotten.
    """

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._name = ""
        self._mark = ""
        self._value: float | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CALM_MS)
        self._timer.timeout.connect(self.write)

    def find(self, run: str, folder_key: str, scores: NDArray[np.float32]) -> float | None:
        """Return what was chosen for these scores (N,), if anything was, and keep for them now."""
        self.write()
        self._name = f"threshold/{run}/{folder_key}"
        digest = hashlib.blake2b(np.ascontiguousarray(scores).tobytes(), digest_size=16)
        self._mark = digest.hexdigest()
        kept = self._workspace.setting(self._name, {})
        return float(kept["value"]) if kept.get("scores") == self._mark else None

    def forget(self) -> None:
        """Keep nothing until there are scores again."""
        self.write()
        self._name = ""

    def keep(self, value: float) -> None:
        """Remember a threshold; it is written once it stays."""
        if self._name:
            self._value = value
            self._timer.start()

    def write(self) -> None:
        """Write what is not written yet."""
        self._timer.stop()
        if self._value is not None:
            self._workspace.set_setting(self._name, {"value": self._value, "scores": self._mark})
            self._value = None
