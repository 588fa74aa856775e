"""What Pillow warns about while one file is read, as a list of sentences instead of output.

Images are decoded in several threads and `warnings.catch_warnings` is not made for threads, so
all readers share one catch: the first to come installs it, the last to go removes it, and every
thread hears only what concerns its own file. Warnings of others pass through untouched.
"""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def heard_complaints() -> Iterator[list[str]]:
    """Yield a list that receives what Pillow warns about in this thread, in order."""
    heard: list[str] = []
    _catch.enter()
    _thread.heard = heard
    try:
        yield heard
    finally:
        _thread.heard = None
        _catch.leave()


class _Thread(threading.local):
    heard: list[str] | None = None


class _SharedCatch:
    """One `catch_warnings` for all threads that are reading at this moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._caught = warnings.catch_warnings()
        self._show: Callable[..., None] = warnings.showwarning

    def enter(self) -> None:
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                self._show = warnings.showwarning
                warnings.filterwarnings("always", module=r"PIL(\.|$)")
                warnings.showwarning = self._listen

    def leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._caught.__exit__(None, None, None)

    def _listen(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if _thread.heard is None:
            self._show(message, category, filename, lineno, file, line)
        else:
            _thread.heard.append(str(message))


_thread = _Thread()
_catch = _SharedCatch()
