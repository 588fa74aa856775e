"""Names that the analyst gives to groups of images; kept in the workspace, moved with a folder.

A named group is a tag: it colours the map, filters every view, and its mean is a place in the
latent space.
"""

from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.table import ImageTable
from desktop_app.core.workspace import Workspace
from desktop_app.gui.session import Session

Rows = NDArray[np.int64]

_AT_ONCE = 5000  # images that are written while the window waits
_JOINT = " + "


class Tags(QObject):
    """The tags of the open folder, in rows of the session's table."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._rows: dict[str, Rows] = {}
        self._words: tuple[ImageTable, tuple[str, ...], NDArray[np.int64]] | None = None
        self._table: ImageTable | None = None
        self._number = count()
        session.table_changed.connect(self._load)
        self._load()

    def names(self) -> list[str]:
        """Return the tags that images have, by name."""
        return sorted(self._rows)

    def rows(self, name: str) -> Rows:
        """Return the rows that have a tag, ascending; none where nobody has it."""
        return self._rows.get(name, np.zeros(0, np.int64))

    def put(self, name: str, rows: Rows) -> None:
        """Let exactly these rows have a tag; none takes it away."""
        session, before = self._session, self.rows(name)
        if session.folder is None or not name:
            return
        rows = np.unique(rows).astype(np.int64)
        gone, new = np.setdiff1d(before, rows), np.setdiff1d(rows, before)
        if len(rows):
            self._rows[name] = rows
        else:
            self._rows.pop(name, None)
        self._words = None
        paths = session.table.paths
        work = partial(
            _written,
            session.workspace,
            session.folder.key,
            name,
            [paths[row] for row in gone.tolist()],
            [paths[row] for row in new.tolist()],
        )
        if len(gone) + len(new) <= _AT_ONCE:
            work()
        else:
            session.background.run(f"tag {next(self._number)}", work, lambda _done: None)
        self.changed.emit()

    def words(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Return K words, "" for no tag and "A + B" for several, and which of them each row has."""
        table = self._session.table
        if self._words is None or self._words[0] is not table:
            self._words = (table, *_joined(self._rows, len(table)))
        return self._words[1:]

    def _load(self) -> None:
        session = self._session
        table, folder = session.table, session.folder
        if self._table is not None and np.array_equal(table.ids, self._table.ids):
            self._table = table
            return
        self._table, self._rows, self._words = table, {}, None
        if folder is None or not len(table):
            self.changed.emit()
            return
        key, workspace = folder.key, session.workspace
        session.background.run("tags", lambda: _read(workspace, key, table), self._take)

    def _take(self, rows: dict[str, Rows]) -> None:
        self._rows = rows | self._rows  # what was tagged meanwhile is newer
        self._words = None
        self.changed.emit()


def shared_tags(session: Session) -> Tags:
    """Return the tags of a session; made by whoever asks first."""
    found = session.findChild(Tags)
    return found if isinstance(found, Tags) else Tags(session)


def _read(workspace: Workspace, key: str, table: ImageTable) -> dict[str, Rows]:
    tagged = workspace.tags(key)
    if not tagged:
        return {}
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(table.paths):
        for name in tagged.get(path, ()):
            rows.setdefault(name, []).append(row)
    return {name: np.array(found, np.int64) for name, found in rows.items()}


def _written(workspace: Workspace, key: str, name: str, gone: list[str], new: list[str]) -> None:
    workspace.remove_tag(key, gone, name)
    workspace.add_tag(key, new, name)


def _joined(rows_of: dict[str, Rows], total: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the words of all combinations that occur and the word of each row (N,)."""
    codes = np.zeros(total, np.int64)
    words = [""]
    for name in sorted(rows_of):
        rows = rows_of[name]
        present = np.unique(codes[rows])
        joint = {int(code): len(words) + place for place, code in enumerate(present.tolist())}
        words += [words[code] + _JOINT + name if code else name for code in present.tolist()]
        lookup = np.arange(len(words))
        lookup[list(joint)] = list(joint.values())
        codes[rows] = lookup[codes[rows]]
    used = np.bincount(codes, minlength=len(words)) > 0
    used[0] = True
    number = np.cumsum(used) - 1
    kept = tuple(word for word, on in zip(words, used.tolist(), strict=True) if on)
    return kept, number[codes]
