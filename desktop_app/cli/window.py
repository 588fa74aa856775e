"""`loupe [WORKSPACE|FOLDER]`: open the window."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desktop_app.core.jobs import ProcessRunner, Runner, ThreadRunner
from desktop_app.core.runs import Run
from desktop_app.core.settings import Settings
from desktop_app.sdk.errors import InvalidInput, LoupeError


def open_window(options: argparse.Namespace) -> int:
    """Open the window and return when it is closed. Raises LoupeError without a display."""
    path = options.path
    if path is not None and not path.is_dir():
        came = "is a file" if path.is_file() else "does not exist"
        raise InvalidInput(f"Expected a workspace or a folder of images, but '{path}' {came}.")
    if not has_display():
        raise LoupeError(
            "There is no display to open a window on. `loupe train`, `score` and `evaluate` work "
            "without one; `loupe demo --headless` shows what the window would."
        )
    return show_window(path)


def show_window(path: Path | None = None, run: Run | None = None) -> int:
    """Open the window on a folder, a workspace or a run."""
    from desktop_app.gui.application import run_window

    return run_window(path, run, chosen_runner(Settings.read()))


def has_display() -> bool:
    """Tell whether a window can be opened."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def chosen_runner(settings: Settings) -> Runner:
    """Return the runner that the analyst prefers: a process per job, or a thread of this one."""
    return _in_threads() if settings.runner == "thread" else ProcessRunner()


def _in_threads() -> Runner:
    def work(path: Path, commands: Any) -> object:
        from desktop_app.worker.process import work as work_on

        return work_on(path, commands)

    def queue() -> Any:
        from desktop_app.worker.commands import Commands

        return Commands()

    made: Callable[[], Any] = queue
    return ThreadRunner(work, made)
