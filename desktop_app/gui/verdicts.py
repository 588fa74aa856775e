"""The analyst's verdicts on the images of a folder, with undo; kept in the workspace at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.table import ImageTable
from desktop_app.core.workspace import Workspace

NAMES = ("", "normal", "anomalous", "unsure")

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Change:
    rows: NDArray[np.int64]
    before: Codes
    after: Codes


class Verdicts:
    """Codes (N,) beside a table: 0 none, 1 normal, 2 anomalous, 3 unsure."""

    def __init__(self, workspace: Workspace, folder_key: str, table: ImageTable) -> None:
        self._workspace = workspace
        self._key = folder_key
        self._table = table
        self._done: list[_Change] = []
        self._undone: list[_Change] = []
        said = workspace.verdicts(folder_key) if folder_key else {}
        codes = {name: code for code, name in enumerate(NAMES)}
        self.codes: Codes = np.array(
            [codes.get(said.get(path, ""), 0) for path in table.paths]
            if said
            else [0] * len(table),
            dtype=np.uint8,
        )

    @property
    def can_undo(self) -> bool:
        """Tell whether something can be taken back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Tell whether something that was taken back can be done again."""
        return bool(self._undone)

    def set(self, rows: NDArray[np.int64], code: int) -> None:
        """Judge images."""
        change = _Change(rows, self.codes[rows].copy(), np.full(len(rows), code, np.uint8))
        self._undone.clear()
        self._done.append(change)
        self._apply(change.rows, change.after)

    def undo(self) -> NDArray[np.int64]:
        """Take the last change back and return its rows; none when there is nothing to undo."""
        if not self._done:
            return np.zeros(0, np.int64)
        change = self._done.pop()
        self._undone.append(change)
        self._apply(change.rows, change.before)
        return change.rows

    def redo(self) -> NDArray[np.int64]:
        """Do again what was taken back last and return its rows."""
        if not self._undone:
            return np.zeros(0, np.int64)
        change = self._undone.pop()
        self._done.append(change)
        self._apply(change.rows, change.after)
        return change.rows

    def _apply(self, rows: NDArray[np.int64], codes: Codes) -> None:
        self.codes[rows] = codes
        paths = self._table.paths
        self._workspace.set_verdicts(
            self._key,
            {
                paths[row]: NAMES[code]
                for row, code in zip(rows.tolist(), codes.tolist(), strict=True)
            },
        )
