"""Starting the window."""

import gc
import sys
from pathlib import Path

import pyqtgraph as pg
from pyqtgraph.util.garbage_collector import GarbageCollector
from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, Qt, QTranslator
from PySide6.QtWidgets import QApplication

from desktop_app.core.jobs import Runner
from desktop_app.core.runs import Run
from desktop_app.core.settings import Settings
from desktop_app.core.workspace import Workspace, default_workspace
from desktop_app.gui.i18n import LANGUAGES, language, set_language
from desktop_app.gui.theme import apply_theme
from desktop_app.gui.workbench import Workbench


def application(settings: Settings) -> QApplication:
    """Return the application, dressed and in the language of the settings."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        app = existing
    else:
        # A second OpenGL view in one process stays black unless contexts are shared.
        QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
        app = QApplication(sys.argv[:1])
        _collect_here(app)
    app.setApplicationName("Loupe")
    app.setDesktopFileName("loupe")
    set_language(_language(settings))
    _translate_qt(app)
    pg.setConfigOptions(antialias=False, useOpenGL=False)
    apply_theme(app, settings.theme)
    return app


def _collect_here(app: QApplication) -> None:
    """Let only the window's thread, once a second, free what is held in cycles.

    Python does so on whatever thread makes the next object, and Qt breaks, sooner or later, where
    another thread destroys a widget or a timer.
    """
    collector = GarbageCollector(interval=1.0)
    collector.timer.setParent(app)
    app.setProperty("collector", collector)  # a timer does not keep whom it calls


def _translate_qt(app: QApplication) -> None:
    """Put the texts that Qt brings along, such as Cancel, into the language in use."""
    for old in app.findChildren(QTranslator):
        app.removeTranslator(old)
        old.deleteLater()
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    texts = QTranslator(app)
    if language() != "en" and texts.load(f"qtbase_{language()}", folder):
        app.installTranslator(texts)


def run_window(
    path: Path | None = None, run: Run | None = None, runner: Runner | None = None
) -> int:
    """Open the window on a workspace, a folder or a run, and return when it is closed."""
    settings = Settings.read()
    app = application(settings)
    workspace = _workspace(path, settings)
    window = Workbench(workspace, runner, settings)
    window.offer_reports()
    window.show()
    if run is not None:
        window.open_run(run)
        window.show_view("inspector")
    elif path is not None and not Workspace.is_workspace(path):
        window.open_folder(path)
    gc.freeze()  # imports and the window stay: no collection need look at them
    return app.exec()


def _workspace(path: Path | None, settings: Settings) -> Workspace:
    if path is not None and Workspace.is_workspace(path):
        return Workspace(path)
    last = Path(settings.last_workspace) if settings.last_workspace else None
    if last is not None and Workspace.is_workspace(last):
        return Workspace(last)
    return default_workspace()


def _language(settings: Settings) -> str:
    if settings.language != "system":
        return settings.language
    name = QLocale.system().name()
    return name if name in LANGUAGES else "en"
