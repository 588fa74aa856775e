"""The window's line to a worker that holds one trained method.

Questions are sent at once and answered on the window's thread; a newer question of a kind overtakes
an older one. The worker starts with the first question and ends with the window.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.channel import Address, Message, receive, send
from desktop_app.core.jobs import worker_threads
from desktop_app.gui.i18n import tr
from desktop_app.sdk.errors import WorkerLost

Answer = Callable[[dict[str, Any], Mapping[str, NDArray[Any]]], None]
Refused = Callable[[str], None]
"""Is told why there is no answer."""

_CONNECT_SECONDS = 120.0


class Inference(QObject):
    """Asks the method of one run about images of one folder."""

    ready_changed = Signal()
    failed = Signal(str)
    _arrived = Signal(object, object)
    """Desk and message, from the reading thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.ready = False
        self._target: tuple[Path, Path] | None = None
        self._desk: _Desk | None = None
        self._answers: dict[str, tuple[int, Answer, Refused | None]] = {}
        self._number = 0
        self._arrived.connect(self._take)

    def use(self, run: Path | None, folder: Path | None) -> None:
        """Hold another run's method from the next question on."""
        target = (run, folder) if run is not None and folder is not None else None
        if target != self._target:
            self.close()
            self._target = target

    def request(
        self,
        kind: str,
        header: dict[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        answer: Answer,
        refused: Refused | None = None,
    ) -> None:
        """Ask; `answer` gets header and arrays, unless a newer question of this kind came.

        What goes wrong is told to `refused`, or else by `failed`.
        """
        if self._target is None:
            self.failed.emit(tr("Open a trained run first."))
            return
        if self._desk is None:
            self._desk = _Desk(*self._target, self._arrived)
        self._number += 1
        self._answers[kind] = (self._number, answer, refused)
        self._desk.ask(header | {"kind": kind, "number": self._number}, dict(arrays))

    def withdraw(self, kind: str) -> None:
        """Take a question back that nobody waits for any more."""
        self._answers.pop(kind, None)
        if self._desk is not None:
            self._desk.withdraw(kind)

    def close(self) -> None:
        """End the worker."""
        self._answers.clear()
        if self._desk is not None:
            self._desk.close()
            self._desk = None
        if self.ready:
            self.ready = False
            self.ready_changed.emit()

    def _take(self, desk: "_Desk", message: Message) -> None:
        if desk is not self._desk:
            return
        header = message.header
        if header["kind"] == "ready":
            self.ready = True
            self.ready_changed.emit()
        elif header["kind"] == "failed":
            waiting = [refused for _number, _answer, refused in self._answers.values()]
            self.close()
            self.failed.emit(header["problem"])
            for refused in filter(None, waiting):
                refused(header["problem"])
        else:
            self._deliver(header, message.arrays)

    def _deliver(self, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        asked = self._answers.get(header["kind"])
        if asked is None or asked[0] != header["number"] or header.get("superseded"):
            return
        _number, answer, refused = self._answers.pop(header["kind"])
        if "problem" in header:
            (refused or self.failed.emit)(header["problem"])
        else:
            answer(header, arrays)


class _Desk:
    """A serving worker and the threads that talk to it."""

    def __init__(self, run: Path, folder: Path, arrived: Any) -> None:
        self._arrived = arrived
        self._waiting: list[tuple[dict[str, Any], dict[str, NDArray[Any]]]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        threading.Thread(target=self._talk, args=(run, folder), daemon=True).start()

    def ask(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Send a question as soon as the worker listens; it replaces one of its kind that waits."""
        with self._changed:
            kind = header["kind"]
            self._waiting = [item for item in self._waiting if item[0]["kind"] != kind]
            self._waiting.append((header, arrays))
            self._changed.notify()

    def withdraw(self, kind: str) -> None:
        """Forget a question that waits."""
        with self._changed:
            self._waiting = [item for item in self._waiting if item[0]["kind"] != kind]

    def close(self) -> None:
        """End the worker."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=5)

    def _talk(self, run: Path, folder: Path) -> None:
        try:
            connection = self._connected(run, folder)
            if connection is None:
                return
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._waiting)
                    if self._closed:
                        return
                    header, arrays = self._waiting.pop(0)
                send(connection, header, arrays)
        except (WorkerLost, OSError) as problem:
            self._tell(Message({"kind": "failed", "problem": str(problem)}))

    def _connected(self, run: Path, folder: Path) -> Connection | None:
        address = Address.new()
        command = [sys.executable, "-m", "desktop_app", "serve", str(run), str(folder)]
        command += ["--address", address.path, "--threads", str(worker_threads())]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._process = process
        if process.stdin is not None:
            process.stdin.write(address.key.encode() + b"\n")
            process.stdin.close()
        deadline = time.monotonic() + _CONNECT_SECONDS
        while time.monotonic() < deadline and not self._closed:
            if process.poll() is not None:
                raise WorkerLost(tr("The worker ended with code {n}.", n=process.returncode))
            if os.name == "nt" or Path(address.path).exists():
                try:
                    self._connection = address.connect()
                except WorkerLost:
                    time.sleep(0.05)
                    continue
                return self._connection
            time.sleep(0.05)
        return None

    def _listen(self, connection: Connection) -> None:
        try:
            while True:
                self._tell(receive(connection))
        except (WorkerLost, OSError, TypeError) as problem:
            # A connection that `close` takes away under a waiting read raises TypeError.
            self._tell(Message({"kind": "failed", "problem": str(problem)}))

    def _tell(self, message: Message) -> None:
        if not self._closed:
            try:
                self._arrived.emit(self, message)
            except RuntimeError:  # the window is gone already
                self._closed = True
