"""The threshold that the analyst chose for a run on a folder, kept in the workspace."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from desktop_app.core.workspace import Workspace

_CALM_MS = 400  # without a move before it is written: a dragged line would write all the time


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
