"""Maps side by side: the open run's and those of other runs, with one selection and one pointer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.columns import ResultColumns, result_columns
from desktop_app.core.runs import Run
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.jobs import Job
from desktop_app.gui.latent.colouring import Colouring
from desktop_app.gui.latent.decode import aligned
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.latent.mapview import MapView
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_role, set_surface
from desktop_app.gui.widgets import ElidedLabel, EmptyState, named
from desktop_app.sdk.errors import LoupeError

_HEAD = 36  # height of the line with a run's name, logical pixels


class MapGrid(QWidget):
    """The map of the open run, and up to three others."""

    closed = Signal(object)
    """Carries the path of a run whose map is to go."""
    open_wanted = Signal(object)
    """Carries the `Run` that is to become the open one."""

    def __init__(
        self,
        session: Session,
        first: MapView,
        thumbnails: ThumbnailLoader,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self.first = first
        self.cells: list[MapCell] = []
        self._colouring: Colouring | None = None
        self._title = ElidedLabel()
        set_role(self._title, "heading")
        self._head = QWidget()
        self._head.setFixedHeight(_HEAD)
        head = QHBoxLayout(self._head)
        head.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        head.addWidget(self._title)
        self._main = QWidget()
        column = QVBoxLayout(self._main)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(first, 1)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(1)
        first.hovered.connect(lambda row: self._hover(first, row))
        first.state.layout_changed.connect(self._take_layout)
        first.state.moved.connect(self._align)
        self._arrange()

    @property
    def views(self) -> list[MapView]:
        """All maps, the open run's first."""
        return [self.first, *(cell.view for cell in self.cells)]

    def show_runs(self, runs: Sequence[Run]) -> None:
        """Show the maps of exactly these runs beside the open one's."""
        kept = {cell.run.path: cell for cell in self.cells}
        wanted = [run.path for run in runs]
        for path, cell in kept.items():
            if path not in wanted:
                cell.leave()
        self.cells = [kept.get(run.path) or self._cell(run) for run in runs]
        self._arrange()
        self._take_layout()

    def name_first(self, title: str) -> None:
        """Say which run the first map shows."""
        self._title.setText(title)

    def show_colouring(self, colouring: Colouring) -> None:
        """Colour all maps alike: a colour means the same image in each."""
        self._colouring = colouring
        for view in self.views:
            view.show_colouring(colouring)

    def _cell(self, run: Run) -> "MapCell":
        cell = MapCell(self._session, run, self._thumbnails)
        view = cell.view
        view.hovered.connect(lambda row: self._hover(view, row))
        view.open_wanted.connect(self.first.open_wanted)
        view.canvas.menu_requested.connect(self.first.canvas.menu_requested)
        view.pictures_changed.connect(self.first.pictures_changed)
        cell.closed.connect(lambda: self.closed.emit(run.path))
        cell.open_wanted.connect(lambda: self.open_wanted.emit(run))
        cell.state.moved.connect(lambda: self._recolour(view))
        cell.reference = self._reference
        return cell

    def _reference(self) -> NDArray[np.float32] | None:
        """Return the coordinates on which other maps are laid, so that all look the same way."""
        state = self.first.state
        return state.coordinates if state.kind in ("own", "plane") else None

    def _recolour(self, view: MapView) -> None:
        if self._colouring is not None:
            view.show_colouring(self._colouring)

    def _hover(self, source: MapView, row: int) -> None:
        for view in self.views:
            if view is not source:
                view.canvas.show_hovered(row)

    def _take_layout(self) -> None:
        """Let the other maps be seen as the first is, each from its own place."""
        layout = self.first.state.layout
        for cell in self.cells:
            state = cell.state
            before = state.layout.pictures
            state.choose(axes=layout.axes, across=layout.across, up=layout.up)
            state.choose(rotation=layout.rotation, pictures=layout.pictures)
            cell.view.set_tool(layout.tool)
            if before != layout.pictures:
                cell.view.show_pictures(layout.pictures)

    def _align(self) -> None:
        for cell in self.cells:
            cell.align()

    def _arrange(self) -> None:
        shown: list[QWidget] = [self._main, *self.cells]
        while self._grid.count():
            self._grid.takeAt(0)
        self._head.setVisible(len(shown) > 1)
        for number, widget in enumerate(shown):
            self._grid.addWidget(widget, number // 2, number % 2)
            widget.show()
        two = len(shown) > 2
        for place in (0, 1):
            self._grid.setColumnStretch(place, int(place < len(shown)))
            self._grid.setRowStretch(place, int(place == 0 or two))


class MapCell(QWidget):
    """The map of one other run under its name."""

    closed = Signal()
    open_wanted = Signal()

    def __init__(
        self,
        session: Session,
        run: Run,
        thumbnails: ThumbnailLoader,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.run = run
        self.state = MapState(session, self)
        self.view = MapView(session, self.state, thumbnails)
        self.reference = _nothing
        self._job: Job | None = None
        self._result: ResultColumns | None = None
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._laid_on: NDArray[np.float32] | None = None  # the map that this one was turned to
        title = ElidedLabel(run_title(run))
        set_role(title, "heading")
        self.note = QLabel()
        set_role(self.note, "secondary")
        above = QWidget()
        above.setFixedHeight(_HEAD)
        head = QHBoxLayout(above)
        head.setContentsMargins(SPACE.m, 0, SPACE.xs, 0)
        head.addWidget(title, 1)
        head.addWidget(self.note)
        for icon, name, tip, signal in (
            ("chart", tr("Open this run"), tr("Make this the open run"), self.open_wanted),
            ("x", tr("Close this map"), tr("Compare with this run no more"), self.closed),
        ):
            button = named(QToolButton(), name, tip)
            set_icon(button, icon)
            button.clicked.connect(signal)
            head.addWidget(button)
        self.empty = EmptyState("map", "")
        self.empty.acted.connect(self._encode)
        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(above)
        column.addWidget(body, 1)
        set_surface(self, "surface")
        self.state.moved.connect(self._show)
        session.table_changed.connect(self._take_table)
        session.jobs.job_ended.connect(self._take_job_end)
        self._load()

    def leave(self) -> None:
        """Go, and listen no more."""
        self._session.table_changed.disconnect(self._take_table)
        self._session.jobs.job_ended.disconnect(self._take_job_end)
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def align(self) -> None:
        """Turn and mirror the map so that it lies as the first one does."""
        reference, result = self.reference(), self._result
        if result is None or (reference is self._laid_on and self.state.result is not None):
            return
        self._laid_on = reference
        if result.positions is None:
            self.state.take_result(result)
            return
        positions, basis = result.positions, result.basis
        if reference is not None and reference.shape == positions.shape:
            positions, basis = aligned(positions, reference), None
        self.state.take_result(replace(result, positions=positions, basis=basis))

    def _load(self) -> None:
        """Read behind what the run says of the open folder."""
        session = self._session
        folder, table = session.folder, session.table
        self._result, self._ids = None, table.ids
        self.state.take_result(None)
        if folder is None:
            return
        run, result = self.run, self.run.result(folder.key)
        if not result.is_complete:
            return

        def take(found: ResultColumns) -> None:
            self._result = found
            self.align()

        name = f"compared map {id(self)}"
        session.background.run(name, lambda: result_columns(run, result, table), take)

    def _take_table(self) -> None:
        if not np.array_equal(self._ids, self._session.table.ids):
            self._load()

    def _take_job_end(self, job: Job) -> None:
        if job.run.path == self.run.path:
            self._job = None
            self._load()

    def _show(self) -> None:
        shown = self.state.coordinates is not None
        self._stack.setCurrentIndex(int(shown))
        explained = self.state.explained
        self.note.setText(f"{100 * explained:.0f} %" if shown and explained else "")
        if shown:
            return
        if self._job is not None:
            self.empty.describe("map", tr("Encoding the images"), self._job.title, "")
        elif self._result is not None:
            text = tr("The method of this run gives images no place in a latent space.")
            self.empty.describe("map", tr("This run has no map"), text, "")
        else:
            text = tr("This run has not looked at the images of the folder yet.")
            self.empty.describe("map", tr("Not on the map yet"), text, tr("Encode the images"))

    def _encode(self) -> None:
        folder = self._session.folder
        if folder is None or self._job is not None:
            return
        try:
            self._job = self._session.jobs.apply(self.run, str(folder.root), folder.key)
        except LoupeError as problem:
            self._session.problem.emit(str(problem))
        self._show()


def run_title(run: Run) -> str:
    """Return the name of a run, or that of its folder where it cannot be read."""
    try:
        return run.spec().title or run.path.name
    except LoupeError:
        return run.path.name


def chosen_runs(runs: Sequence[Run], paths: Sequence[Path]) -> list[Run]:
    """Return the runs at these paths, in their order."""
    known = {run.path: run for run in runs}
    return [known.get(path) or Run(path) for path in paths]


def _nothing() -> NDArray[np.float32] | None:
    return None
