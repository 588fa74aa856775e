"""The main window: library and runs on the left, what is looked at in the middle, the chosen method
on the right, jobs and log below.

It owns the session and the panels, and knows which panel comes forward when something happens; what
a panel shows is the panel's own affair.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QByteArray, QSize, QStandardPaths, Qt, QUrl
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QWidget,
)

from desktop_app import __version__
from desktop_app.core.jobs import ProcessRunner, Runner
from desktop_app.core.runs import JobState, Run
from desktop_app.core.settings import Settings, data_dir
from desktop_app.core.workspace import Workspace, default_workspace
from desktop_app.gui.actions import Actions, Command
from desktop_app.gui.crashes import CrashReports, unseen_reports
from desktop_app.gui.filtering import only_left_out, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import icon
from desktop_app.gui.jobs import Job
from desktop_app.gui.lazy import LazyView, make_in_turn
from desktop_app.gui.library.folders import FolderList
from desktop_app.gui.palette import CommandPalette
from desktop_app.gui.preferences import Preferences
from desktop_app.gui.runexports import RunExports
from desktop_app.gui.session import Session
from desktop_app.gui.shortcuts import ShortcutList
from desktop_app.gui.theme import SPACE, apply_theme
from desktop_app.gui.training.jobsbar import JobsBar
from desktop_app.gui.training.log import LogPanel
from desktop_app.gui.training.methods import MethodsPanel
from desktop_app.gui.training.runs import RunList
from desktop_app.gui.training.states import state_words
from desktop_app.gui.welcome import Welcome
from desktop_app.gui.widgets.names import named
from desktop_app.gui.widgets.toast import ToastHost
from desktop_app.sdk.errors import LoupeError

if TYPE_CHECKING:
    from desktop_app.gui.latent.panel import LatentPanel
    from desktop_app.gui.training.panel import TrainingPanel

_SIZE = (1440, 900)
_FRAME = (0, 40)
"""Room for the title bar around the window, in logical pixels."""
_LAYOUT_VERSION = 1
_DOCK_WIDTHS = {"library": 250, "method": 340}
_DOCK_HEIGHTS = {"library": 540, "runs": 260}


class Workbench(QMainWindow):
    """Opens empty without arguments, in the workspace that was open last."""

    def __init__(
        self,
        workspace: Workspace | None = None,
        runner: Runner | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or Settings.read()
        self.session = Session(workspace or default_workspace(), runner or ProcessRunner(), self)
        self.toasts = ToastHost(self)
        self.setWindowTitle("Loupe")
        self.setWindowIcon(icon("loupe", "accent"))
        self.setAcceptDrops(True)
        self.resize(QSize(*_SIZE).boundedTo(self.screen().availableSize() - QSize(*_FRAME)))
        self.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )
        self._has_sides = True
        self._build_centre()
        self._build_docks()
        self._build_status()
        self._exports = RunExports(self.session, self)
        self.actions_ = Actions(self, self._commands())
        self._connect()
        self.tabs.setCornerWidget(self._corner())
        self._restore_layout()
        self._reports = CrashReports(self)
        self._reports.happened.connect(self._tell_crash)
        self._show_folder()
        self.session.start()

    # -- Building ----------------------------------------------------------------------------

    def _build_centre(self) -> None:
        self.welcome = Welcome()
        self._views = {
            "gallery": LazyView(self._make_gallery),
            "training": LazyView(self._make_training),
            "map": LazyView(self._make_map),
            "clusters": LazyView(self._make_clusters),
            "inspector": LazyView(self._make_inspector),
        }
        self.tabs = named(QTabWidget(), tr("Views"))
        self.tabs.setDocumentMode(True)
        for view, name, picture in (
            ("gallery", tr("Gallery"), "grid"),
            ("training", tr("Training"), "chart"),
            ("map", tr("Latent map"), "map"),
            ("clusters", tr("Clusters"), "layers"),
            ("inspector", tr("Inspector"), "heat"),
        ):
            self.tabs.addTab(self._views[view], icon(picture), name)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.tabs)
        self.setCentralWidget(self.pages)

    # Views are imported where they are made: together they are half of the time to the first
    # picture of the window.

    def _make_gallery(self) -> QWidget:
        from desktop_app.gui.library.panel import GalleryPanel

        panel = GalleryPanel(self.session)
        panel.open_wanted.connect(self.choose_folder)
        panel.place_wanted.connect(self.show_view)
        return panel

    def _make_training(self) -> QWidget:
        from desktop_app.gui.training.panel import TrainingPanel

        panel = TrainingPanel(self.session)
        panel.setup_wanted.connect(self._show_method)
        panel.duplicate_wanted.connect(self._duplicate)
        panel.compare_maps_wanted.connect(self.compare_maps)
        return panel

    def _make_map(self) -> QWidget:
        from desktop_app.gui.latent.panel import LatentPanel

        panel = LatentPanel(self.session)
        panel.place_wanted.connect(self.show_view)
        panel.open_wanted.connect(self.choose_folder)
        panel.method_wanted.connect(self._show_method)
        return panel

    def _make_clusters(self) -> QWidget:
        from desktop_app.gui.clusters.panel import ClustersPanel

        panel = ClustersPanel(self.session)
        panel.place_wanted.connect(self.show_view)
        panel.method_wanted.connect(self._show_method)
        return panel

    def _make_inspector(self) -> QWidget:
        from desktop_app.gui.furnishing import add_rooms
        from desktop_app.gui.inspector.panel import InspectorPanel

        panel = InspectorPanel(self.session)
        add_rooms(panel, self.session)
        panel.place_wanted.connect(self.show_view)
        panel.open_wanted.connect(self.choose_folder)
        panel.method_wanted.connect(self._show_method)
        return panel

    def _build_docks(self) -> None:
        left = Qt.DockWidgetArea.LeftDockWidgetArea
        right = Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        self.sources = FolderList(self.session)
        self.runs = RunList(self.session)
        self.method = MethodsPanel(self.session)
        self.log = LogPanel(self.session)
        self._docks = {
            "library": self._dock("library", tr("Library"), self.sources, left),
            "runs": self._dock("runs", tr("Runs"), self.runs, left),
            "method": self._dock("method", tr("Method"), self.method, right),
            "log": self._dock("log", tr("Log"), self.log, bottom),
        }
        self._docks["log"].hide()
        self._fit_docks()

    def _corner(self) -> QWidget:
        """Return buttons for what stands around the views, beside their tabs."""
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, SPACE.s, 0)
        row.setSpacing(SPACE.xs)
        shown = (tr("Library panel"), tr("Log panel"), tr("Method panel"), tr("Dark and light"))
        for text in shown:
            action = self.actions_[text]
            button = named(QToolButton(), action.text(), action.toolTip())
            button.setDefaultAction(action)
            button.setAutoRaise(True)
            row.addWidget(button)
        return corner

    def _dock(self, name: str, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(panel)
        dock.setTitleBarWidget(QWidget(dock))  # each panel has a heading of its own
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetClosable)
        self.addDockWidget(area, dock)
        return dock

    def _build_status(self) -> None:
        self._indexing = QLabel()
        self.jobs_bar = JobsBar(self.session)
        self.statusBar().addWidget(self._indexing)
        self.statusBar().addPermanentWidget(self.jobs_bar)

    def _commands(self) -> list[Command]:
        file, edit, view, run, help_ = tr("File"), tr("Edit"), tr("View"), tr("Run"), tr("Help")
        session = self.session
        docks = self._docks
        return [
            Command(file, tr("Open folder…"), self.choose_folder, "folder-open", "Ctrl+O"),
            Command(file, tr("Open workspace…"), self.choose_workspace, "layers", "Ctrl+Shift+O"),
            Command(file, tr("Open run folder…"), self.choose_run, "import"),
            Command(file, tr("Built-in sample"), self.open_sample, "sparkle", separated=True),
            Command(file, tr("Preferences…"), self.edit_preferences, "settings", "Ctrl+,"),
            Command(file, tr("Quit"), self.close, "x", "Ctrl+Q", separated=True),
            Command(edit, tr("Undo"), session.undo, "undo", "Ctrl+Z"),
            Command(edit, tr("Redo"), session.redo, "redo", "Ctrl+Shift+Z"),
            Command(edit, tr("Show images left out"), self.show_left_out, "filter"),
            Command(edit, tr("Region of interest…"), self.mark_region, "rectangle"),
            Command(edit, tr("Select none"), self._select_none, "x", "Ctrl+Shift+A"),
            Command(view, tr("Gallery"), lambda: self.show_view("gallery"), "grid", "Ctrl+1"),
            Command(view, tr("Training"), lambda: self.show_view("training"), "chart", "Ctrl+2"),
            Command(view, tr("Latent map"), lambda: self.show_view("map"), "map", "Ctrl+3"),
            Command(view, tr("Inspector"), lambda: self.show_view("inspector"), "heat", "Ctrl+4"),
            Command(view, tr("Clusters"), lambda: self.show_view("clusters"), "layers", "Ctrl+5"),
            Command(view, tr("Compare maps…"), self.choose_comparison, "compare"),
            Command(
                view,
                tr("Library panel"),
                lambda: _toggle(docks["library"]),
                "panel-left",
                separated=True,
            ),
            Command(view, tr("Runs panel"), lambda: _toggle(docks["runs"]), "list"),
            Command(view, tr("Method panel"), lambda: _toggle(docks["method"]), "panel-right"),
            Command(view, tr("Log panel"), lambda: _toggle(docks["log"]), "panel-bottom", "Ctrl+L"),
            Command(view, tr("Dark and light"), self.switch_theme, "moon", "Ctrl+Shift+L"),
            Command(view, tr("Restore layout"), self.reset_layout, "refresh"),
            Command(run, tr("Choose method"), self._show_method, "plugin", "Ctrl+M"),
            Command(run, tr("Pause or resume"), self.pause_or_resume, "pause", "Ctrl+P"),
            Command(run, tr("Stop"), self.stop_job, "stop", "Ctrl+."),
            Command(run, tr("Score this folder"), self.score_folder, "target", separated=True),
            Command(run, tr("Leave out the worst…"), self.leave_out_the_worst, "minus"),
            Command(run, tr("Export features…"), self.export_features, "export", separated=True),
            Command(run, tr("Export encoder…"), self.export_encoder, "network"),
            Command(help_, tr("Command palette…"), self.show_palette, "command", "Ctrl+K"),
            Command(help_, tr("Shortcuts"), self.show_shortcuts, "command", "F1"),
            Command(help_, tr("About Loupe"), self.show_about, "info", separated=True),
        ]

    def _connect(self) -> None:
        session = self.session
        self.welcome.open_wanted.connect(self.choose_folder)
        self.welcome.sample_wanted.connect(self.open_sample)
        self.welcome.folder_chosen.connect(self.open_folder)
        self.sources.open_wanted.connect(self.choose_folder)
        self.sources.folder_chosen.connect(self.open_folder)
        self.runs.setup_wanted.connect(self._show_method)
        self.runs.duplicate_wanted.connect(self._duplicate)
        self.runs.extend_wanted.connect(self._extend)
        self.runs.compare_wanted.connect(self._compare)
        self.runs.maps_wanted.connect(self.compare_maps)
        self.jobs_bar.job_chosen.connect(self._show_job)
        session.folder_changed.connect(self._show_folder)
        session.indexing_changed.connect(self._show_indexing)
        session.problem.connect(lambda text: self.toasts.show_toast(text, "bad"))
        session.inference.failed.connect(lambda text: self.toasts.show_toast(text, "warning"))
        session.jobs.job_started.connect(self._show_job)
        session.jobs.job_ended.connect(self._tell_end)

    # -- What can be done --------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a workspace or a folder of images."""
        if Workspace.is_workspace(path):
            self.open_workspace(path)
        else:
            self.open_folder(path)

    def open_folder(self, root: Path) -> None:
        """Show a folder of images."""
        self.session.open_run(None)
        self.session.open_folder(root)

    def open_run(self, run: Run) -> None:
        """Show a run and its folder."""
        self.session.open_run(run)

    def open_workspace(self, path: Path) -> None:
        """Start over in another workspace; running jobs go on."""
        try:
            workspace = Workspace(path)
        except LoupeError as problem:
            self.toasts.show_toast(str(problem), "bad")
            return
        self.settings = self.settings.with_workspace(workspace.path)
        self.settings.write()
        other = Workbench(workspace, settings=self.settings)
        other.show()
        self.close()

    def choose_folder(self) -> None:
        """Ask for a folder of images."""
        chosen = QFileDialog.getExistingDirectory(
            self, tr("Open a folder of images"), self._likely_place()
        )
        if chosen:
            self.open_folder(Path(chosen))

    def _likely_place(self) -> str:
        """Return where the next folder may lie: beside the open one, or among the pictures."""
        if self.session.folder is not None:
            return str(self.session.folder.root.parent)
        return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)

    def choose_workspace(self) -> None:
        """Ask for a workspace, or an empty folder to make one in."""
        chosen = QFileDialog.getExistingDirectory(self, tr("Open or make a workspace"))
        if chosen:
            self.open_workspace(Path(chosen))

    def choose_run(self) -> None:
        """Ask for a run folder, such as one that was copied from another machine."""
        chosen = QFileDialog.getExistingDirectory(self, tr("Open a run folder"))
        if not chosen:
            return
        try:
            run = Run.open(Path(chosen))
            self.session.workspace.add_run(run.path)
        except LoupeError as problem:
            self.toasts.show_toast(str(problem), "bad")
            return
        self.session.refresh_runs()
        self.session.open_run(run)

    def open_sample(self) -> None:
        """Make the built-in sample, if it is not there yet, and open it."""
        self.toasts.show_toast(tr("Making the built-in sample; the first time takes a moment."))
        self.session.background.run("sample", _written_sample, self.open_folder)

    def score_folder(self) -> None:
        """Look at all images of this folder with the run that is open."""
        if self.session.score_folder() is None:
            self.toasts.show_toast(tr("Open a folder and a trained run first."), "warning")

    def leave_out_the_worst(self) -> None:
        """Ask which of the most unusual images are not trained on any longer."""
        from desktop_app.gui.library.worst import leave_out_the_worst

        leave_out_the_worst(self.session, self)

    def show_left_out(self) -> None:
        """Show nothing but the images that are left out of training."""
        if not self.session.left_out.any():
            self.toasts.show_toast(tr("No image is left out of training."))
            return
        shared_filter(self.session).set("left_out", only_left_out())
        self.show_view("gallery")

    def export_features(self) -> None:
        """Write the latents of the open run to a file."""
        self._exports.export_features()

    def export_encoder(self) -> None:
        """Write the encoder of the open run to a file, in a process of its own."""
        self._exports.export_encoder()

    def show_view(self, name: str) -> None:
        """Bring "gallery", "training", "map" or "inspector" forward."""
        self.pages.setCurrentWidget(self.tabs)
        self.tabs.setCurrentWidget(self._views[name])

    def compare_maps(self, runs: list[Run]) -> None:
        """Show the latent maps of several runs side by side."""
        self._map().compare(runs)

    def mark_region(self) -> None:
        """Show which part of the images of the open folder counts, to be painted anew."""
        from desktop_app.gui.regions.dialog import RegionDialog

        if self.session.folder is not None:
            RegionDialog(self.session, self).open()
        else:
            self.session.problem.emit(tr("Open a folder of images first."))

    def choose_comparison(self) -> None:
        """Offer the runs whose latent maps can be shown beside the open one's."""
        self._map().choose_comparison()

    def view(self, name: str) -> QWidget:
        """Return one of the views, made now if it was not looked at yet."""
        return self._views[name].content

    def pause_or_resume(self) -> None:
        """Pause the running job, or resume the paused one."""
        for job in self.session.jobs.active():
            (job.resume if job.state is JobState.PAUSED else job.pause)()

    def stop_job(self) -> None:
        """Stop the running job; its checkpoint is kept."""
        for job in self.session.jobs.active():
            job.stop()

    def switch_theme(self) -> None:
        """Change from dark to light or back."""
        theme = "light" if self.settings.theme != "light" else "dark"
        self._take_settings(self.settings.changed(theme=theme))

    def edit_preferences(self) -> None:
        """Open the preferences."""
        dialog = Preferences(self.settings, self)
        if dialog.exec():
            self._take_settings(dialog.settings())

    def reset_layout(self) -> None:
        """Put every panel back in its place."""
        for name, dock in self._docks.items():
            dock.setFloating(False)
            dock.setVisible(name != "log")

    def show_palette(self) -> None:
        """Open the command palette."""
        CommandPalette(self.actions_.all(), self).exec()

    def show_shortcuts(self) -> None:
        """List the shortcuts."""
        ShortcutList(self.actions_.all(), self).exec()

    def show_about(self) -> None:
        """Say what this is."""
        text = tr("Loupe {version}: unsupervised deep learning on folders of images, offline.")
        QMessageBox.about(self, tr("About Loupe"), text.format(version=__version__))

    # -- Following the session ---------------------------------------------------------------

    def _show_folder(self) -> None:
        folder = self.session.folder
        self.welcome.set_recent(self.session.workspace.folders())
        self.pages.setCurrentWidget(self.tabs if folder is not None else self.welcome)
        if (folder is not None) != self._has_sides:
            self._has_sides = folder is not None
            for name in ("library", "runs", "method"):
                self._docks[name].setVisible(self._has_sides)
            self._fit_docks()
        self.setWindowTitle(f"{folder.name} – Loupe" if folder is not None else "Loupe")
        self._show_indexing()

    def _show_indexing(self) -> None:
        indexing = self.session.indexing
        busy = indexing is not None and indexing.is_running
        self._indexing.setText(tr("Looking into the files…") if busy else "")

    def _fit_docks(self) -> None:
        widths = {self._docks[name]: width for name, width in _DOCK_WIDTHS.items()}
        self.resizeDocks(list(widths), list(widths.values()), Qt.Orientation.Horizontal)
        heights = {self._docks[name]: height for name, height in _DOCK_HEIGHTS.items()}
        self.resizeDocks(list(heights), list(heights.values()), Qt.Orientation.Vertical)

    def _show_job(self, job: Job) -> None:
        if job.result is None:
            self.session.open_run(job.run)
            self.show_view("training")
            self.session.refresh_runs()

    def _tell_end(self, job: Job) -> None:
        if job.state is JobState.FINISHED and job.exports_to is not None:
            place = job.exports_to
            self.toasts.show_toast(
                tr("{title} is done.", title=job.title),
                "good",
                action=(tr("Show in the file manager"), lambda: _reveal(place.parent)),
            )
        elif job.state is JobState.FINISHED:
            self.toasts.show_toast(
                tr("{title} is done.", title=job.title),
                "good",
                action=(tr("Show what is unusual"), lambda: self._inspect(job)),
            )
        elif job.state is not JobState.STOPPED:
            state = state_words(job.state)[0]
            text = tr("{title}: {state}.", title=job.title, state=state)
            self.toasts.show_toast(
                text, "bad", detail=job.detail, action=(tr("Show log"), self._docks["log"].show)
            )

    def _inspect(self, job: Job) -> None:
        if self.session.run is None or self.session.run.path != job.run.path:
            self.session.open_run(job.run)
        self.show_view("inspector")

    def _tell_crash(self, sentence: str, path: str) -> None:
        self.toasts.show_toast(
            tr("Something went wrong in the window."),
            "bad",
            detail=sentence,
            action=(tr("Open report"), lambda: _reveal(Path(path))),
        )

    def offer_reports(self) -> None:
        """Tell about errors of the last time, and catch those of this time."""
        self._reports.install()
        reports = unseen_reports()
        if reports:
            self.toasts.show_toast(
                tr("Last time something went wrong; a report was kept."),
                "warning",
                action=(tr("Open report"), lambda: _reveal(reports[-1])),
            )

    def _show_method(self) -> None:
        self._docks["method"].show()
        self.method.show_gallery()

    def _duplicate(self, run: Run) -> None:
        self._docks["method"].show()
        self.method.duplicate(run)

    def _extend(self, run: Run) -> None:
        self.session.open_run(run)
        self._training().extend()

    def _compare(self, runs: list[Run]) -> None:
        self._training().compare(runs)

    def _training(self) -> "TrainingPanel":
        """Bring the live view of the open run forward and return it."""
        self.show_view("training")
        return cast("TrainingPanel", self.view("training"))

    def _map(self) -> "LatentPanel":
        """Bring the latent map forward and return it."""
        self.show_view("map")
        return cast("LatentPanel", self.view("map"))

    def _select_none(self) -> None:
        self.session.select(~self.session.table.ids.astype(bool) & False)

    # -- Settings, layout, drag and drop, closing --------------------------------------------

    def _take_settings(self, settings: Settings) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication) and settings.theme != self.settings.theme:
            apply_theme(application, settings.theme)
        if settings.language != self.settings.language:
            self.toasts.show_toast(tr("The language changes at the next start."))
        self.settings = settings
        try:
            settings.write()
        except LoupeError as problem:
            self.toasts.show_toast(str(problem), "bad")

    def _restore_layout(self) -> None:
        kept = self.settings.window
        if "geometry" in kept:
            self.restoreGeometry(QByteArray.fromBase64(kept["geometry"].encode()))
        if "state" in kept:
            self.restoreState(QByteArray.fromBase64(kept["state"].encode()), _LAYOUT_VERSION)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept folders."""
        if _dropped_folder(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the folder that is dropped, or the folder of a file that is."""
        path = _dropped_folder(event)
        if path is not None:
            self.open_path(path)

    def showEvent(self, event: QShowEvent) -> None:
        """Make the other views while the analyst looks at the first one."""
        super().showEvent(event)
        make_in_turn(list(self._views.values()))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let go of running jobs, which go on, and remember the layout."""
        layout = {
            "geometry": self.saveGeometry().toBase64().toStdString(),
            "state": self.saveState(_LAYOUT_VERSION).toBase64().toStdString(),
        }
        settings = self.settings.changed(window=layout)
        with suppress(LoupeError):  # a full disk must not keep the window open
            settings.with_workspace(self.session.workspace.path).write()
        self.session.close()
        super().closeEvent(event)


def _written_sample() -> Path:
    from desktop_app.core.sample import write_sample  # a third of a second that most starts save

    return write_sample(data_dir() / "sample")


def _toggle(dock: QDockWidget) -> None:
    dock.setVisible(not dock.isVisible())


def _reveal(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def _dropped_folder(event: QDropEvent) -> Path | None:
    for url in event.mimeData().urls():
        path = Path(url.toLocalFile())
        if path.is_dir():
            return path
        if path.is_file():
            return path.parent
    return None
