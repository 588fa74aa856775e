"""Pictures of the real window, for the demonstration without a display and for the README."""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from desktop_app.core.runs import Run
from desktop_app.core.settings import Settings
from desktop_app.core.workspace import Workspace
from desktop_app.gui.application import application
from desktop_app.gui.workbench import Workbench
from desktop_app.sdk.errors import LoupeError

_PATIENCE_SECONDS = 60.0
_SETTLE_SECONDS = 1.5
SIZE = (1440, 900)
_VIEWS = ("gallery", "training", "map", "inspector")


def write_screenshots(
    run: Run, workspace: Workspace, target: Path, theme: str = "dark"
) -> list[Path]:
    """Open the window on a run and write a picture of each of its views.

    Raises LoupeError when the window does not show the run within a minute.
    """
    settings = Settings().changed(theme=theme)
    app = application(settings)
    window = Workbench(workspace, settings=settings)
    window.resize(*SIZE)
    window.show()
    window.open_run(run)
    try:
        _wait(lambda: window.session.result is not None, "the scores")
        _wait(lambda: not _is_indexing(window), "the images")
        _wait(lambda: bool(window.session.catalog), "the methods")
        return [_shot(app, window, view, target, theme) for view in _VIEWS]
    finally:
        window.session.jobs.close()
        window.deleteLater()
        window.close()
        app.processEvents()


def _shot(app: QApplication, window: Workbench, name: str, target: Path, theme: str) -> Path:
    window.show_view(name)
    _rest(_SETTLE_SECONDS)
    app.processEvents()
    path = target / f"{name}-{theme}.png"
    target.mkdir(parents=True, exist_ok=True)
    if not window.grab().save(str(path)):
        raise LoupeError(f"The picture '{path}' cannot be written.")
    return path


def _wait(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > end:
            raise LoupeError(f"The window did not show {what} within {_PATIENCE_SECONDS:.0f} s.")
        _rest(0.05)


def _rest(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


def _is_indexing(window: Workbench) -> bool:
    indexing = window.session.indexing
    return indexing is not None and indexing.is_running
