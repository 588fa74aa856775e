"""The thresholds that the analyst chose for a run on a folder: kept in the workspace, with undo."""

import hashlib
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from desktop_app.core.workspace import Workspace
from desktop_app.core.zones import Thresholds
from desktop_app.gui.undo import Rows

_CALM_MS = 400  # without a move before it is written: a dragged line would write all the time

_ONE_MOVE_SECONDS = 1.0  # moves that follow one another faster are taken back together

_Move = tuple[Thresholds | None, Thresholds | None]
"""Before and after."""


def _is_shift(before: Thresholds | None, after: Thresholds | None) -> bool:
    """Whether a move leaves the zones that there are."""
    return (before and before.zones) == (after and after.zones)


class ThresholdMoves:
    """Where the thresholds were before each move; a line that is dragged moves once."""

    def __init__(self, put: Callable[[Thresholds | None], None]) -> None:
        self._put = put
        self._done: list[_Move] = []
        self._undone: list[_Move] = []
        self._moved = float("-inf")

    def add(self, before: Thresholds | None, after: Thresholds | None, *, follows: bool) -> bool:
        """Note a move; tell whether it is one of its own.

        With `follows`, nothing else was done since the last move, which it may go on with. A
        review zone that comes or goes is a move of its own.
        """
        now = time.monotonic()
        goes_on = follows and bool(self._done) and now - self._moved < _ONE_MOVE_SECONDS
        goes_on = goes_on and _is_shift(before, after) and _is_shift(*self._done[-1])
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
        """Put the thresholds where they were before the last move; no row is changed."""
        return self._take(self._done, self._undone, 0)

    def redo(self) -> Rows:
        """Move the thresholds again."""
        return self._take(self._undone, self._done, 1)

    def _take(self, source: list[_Move], target: list[_Move], end: int) -> Rows:
        self._moved = float("-inf")
        if source:
            move = source.pop()
            target.append(move)
            self._put(move[end])
        return np.zeros(0, np.int64)


class KeptThreshold(QObject):
    """Remembers thresholds beside the scores that it was chosen for.

    A run that was trained further scores anew, so a threshold for its former scores is forgotten.
    """

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._name = ""
        self._mark = ""
        self._value: Thresholds | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CALM_MS)
        self._timer.timeout.connect(self.write)

    def find(self, run: str, folder_key: str, scores: NDArray[np.float32]) -> Thresholds | None:
        """Return what was chosen for these scores (N,), if anything was, and keep for them now."""
        self.write()
        self._name = f"threshold/{run}/{folder_key}"
        digest = hashlib.blake2b(np.ascontiguousarray(scores).tobytes(), digest_size=16)
        self._mark = digest.hexdigest()
        kept = self._workspace.setting(self._name, {})
        if kept.get("scores") != self._mark:
            return None
        return Thresholds(kept["value"], kept.get("review"))

    def forget(self) -> None:
        """Keep nothing until there are scores again."""
        self.write()
        self._name = ""

    def keep(self, value: Thresholds) -> None:
        """Remember thresholds; they are written once they stay."""
        if self._name:
            self._value = value
            self._timer.start()

    def write(self) -> None:
        """Write what is not written yet."""
        self._timer.stop()
        if self._value is not None:
            kept = {"value": self._value.fail, "review": self._value.review, "scores": self._mark}
            self._workspace.set_setting(self._name, kept)
            self._value = None
