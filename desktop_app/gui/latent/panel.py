"""The latent map: every image a point, coloured, hovered over, selected and decoded."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QHideEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from desktop_app.core.decoding import is_image_name
from desktop_app.core.runs import Run
from desktop_app.gui.filterbar import FilterBar
from desktop_app.gui.i18n import tr
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.jobs import Job
from desktop_app.gui.latent.colouring import Colouring, colour_choices, colouring, meaning
from desktop_app.gui.latent.grid import MapGrid, chosen_runs, run_title
from desktop_app.gui.latent.history import MapHistory, Moment
from desktop_app.gui.latent.keeping import keep_layout, kept_layout
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.latent.mapview import MapView
from desktop_app.gui.latent.marks import WalkMarks
from desktop_app.gui.latent.outside import Guest, Outside
from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.latent.sidebar import MapSidebar
from desktop_app.gui.latent.timeline import Timeline
from desktop_app.gui.latent.toolbar import MOST_COMPARED, MapToolbar
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.methods import can, method_title, no_images_of_latents
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.theme import SPACE, Theme, current_theme, follow_theme, set_role, set_surface
from desktop_app.gui.widgets import ElidedLabel, EmptyState

_MEGABYTES = 96  # of thumbnails
_KEEP_MILLISECONDS = 600  # after the last change of the layout
_OF_COLOURS = ("colour", "colour_map", "dimension")  # parts of a layout that recolour the map
_LETTERS = {
    Qt.Key.Key_V: "cursor",
    Qt.Key.Key_L: "lasso",
    Qt.Key.Key_R: "rectangle",
    Qt.Key.Key_D: "decode",
}


class LatentPanel(QWidget):
    """The map of the open folder through the open run, and through others beside it."""

    place_wanted = Signal(str)
    """The analyst wants to go to the "gallery" or the "inspector"."""
    open_wanted = Signal()
    """The analyst wants to choose a folder."""
    method_wanted = Signal()
    """The analyst wants to choose a method to train, or a run."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self._decoding = False  # a drag with the decoding tool
        self._compared: list[Path] = []
        self._neighbours: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))
        self._folder = session.folder
        self.colouring: Colouring | None = None
        self.state = MapState(session, self)
        self._layout = self.state.layout  # as it is shown
        self._thumbnails = ThumbnailLoader(session.thumbnails, megabytes=_MEGABYTES)
        self.destroyed.connect(self._thumbnails.close)
        self.view = MapView(session, self.state, self._thumbnails)
        self.grid = MapGrid(session, self.view, self._thumbnails)
        self.toolbar = MapToolbar(self.state)
        self.sidebar = MapSidebar(session, self.state, self._thumbnails)
        self.history = MapHistory(session, self)
        self.timeline = Timeline(self.history)
        self.outside = Outside(session, self)
        self.actions_ = ImageActions(
            session, self, self.place_wanted.emit, "map", lambda: self.state.coordinates
        )
        self._marks = WalkMarks(self.canvas)
        self._empty = EmptyState("map", "")
        self._empty.acted.connect(self._act_on_empty)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        self._keeping = QTimer(self, singleShot=True, interval=_KEEP_MILLISECONDS)
        self._keeping.timeout.connect(self._keep)
        self._kept_for: Run | None = None
        self.setAcceptDrops(True)
        self.canvas.viewport().installEventFilter(self)
        self._connect()
        follow_theme(self._themed)
        self.show_result()

    @property
    def canvas(self) -> PointCanvas:
        """The canvas of the open run's map."""
        return self.view.canvas

    def close_threads(self) -> None:
        """End the fetching of thumbnails, and keep the layout."""
        self._thumbnails.close()
        if self._keeping.isActive():
            self._keeping.stop()
            self._keep(at_once=True)

    def compare(self, runs: Sequence[Run]) -> None:
        """Show the maps of up to four runs side by side; none ends the comparison.

        The open run stays the first where it is among them, and a single other one is laid beside
        it; else the first of them is opened.
        """
        session, opened = self._session, self._session.run
        paths = list(dict.fromkeys(run.path for run in runs))
        if opened is not None and len(paths) == 1:
            paths = [opened.path, *(path for path in paths if path != opened.path)]
        self._compared = paths[:MOST_COMPARED]
        if paths and (opened is None or opened.path not in self._compared):
            session.open_run(next(run for run in runs if run.path == paths[0]))
        self._show_compared()

    def choose_comparison(self) -> None:
        """Open the list of runs whose maps can be shown beside this one."""
        if self._stack.currentIndex() == 1 and self.toolbar.compare.isEnabled():
            self.toolbar.compare.showMenu()

    def find_image(self, path: Path | None = None) -> None:
        """Show where an image file belongs on the map; asks for it when not told."""
        if path is None:
            title, kinds = tr("Find an image"), "*.png *.jpg *.jpeg *.bmp *.tif *.tiff *.webp"
            chosen, _kind = QFileDialog.getOpenFileName(
                self, title, "", tr("Images ({kinds})", kinds=kinds)
            )
            if not chosen:
                return
            path = Path(chosen)
        self.outside.ask(path)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Decode along a drag while the decoding tool is chosen."""
        if isinstance(event, QMouseEvent) and self.toolbar.tools.choice() == "decode":
            return self._decode_drag(event)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Select nothing with Escape, choose tools with their letters."""
        tool = _LETTERS.get(Qt.Key(event.key()), "")
        if event.key() == Qt.Key.Key_Escape and self._session.selected.any():
            self._select_none()
        elif tool and not event.modifiers() and self.toolbar.tools.button(tool).isEnabled():
            self.toolbar.tools.choose(tool)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept an image file where it can be found a place."""
        if _dropped_image(event) is not None and not self._why_no_guest():
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        """Show where the image file belongs on the map."""
        path = _dropped_image(event)
        if path is not None:
            event.acceptProposedAction()
            self.find_image(path)

    def hideEvent(self, event: QHideEvent) -> None:
        """Play nothing while nobody looks."""
        super().hideEvent(event)
        self.timeline.play.setChecked(False)

    # building

    def _connect(self) -> None:
        session, view, sidebar, toolbar = self._session, self.view, self.sidebar, self.toolbar
        view.empty_clicked.connect(self._click_on_nothing)
        view.open_wanted.connect(self._open)
        view.camera_changed.connect(self._take_camera)
        view.pictures_changed.connect(self._want_pictures)
        view.canvas.menu_requested.connect(self.actions_.show_menu)
        sidebar.walk.place_shown.connect(self._marks.show_place)
        sidebar.walk.path_shown.connect(self._marks.show_way)
        sidebar.image.neighbours_found.connect(self._show_neighbours)
        sidebar.image.guest_left.connect(lambda: self.canvas.set_guest(None))
        self.outside.found.connect(self._show_guest)
        self.timeline.moment_changed.connect(self._take_moment)
        self.state.moved.connect(self._show_state)
        self.state.layout_changed.connect(self._take_layout)
        self.state.measured.connect(self._recolour)
        toolbar.fit_wanted.connect(self._fit)
        toolbar.save_wanted.connect(self._save)
        toolbar.gallery_wanted.connect(self._show_in_gallery)
        toolbar.find_wanted.connect(lambda: self.find_image())
        toolbar.compared.connect(self._take_compared)
        self.grid.closed.connect(self._close_compared)
        self.grid.open_wanted.connect(self._open_compared)
        session.table_changed.connect(self._take_table)
        session.run_changed.connect(self.show_result)
        session.result_changed.connect(self.show_result)
        session.catalog_changed.connect(self._show_state)
        session.runs_changed.connect(self._offer_runs)
        session.verdicts_changed.connect(partial(self._recolour, "verdict"))
        shared_tags(session).changed.connect(partial(self._recolour, "tag"))
        session.selection_changed.connect(self._tell)
        session.filter_changed.connect(self._tell)

    def _page(self) -> QWidget:
        page = QWidget()
        set_surface(page, "surface")
        self._note = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._note, "caption")
        bar, foot = QHBoxLayout(), QHBoxLayout()
        bar.setContentsMargins(SPACE.s, 0, SPACE.s, 0)
        bar.addWidget(FilterBar(self._session, without=("label",)))
        foot.setContentsMargins(SPACE.m, SPACE.xs, SPACE.m, SPACE.xs)
        foot.addWidget(self._note, 1)
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addLayout(bar)
        left.addWidget(self.grid, 1)
        left.addWidget(self.timeline)
        left.addLayout(foot)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addLayout(left, 1)
        row.addWidget(self.sidebar)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addLayout(row, 1)
        return page

    # what is shown

    def show_result(self) -> None:
        """Show the map of the open run, or say what is missing and offer to do it."""
        session = self._session
        self._recall()
        result = session.result
        self.state.take_result(result)
        self.timeline.restart(result is not None and result.positions is not None)
        self._offer_runs()
        self._show_compared()
        self._show_camera()

    def _show_state(self) -> None:
        """Follow the state: points or what is missing, colours, what can be decoded."""
        shown = self.state.coordinates is not None
        self.toolbar.set_colours(colour_choices(self._session, self.state))
        self._follow_axes()
        self._offer_decoding()
        self._stack.setCurrentIndex(int(shown))
        if shown:
            self._colour()
            self._tell()
        else:
            self._empty.describe("map", *self._what_is_missing())

    def _follow_axes(self) -> None:
        """Lay the moments of the training on the trained method's map along the same axes."""
        if self.history.set_reference(self.state.trained, self.state.axes):
            self.timeline.ask_again()

    def _offer_decoding(self) -> None:
        """Let places be decoded where the map is that of the trained method."""
        reason = self._why_not_decode()
        button = self.toolbar.tools.button("decode")
        button.setEnabled(not reason)
        button.setToolTip(reason or tr("Decode what lies under the pointer (D)"))
        self._marks.set_visible(not reason)
        if reason and self.toolbar.tools.choice() == "decode":
            self.toolbar.tools.choose("cursor")
        reason = self._why_no_guest()
        self.toolbar.find_file.setEnabled(not reason)
        self.toolbar.find_file.setToolTip(
            reason or tr("Show where an image file from elsewhere belongs")
        )

    def _why_not_decode(self) -> str:
        result = self._session.result
        if not can(self._session, "decodes"):
            return no_images_of_latents(self._session)
        if result is None or result.latents is None:
            return tr("Once the images are encoded, places on the map can be decoded.")
        if self.state.moment is not None:
            return tr(
                "Only the map of the trained method can be decoded: move the slider to its end."
            )
        return ""

    def _why_no_guest(self) -> str:
        result = self._session.result
        if not can(self._session, "encodes"):
            return tr("The method of the open run gives other images no place.")
        if result is None or result.latents is None:
            return tr("Once the images are encoded, other images find their place among them.")
        return ""

    def _what_is_missing(self) -> tuple[str, str, str]:
        session = self._session
        if session.folder is None:
            text = tr("Open a folder to see its images on a map.")
            return tr("No folder is open"), text, tr("Open folder…")
        if session.run is None:
            text = tr(
                "Train a method on this folder, or open a run: "
                "then images that are alike lie close together here."
            )
            return tr("There is no map yet"), text, tr("Choose a method")
        if self._is_unable():
            text = tr("{method} gives images no place in a latent space. Choose a run that does.")
            text = text.format(method=method_title(session) or tr("The method of the open run"))
            return tr("This run has no map"), text, tr("Choose a method")
        if self.history.is_growing:
            text = tr("The map appears with the first snapshot of the training.")
            return tr("The training has begun"), text, ""
        if self._job is not None:
            return tr("Encoding the images"), self._job.feed.phase or self._job.title, ""
        text = tr("The open run has not looked at the images of this folder yet.")
        return tr("Not on the map yet"), text, tr("Encode the images")

    def _is_unable(self) -> bool:
        """Whether the method of the open run is known not to do what this panel needs."""
        session = self._session
        return bool(session.catalog) and not (can(session, "encodes") or can(session, "embeds"))

    def _act_on_empty(self) -> None:
        session = self._session
        if session.folder is None:
            self.open_wanted.emit()
        elif session.run is None or self._is_unable():
            self.method_wanted.emit()
        else:
            self._encode()

    def _encode(self) -> None:
        job = self._session.score_folder()
        if job is None:
            return
        self._job = job
        job.feed.updated.connect(self._show_state)
        job.ended.connect(self._end_encoding)
        self._show_state()

    def _end_encoding(self) -> None:
        self._job = None
        self._show_state()

    def _take_table(self) -> None:
        if self._session.folder is not self._folder:
            self._folder = self._session.folder
            self._thumbnails.clear()
            self.compare(())
        self._show_state()

    def _take_moment(self, moment: Moment | None) -> None:
        self.state.take_moment(moment)

    # colours

    def _colour(self) -> None:
        coordinates = self.state.coordinates
        if coordinates is None:
            return
        self.colouring = colouring(self._session, self.state, current_theme())
        self.toolbar.colour_map.setVisible(self.colouring.scale is not None)
        self.grid.show_colouring(self.colouring)
        self.sidebar.image.colour_labels(self.state.colour == "label")
        words = meaning(self.state) if self.colouring.scale is not None else ""
        known = np.isfinite(coordinates[:, 0])
        self.sidebar.legend.show_colouring(self.colouring, known, words)

    def _recolour(self, key: str) -> None:
        if self.state.colour == key:
            self._colour()

    def _tell(self) -> None:
        """Say which projection this is, how much it shows, and of how many images."""
        session, state, coordinates = self._session, self.state, self.state.coordinates
        if coordinates is None or len(session.visible) != len(coordinates):
            return
        parts = [_projection_words(state)]
        if state.dimensions:
            parts.append(tr("{n} latent dimensions", n=f"{state.dimensions:,}"))
        known = np.isfinite(coordinates[:, 0])
        shown = int(np.count_nonzero(known & session.visible))
        total = int(np.count_nonzero(known))
        counts = f"{total:,}" if shown == total else f"{shown:,} / {total:,}"
        parts.append(tr("{n} images", n=counts))
        selected = int(np.count_nonzero(session.selected))
        parts += [tr("{n} selected", n=f"{selected:,}")] if selected else []
        self._note.setText("  ·  ".join(parts))
        self.toolbar.to_gallery.setEnabled(selected > 0)

    # layout

    def _take_layout(self) -> None:
        """Follow what of the layout is new: a camera alone costs nothing."""
        before, layout = self._layout, self.state.layout
        self._layout = layout
        if layout.tool != before.tool:
            self.view.set_tool(layout.tool)
        if layout.pictures != before.pictures:
            self.view.show_pictures(layout.pictures)
        if layout.lines != before.lines:
            self._show_neighbours(*self._neighbours)
        if any(getattr(layout, name) != getattr(before, name) for name in _OF_COLOURS):
            self._colour()
        self._keeping.start()

    def _recall(self) -> None:
        """Take the layout that was kept for the run that is open now."""
        run = self._session.run
        if self._keeping.isActive():
            self._keeping.stop()
            self._keep()
        if run is None or run is self._kept_for:
            return
        self._kept_for = run
        with_run = kept_layout(self._session, run)
        self.state.take_layout(with_run)
        self._keeping.stop()

    def _keep(self, *, at_once: bool = False) -> None:
        if self._kept_for is not None:
            keep_layout(self._session, self._kept_for, self.state.layout, at_once=at_once)

    def _take_camera(self) -> None:
        if self.state.moment is None:
            self.state.choose(camera=self.canvas.camera())

    def _show_camera(self) -> None:
        if self.state.coordinates is not None and self.state.moment is None:
            self.canvas.look_at(self.state.layout.camera)

    def _fit(self) -> None:
        for view in self.grid.views:
            view.canvas.fit()
        self._take_camera()

    # pointing and choosing

    def _show_neighbours(self, row: int, rows: NDArray[np.int64]) -> None:
        """Draw lines to the true neighbours, on every map."""
        self._neighbours = row, rows
        shown = rows if self.state.layout.lines else rows[:0]
        for view in self.grid.views:
            if view.is_shown:
                from_guest = row < 0 and view is not self.view
                view.canvas.set_lines(row, shown[:0] if from_guest else shown)

    def _show_guest(self, guest: Guest) -> None:
        """Mark where an image from elsewhere belongs: where the map has a place, or between its
        neighbours.
        """
        coordinates = self.state.coordinates
        if coordinates is None:
            return
        places = self.state.place(guest.latent[None]) if self.state.moment is None else None
        place = places[0] if places is not None else guest.place(coordinates)
        self.canvas.set_guest(place)
        self.sidebar.image.show_guest(guest)

    def _click_on_nothing(self, x: float, y: float) -> None:
        """Decode on the empty map, or select nothing."""
        if not self._why_not_decode():
            self.sidebar.walk.go_to(x, y)
        elif self._session.selected.any():
            self._select_none()

    def _select_none(self) -> None:
        self._session.select(np.zeros(len(self._session.table), np.bool_))

    def _open(self, row: int) -> None:
        self._session.set_current(row)
        self.place_wanted.emit("inspector")

    def _decode_drag(self, event: QMouseEvent) -> bool:
        """Decode under the pointer while the left button is held; tell whether that was it."""
        left = Qt.MouseButton.LeftButton
        if event.type() == QEvent.Type.MouseButtonPress and event.button() == left:
            self._decoding = True
            self.view.hide_card()
        elif event.type() == QEvent.Type.MouseButtonRelease and event.button() == left:
            self._decoding = False
            return True
        if not self._decoding:
            return False
        place = self.canvas.map_position(event.position())
        self.sidebar.walk.go_to(place.x(), place.y())
        return True

    def _show_in_gallery(self) -> None:
        rows = np.flatnonzero(self._session.selected).astype(np.int64)
        if len(rows) > 1:
            self.actions_.filter_to(rows)
        self.place_wanted.emit("gallery")

    def _save(self) -> None:
        name = f"{self._session.folder.name}-map.png" if self._session.folder else "map.png"
        path, _kind = QFileDialog.getSaveFileName(self, tr("Save the map"), name, "PNG (*.png)")
        if path:
            try:
                self.canvas.export_png(Path(path))
            except OSError as problem:
                self._session.problem.emit(str(problem))

    def _want_pictures(self) -> None:
        ids = [image_id for view in self.grid.views for image_id in view.wanted_ids()]
        self._thumbnails.want(list(dict.fromkeys([*self.sidebar.image.wanted_ids(), *ids])))

    # other runs

    def _offer_runs(self) -> None:
        """Offer the runs whose maps could be shown beside the open one's."""
        session = self._session
        open_path = session.run.path if session.run is not None else None
        others = [(run.path, run_title(run)) for run in session.runs if run.path != open_path]
        known = {path for path, _title in others}
        others += [
            (path, run_title(Run(path)))
            for path in self._compared
            if path not in known and path != open_path
        ]
        self.toolbar.set_comparable(others, [p for p in self._compared if p != open_path])

    def _show_compared(self) -> None:
        session = self._session
        open_path = session.run.path if session.run is not None else None
        others = [path for path in self._compared if path != open_path][: MOST_COMPARED - 1]
        self.grid.show_runs(chosen_runs(session.runs, others))
        self.grid.name_first(run_title(session.run) if session.run is not None else "")
        self._offer_runs()
        if self.colouring is not None:
            self.grid.show_colouring(self.colouring)
        self._show_neighbours(*self._neighbours)

    def _take_compared(self, paths: list[Path]) -> None:
        run = self._session.run
        self._compared = ([run.path] if run is not None and paths else []) + paths
        self._show_compared()

    def _close_compared(self, path: Path) -> None:
        self._compared = [other for other in self._compared if other != path]
        self._show_compared()

    def _open_compared(self, run: Run) -> None:
        """Make a compared run the open one; the open one stays beside it."""
        self._session.open_run(run)

    def _themed(self, _theme: Theme) -> None:
        self._colour()


def _projection_words(state: MapState) -> str:
    """Say what the axes of a map are."""
    kind = state.moment.kind if state.moment is not None else state.kind
    names = {
        "own": tr("Own layout of the method"),
        "plane": tr("Principal plane"),
        "dimensions": tr(
            "Dimensions {across} and {up}",
            across=state.layout.across + 1,
            up=state.layout.up + 1,
        ),
        "space": tr("Space of three principal axes"),
    }
    if not state.explained or kind == "own":
        return names[kind]
    share = f"{100 * state.explained:.0f} %"
    if kind == "plane":
        return tr("Principal plane, {share} of the variance", share=share)
    return tr("{axes}, {share} of the variance", axes=names[kind], share=share)


def _dropped_image(event: Any) -> Path | None:
    """Return the one image file that is dropped, or None."""
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
    if len(paths) != 1 or not is_image_name(paths[0].name) or not paths[0].is_file():
        return None
    return paths[0]
