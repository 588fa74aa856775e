import threading
import time
from collections.abc import Iterator

import pytest

from desktop_app.core.parallel import done_in_threads


def test_every_piece_is_done_once() -> None:
    assert sorted(done_in_threads(lambda piece: piece * 2, range(50), 3)) == list(range(0, 100, 2))


def test_pieces_are_taken_only_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = done_in_threads(lambda piece: piece, endless(), 2)
    for _ in range(10):
        next(results)
    results.close()
    assert taken < 30


def test_an_error_ends_the_work_and_its_threads() -> None:
    def fail(_: int) -> None:
        raise ValueError("no")

    before = threading.active_count()
    with pytest.raises(ValueError, match="no"):
        list(done_in_threads(fail, range(100), 2))
    assert threading.active_count() == before


def test_closing_waits_only_for_what_was_begun() -> None:
    done: list[int] = []

    def work(piece: int) -> int:
        time.sleep(0.01)
        done.append(piece)
        return piece

    results = done_in_threads(work, range(1000), 2)
    next(results)
    results.close()
    assert len(done) < 10
