"""The events of a job on disk: one JSON object a line, appended and flushed.

Metrics are gathered into columns and written at most twenty times a second, with every value in
them. A reader never sees half a line, and notices when a resumed job has cut the file back.
"""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from desktop_app.sdk.events import Metrics

_PAUSE = 0.05
"""Seconds between two writes of metrics."""

Line = dict[str, Any]


class EventLog:
    """Appends events to a file."""

    def __init__(self, path: Path, size: int | None = None) -> None:
        """Open the file; with `size`, cut it back to that many bytes first."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        if size is not None:
            self._file.truncate(min(size, path.stat().st_size))
        if not _ends_with_newline(path):
            self._file.write(b"\n")
        self._steps: list[Metrics] = []
        self._elapsed: list[float] = []
        self._written = 0.0

    def metrics(self, metrics: Metrics, elapsed: float) -> Line | None:
        """Take the metrics of one step; return the line when one was written."""
        self._steps.append(metrics)
        self._elapsed.append(round(elapsed, 4))
        return self.flush() if time.monotonic() - self._written >= _PAUSE else None

    def append(self, kind: str, **values: Any) -> Line:
        """Write one event at once, after the metrics before it; return it."""
        self.flush()
        line = {"type": kind, "time": round(time.time(), 3), **values}
        self._write(line)
        return line

    def flush(self) -> Line | None:
        """Write the metrics that are gathered; return their line, if any."""
        if not self._steps:
            return None
        line = _columns(self._steps, self._elapsed)
        self._steps, self._elapsed = [], []
        self._write(line)
        self._written = time.monotonic()
        return line

    def size(self) -> int:
        """Return the bytes written so far, after flushing."""
        self.flush()
        return self._file.tell()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._file.close()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: Line) -> None:
        self._file.write(json.dumps(line).encode("ascii") + b"\n")
        self._file.flush()


class EventReader:
    """Follows a file of events."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def poll(self) -> tuple[bool, list[Line]]:
        """Return whether the file was cut back, and the events that are new since the last call.

        After a cut all events come again, and what was read before no longer holds.
        """
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        cut = size < self._position
        if cut:
            self._position = 0
        if size == self._position:
            return cut, []
        with self._path.open("rb") as file:
            file.seek(self._position)
            whole = file.read(size - self._position)
        end = whole.rfind(b"\n") + 1
        self._position += end
        return cut, _parsed(whole[:end])


def read_events(path: Path) -> list[Line]:
    """Return all whole events of a file."""
    return EventReader(path).poll()[1]


def _columns(steps: list[Metrics], elapsed: list[float]) -> Line:
    names = list(dict.fromkeys(name for step in steps for name in step.values))
    return {
        "type": "metrics",
        "time": round(time.time(), 3),
        "step": [step.step for step in steps],
        "epoch": [round(step.epoch, 6) for step in steps],
        "elapsed": elapsed,
        "progress": steps[-1].progress,
        "images": sum(step.images for step in steps),
        "waited": sum(step.waited for step in steps),
        "values": {name: [step.values.get(name) for step in steps] for name in names},
    }


def _parsed(lines: bytes) -> list[Line]:
    events = []
    for line in lines.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a line that a killed process left torn
        if isinstance(event, dict) and "type" in event:
            events.append(event)
    return events


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() == 0:
            return True
        file.seek(-1, 2)
        return file.read(1) == b"\n"
