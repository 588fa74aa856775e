"""Watch a folder: its images are scored as they arrive, and the unusual ones stand out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QModelIndex, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QListView,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.decoding import make_thumbnail
from desktop_app.core.images import folder_key
from desktop_app.core.runs import Run
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.methods import can
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role, set_surface
from desktop_app.gui.watch.hours import HOURS, HourBars
from desktop_app.gui.watch.process import Arrived, FolderWatch
from desktop_app.gui.watch.rows import (
    ROW,
    ROW_HEIGHT,
    ArrivalModel,
    ArrivalPainter,
)
from desktop_app.gui.widgets import (
    Badge,
    ElidedLabel,
    EmptyState,
    Readout,
    ReadoutRow,
    Segment,
    Segmented,
    named,
)
from desktop_app.sdk.errors import LoupeError

_MEGABYTES = 48  # of thumbnails
_EDGE = 128
_CLOCK_MILLISECONDS = 30_000  # after which the counts per hour move on


class WatchPanel(QWidget):
    """One watched folder and what arrived in it."""

    def __init__(
        self, session: Session, go: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._go = go
        self._run: Run | None = None
        self._folder: Path | None = None
        self._threshold: float | None = None  # of the worker, until the analyst has one
        self._judged_in = ""  # key of the folder whose threshold is followed
        self._inspects = False  # until the scores of the watched folder are open
        self.watch = FolderWatch(self)
        self.model = ArrivalModel(self)
        self._thumbnails = ThumbnailLoader(self._pictures, edge=_EDGE, megabytes=_MEGABYTES)
        self.destroyed.connect(self._thumbnails.close)
        self.list = _ArrivalList(self.model, self._thumbnails)
        self._clock = QTimer(self, interval=_CLOCK_MILLISECONDS)
        self._clock.timeout.connect(self._show_counts)
        self._empty = EmptyState("eye", "")
        self._empty.acted.connect(self.choose_folder)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        self.watch.began.connect(self._take_beginning)
        self.watch.arrived.connect(self.take)
        self.watch.away_changed.connect(self._show_away)
        self.watch.ended.connect(self._take_end)
        self.list.activated.connect(self._open_image)
        session.run_changed.connect(self._show_empty)
        session.catalog_changed.connect(self._show_empty)
        session.threshold_changed.connect(self._show_threshold)
        session.result_changed.connect(self._take_result)
        session.closing.connect(self.close_threads)
        follow_theme(self._themed)
        self._show_empty()

    def close_threads(self) -> None:
        """End the worker, which writes its scores, and the fetching of thumbnails."""
        self._clock.stop()
        self.watch.close()
        self._thumbnails.close()

    def choose_folder(self) -> None:
        """Ask for a folder and watch it with the open run."""
        chosen = QFileDialog.getExistingDirectory(self, tr("Watch a folder"))
        if chosen:
            self.begin(Path(chosen))

    def begin(self, folder: Path) -> None:
        """Watch a folder with the open run, in the place of one that was watched before."""
        if self._session.run is None:
            return
        self.watch.close()
        self._run, self._folder = self._session.run, folder
        self.model.clear()
        self._thumbnails.clear()
        opened = self._session.folder
        self._threshold, self._judged_in = None, opened.key if opened is not None else ""
        self._stack.setCurrentIndex(1)
        self._place.setText(str(folder))
        self._with.setText(tr("with {run}", run=_title(self._run)))
        self._show_threshold()
        self._start()

    def take(self, arrived: list[Arrived]) -> None:
        """List images that arrived."""
        self.model.add(arrived)
        self._show_counts()

    def toggle(self) -> None:
        """Stop, or go on."""
        if self.watch.is_running:
            self._state.show_state(tr("Stopping"), "")
            self._toggle.setEnabled(False)
            self.watch.stop()
        else:
            self._start()

    # building

    def _page(self) -> QWidget:
        page = QWidget()
        set_surface(page, "surface")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, SPACE.s, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(self._head())
        column.addLayout(self._numbers())
        column.addLayout(self._tools())
        column.addWidget(self.list, 1)
        return page

    def _head(self) -> QHBoxLayout:
        self._state = Badge()
        self._place = ElidedLabel()
        set_role(self._place, "heading")
        self._with = ElidedLabel()
        set_role(self._with, "secondary")
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self._place)
        names.addWidget(self._with)
        self._toggle = QPushButton()
        self._toggle.clicked.connect(self.toggle)
        other = named(
            QPushButton(tr("Watch folder…")),
            tr("Watch folder…"),
            tr("Watch another folder with the open run"),
        )
        set_icon(other, "folder-open")
        other.clicked.connect(self.choose_folder)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        row.setSpacing(SPACE.m)
        row.addWidget(self._state)
        row.addLayout(names, 1)
        row.addWidget(self._toggle)
        row.addWidget(other)
        return row

    def _numbers(self) -> QHBoxLayout:
        self.readouts = {
            "images": Readout(tr("Images"), tip=tr("Images that were scored since you watch")),
            "flagged": Readout(tr("Flagged"), tip=tr("Images at or above the threshold")),
            "hour": Readout(tr("This hour"), tip=tr("Files of the last 60 minutes")),
            "broken": Readout(tr("Cannot be read"), tip=tr("Files that are no images, or torn")),
            "threshold": Readout(
                tr("Threshold"), tip=tr("The one of the open run, as it is in the inspector")
            ),
        }
        self._hours = HourBars()
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        row.setSpacing(SPACE.l)
        row.addWidget(ReadoutRow(list(self.readouts.values()), columns=5), 2)
        row.addWidget(self._hours, 1)
        return row

    def _tools(self) -> QHBoxLayout:
        order = Segmented(
            tr("Order of the images"),
            [
                Segment("newest", tr("Newest first")),
                Segment("worst", tr("Most unusual first")),
            ],
        )
        order.chosen.connect(lambda key: self.model.set_worst_first(key == "worst"))
        self._inspect = named(
            QPushButton(tr("Open in the inspector")),
            tr("Open in the inspector"),
            tr("Open the watched folder with its scores; watching goes on"),
        )
        set_icon(self._inspect, "heat")
        self._inspect.clicked.connect(self.inspect)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        row.addWidget(order)
        row.addStretch(1)
        row.addWidget(self._inspect)
        return row

    def inspect(self) -> None:
        """Show the watched folder and its scores where all images are judged."""
        if self._run is None or self._folder is None:
            return
        session, self._inspects = self._session, True
        if session.run is None or session.run.path != self._run.path:
            session.open_run(self._run)
        session.open_folder(self._folder)
        self._go("inspector")

    # following

    def _start(self) -> None:
        if self._run is None or self._folder is None:
            return
        self._state.show_state(tr("Starting"), "accent")
        self._clock.start()
        self.watch.start(self._run.path, self._folder)
        self._show_toggle()
        self._show_counts()

    def _take_beginning(self, threshold: float | None, _known: int) -> None:
        self._threshold = threshold
        self._state.show_state(tr("Watching"), "good")
        self._show_threshold()

    def _show_away(self, problem: str) -> None:
        if problem:
            self._state.show_state(tr("Folder is away"), "warning")
        else:
            self._state.show_state(tr("Watching"), "good")
        self._state.setToolTip(problem)

    def _take_end(self, problem: str) -> None:
        self._clock.stop()
        self._state.show_state(tr("Failed") if problem else tr("Stopped"), "bad" if problem else "")
        self._state.setToolTip(problem)
        self._show_toggle()
        if problem:
            self._session.problem.emit(problem)

    def _show_toggle(self) -> None:
        running = self.watch.is_running
        text = tr("Stop") if running else tr("Resume")
        tip = tr("Stop watching; the scores are kept") if running else tr("Go on watching")
        self._toggle.setText(text)
        named(self._toggle, text, tip)
        set_icon(self._toggle, "stop" if running else "play")
        self._toggle.setEnabled(True)

    def _show_threshold(self) -> None:
        """Follow the threshold of the watching run on the folder that was open at the beginning."""
        session = self._session
        if self._is_open(self._judged_in) and session.threshold is not None:
            self._threshold = session.threshold
        if self._threshold != self.model.threshold:
            self.model.set_threshold(self._threshold)
            self._show_counts()
        shown = "" if self._threshold is None else f"{self._threshold:.4g}"
        self.readouts["threshold"].set_value(shown)

    def _is_open(self, folder_key: str) -> bool:
        """Tell whether the window shows what the watching run says of a folder."""
        result, folder = self._session.result, self._session.folder
        if result is None or folder is None or self._run is None:
            return False
        return folder.key == folder_key and result.run.path == self._run.path

    def _take_result(self) -> None:
        """Judge the watched folder, once it is opened from here, as it was judged here."""
        watched = folder_key(self._folder) if self._folder is not None else ""
        if self._inspects and self._is_open(watched):
            self._inspects = False
            if self._threshold is not None:
                self._session.set_threshold(self._threshold)
        self._show_threshold()

    def _show_counts(self) -> None:
        model = self.model
        broken, hours = model.broken(), model.by_hour(HOURS)
        self.readouts["images"].set_value(f"{model.rowCount() - broken:,}")
        flagged = model.flagged()
        self.readouts["flagged"].set_value(f"{flagged:,}", "bad" if flagged else "")
        self.readouts["hour"].set_value(f"{hours[-1]:,}")
        self.readouts["broken"].set_value(f"{broken:,}", "warning" if broken else "")
        self._hours.set_counts(hours)

    def _show_empty(self) -> None:
        """Say what watching a folder needs, until one is watched."""
        title = tr("Watch a folder")
        if self._session.run is None:
            text = tr("Open a trained run first: it scores the images as they arrive.")
            self._empty.describe("eye", title, text)
        elif self._session.catalog and not can(self._session, "scores"):
            text = tr("The open run does not score images. Open one that does.")
            self._empty.describe("eye", title, text)
        else:
            text = tr(
                "New images are scored as they arrive, and the unusual ones stand out: choose the "
                "folder that a camera or another program writes to."
            )
            self._empty.describe("eye", title, text, tr("Watch folder…"))
        set_kind(self._empty.button, "primary")

    def _open_image(self, index: QModelIndex) -> None:
        """Show an image in the inspector where its folder is open, else in its own program."""
        one: Arrived = index.data(ROW)
        session = self._session
        if self._folder is None:
            return
        if session.folder is not None and session.folder.root == self._folder.resolve():
            found = np.flatnonzero(np.array(session.table.paths, dtype=object) == one.path)
            if len(found):
                session.set_current(int(found[0]))
                self._go("inspector")
                return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder / one.path)))

    def _pictures(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Return the thumbnails of images by number; called on the threads of the loader."""
        folder = self._folder
        wanted = [self.model.image(number) for number in numbers]
        return [None if folder is None else _picture(folder / one.path) for one in wanted]

    def _themed(self, _theme: Theme) -> None:
        self.list.viewport().update()


class _ArrivalList(QListView):
    """Asks for the thumbnails of the rows in sight."""

    def __init__(self, model: ArrivalModel, loader: ThumbnailLoader) -> None:
        super().__init__()
        named(self, tr("Images that arrived"), tr("Double-click opens an image"))
        self.setToolTip("")
        self._arrivals = model
        self._loader = loader
        self.setModel(model)
        self.setItemDelegate(ArrivalPainter(model, loader, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        loader.loaded.connect(self._show_thumbnails)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows in sight."""
        rows = self._arrivals.rowCount()
        first = self.verticalScrollBar().value() // ROW_HEIGHT
        last = min(rows, first + self.viewport().height() // ROW_HEIGHT + 2)
        indexes = [self._arrivals.index(row) for row in range(first, last)]
        self._loader.want([self._arrivals.number_of(index) for index in indexes])
        super().paintEvent(event)

    def _show_thumbnails(self, _numbers: object) -> None:
        self.viewport().update()


def _picture(path: Path) -> bytes | None:
    try:
        return make_thumbnail(path)
    except (LoupeError, OSError):
        return None


def _title(run: Run) -> str:
    return run.spec().title or run.path.name
