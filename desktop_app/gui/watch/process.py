"""The worker that watches a folder: `loupe watch` in a process of its own, which keeps the method
loaded and ends with this window.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from desktop_app.core.jobs import worker_threads
from desktop_app.gui.i18n import tr
from desktop_app.gui.watch.notices import FolderNotices

_SETTLE_SECONDS = "0.5"
"""For which a file must not have changed: the system tells of new files, not of finished ones."""
_PATIENCE_MILLISECONDS = 5000  # until a process that should end is killed


@dataclass(frozen=True)
class Arrived:
    """What came of one image."""

    path: str
    """Relative to the watched folder."""
    time: float
    """Seconds since 1970."""
    score: float | None = None
    """None where it cannot be read."""
    share: float | None = None
    """Share of usual images with a lower score, where these are known."""
    is_replaced: bool = False
    problem: str = ""


class FolderWatch(QObject):
    """Watches one folder with one run until it is stopped."""

    began = Signal(object, int)
    """Carries the threshold of the worker, perhaps None, and how many images were scored before."""
    arrived = Signal(object)
    """Carries a list of `Arrived`."""
    away_changed = Signal(str)
    """Carries why the folder cannot be listed now, "" once it can."""
    ended = Signal(str)
    """Carries why it ended by itself, "" when it was stopped."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._rest = b""
        self._is_stopped = False
        self._root = Path()
        self._notices = FolderNotices(self)
        self._notices.changed.connect(self.look)

    @property
    def is_running(self) -> bool:
        """Tell whether the worker is there."""
        return self._process is not None

    def start(self, run: Path, folder: Path) -> None:
        """Begin, or go on where a stopped watch left off."""
        if self._process is not None:
            return
        self._rest, self._is_stopped, self._root = b"", False, folder
        process = self._process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._take_end)
        process.errorOccurred.connect(self._take_error)
        arguments = ["-m", "desktop_app", "watch", str(run), str(folder), "--json", "--attended"]
        arguments += ["--settle", _SETTLE_SECONDS]
        process.start(sys.executable, [*arguments, "--threads", str(worker_threads())])

    def look(self) -> None:
        """Let the worker look at the folder now: something has changed there."""
        if self._process is not None and not self._is_stopped:
            self._process.write(b"look\n")

    def stop(self) -> None:
        """Let the worker write its scores and end."""
        if self._process is not None:
            self._is_stopped = True
            self._process.closeWriteChannel()  # which it takes as a wish to stop

    def close(self) -> None:
        """Stop and wait for the end; a worker that takes too long is killed."""
        process = self._process
        if process is None:
            return
        self.stop()
        if not process.waitForFinished(_PATIENCE_MILLISECONDS):
            process.kill()
            process.waitForFinished(_PATIENCE_MILLISECONDS)

    def take(self, lines: list[dict[str, Any]]) -> None:
        """Hand on what the worker told."""
        images = [_arrived(line) for line in lines if line.get("type") in ("image", "problem")]
        for line in lines:
            match line.get("type"):
                case "watching":
                    self.began.emit(line["threshold"], line["known"])
                case "folders":
                    self._notices.follow(self._root / part for part in line["folders"])
                case "away":
                    self.away_changed.emit(line["problem"])
                case "back":
                    self.away_changed.emit("")
        if images:
            self.arrived.emit(images)

    def _read(self) -> None:
        if self._process is None:
            return
        whole = self._rest + bytes(self._process.readAllStandardOutput().data())
        *lines, self._rest = whole.split(b"\n")
        self.take([json.loads(line) for line in lines if line.startswith(b"{")])

    def _take_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self._take_end()

    def _take_end(self, *_how: object) -> None:
        process = self._process
        if process is None:
            return
        self._read()
        self._process = None
        self._notices.follow(())
        told = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        process.deleteLater()
        problem = told.splitlines()[-1] if told else tr("The worker ended unexpectedly.")
        self.ended.emit("" if self._is_stopped else problem.removeprefix("loupe: "))


def _arrived(line: dict[str, Any]) -> Arrived:
    return Arrived(
        line["path"],
        float(line["time"]),
        line["score"],
        line["share"],
        bool(line["is_replaced"]),
        line["problem"],
    )
