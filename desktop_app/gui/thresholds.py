"""The thresholds that the analyst chose for a run on a folder: kept in the workspace, with undo."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from desktop_app.core.workspace import Workspace
from desktop_app.core.zones import Thresholds
from desktop_app.gui.undo import Rows

_CALM_MS = 400  # without a move before it is written: a dragged line would write all the time

_ONE_MOVE_SECONDS = 1.0  # moves that follow one another faster are taken back together


@dataclass(frozen=True)
class Cuts:
    """Where the analyst cuts scores into zones and, if not there as well, heat maps."""

    thresholds: Thresholds | None = None
    contour: float | None = None
    """The value of the maps at which contours are drawn; None: what stands for the thresholds."""


_Move = tuple[Cuts, Cuts]
"""Before and after."""


def _shifted(before: Cuts, after: Cuts) -> str:
    """Return what a move shifts; "" where zones, or a value of the contours' own, come or go."""
    if before.thresholds == after.thresholds:
        return "contour" if None not in (before.contour, after.contour) else ""
    old, new = (cuts.thresholds and cuts.thresholds.zones for cuts in (before, after))
    return "thresholds" if old == new else ""


class ThresholdMoves:
    """Where the cuts were before each move; a line that is dragged moves once."""

    def __init__(self, put: Callable[[Cuts], None]) -> None:
        self._put = put
        self._done: list[_Move] = []
        self._undone: list[_Move] = []
        self._moved = float("-inf")

    def add(self, before: Cuts, after: Cuts, *, follows: bool) -> bool:
        """Note a move; tell whether it is one of its own.

        With `follows`, nothing else was done since the last move, which it may go on with. A
        review zone that comes or goes is a move of its own.
        """
        now = time.monotonic()
        shifted = _shifted(before, after)
        goes_on = follows and bool(self._done) and now - self._moved < _ONE_MOVE_SECONDS
        goes_on = goes_on and bool(shifted) and shifted == _shifted(*self._done[-1])
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
        """Put the cuts where they were before the last move; no row is changed."""
        return self._take(self._done, self._undone, 0)

    def redo(self) -> Rows:
        """Move the cuts again."""
        return self._take(self._undone, self._done, 1)

    def _take(self, source: list[_Move], target: list[_Move], end: int) -> Rows:
        self._moved = float("-inf")
        if source:
            move = source.pop()
            target.append(move)
            self._put(move[end])
        return np.zeros(0, np.int64)


class KeptThreshold(QObject):
    """Remembers cuts beside the scores that they were chosen for.

    A run that was trained further scores anew, so a threshold for its former scores is forgotten.
    """

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._name = ""
        self._mark = ""
        self._value: Cuts | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CALM_MS)
        self._timer.timeout.connect(self.write)

    def find(self, run: str, folder_key: str, scores: NDArray[np.float32]) -> Cuts | None:
        """Return what was chosen for these scores (N,), if anything was, and keep for them now."""
        self.write()
        self._name = f"threshold/{run}/{folder_key}"
        digest = hashlib.blake2b(np.ascontiguousarray(scores).tobytes(), digest_size=16)
        self._mark = digest.hexdigest()
        kept = self._workspace.setting(self._name, {})
        if kept.get("scores") != self._mark:
            return None
        return Cuts(Thresholds(kept["value"], kept.get("review")), kept.get("contour"))

    def forget(self) -> None:
        """Keep nothing until there are scores again."""
        self.write()
        self._name = ""

    def keep(self, value: Cuts) -> None:
        """Remember cuts; they are written once they stay. Without thresholds there is nothing."""
        if self._name and value.thresholds is not None:
            self._value = value
            self._timer.start()

    def write(self) -> None:
        """Write what is not written yet."""
        self._timer.stop()
        if self._value is not None and self._value.thresholds is not None:
            chosen = self._value.thresholds
            kept = {"value": chosen.fail, "review": chosen.review, "scores": self._mark}
            kept |= {"contour": self._value.contour}
            self._workspace.set_setting(self._name, kept)
            self._value = None
