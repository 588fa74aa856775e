"""Everything a job tells: into its file of events, to plugins that listen, and to an observer."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from desktop_app.core.eventlog import EventLog, Line
from desktop_app.core.runs import JobFolder, JobState
from desktop_app.sdk.events import Metrics

Observer = Callable[[Line], None]


def silent(line: Line) -> None:
    """Observe nothing."""


class Narrator:
    """Writes events and knows how long the job has worked, pauses not counted."""

    def __init__(
        self,
        job: JobFolder,
        observe: Observer = silent,
        *,
        size: int | None = None,
        elapsed: float = 0.0,
    ) -> None:
        """Continue the file of events after `size` bytes and a clock after `elapsed` seconds."""
        self._log = EventLog(job.events_path, size)
        self._observe = observe
        self._before = elapsed
        self._since: float | None = None
        self._progress_told = 0.0

    def __enter__(self) -> "Narrator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()

    @property
    def elapsed(self) -> float:
        """Seconds of work."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self._before + running

    def start_clock(self) -> None:
        """Count seconds from now on."""
        if self._since is None:
            self._since = time.monotonic()

    def stop_clock(self) -> None:
        """Count no longer."""
        self._before, self._since = self.elapsed, None

    def state(self, state: JobState, detail: str = "", **more: Any) -> None:
        """Tell that the job is in another state."""
        self.tell("state", state=str(state), detail=detail, elapsed=round(self.elapsed, 3), **more)

    def tell(self, kind: str, **values: Any) -> None:
        """Tell an event."""
        self._flush()
        self._observe(self._log.append(kind, **values))

    def metrics(self, metrics: Metrics) -> None:
        """Tell the metrics of a step; they are gathered and written twenty times a second."""
        line = self._log.metrics(metrics, self.elapsed)
        if line is not None:
            self._observe(line)

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell how far a preparation is; at most ten times a second, and its end."""
        now = time.monotonic()
        if done >= total or now - self._progress_told > 0.1:
            self._progress_told = now
            self.tell("progress", what=what, done=done, total=total)

    def size(self) -> int:
        """Return the bytes of the file of events so far."""
        self._flush()
        return self._log.size()

    def _flush(self) -> None:
        line = self._log.flush()
        if line is not None:
            self._observe(line)
