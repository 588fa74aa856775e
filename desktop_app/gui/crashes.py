"""Errors of the window itself: a report file, a toast that opens it, a word at the next start."""

import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, Signal, qVersion

from desktop_app import __version__
from desktop_app.core.settings import data_dir

_UNSEEN = ".unseen.txt"


class CrashReports(QObject):
    """Catches what nobody else does, on any thread."""

    happened = Signal(str, str)
    """A sentence, and the path of the report."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._before: Callable[..., object] = sys.excepthook

    def install(self) -> None:
        """Take notice of errors from now on."""
        sys.excepthook = self._caught
        threading.excepthook = lambda hook: self._caught(
            hook.exc_type, hook.exc_value, hook.exc_traceback
        )

    def _caught(
        self,
        kind: type[BaseException],
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._before(kind, problem, trace)
            return
        text = "".join(traceback.format_exception(kind, problem, trace))
        sys.stderr.write(text)
        path = write_report(text)
        self.happened.emit(f"{kind.__name__}: {problem}", str(path))


def write_report(text: str) -> Path:
    """Write a report with versions and a traceback; return its path."""
    folder = reports_dir()
    path = folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}{_UNSEEN}"
    facts = [
        f"Loupe {__version__}",
        f"Python {platform.python_version()}, Qt {qVersion()}",
        platform.platform(),
    ]
    path.write_text("\n".join([*facts, "", text]), encoding="utf-8")
    return path


def unseen_reports() -> list[Path]:
    """Return the reports that nobody has been told about, and mark them as seen."""
    seen = []
    for path in sorted(reports_dir().glob(f"*{_UNSEEN}")):
        seen.append(path.rename(path.with_name(path.name.replace(_UNSEEN, ".txt"))))
    return seen


def reports_dir() -> Path:
    """Return the folder of the reports."""
    folder = data_dir() / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
