"""Ctrl-C and the system's request to end, as a wish to stop at the next event."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from desktop_app.worker.commands import Commands


@contextmanager
def stopped_by_interrupt(commands: Commands) -> Iterator[None]:
    """Turn the first interrupt into "stop", which saves; a second one ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        commands.put("stop")
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
