"""What a job is told while it runs: pause, resume, stop, checkpoint, preview, look.

Commands arrive over a private pipe from any window that attaches, or straight from the thread that
runs the job. When a window goes away the job checkpoints and carries on.
"""

import queue
import threading
from multiprocessing.connection import Connection, Listener
from typing import Literal, get_args

from desktop_app.core.channel import Address, receive, send
from desktop_app.sdk.errors import WorkerLost

Command = Literal["pause", "resume", "stop", "checkpoint", "preview", "look"]


class Stopped(Exception):
    """The job was told to stop while it did something that leaves nothing to save."""


class Commands:
    """A queue of commands that the job looks at after every event."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def put(self, command: Command) -> None:
        """Tell the job something, from any thread."""
        self._queue.put(command)

    def next(self, timeout: float = 0.0) -> Command | None:
        """Return the oldest command; None when none comes within `timeout` seconds."""
        try:
            return self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait()
        except queue.Empty:
            return None

    def require_no_stop(self) -> None:
        """Raise Stopped when "stop" came; all other commands wait for `next`."""
        waiting: list[Command] = []
        while (command := self.next()) is not None:
            if command == "stop":
                raise Stopped
            waiting.append(command)
        for command in waiting:
            self.put(command)


class CommandServer:
    """Listens at an address and hands on what windows say."""

    def __init__(self, commands: Commands) -> None:
        self.address = Address.new()
        self._commands = commands
        self._listener: Listener = self.address.listen()
        self._closed = threading.Event()
        self._accepting = threading.Thread(target=self._accept, name="command server", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Listen no longer."""
        self._closed.set()
        threading.Thread(target=self.address.knock, daemon=True).start()  # wakes `accept`
        self._accepting.join(timeout=2)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._listener.accept()
            except Exception:  # a stranger without the key, a half-open connection, or the end
                if self._closed.is_set():
                    return
                continue
            if self._closed.is_set():
                connection.close()
                return
            threading.Thread(target=self._follow, args=(connection,), daemon=True).start()

    def _follow(self, connection: Connection) -> None:
        known: dict[str, Command] = {name: name for name in get_args(Command)}
        try:
            while True:
                command = known.get(str(receive(connection).header.get("command")))
                if command is not None:
                    self._commands.put(command)
                send(connection, {"taken": command is not None})
        except WorkerLost:
            self._commands.put("checkpoint")
