"""One order of undo for everything that can be taken back."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class Undoable(Protocol):
    """Remembers its own changes, the last one first."""

    def undo(self) -> Rows:
        """Take the last change back and return its rows."""

    def redo(self) -> Rows:
        """Do again what was taken back last and return its rows."""


class History:
    """Whose turn it is to undo or redo."""

    def __init__(self) -> None:
        self._done: list[Undoable] = []
        self._undone: list[Undoable] = []

    @property
    def can_undo(self) -> bool:
        """Tell whether something can be taken back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Tell whether something that was taken back can be done again."""
        return bool(self._undone)

    def is_last(self, changed: Undoable) -> bool:
        """Tell whether the last change was one of these."""
        return bool(self._done) and self._done[-1] is changed

    def forget(self, changed: Undoable) -> None:
        """Leave out all changes of one kind: what they were about is gone."""
        self._done = [one for one in self._done if one is not changed]
        self._undone = [one for one in self._undone if one is not changed]

    def note(self, changed: Undoable) -> None:
        """Note that something was changed; what was taken back before is forgotten."""
        self._done.append(changed)
        self._undone.clear()

    def undo(self) -> tuple[Undoable, Rows] | None:
        """Take the last change back; return who took it back and its rows."""
        if not self._done:
            return None
        changed = self._done.pop()
        self._undone.append(changed)
        return changed, changed.undo()

    def redo(self) -> tuple[Undoable, Rows] | None:
        """Do the last change again that was taken back; return whose it was and its rows."""
        if not self._undone:
            return None
        changed = self._undone.pop()
        self._done.append(changed)
        return changed, changed.redo()
