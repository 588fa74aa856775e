import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from desktop_app.core.database import discard_if_damaged, reading, stored, writing
from desktop_app.sdk.errors import InvalidInput

FIRST = "CREATE TABLE things (name TEXT)"
SECOND = "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7"


def test_an_older_file_is_migrated_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writing(path, (FIRST,)) as connection:
        connection.execute("INSERT INTO things VALUES ('chair')")
    with reading(path, (FIRST, SECOND)) as connection:
        assert connection.execute("SELECT * FROM things").fetchall() == [("chair", 7)]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    with reading(tmp_path / "a.sqlite", (FIRST, SECOND)):
        pass
    with (
        pytest.raises(InvalidInput, match="newer version"),
        reading(tmp_path / "a.sqlite", (FIRST,)),
    ):
        pass


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    def half_done() -> None:
        with writing(tmp_path / "a.sqlite", (FIRST,)) as connection:
            connection.execute("INSERT INTO things VALUES ('chair')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    with reading(tmp_path / "a.sqlite", (FIRST,)) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (0,)


def test_bytes_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    name = "caf\udce9 \udcff 图"
    with writing(tmp_path / "a.sqlite", (FIRST,)) as connection:
        connection.execute("INSERT INTO things VALUES (CAST(? AS TEXT))", (stored(name),))
        row = connection.execute("SELECT name, typeof(name) FROM things").fetchone()
    assert row == (name, "text")


def test_many_threads_may_write_at_once(tmp_path: Path) -> None:
    def write() -> None:
        for _ in range(10):
            with writing(tmp_path / "a.sqlite", (FIRST,)) as connection:
                connection.execute("INSERT INTO things VALUES ('x')")

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(tmp_path / "a.sqlite", (FIRST,)) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (60,)


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writing(path, (FIRST,)) as writer:
        writer.execute("INSERT INTO things VALUES ('x')")
        with reading(path, (FIRST,)) as reader:
            assert reader.execute("SELECT count(*) FROM things").fetchone() == (0,)


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"something else entirely" * 50)
    with pytest.raises(InvalidInput, match="damaged or no database"), reading(path, (FIRST,)):
        pass


def test_only_damaged_files_are_discarded(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.sqlite", tmp_path / "bad.sqlite"
    with closing(sqlite3.connect(good)) as connection:
        connection.execute(FIRST)
    bad.write_bytes(b"something else entirely" * 50)
    for path in (good, bad, tmp_path / "none.sqlite"):
        discard_if_damaged(path)
    assert (good.exists(), bad.exists()) == (True, False)
