"""Images that are left out of training: a mask with undo, kept in the workspace, never a deletion.

They stay in the folder and in every view, and are looked at and scored like all others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.table import ImageTable
from desktop_app.core.workspace import Workspace

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

Aside = Callable[[str, Callable[[], None]], None]
"""Does work of this name behind the window."""

_AT_ONCE = 500  # paths that are written while the window waits


@dataclass(frozen=True)
class _Change:
    rows: Rows
    """Those whose state changed."""
    out: bool


class LeftOut:
    """Which rows of a table are left out of training."""

    def __init__(
        self, workspace: Workspace, folder_key: str, table: ImageTable, aside: Aside
    ) -> None:
        self._workspace = workspace
        self._key = folder_key
        self._table = table
        self._aside = aside
        self._number = count()
        self._done: list[_Change] = []
        self._undone: list[_Change] = []
        said = workspace.left_out(folder_key) if folder_key else frozenset()
        self.mask: Mask = (
            np.fromiter((path in said for path in table.paths), np.bool_, len(table))
            if said
            else np.zeros(len(table), np.bool_)
        )

    @property
    def paths(self) -> list[str]:
        """The images that are left out, by path."""
        return [self._table.paths[row] for row in np.flatnonzero(self.mask).tolist()]

    def set(self, rows: Rows, out: bool) -> bool:
        """Leave rows out, or take them back; False when they are so already."""
        rows = np.unique(rows).astype(np.int64)
        changed = rows[self.mask[rows] != out]
        if not len(changed):
            return False
        self._undone.clear()
        self._done.append(_Change(changed, out))
        self._apply(changed, out)
        return True

    def undo(self) -> Rows:
        """Take the last change back and return its rows; none when there is nothing to undo."""
        if not self._done:
            return np.zeros(0, np.int64)
        change = self._done.pop()
        self._undone.append(change)
        self._apply(change.rows, not change.out)
        return change.rows

    def redo(self) -> Rows:
        """Do again what was taken back last and return its rows."""
        if not self._undone:
            return np.zeros(0, np.int64)
        change = self._undone.pop()
        self._done.append(change)
        self._apply(change.rows, change.out)
        return change.rows

    def _apply(self, rows: Rows, out: bool) -> None:
        self.mask[rows] = out
        paths = [self._table.paths[row] for row in rows.tolist()]
        write = self._workspace.leave_out if out else self._workspace.take_back

        def work() -> None:
            write(self._key, paths)

        if len(paths) <= _AT_ONCE:
            work()
        else:
            self._aside(f"left out {next(self._number)}", work)
