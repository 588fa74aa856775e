"""The index of an image folder: one row per image in an SQLite file.

Listing fills paths, sizes, times, labels, splits and masks; probing adds what only the content
tells. Ids are never used twice, so a pixel cache may use them as row numbers.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.database import discard_if_damaged, reading, stored, writing
from desktop_app.core.decoding import Examination
from desktop_app.core.table import ImageTable, fingerprints

_MIGRATIONS = (
    """
    CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        label TEXT NOT NULL,
        split TEXT NOT NULL,
        mask TEXT NOT NULL,
        probed INTEGER NOT NULL DEFAULT 0,
        content_hash BLOB,
        width INTEGER NOT NULL DEFAULT 0,
        height INTEGER NOT NULL DEFAULT 0,
        mode TEXT NOT NULL DEFAULT '',
        channels INTEGER NOT NULL DEFAULT 0,
        problem TEXT NOT NULL DEFAULT '',
        remark TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX unprobed ON images (id) WHERE probed = 0;
    CREATE INDEX by_content ON images (content_hash);
    CREATE TABLE folder_problems (path TEXT PRIMARY KEY, problem TEXT NOT NULL)
    """,
)

_FOUND = """
    CREATE TEMP TABLE found (
        path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, label TEXT, split TEXT, mask TEXT
    ) WITHOUT ROWID
"""

_CHANGED = "(images.size, images.mtime_ns) <> (found.size, found.mtime_ns)"

_COLUMNS = "id, path, label, split, mask, problem, remark, width, height, channels, size, mtime_ns"

_READ_AT_ONCE = 20_000


@dataclass(frozen=True)
class ListedImage:
    """An image file as the walk found it."""

    path: str
    """POSIX path relative to the folder."""
    size: int
    mtime_ns: int
    label: str
    split: str
    mask: str


@dataclass(frozen=True)
class Unprobed:
    """An image whose content is not known yet."""

    image_id: int
    path: str
    size: int
    mtime_ns: int


class Index:
    """The database of one folder; every method is one short transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        discard_if_damaged(path)

    def update(
        self, images: Iterable[ListedImage], folder_problems: Mapping[str, str], root: Path
    ) -> list[int]:
        """Make the index equal to a listing; return the ids whose content changed or is gone.

        What is unchanged keeps all that is known of it, except that problems are looked at anew.
        """
        with writing(self.path, _MIGRATIONS) as connection:
            connection.execute(_FOUND)
            connection.executemany(
                "INSERT OR IGNORE INTO found VALUES"
                " (CAST(? AS TEXT), ?, ?, CAST(? AS TEXT), ?, CAST(? AS TEXT))",
                map(_found_row, images),
            )
            stale = _ids(
                connection, "DELETE FROM images WHERE path NOT IN (SELECT path FROM found)"
            )
            stale += _ids(
                connection,
                "UPDATE images SET size = found.size, mtime_ns = found.mtime_ns, probed = 0,"
                " content_hash = NULL, width = 0, height = 0, mode = '', channels = 0,"
                " problem = '', remark = ''"
                f" FROM found WHERE images.path = found.path AND {_CHANGED}",
            )
            connection.execute(
                "UPDATE images SET label = found.label, split = found.split, mask = found.mask"
                " FROM found WHERE images.path = found.path"
                " AND (images.label, images.split, images.mask)"
                " <> (found.label, found.split, found.mask)"
            )
            connection.execute("UPDATE images SET probed = 0 WHERE problem <> ''")
            connection.execute(
                "INSERT INTO images (path, size, mtime_ns, label, split, mask)"
                " SELECT * FROM found WHERE path NOT IN (SELECT path FROM images) ORDER BY path"
            )
            connection.execute("DROP TABLE found")
            connection.execute("DELETE FROM folder_problems")
            connection.executemany(
                "INSERT INTO folder_problems VALUES (CAST(? AS TEXT), ?)",
                ((stored(path), problem) for path, problem in folder_problems.items()),
            )
            connection.execute(
                "INSERT OR REPLACE INTO about VALUES ('root', CAST(? AS TEXT))",
                (stored(str(root)),),
            )
        return stale

    def table(self) -> ImageTable:
        """Return all images, sorted by path."""
        with reading(self.path, _MIGRATIONS) as connection:
            cursor = connection.execute(f"SELECT {_COLUMNS} FROM images ORDER BY path")
            return _table_of(_chunks(cursor))

    def problems(self) -> list[tuple[str, str]]:
        """Return (path, reason) of every image in quarantine and every folder not listed."""
        with reading(self.path, _MIGRATIONS) as connection:
            return connection.execute(
                "SELECT path, problem FROM folder_problems"
                " UNION ALL SELECT path, problem FROM images WHERE problem <> '' ORDER BY path"
            ).fetchall()

    def count_unprobed(self) -> int:
        """Return how many images were not looked into yet."""
        with reading(self.path, _MIGRATIONS) as connection:
            row = connection.execute("SELECT count(*) FROM images WHERE probed = 0").fetchone()
        return int(row[0])

    def unprobed(self) -> Iterator[Unprobed]:
        """Yield the images that were not looked into yet, each once, a page of rows at a time."""
        last = 0
        while True:
            with reading(self.path, _MIGRATIONS) as connection:
                rows = connection.execute(
                    "SELECT id, path, size, mtime_ns FROM images"
                    " WHERE probed = 0 AND id > ? ORDER BY id LIMIT 2000",
                    (last,),
                ).fetchall()
            if not rows:
                return
            yield from (Unprobed(*row) for row in rows)
            last = rows[-1][0]

    def record(self, results: Sequence[tuple[Unprobed, Examination | str]]) -> None:
        """Keep what the probe found: an examination, or the reason for quarantine.

        Files that changed meanwhile are left for the next probe.
        """
        with writing(self.path, _MIGRATIONS) as connection:
            connection.executemany(
                "UPDATE images SET probed = 1, content_hash = ?, width = ?, height = ?, mode = ?,"
                " channels = ?, problem = ?, remark = ? WHERE id = ? AND size = ? AND mtime_ns = ?",
                (
                    (*_examined(result), image.image_id, image.size, image.mtime_ns)
                    for image, result in results
                ),
            )

    def quarantine(self, reasons: Mapping[int, str]) -> None:
        """Mark images, by id, as unusable for these reasons."""
        with writing(self.path, _MIGRATIONS) as connection:
            connection.executemany(
                "UPDATE images SET problem = ? WHERE id = ?",
                ((reason, image_id) for image_id, reason in reasons.items()),
            )

    def content_hashes(self, limit: int) -> dict[str, bytes]:
        """Return path -> content hash of at most `limit` images, spread over the folder."""
        query = "FROM images WHERE content_hash IS NOT NULL"
        with reading(self.path, _MIGRATIONS) as connection:
            count = connection.execute(f"SELECT count(*) {query}").fetchone()[0]
            step = max(count // limit, 1)
            rows = connection.execute(
                "SELECT path, content_hash FROM"
                f" (SELECT path, content_hash, row_number() OVER (ORDER BY path) AS number {query})"
                " WHERE (number - 1) % ? = 0 LIMIT ?",
                (step, limit),
            ).fetchall()
        return dict(rows)


def _found_row(image: ListedImage) -> tuple[bytes, int, int, bytes, str, bytes]:
    return (
        stored(image.path),
        image.size,
        image.mtime_ns,
        stored(image.label),
        image.split,
        stored(image.mask),
    )


def _ids(connection: sqlite3.Connection, statement: str) -> list[int]:
    return list(chain.from_iterable(connection.execute(f"{statement} RETURNING images.id")))


def _examined(result: Examination | str) -> tuple[bytes | None, int, int, str, int, str, str]:
    if isinstance(result, str):
        return None, 0, 0, "", 0, result, ""
    return (
        result.content_hash,
        result.width,
        result.height,
        result.mode,
        result.channels,
        "",
        result.remark,
    )


def _chunks(cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(_READ_AT_ONCE):
        yield rows


def _table_of(chunks: Iterator[list[tuple[Any, ...]]]) -> ImageTable:
    """Return rows as columns, turning each chunk into arrays before the next is read."""
    texts: list[list[str]] = [[] for _ in range(6)]
    numbers: list[NDArray[np.int64]] = []
    for rows in chunks:
        columns = list(zip(*rows, strict=True))
        texts[0] += columns[1]
        for text, column in zip(texts[1:], columns[2:7], strict=True):
            text += map(intern, column)  # few different values: a million rows share them
        numbers.append(np.array([columns[0], *columns[7:]], dtype=np.int64))
    ids, widths, heights, channels, sizes, mtimes = (
        np.concatenate(numbers, axis=1) if numbers else np.zeros((6, 0), np.int64)
    )
    paths, labels, splits, masks, problems, remarks = texts
    return ImageTable(
        ids=ids,
        paths=paths,
        labels=labels,
        splits=splits,
        masks=masks,
        problems=problems,
        remarks=remarks,
        widths=widths.astype(np.int32),
        heights=heights.astype(np.int32),
        channels=channels.astype(np.int8),
        fingerprints=fingerprints(sizes, mtimes),
        sizes=sizes,
    )
