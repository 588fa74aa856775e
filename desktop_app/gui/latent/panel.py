"""The latent map: every image a point, coloured, hovered over, selected and decoded."""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSlider,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.categories import labels_of
from desktop_app.gui.filterbar import FilterBar
from desktop_app.gui.filtering import shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.jobs import Job
from desktop_app.gui.latent.card import HoverCard
from desktop_app.gui.latent.colouring import Colouring, colour_choices, colouring
from desktop_app.gui.latent.history import MapHistory, Moment
from desktop_app.gui.latent.scatter import PointCanvas, Tool
from desktop_app.gui.latent.sidebar import MapSidebar
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.methods import can, method_title
from desktop_app.gui.plotmenu import own_menu
from desktop_app.gui.session import Session
from desktop_app.gui.theme import (
    COLOUR_MAPS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    number_font,
    set_role,
    set_surface,
)
from desktop_app.gui.widgets import (
    ChoiceField,
    ElidedLabel,
    EmptyState,
    Segment,
    Segmented,
    named,
)

_MEGABYTES = 96  # of thumbnails
_CANVAS_TOOLS: dict[str, Tool] = {
    "cursor": "cursor",
    "lasso": "lasso",
    "rectangle": "rectangle",
    "decode": "cursor",
}


class LatentPanel(QWidget):
    """The map of the open folder through the open run."""

    place_wanted = Signal(str)
    """The analyst wants to go to the "gallery" or the "inspector"."""
    open_wanted = Signal()
    """The analyst wants to choose a folder."""
    method_wanted = Signal()
    """The analyst wants to choose a method to train, or a run."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self._positions: NDArray[np.float32] | None = None
        self._colouring: Colouring | None = None
        self._moment: Moment | None = None
        self._follows = True  # the newest snapshot is shown as it comes
        self._job: Job | None = None
        self._hovered_id = -1
        self._decoding = False  # a drag with the decoding tool
        self._thumbnails = ThumbnailLoader(session.thumbnails, megabytes=_MEGABYTES)
        self._folder = session.folder
        self.destroyed.connect(self._thumbnails.close)
        self.canvas = PointCanvas()
        own_menu(self.canvas)
        self.canvas.viewport().installEventFilter(self)
        self._card = HoverCard(self.canvas)
        self._marker, self._path = self._marks()
        self.sidebar = MapSidebar(session, self._thumbnails)
        self.history = MapHistory(session, self)
        self.actions_ = ImageActions(session, self, self.place_wanted.emit, "map")
        self._empty = EmptyState("map", "")
        self._empty.acted.connect(self._act_on_empty)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        self._connect()
        follow_theme(self._themed)
        self.show_result()

    def close_threads(self) -> None:
        """End the fetching of thumbnails."""
        self._thumbnails.close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Decode along a drag while the decoding tool is chosen."""
        if isinstance(event, QMouseEvent) and self.tools.choice() == "decode":
            return self._decode_drag(event)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Select nothing with Escape, choose tools with their letters."""
        tools = {Qt.Key.Key_V: "cursor", Qt.Key.Key_L: "lasso", Qt.Key.Key_R: "rectangle"}
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape and self._session.selected.any():
            self._session.select(np.zeros(len(self._session.table), np.bool_))
        elif key in tools and not event.modifiers():
            self.tools.choose(tools[key])
        elif key == Qt.Key.Key_D and self.tools.button("decode").isEnabled():
            self.tools.choose("decode")
        else:
            super().keyPressEvent(event)

    # building

    def _connect(self) -> None:
        session, canvas = self._session, self.canvas
        canvas.hovered.connect(self._hover)
        canvas.clicked.connect(self._click)
        canvas.activated.connect(self._open)
        canvas.lassoed.connect(lambda rows, mode: session.select(rows, mode))
        canvas.menu_requested.connect(self.actions_.show_menu)
        canvas.pictures_wanted.connect(self._want_pictures)
        self._thumbnails.loaded.connect(self._take_pictures)
        self.sidebar.walk.place_shown.connect(self._show_place)
        self.sidebar.walk.path_shown.connect(self._show_path)
        self.history.grown.connect(self._show_history)
        self.history.arrived.connect(self._take_moment)
        session.table_changed.connect(self._take_table)
        session.run_changed.connect(self.show_result)
        session.result_changed.connect(self.show_result)
        session.catalog_changed.connect(self.show_result)
        session.verdicts_changed.connect(self._show_verdicts)
        session.selection_changed.connect(self._show_selection)
        session.current_changed.connect(self._show_current)
        session.filter_changed.connect(self._show_filter)

    def _marks(self) -> tuple[Any, Any]:
        """Return the marks of the decoded place and of the way between two images."""
        path = pg.PlotCurveItem()
        marker = pg.ScatterPlotItem(symbol="+", size=17)
        for item, height in ((path, 20), (marker, 21)):
            item.setZValue(height)
            self.canvas.addItem(item, ignoreBounds=True)
        return marker, path

    def _page(self) -> QWidget:
        page = QWidget()
        set_surface(page, "surface")
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addLayout(self._toolbar())
        bar = QHBoxLayout()
        bar.setContentsMargins(SPACE.s, 0, SPACE.s, 0)
        bar.addWidget(FilterBar(self._session, without=("label",)))
        left.addLayout(bar)
        left.addWidget(self.canvas, 1)
        left.addWidget(self._epochs())
        left.addLayout(self._footer())
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left, 1)
        row.addWidget(self.sidebar)
        return page

    def _toolbar(self) -> QHBoxLayout:
        self.tools = Segmented(
            tr("Tools of the map"),
            [
                Segment("cursor", tr("Move"), "hand", tr("Move the map, click images (V)")),
                Segment("lasso", tr("Lasso"), "lasso", _tip(tr("Select with a lasso (L)"))),
                Segment(
                    "rectangle", tr("Rectangle"), "rectangle", _tip(tr("Select a rectangle (R)"))
                ),
                Segment(
                    "decode", tr("Decode"), "sparkle", tr("Decode what lies under the pointer (D)")
                ),
            ],
        )
        self.tools.chosen.connect(self._choose_tool)
        self.colour_by = ChoiceField(tr("Colour by"), tip=tr("What the colours of the points mean"))
        self.colour_by.chosen.connect(lambda _key: self._colour())
        maps = [(name, name.capitalize()) for name in COLOUR_MAPS]
        self._colour_map = ChoiceField(tr("Colours of numbers"), maps)
        self._colour_map.choose("viridis")
        self._colour_map.chosen.connect(lambda _key: self._colour())
        caption = QLabel(tr("Colour"))
        set_role(caption, "caption")
        self._pictures = named(
            QToolButton(), tr("Thumbnails"), tr("Show thumbnails where few images are in sight")
        )
        set_icon(self._pictures, "image")
        self._pictures.setCheckable(True)
        self._pictures.toggled.connect(self._show_pictures)
        fit = named(QToolButton(), tr("Show all"), tr("Show all points (Home)"))
        set_icon(fit, "zoom-fit")
        fit.clicked.connect(self.canvas.fit)
        save = named(QToolButton(), tr("Save the map"), tr("Save the map as a picture"))
        set_icon(save, "export")
        save.clicked.connect(self._save)
        self._to_gallery = named(
            QToolButton(), tr("Show in gallery"), tr("Show the selected images in the gallery")
        )
        set_icon(self._to_gallery, "grid")
        self._to_gallery.clicked.connect(self._show_in_gallery)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        row.setSpacing(SPACE.s)
        row.addWidget(self.tools)
        row.addSpacing(SPACE.xs)
        row.addWidget(caption)
        row.addWidget(self.colour_by)
        row.addWidget(self._colour_map)
        row.addStretch(1)
        for button in (self._to_gallery, self._pictures, fit, save):
            row.addWidget(button)
        return row

    def _epochs(self) -> QWidget:
        self._epoch = named(
            QSlider(Qt.Orientation.Horizontal),
            tr("Step of the training"),
            tr("How the map looked while the run was trained"),
        )
        self._epoch.valueChanged.connect(self._choose_epoch)
        self._epoch_text = QLabel()
        self._epoch_text.setFont(number_font(TYPE.caption))
        self._epoch_text.setMinimumWidth(128)
        set_role(self._epoch_text, "caption")
        self._epoch_bar = QWidget()
        row = QHBoxLayout(self._epoch_bar)
        row.setContentsMargins(SPACE.m, SPACE.xs, SPACE.m, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(self._epoch_text)
        row.addWidget(self._epoch, 1)
        return self._epoch_bar

    def _footer(self) -> QHBoxLayout:
        self._note = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._note, "caption")
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.m, SPACE.xs, SPACE.m, SPACE.xs)
        row.addWidget(self._note, 1)
        return row

    # state

    def show_result(self) -> None:
        """Show the map of the open run, or say what is missing and offer to do it."""
        session = self._session
        self.colour_by.set_choices(colour_choices(session))
        final = session.result.positions if session.result is not None else None
        self.history.set_reference(final)
        self._moment = None
        self._follows = True
        self._show_history()
        self._show_state()

    def _show_state(self) -> None:
        shown = self._wanted_positions() is not None
        self._offer_decoding()
        self._stack.setCurrentIndex(int(shown))
        if shown:
            self._show_points()
        else:
            self._empty.describe("map", *self._what_is_missing())

    def _offer_decoding(self) -> None:
        """Let places be decoded where the map is that of the trained method."""
        reason = self._why_not_decode()
        button = self.tools.button("decode")
        button.setEnabled(not reason)
        button.setToolTip(reason or tr("Decode what lies under the pointer (D)"))
        for mark in (self._marker, self._path):
            mark.setVisible(not reason)
        if reason and self.tools.choice() == "decode":
            self.tools.choose("cursor")

    def _why_not_decode(self) -> str:
        result = self._session.result
        if not can(self._session, "decodes"):
            return tr("The method of the open run cannot make images of latents.")
        if result is None or result.latents is None:
            return tr("Once the images are encoded, places on the map can be decoded.")
        if self._moment is not None:
            return tr(
                "Only the map of the trained method can be decoded: move the slider to its end."
            )
        return ""

    def _wanted_positions(self) -> NDArray[np.float32] | None:
        session = self._session
        final = session.result.positions if session.result is not None else None
        positions = self._moment.positions if self._moment is not None else final
        fits = positions is not None and len(positions) == len(session.table) > 0
        return positions if fits else None

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
        return bool(self._session.catalog) and not can(self._session, "encodes")

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
        self._show_state()

    # the points

    def _show_points(self) -> None:
        positions = self._wanted_positions()
        if positions is None:
            return
        if positions is not self._positions:
            moves = self._positions is not None and len(self._positions) == len(positions)
            self._positions = positions
            self.canvas.set_points(positions[:, 0], positions[:, 1])
            if moves:
                self.canvas.fit()
        self._colour()
        self._show_filter()
        self._show_selection()
        self._show_current()

    def _colour(self) -> None:
        if self._positions is None or len(self._positions) != len(self._session.table):
            return
        key, theme = self.colour_by.choice(), current_theme()
        self._colouring = colouring(self._session, key, theme, self._colour_map.choice())
        self._colour_map.setVisible(self._colouring.scale is not None)
        self.canvas.set_colours(self._colouring.index, self._colouring.lut)
        self.sidebar.legend.show_colouring(self._colouring, np.isfinite(self._positions[:, 0]))

    def _show_verdicts(self) -> None:
        if self.colour_by.choice() == "verdict":
            self._colour()

    def _show_filter(self) -> None:
        if self._positions is not None and len(self._session.visible) == len(self._positions):
            self.canvas.set_visible(self._session.visible)
            self._tell()

    def _show_selection(self) -> None:
        """Fade what is not selected; a single selected image is ringed already."""
        session = self._session
        if self._positions is None or len(session.selected) != len(self._positions):
            return
        count = int(np.count_nonzero(session.selected))
        alone = count == 1 and session.current >= 0 and bool(session.selected[session.current])
        self.canvas.set_selection(np.zeros_like(session.selected) if alone else session.selected)
        self._to_gallery.setEnabled(count > 0)
        self._tell()

    def _show_current(self) -> None:
        session = self._session
        if self._positions is None or session.current >= len(self._positions):
            return
        row = session.current
        known = row >= 0 and bool(np.isfinite(self._positions[row]).all())
        self.canvas.set_current(row if known else -1)
        self._show_selection()

    def _tell(self) -> None:
        """Say which projection this is, how much it shows, and of how many images."""
        session, positions = self._session, self._positions
        if positions is None:
            return
        known = np.isfinite(positions[:, 0])
        explained = self._moment.explained if self._moment is not None else None
        if explained is None and session.result is not None:
            explained = session.result.explained
        parts = [tr("Principal plane")]
        if explained:
            share = f"{100 * explained:.0f} %"
            parts[0] = tr("Principal plane, {share} of the variance", share=share)
        if session.result is not None and session.result.latents is not None:
            dimensions = session.result.latents.shape[-1]
            parts.append(tr("{n} latent dimensions", n=f"{dimensions:,}"))
        shown = int(np.count_nonzero(known & session.visible))
        total = int(np.count_nonzero(known))
        counts = f"{total:,}" if shown == total else f"{shown:,} / {total:,}"
        parts.append(tr("{n} images", n=counts))
        selected = int(np.count_nonzero(session.selected))
        parts += [tr("{n} selected", n=f"{selected:,}")] if selected else []
        self._note.setText("  ·  ".join(parts))

    # the training

    def _show_history(self) -> None:
        """Let the slider run over the snapshots and, behind them, the finished map."""
        steps = self.history.steps
        final = self._session.result is not None and self._session.result.positions is not None
        last = len(steps) - 1 + int(final)
        self._epoch_bar.setVisible(len(steps) > 1 or (len(steps) == 1 and final))
        self._epoch.blockSignals(True)
        self._epoch.setRange(0, max(0, last))
        if self._follows:
            self._epoch.setValue(max(0, last))
        self._epoch.blockSignals(False)
        if self._follows and steps and not final:
            self.history.show(steps[-1])
        self._name_epoch()

    def _choose_epoch(self, number: int) -> None:
        steps = self.history.steps
        self._follows = number == self._epoch.maximum()
        self._name_epoch()
        if number < len(steps):
            self.history.show(steps[number])
        else:
            self._moment = None
            self._show_state()

    def _name_epoch(self) -> None:
        steps, number = self.history.steps, self._epoch.value()
        if number < len(steps):
            text = tr("Step {n}", n=f"{steps[number]:,}")
            live = self.history.is_growing and self._follows
            self._epoch_text.setText(tr("{step}, live", step=text) if live else text)
        else:
            self._epoch_text.setText(tr("Trained"))

    def _take_moment(self, moment: Moment) -> None:
        steps, number = self.history.steps, self._epoch.value()
        if number < len(steps) and steps[number] == moment.step:
            self._moment = moment
            self._show_state()

    # pointing and choosing

    def _hover(self, row: int) -> None:
        if row < 0 or row >= len(self._session.table):
            self._card.hide()
            return
        session, labels = self._session, labels_of(self._session)
        image_id = int(session.table.ids[row])
        code = int(labels.codes[row])
        score = ""
        if session.result is not None and session.result.scores is not None:
            value = float(session.result.scores[row])
            score = f"{value:.4g}" if np.isfinite(value) else ""
        self._card.show_image(
            self._thumbnails.image(image_id),
            PurePosixPath(session.table.paths[row]).name,
            labels.names[code],
            labels.colour(code, current_theme()),
            score,
        )
        self._hovered_id = image_id
        self._card.move_beside(self.canvas.mapFromGlobal(self.cursor().pos()))
        self._thumbnails.want([image_id, *self.sidebar.image.wanted_ids()])

    def _click(self, x: float, y: float, row: int) -> None:
        """Choose an image; on the empty map decode, or select nothing."""
        held = QApplication.keyboardModifiers()
        if row >= 0:
            several = held & (
                Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
            )
            rows = np.array([row], np.int64)
            self._session.select(rows, "toggle" if several else "replace")
            self._session.set_current(row)
        elif not self._why_not_decode():
            self.sidebar.walk.go_to(x, y)
        elif self._session.selected.any():
            self._session.select(np.zeros(len(self._session.table), np.bool_))

    def _open(self, row: int) -> None:
        self._session.set_current(row)
        self.place_wanted.emit("inspector")

    def _choose_tool(self, key: str) -> None:
        self.canvas.set_tool(_CANVAS_TOOLS[key])
        if key == "decode":
            self.canvas.viewport().setCursor(Qt.CursorShape.CrossCursor)
        elif key == "cursor":
            self.canvas.viewport().setCursor(Qt.CursorShape.ArrowCursor)

    def _decode_drag(self, event: QMouseEvent) -> bool:
        """Decode under the pointer while the left button is held; tell whether that was it."""
        left = Qt.MouseButton.LeftButton
        if event.type() == QEvent.Type.MouseButtonPress and event.button() == left:
            self._decoding = True
            self._card.hide()
        elif event.type() == QEvent.Type.MouseButtonRelease and event.button() == left:
            self._decoding = False
            return True
        if not self._decoding:
            return False
        place = self.canvas.map_position(event.position())
        self.sidebar.walk.go_to(place.x(), place.y())
        return True

    def _show_place(self, place: tuple[float, float] | None, far: bool) -> None:
        theme = current_theme()
        colour = theme.colours.warning if far else theme.colours.text
        self._marker.setPen(pg.mkPen(colour, width=2.5))
        self._marker.setData([] if place is None else [{"pos": place}])

    def _show_path(self, ends: NDArray[np.float32] | None) -> None:
        if ends is None:
            self._path.setData([], [])
        else:
            self._path.setData(ends[:, 0], ends[:, 1])

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

    # thumbnails

    def _show_pictures(self, shown: bool) -> None:
        ids = self._session.table
        self.canvas.set_pictures(
            (lambda row: self._thumbnails.image(int(ids.ids[row]))) if shown else None
        )

    def _want_pictures(self, rows: NDArray[np.int64]) -> None:
        ids = self._session.table.ids[rows].tolist()
        self._thumbnails.want([*self.sidebar.image.wanted_ids(), *ids])

    def _take_pictures(self, image_ids: list[int]) -> None:
        if self._card.isVisible() and self._hovered_id in image_ids:
            self._card.set_image(self._thumbnails.image(self._hovered_id))
        if self._pictures.isChecked():
            self.canvas.refresh_pictures()

    def _themed(self, theme: Theme) -> None:
        self._path.setPen(pg.mkPen(theme.colours.accent, width=2, style=Qt.PenStyle.DashLine))
        self._marker.setPen(pg.mkPen(theme.colours.text, width=2.5))
        self._colour()


def _tip(text: str) -> str:
    return tr("{tip}; Shift adds, Alt takes away", tip=text)
