"""The project folder of an analyst: which folders, which runs, and what was said of images.

    loupe.sqlite   folders, verdicts, tags, notes, images left out of training, regions of interest,
                   settings, runs that lie elsewhere
    runs/          one run folder per training

Image folders are known by their key and what is said of an image by its relative path, so a
folder that moved takes its verdicts along. Each change is on disk when the call returns.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from desktop_app.core.database import reading, stored, writing
from desktop_app.core.images import folder_key
from desktop_app.core.moved import found_again, holds_the_images_of, move_cache
from desktop_app.core.refusals import made_folder, shown
from desktop_app.core.regions import Region, region_from_png
from desktop_app.core.settings import data_dir
from desktop_app.sdk.errors import InvalidInput

DATABASE_NAME = "loupe.sqlite"

Verdict = Literal["normal", "anomalous", "unsure"]
VERDICTS: tuple[Verdict, ...] = ("normal", "anomalous", "unsure")
"""What an analyst can say of an image."""

_MIGRATIONS = (
    """
    CREATE TABLE folders (
        key TEXT PRIMARY KEY, root TEXT NOT NULL, added REAL NOT NULL, opened REAL NOT NULL
    );
    CREATE TABLE former_keys (former TEXT PRIMARY KEY, key TEXT NOT NULL);
    CREATE TABLE outside_runs (path TEXT PRIMARY KEY, added REAL NOT NULL);
    CREATE TABLE verdicts (
        folder TEXT NOT NULL, path TEXT NOT NULL, verdict TEXT NOT NULL, changed REAL NOT NULL,
        PRIMARY KEY (folder, path)
    ) WITHOUT ROWID;
    CREATE TABLE tags (
        folder TEXT NOT NULL, path TEXT NOT NULL, tag TEXT NOT NULL,
        PRIMARY KEY (folder, path, tag)
    ) WITHOUT ROWID;
    CREATE TABLE notes (
        folder TEXT NOT NULL, path TEXT NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (folder, path)
    ) WITHOUT ROWID;
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)
    """,
    """
    CREATE TABLE left_out (
        folder TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (folder, path)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE regions (folder TEXT PRIMARY KEY, png BLOB NOT NULL) WITHOUT ROWID",
)

_ABOUT_FOLDERS = ("verdicts", "tags", "notes", "left_out", "regions")
"""Tables of what was said of a folder and its images, moved along with it."""


@dataclass(frozen=True)
class KnownFolder:
    """An image folder of a workspace."""

    key: str
    root: Path
    opened: float
    """Seconds since 1970 when it was last opened."""
    is_missing: bool
    """True when there is no such folder now: moved, renamed, or on a disk that is not here."""

    @property
    def name(self) -> str:
        """The last part of the path, for titles."""
        return shown(self.root.name or str(self.root))


class Workspace:
    """A project folder; made when it is not there, every method from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        if not self.is_workspace(self.path):
            _require_room_for_workspace(self.path)
        self.runs_dir = made_folder(self.path / "runs")
        self._database = self.path / DATABASE_NAME
        with reading(self._database, _MIGRATIONS):
            pass  # a damaged or newer file is found now, not at the first click

    @staticmethod
    def is_workspace(path: Path) -> bool:
        """Say whether a folder is a workspace."""
        return (path / DATABASE_NAME).is_file()

    @property
    def name(self) -> str:
        """The last part of the path, for titles."""
        return shown(self.path.name)

    # --- folders -------------------------------------------------------------------------------

    def folders(self) -> list[KnownFolder]:
        """Return the image folders, last opened first."""
        with reading(self._database, _MIGRATIONS) as connection:
            rows = connection.execute(
                "SELECT key, root, opened FROM folders ORDER BY opened DESC, root"
            ).fetchall()
        return [
            KnownFolder(key, Path(root), opened, is_missing=not Path(root).is_dir())
            for key, root, opened in rows
        ]

    def folder(self, key: str) -> KnownFolder:
        """Return an image folder by its present or former key; raises InvalidInput."""
        wanted = self._present_key(key)
        for folder in self.folders():
            if folder.key == wanted:
                return folder
        raise InvalidInput(f"The workspace '{self.name}' knows no folder '{key}'. Add it first.")

    def add_folder(self, root: Path) -> str:
        """Take in an image folder, or note that it was opened again; return its key.

        A folder with the content of a missing one is that folder, moved: it is relocated.
        """
        resolved = root.expanduser().resolve()
        if not resolved.is_dir():
            raise InvalidInput(f"Expected a folder of images, '{shown(root)}' is none.")
        key, now = folder_key(resolved), time.time()
        known = {folder.key: folder for folder in self.folders()}
        if key not in known:
            for folder in known.values():
                if folder.is_missing and holds_the_images_of(folder.key, resolved):
                    self.relocate(folder.key, resolved)
                    break
        with writing(self._database, _MIGRATIONS) as connection:
            connection.execute(
                "INSERT INTO folders VALUES (?, CAST(? AS TEXT), ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET opened = excluded.opened",
                (key, stored(str(resolved)), now, now),
            )
        return key

    def forget_folder(self, key: str) -> None:
        """Leave an image folder out of the list; what was said of its images stays."""
        with writing(self._database, _MIGRATIONS) as connection:
            connection.execute("DELETE FROM folders WHERE key = ?", (key,))

    def relocate(self, key: str, new_root: Path, trusting: bool = False) -> str:
        """Say that a folder moved; return its new key.

        Verdicts, tags, notes, images left out, the region and the pixel cache move along. Raises
        InvalidInput when the new place holds other images, unless `trusting`.
        """
        old = self.folder(key)
        resolved = new_root.expanduser().resolve()
        if not resolved.is_dir():
            raise InvalidInput(f"Expected a folder of images, '{shown(new_root)}' is none.")
        new_key = folder_key(resolved)
        if new_key == old.key:
            return new_key
        if not trusting and not holds_the_images_of(old.key, resolved):
            raise InvalidInput(
                f"'{shown(resolved)}' does not hold the images of '{shown(old.root)}'. "
                "Choose the folder to which they were moved."
            )
        self._rename(old, new_key, resolved)
        move_cache(old.key, new_key)
        return new_key

    def find_moved(self, key: str, places: Iterable[Path]) -> Path | None:
        """Search at and below these places for a folder with the content of a missing one."""
        return found_again(self._present_key(key), places)

    def former_keys(self, key: str) -> list[str]:
        """Return the keys a folder had at earlier places; results of runs may bear them."""
        with reading(self._database, _MIGRATIONS) as connection:
            rows = connection.execute("SELECT former FROM former_keys WHERE key = ?", (key,))
            return [former for (former,) in rows]

    # --- runs ----------------------------------------------------------------------------------

    def new_run_dir(self, method_id: str) -> Path:
        """Make an empty folder for a run, named by time and method, and return it."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{method_id}"
        for number in range(1, 10_000):
            path = self.runs_dir / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            except OSError:
                made_folder(path)  # says why
            return path
        raise InvalidInput(f"'{shown(self.runs_dir)}' is full of runs named '{name}'. Tidy it up.")

    def add_run(self, path: Path) -> None:
        """Take in a run folder that lies elsewhere."""
        if path.resolve().parent == self.runs_dir.resolve():
            return
        with writing(self._database, _MIGRATIONS) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO outside_runs VALUES (CAST(? AS TEXT), ?)",
                (stored(str(path.resolve())), time.time()),
            )

    def forget_run(self, path: Path) -> None:
        """Leave a run folder that lies elsewhere out of the list; it stays on disk."""
        with writing(self._database, _MIGRATIONS) as connection:
            connection.execute(
                "DELETE FROM outside_runs WHERE path = CAST(? AS TEXT)",
                (stored(str(path.resolve())),),
            )

    def runs(self) -> list[Path]:
        """Return the run folders that are there, newest first."""
        with reading(self._database, _MIGRATIONS) as connection:
            outside = [
                Path(path) for (path,) in connection.execute("SELECT path FROM outside_runs")
            ]
        started = [
            (spec.stat().st_mtime, spec.parent)
            for path in [*self.runs_dir.iterdir(), *outside]
            if (spec := path / "spec.json").is_file()
        ]
        return [path for _, path in sorted(started, reverse=True)]

    # --- images --------------------------------------------------------------------------------

    def verdicts(self, key: str) -> dict[str, Verdict]:
        """Return relative path -> verdict of the images of a folder that have one."""
        return dict(self._said("SELECT path, verdict FROM verdicts", key))

    def set_verdicts(self, key: str, verdicts: Mapping[str, str]) -> None:
        """Keep verdicts by relative path; "" takes one back."""
        for verdict in set(verdicts.values()):
            if verdict not in ("", *VERDICTS):
                raise InvalidInput(f"No verdict '{verdict}'. Known: {', '.join(VERDICTS)}.")
        now = time.time()
        self._say(
            key,
            "DELETE FROM verdicts WHERE folder = ? AND path = CAST(? AS TEXT)",
            ((path,) for path, verdict in verdicts.items() if not verdict),
        )
        self._say(
            key,
            "INSERT OR REPLACE INTO verdicts VALUES (?, CAST(? AS TEXT), ?, ?)",
            ((path, verdict, now) for path, verdict in verdicts.items() if verdict),
        )

    def tags(self, key: str) -> dict[str, frozenset[str]]:
        """Return relative path -> tags of the images of a folder that have any."""
        tags: dict[str, set[str]] = {}
        for path, tag in self._said("SELECT path, tag FROM tags", key):
            tags.setdefault(path, set()).add(tag)
        return {path: frozenset(names) for path, names in tags.items()}

    def add_tag(self, key: str, paths: Iterable[str], tag: str) -> None:
        """Put a tag on images."""
        statement = "INSERT OR IGNORE INTO tags VALUES (?, CAST(? AS TEXT), ?)"
        self._say(key, statement, ((path, tag) for path in paths))

    def remove_tag(self, key: str, paths: Iterable[str], tag: str) -> None:
        """Take a tag off images."""
        statement = "DELETE FROM tags WHERE folder = ? AND path = CAST(? AS TEXT) AND tag = ?"
        self._say(key, statement, ((path, tag) for path in paths))

    def left_out(self, key: str) -> frozenset[str]:
        """Return the relative paths of the images of a folder that are not trained on."""
        return frozenset(path for (path,) in self._said("SELECT path FROM left_out", key))

    def leave_out(self, key: str, paths: Iterable[str]) -> None:
        """Do not train on images; they are looked at and scored like all others."""
        statement = "INSERT OR IGNORE INTO left_out VALUES (?, CAST(? AS TEXT))"
        self._say(key, statement, ((path,) for path in paths))

    def take_back(self, key: str, paths: Iterable[str]) -> None:
        """Train on images again that were left out."""
        statement = "DELETE FROM left_out WHERE folder = ? AND path = CAST(? AS TEXT)"
        self._say(key, statement, ((path,) for path in paths))

    def notes(self, key: str) -> dict[str, str]:
        """Return relative path -> note of the images of a folder that have one."""
        return dict(self._said("SELECT path, note FROM notes", key))

    def set_note(self, key: str, path: str, note: str) -> None:
        """Keep a note on an image; "" removes it."""
        if note:
            statement = "INSERT OR REPLACE INTO notes VALUES (?, CAST(? AS TEXT), ?)"
            self._say(key, statement, [(path, note)])
        else:
            statement = "DELETE FROM notes WHERE folder = ? AND path = CAST(? AS TEXT)"
            self._say(key, statement, [(path,)])

    def region(self, key: str) -> Region | None:
        """Return the region of interest of a folder, None where all of every image counts."""
        with reading(self._database, _MIGRATIONS) as connection:
            row = connection.execute("SELECT png FROM regions WHERE folder = ?", (key,)).fetchone()
        return None if row is None else region_from_png(row[0])

    def set_region(self, key: str, region: Region | None) -> None:
        """Keep the region of interest of a folder; None: all of every image counts."""
        with writing(self._database, _MIGRATIONS) as connection:
            if region is None:
                connection.execute("DELETE FROM regions WHERE folder = ?", (key,))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO regions VALUES (?, ?)", (key, region.png())
                )

    # --- settings ------------------------------------------------------------------------------

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a plain value kept under a name, or the default."""
        with reading(self._database, _MIGRATIONS) as connection:
            row = connection.execute(
                "SELECT value FROM settings WHERE name = ?", (name,)
            ).fetchone()
        return default if row is None else json.loads(row[0])

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a plain value under a name; None removes it."""
        with writing(self._database, _MIGRATIONS) as connection:
            if value is None:
                connection.execute("DELETE FROM settings WHERE name = ?", (name,))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value))
                )

    # --- helpers -------------------------------------------------------------------------------

    def _present_key(self, key: str) -> str:
        with reading(self._database, _MIGRATIONS) as connection:
            row = connection.execute(
                "SELECT key FROM former_keys WHERE former = ?", (key,)
            ).fetchone()
        return key if row is None else str(row[0])

    def _said(self, query: str, key: str) -> list[Any]:
        with reading(self._database, _MIGRATIONS) as connection:
            return connection.execute(f"{query} WHERE folder = ? ORDER BY path", (key,)).fetchall()

    def _say(self, key: str, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for rows (path, ...) of a folder, all or none of them."""
        with writing(self._database, _MIGRATIONS) as connection:
            connection.executemany(
                statement, ((key, stored(path), *others) for path, *others in rows)
            )

    def _rename(self, old: KnownFolder, new_key: str, new_root: Path) -> None:
        with writing(self._database, _MIGRATIONS) as connection:
            for table in _ABOUT_FOLDERS:
                # What was said at the new place already is newer, and wins.
                connection.execute(
                    f"UPDATE OR IGNORE {table} SET folder = ? WHERE folder = ?", (new_key, old.key)
                )
                connection.execute(f"DELETE FROM {table} WHERE folder = ?", (old.key,))
            connection.execute("DELETE FROM folders WHERE key = ?", (old.key,))
            connection.execute(
                "INSERT OR REPLACE INTO folders VALUES (?, CAST(? AS TEXT), ?, ?)",
                (new_key, stored(str(new_root)), time.time(), time.time()),
            )
            connection.execute("UPDATE former_keys SET key = ? WHERE key = ?", (new_key, old.key))
            connection.execute("DELETE FROM former_keys WHERE former = ?", (new_key,))
            connection.execute("INSERT INTO former_keys VALUES (?, ?)", (old.key, new_key))


def default_workspace() -> Workspace:
    """Return the workspace of those who named none."""
    return Workspace(data_dir() / "workspace")


def _require_room_for_workspace(path: Path) -> None:
    """Raise InvalidInput where a new workspace would lie among other files, such as images."""
    if path.is_dir() and any(path.iterdir()):
        raise InvalidInput(
            f"Expected a workspace or an empty folder, but '{shown(path)}' holds other files. "
            "Name a new folder."
        )
