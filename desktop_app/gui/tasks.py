"""Long work on a thread with progress, remaining time and a way to stop: copies and exports."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QProgressDialog, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.sdk.errors import LoupeError

Steps = Iterator[tuple[int, int]]
"""Yields (done, total); ends early when it is closed."""

_SHOWN_AFTER = 400  # ms that quick work may take before a dialog appears


class Task(QObject):
    """Runs an iterator of steps to its end, or until it is stopped."""

    progressed = Signal(int, int)
    ended = Signal(str, bool)
    """Carries the sentence of a failure, or "", and whether the work was stopped."""

    def __init__(self, steps: Steps, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps = steps
        self._stop = threading.Event()
        self._told = 0.0
        self._thread = threading.Thread(target=self._work, name="task", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is being done."""
        self._stop.set()

    def wait(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _work(self) -> None:
        try:
            for done, total in self._steps:
                now = time.monotonic()
                if now - self._told > 0.05 or done == total:
                    self._told = now
                    self.progressed.emit(done, total)
                if self._stop.is_set():
                    break
        except (LoupeError, OSError) as problem:
            self.ended.emit(str(problem), False)
            return
        self.ended.emit("", self._stop.is_set())


def run_with_progress(
    parent: QWidget, title: str, steps: Steps, then: Callable[[str, bool], Any]
) -> Task:
    """Do the steps behind a dialog that can stop them.

    `then` is told the failure or "", and whether the work was stopped. The dialog appears only when
    the work takes its time, and leaves the window usable.
    """
    task = Task(steps, parent)
    dialog = QProgressDialog(title, tr("Stop"), 0, 0, parent)
    dialog.setWindowTitle(title)
    dialog.setWindowModality(Qt.WindowModality.NonModal)
    dialog.setMinimumDuration(10**9)  # shown by the timer below
    dialog.setAutoReset(False)
    dialog.setAutoClose(False)
    dialog.setMinimumWidth(360)
    began = time.monotonic()
    wait = QTimer(dialog, singleShot=True, interval=_SHOWN_AFTER)
    wait.timeout.connect(dialog.show)
    wait.start()

    def show(done: int, total: int) -> None:
        dialog.setMaximum(total)
        dialog.setValue(done)
        spent = time.monotonic() - began
        left = spent / done * (total - done) if done else 0.0
        text = tr("{done} of {total}", done=f"{done:,}", total=f"{total:,}")
        if spent > 1 and done < total:
            text = tr("{counts}, about {n} s left", counts=text, n=max(1, round(left)))
        dialog.setLabelText(f"{title}\n{text}")

    def finish(problem: str, stopped: bool) -> None:
        wait.stop()
        dialog.close()
        dialog.deleteLater()
        task.wait()
        task.deleteLater()
        then(problem, stopped)

    task.progressed.connect(show)
    task.ended.connect(finish)
    dialog.canceled.connect(task.stop)
    task.start()
    return task
