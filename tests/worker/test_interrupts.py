import os
import signal
import threading
from collections.abc import Iterator

import pytest

from desktop_app.worker.commands import Commands
from desktop_app.worker.interrupts import stopped_by_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_becomes_the_wish_to_stop(number: signal.Signals) -> None:
    commands = Commands()

    with stopped_by_interrupt(commands):
        os.kill(os.getpid(), number)

    assert commands.next() == "stop"


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let interrupts raise KeyboardInterrupt, also where a shell in the background ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_a_second_interrupt_ends_at_once() -> None:
    commands = Commands()

    with stopped_by_interrupt(commands):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_of_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    with stopped_by_interrupt(Commands()):
        assert signal.getsignal(signal.SIGTERM) is not before[1]

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_job_on_another_thread_leaves_the_handlers_alone() -> None:
    seen: list[object] = []

    def job() -> None:
        with stopped_by_interrupt(Commands()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=job)
    thread.start()
    thread.join()

    assert seen == [signal.getsignal(signal.SIGINT)]
