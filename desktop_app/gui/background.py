"""Work behind the window whose outcome comes back on the window's thread."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from desktop_app.sdk.errors import LoupeError

T = TypeVar("T")


class Background(QObject):
    """A few threads; each piece of work has a name, and a newer one of that name overtakes it."""

    failed = Signal(str)
    """A sentence about work that went wrong."""
    _done = Signal(str, int, object)

    def __init__(self, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")
        self._numbers: dict[str, int] = {}
        self._closed = False
        self._done.connect(self._deliver)

    def run(self, name: str, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do some work and hand its result to `then`, unless newer work of this name was begun.

        After `close` nothing is done: panels of a closed window may still be asking.
        """
        if self._closed:
            return
        number = self._numbers[name] = self._numbers.get(name, 0) + 1

        def act() -> None:
            if self._closed or self._numbers[name] != number:
                return
            outcome: Future[T] = Future()
            try:
                outcome.set_result(work())
            except Exception as problem:  # told to the analyst on the window's thread
                outcome.set_exception(problem)
            if not self._closed:
                self._done.emit(name, number, (outcome, then))

        self._pool.submit(act)

    def close(self) -> None:
        """Finish what runs and forget the rest."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, name: str, number: int, delivery: tuple[Any, Any]) -> None:
        outcome, then = delivery
        if self._closed or self._numbers[name] != number:
            return
        problem = outcome.exception()
        if isinstance(problem, LoupeError | OSError):
            self.failed.emit(str(problem))
        elif problem is not None:
            raise problem
        else:
            then(outcome.result())
