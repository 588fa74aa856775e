"""One way to open an SQLite file: write-ahead log, patience, schema version, honest errors.

Every call opens its own connection, so threads and processes need to know nothing of each other;
opening costs less than a millisecond. Text may hold any file name: bytes that are no UTF-8 are
kept as Python's surrogate escapes.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from desktop_app.core.refusals import made_folder, shown
from desktop_app.sdk.errors import InvalidInput

PATIENCE = 30.0  # seconds to wait for another process that is writing


@contextmanager
def reading(path: Path, migrations: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """Yield a connection for queries; several statements may see different states."""
    with _sentences(path), closing(_connection(path, migrations)) as connection:
        yield connection


@contextmanager
def writing(path: Path, migrations: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside one transaction: all of the block is kept, or nothing."""
    with _sentences(path), closing(_connection(path, migrations)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def discard_if_damaged(path: Path) -> None:
    """Remove a database that cannot be read, when its content can be made again."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # locked, or no permission: nothing is known
        return
    except sqlite3.DatabaseError:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)


def stored(text: str) -> bytes:
    """Return a text as it is bound in SQL, to be put between CAST( AS TEXT)."""
    return text.encode("utf-8", "surrogateescape")


def _restored(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _connection(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    if not path.parent.is_dir():
        made_folder(path.parent)
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        connection.text_factory = _restored
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")
        if _version(connection) != len(migrations):
            _migrate(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Bring a file to the newest version: migration i leads from version i to i + 1."""
    if _version(connection) > len(migrations):
        raise InvalidInput(
            f"'{shown(path)}' was written by a newer version of Loupe "
            f"(version {_version(connection)}, this one knows {len(migrations)}). Update Loupe."
        )
    _use_write_ahead_log(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_version(connection), len(migrations)):
            for statement in migrations[version].split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL; the switch does not wait by itself while others open the file."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


_ERRORS = (
    ("full", "the disk is full. Free some space and try again"),
    ("locked", f"another program kept it busy for {PATIENCE:.0f} seconds. Close it and try again"),
    ("readonly", "it may not be written. Change its permissions"),
    ("unable to open", "the file may not be opened. Check that its folder can be written"),
    ("disk I/O", "the disk reports an error"),
    ("not a database", "the file is damaged or no database"),
    ("malformed", "the file is damaged"),
)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        for words, reason in _ERRORS:
            if words in str(error):
                raise InvalidInput(f"Cannot use '{shown(path)}': {reason}.") from error
        raise
