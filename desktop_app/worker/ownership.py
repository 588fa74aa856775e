"""One process works on a job folder at a time, listens for commands, and continues its events."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desktop_app.core.locks import release_lock, take_lock
from desktop_app.core.runs import JobFolder, Run
from desktop_app.core.states import read_about
from desktop_app.worker.commands import Commands, CommandServer
from desktop_app.worker.listeners import with_listeners
from desktop_app.worker.narrator import Narrator, Observer


@contextmanager
def owned(job: JobFolder, commands: Commands) -> Iterator[None]:
    """Own a job folder and take commands for it.

    Raises LoupeError when another process works there.
    """
    server = CommandServer(commands)
    try:
        take_lock(job.lock_path, server.address)
        try:
            yield
        finally:
            release_lock(job.lock_path)
    finally:
        server.close()


@contextmanager
def continued(run: Run, observe: Observer) -> Iterator[tuple[Narrator, Path | None]]:
    """Give a narrator and the checkpoint to continue from, if any.

    Events after that checkpoint are cut off: they come again.
    """
    checkpoint = run.latest_checkpoint()
    about = read_about(checkpoint) if checkpoint is not None else {"events": 0, "elapsed": 0.0}
    with Narrator(
        run,
        with_listeners(run.path, observe),
        size=int(about["events"]),
        elapsed=float(about["elapsed"]),
    ) as narrator:
        yield narrator, checkpoint
