import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from desktop_app.core.channel import Address
from desktop_app.core.files import write_json
from desktop_app.core.locks import Lock, read_lock, release_lock, take_lock
from desktop_app.sdk.errors import LoupeError


def test_a_lock_names_this_process_and_where_it_listens(tmp_path: Path) -> None:
    address = Address.new()

    take_lock(tmp_path / "run.lock", address)

    lock = read_lock(tmp_path / "run.lock")
    assert lock is not None
    assert lock.pid == os.getpid()
    assert lock.is_alive()
    assert lock.control() == address


def test_only_the_analyst_may_read_the_key_in_a_lock(tmp_path: Path) -> None:
    take_lock(tmp_path / "run.lock", Address.new())

    assert (tmp_path / "run.lock").stat().st_mode & 0o077 == 0


def test_a_second_owner_is_refused_even_in_the_same_process(tmp_path: Path) -> None:
    take_lock(tmp_path / "run.lock", Address.new())
    before = read_lock(tmp_path / "run.lock")

    with pytest.raises(LoupeError, match=r"is working on .*: stop it first, or wait for it"):
        take_lock(tmp_path / "run.lock", Address.new())

    assert read_lock(tmp_path / "run.lock") == before


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    take_lock(tmp_path / "run.lock", Address.new())
    release_lock(tmp_path / "run.lock")
    release_lock(tmp_path / "run.lock")

    take_lock(tmp_path / "run.lock", Address.new())


def test_the_lock_of_a_process_that_ended_is_taken_over(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(process.pid).create_time()
    process.wait()
    write_json(tmp_path / "run.lock", asdict(Lock(process.pid, started, "nowhere", "00")))

    take_lock(tmp_path / "run.lock", Address.new())

    lock = read_lock(tmp_path / "run.lock")
    assert lock is not None
    assert lock.pid == os.getpid()


def test_a_process_number_that_is_used_again_is_no_owner() -> None:
    started = psutil.Process().create_time()

    assert Lock(os.getpid(), started, "", "").is_alive()
    assert not Lock(os.getpid(), started - 100, "", "").is_alive()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"pid": 1}', b"[1]", b"\xff"])
def test_a_damaged_lock_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.lock").write_bytes(content)

    assert read_lock(tmp_path / "run.lock") is None
    take_lock(tmp_path / "run.lock", Address.new())
