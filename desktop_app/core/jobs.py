"""Running jobs: in a worker process, or on a background thread with the same interface.

A handle speaks with whoever works on a job folder: a process started here, one that an earlier
window left running, or a thread of this process.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import psutil

from desktop_app.core.channel import receive, send
from desktop_app.core.locks import Lock
from desktop_app.core.runs import JobFolder
from desktop_app.sdk.errors import WorkerLost

STOP_SECONDS = 10.0
"""How long a worker may take to its next event after "stop", before it is terminated."""
TERMINATE_SECONDS = 5.0
"""How long a terminated worker may take to end, before its process tree is killed."""
_REPLY_SECONDS = 5.0


class CommandQueue(Protocol):
    """Takes commands for a job on a thread."""

    def put(self, command: str) -> None:
        """Tell the job something."""


class Handle(Protocol):
    """Whoever works on a job."""

    def is_alive(self) -> bool:
        """Tell whether the work goes on."""

    def exit_code(self) -> int | None:
        """Return the code the process ended with; None while it runs or when unknown."""

    def tell(self, command: str) -> None:
        """Say pause, resume, stop, checkpoint or preview. Raises WorkerLost when nobody listens."""

    def terminate(self) -> bool:
        """Ask the system to end the process; False when there is none to end."""

    def kill(self) -> bool:
        """End the process and its children at once; False when there is none to end."""

    def close(self) -> None:
        """Let go of the work, which goes on."""


class Runner(Protocol):
    """Starts jobs."""

    def start(self, job: JobFolder) -> Handle:
        """Start the work on a job folder."""


class ProcessRunner:
    """Starts a worker process for each job; it outlives this one."""

    def start(self, job: JobFolder) -> Handle:
        """Start a process whose output goes to the job folder's log."""
        command = [sys.executable, "-m", "desktop_app", "worker", str(job.path)]
        with job.log_path.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=True,
                **_detached(),  # type: ignore[call-overload]
            )
        _outliving[:] = [*(known for known in _outliving if known.poll() is None), process]
        return ProcessHandle(job, process)


_outliving: "list[subprocess.Popen[bytes]]" = []
"""Workers started here: they may outlive their handles, and are waited for when they have ended."""


class ThreadRunner:
    """Runs each job on a background thread of this process, for debugging and for tests."""

    def __init__(
        self, work: Callable[[Path, CommandQueue], object], commands: Callable[[], CommandQueue]
    ) -> None:
        """`work` does a job to its end; `commands` makes the queue it listens to."""
        self._work = work
        self._commands = commands

    def start(self, job: JobFolder) -> Handle:
        """Start a thread."""
        commands = self._commands()
        thread = threading.Thread(
            target=self._work, args=(job.path, commands), name=f"job {job.path.name}", daemon=True
        )
        thread.start()
        return ThreadHandle(thread, commands)


class ProcessHandle:
    """A worker process, started here or found running."""

    def __init__(self, job: JobFolder, process: "subprocess.Popen[bytes] | Lock") -> None:
        self._job = job
        self._process = process
        self._connection: Connection | None = None

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        if isinstance(self._process, Lock):
            return self._process.is_alive()
        return self._process.poll() is None

    def exit_code(self) -> int | None:
        """Return the code the process ended with; None for one that was not started here."""
        return None if isinstance(self._process, Lock) else self._process.poll()

    def tell(self, command: str) -> None:
        """Say something over the pipe that the worker listens at."""
        connection = self._connected()
        try:
            send(connection, {"command": command})
            if not connection.poll(_REPLY_SECONDS):
                raise WorkerLost(f"The worker did not take '{command}' within {_REPLY_SECONDS} s.")
            receive(connection)
        except WorkerLost:
            self.close()
            raise

    def terminate(self) -> bool:
        """Ask the process to end."""
        return self._each(lambda process: process.terminate(), children=False)

    def kill(self) -> bool:
        """End the process and its children."""
        return self._each(lambda process: process.kill(), children=True)

    def close(self) -> None:
        """Close the pipe: the worker checkpoints and goes on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            owner = self._job.owner()
            if owner is None:
                raise WorkerLost("The worker has not started to listen yet, or has ended.")
            self._connection = owner.control().connect()
        return self._connection

    def _each(self, act: Callable[[psutil.Process], None], *, children: bool) -> bool:
        if not self.is_alive():
            return False
        try:
            process = psutil.Process(self._process.pid)
            family = [*process.children(recursive=True), process] if children else [process]
        except psutil.Error:
            return False
        for member in family:
            try:
                act(member)
            except psutil.NoSuchProcess:
                continue
        return True


class ThreadHandle:
    """A job on a thread of this process; it can be told to stop, but not be ended."""

    def __init__(self, thread: threading.Thread, commands: CommandQueue) -> None:
        self._thread = thread
        self._commands = commands

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def exit_code(self) -> int | None:
        """Return 0 once the thread has ended."""
        return None if self._thread.is_alive() else 0

    def tell(self, command: str) -> None:
        """Put something in the job's queue."""
        self._commands.put(command)

    def terminate(self) -> bool:
        """Return False: a thread cannot be ended from outside."""
        return False

    def kill(self) -> bool:
        """Return False: a thread cannot be ended from outside."""
        return False

    def close(self) -> None:
        """Let the job checkpoint and go on."""
        self._commands.put("checkpoint")


def running_handle(job: JobFolder) -> Handle | None:
    """Return a handle to the process that works on a job already; None when there is none."""
    owner = job.owner()
    if owner is None or owner.pid == os.getpid():
        return None
    return ProcessHandle(job, owner)


def worker_threads() -> int:
    """Return torch's threads for a worker beside a window: one core belongs to the window."""
    return max(1, (os.cpu_count() or 2) - 1)


def _detached() -> dict[str, object]:
    """Return what keeps a worker alive when the window, or its terminal, is closed."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
