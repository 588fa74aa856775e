"""One map on the screen: the canvas that follows a state and the selection of the session."""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from desktop_app.gui.categories import labels_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.latent.card import HoverCard
from desktop_app.gui.latent.colouring import Colouring
from desktop_app.gui.latent.mapbox import Tool
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.plotmenu import own_menu
from desktop_app.gui.session import Session
from desktop_app.gui.theme import current_theme

CANVAS_TOOLS: dict[str, Tool] = {
    "cursor": "cursor",
    "lasso": "lasso",
    "rectangle": "rectangle",
    "decode": "cursor",
}


class MapView(QWidget):
    """Shows a state's points, coloured from outside; clicks and lassos go to the session."""

    hovered = Signal(int)
    """Carries the row below the pointer, -1 for none."""
    empty_clicked = Signal(float, float)
    """The map was clicked, in map units, where no image is."""
    open_wanted = Signal(int)
    """A row was double-clicked."""
    pictures_changed = Signal()
    """Other thumbnails are wanted: see `wanted_ids`."""
    camera_changed = Signal()
    """Another part of the map is in sight, and the map rests."""

    def __init__(
        self,
        session: Session,
        state: MapState,
        thumbnails: ThumbnailLoader,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.state = state
        self._thumbnails = thumbnails
        self._shown: NDArray[np.float32] | None = None
        self._wanted: list[int] = []
        self._hovered_id = -1
        self.canvas = PointCanvas()
        own_menu(self.canvas)
        self._card = HoverCard(self.canvas)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.canvas)
        canvas = self.canvas
        canvas.hovered.connect(self._hover)
        canvas.clicked.connect(self._click)
        canvas.activated.connect(self.open_wanted)
        canvas.lassoed.connect(lambda rows, mode: session.select(rows, mode))
        canvas.pictures_wanted.connect(self._want)
        canvas.turned.connect(lambda turn: state.choose(rotation=tuple(turn.ravel().tolist())))
        canvas.moved.connect(self.camera_changed)
        thumbnails.loaded.connect(self._take_pictures)
        state.moved.connect(self.show_points)
        session.selection_changed.connect(self.show_selection)
        session.current_changed.connect(self._show_current)
        session.filter_changed.connect(self._show_filter)

    @property
    def is_shown(self) -> bool:
        """Tell whether there are points to be seen."""
        return self._shown is not None and len(self._shown) == len(self._session.table)

    def wanted_ids(self) -> list[int]:
        """Return the ids of the images whose thumbnails are shown here or would be."""
        return [self._hovered_id, *self._wanted] if self._hovered_id >= 0 else self._wanted

    def hide_card(self) -> None:
        """Hide what is known of the image below the pointer."""
        self._card.hide()

    def show_points(self) -> None:
        """Show where the points lie now."""
        coordinates = self.state.coordinates
        if coordinates is None:
            self._shown = None
            return
        if coordinates is not self._shown:
            flat_before = not self.canvas.is_spatial
            known = self._shown is not None and len(self._shown) == len(coordinates)
            self._shown = coordinates
            z = coordinates[:, 2] if coordinates.shape[1] == 3 else None
            self.canvas.set_rotation(self.state.rotation)
            self.canvas.set_points(coordinates[:, 0], coordinates[:, 1], z)
            if known and (self.canvas.is_fitted or flat_before == self.canvas.is_spatial):
                self.canvas.fit()
            self._show_filter()
            self.show_selection()
            self._show_current()
        elif self.canvas.is_spatial:
            self.canvas.set_rotation(self.state.rotation)

    def show_colouring(self, colouring: Colouring) -> None:
        """Show the colours of all rows."""
        if self.is_shown and len(colouring.index) == len(self._session.table):
            self.canvas.set_colours(colouring.index, colouring.lut)

    def show_pictures(self, shown: bool) -> None:
        """Show thumbnails instead of points where few are in sight."""
        self._wanted = []
        self.canvas.set_pictures(self._picture if shown else None)

    def show_selection(self) -> None:
        """Fade what is not selected; a single selected image is ringed already."""
        session = self._session
        if not self.is_shown or len(session.selected) != len(session.table):
            return
        count = int(np.count_nonzero(session.selected))
        alone = count == 1 and session.current >= 0 and bool(session.selected[session.current])
        self.canvas.set_selection(np.zeros_like(session.selected) if alone else session.selected)

    def set_tool(self, key: str) -> None:
        """Choose what a drag does, by the key of the toolbar."""
        self.canvas.set_tool(CANVAS_TOOLS.get(key, "cursor"))
        if CANVAS_TOOLS.get(key, "cursor") == "cursor":
            shape = Qt.CursorShape.CrossCursor if key == "decode" else Qt.CursorShape.ArrowCursor
            self.canvas.viewport().setCursor(shape)

    # following

    def _show_filter(self) -> None:
        if self.is_shown and len(self._session.visible) == len(self._session.table):
            self.canvas.set_visible(self._session.visible)

    def _show_current(self) -> None:
        """Ring the current image, and go where it is when it lies out of sight."""
        row = self._session.current
        if not self.is_shown or self._shown is None or row >= len(self._shown):
            return
        known = row >= 0 and bool(np.isfinite(self._shown[row]).all())
        self.canvas.set_current(row if known else -1)
        if known:
            self.canvas.reveal(row)
        self.show_selection()

    # pointing and choosing

    def _hover(self, row: int) -> None:
        self.hovered.emit(row)
        session = self._session
        if row < 0 or row >= len(session.table):
            self._hovered_id = -1
            self._card.hide()
            return
        labels = labels_of(session)
        code = int(labels.codes[row])
        self._hovered_id = int(session.table.ids[row])
        self._card.show_image(
            self._thumbnails.image(self._hovered_id),
            PurePosixPath(session.table.paths[row]).name,
            labels.names[code],
            labels.colour(code, current_theme()) if self.state.colour == "label" else "",
            self._score(row),
        )
        self._card.move_beside(self.canvas.mapFromGlobal(self.cursor().pos()))
        self.pictures_changed.emit()

    def _score(self, row: int) -> str:
        result = self.state.result
        if result is None or result.scores is None or not np.isfinite(result.scores[row]):
            return ""
        return tr("Score {score}", score=f"{float(result.scores[row]):.4g}")

    def _click(self, x: float, y: float, row: int) -> None:
        """Choose an image; where none is, the owner knows what to do."""
        if row < 0:
            self.empty_clicked.emit(x, y)
            return
        keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        several = QApplication.keyboardModifiers() & keys
        self._session.select(np.array([row], np.int64), "toggle" if several else "replace")
        self._session.set_current(row)

    # thumbnails

    def _picture(self, row: int) -> QImage | None:
        return self._thumbnails.image(int(self._session.table.ids[row]))

    def _want(self, rows: NDArray[np.int64]) -> None:
        self._wanted = self._session.table.ids[rows].tolist()
        self.pictures_changed.emit()

    def _take_pictures(self, image_ids: list[int]) -> None:
        if self._card.isVisible() and self._hovered_id in image_ids:
            self._card.set_image(self._thumbnails.image(self._hovered_id))
        if self.state.layout.pictures and not set(self._wanted).isdisjoint(image_ids):
            self.canvas.refresh_pictures()
