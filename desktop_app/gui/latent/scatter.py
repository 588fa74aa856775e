"""The point canvas: a map of up to a million images to look at, hover over and select in.

pyqtgraph contributes pan and zoom; the points are splatted into one image (`splat.py`), since a
scatter item of a million points takes seconds to recolour and this takes tens of milliseconds.
While a map of very many points moves, a fair sample of them is drawn, and all once it rests. Points
in space are turned with the mouse and seen along their third axis.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPolygonF
from PySide6.QtWidgets import QWidget

from desktop_app.core.latentmap import rotated
from desktop_app.gui.i18n import tr
from desktop_app.gui.latent import splat
from desktop_app.gui.latent.columns import columns_of
from desktop_app.gui.latent.mapbox import MapBox, SelectionMode, Tool
from desktop_app.gui.latent.overlay import MapOverlay, MapPicture
from desktop_app.gui.latent.splat import MARGIN, Placed, Relief, Window
from desktop_app.gui.theme import Theme, current_theme, follow_theme

Picture = Callable[[int], QImage | None]
"""Returns the thumbnail of a row that is at hand."""

MANY = 200_000
"""Points on screen from which they are drawn as a density where they crowd."""
_MOST_PICTURES = 1500  # points on screen up to which thumbnails are drawn, where there is room
_PICTURE = 44  # logical pixels
_INK = 0.38  # share of the canvas that marks may cover where they do not overlap
_SMALLEST_MARK, _LARGEST_MARK = 2.5, 9.0  # logical pixels
_NEAR = 6  # logical pixels within which the pointer finds a point
_FADED = 0.22  # opacity of what is not selected while something is
_SAMPLED = 300_000  # points from which a moving map shows a sample
_SAMPLE = 200_000  # of which so many make a density,
_MOST_MOVING = 60_000  # and so many single marks
_COARSE = 0.5  # pixels of a moving density by pixels of the screen
_REST_MILLISECONDS = 140  # without a move until all points are drawn
_SORTED = 200_000  # points in sight up to which those in front are drawn last
_TURN = 0.008  # radians per logical pixel of a drag
_UNTURNED = np.eye(3)


class PointCanvas(pg.PlotWidget):  # type: ignore[misc]
    """Shows points, says which one the pointer is on, and which ones a lasso encloses."""

    hovered = Signal(int)
    """Carries the row below the pointer, -1 for none."""
    clicked = Signal(float, float, int)
    """Carries the place in map coordinates and the row there, -1 for none."""
    activated = Signal(int)
    """A point was double-clicked."""
    pointer_moved = Signal(float, float)
    """Carries the place of the pointer in map coordinates."""
    lassoed = Signal(object, str)
    """Carries the enclosed visible rows, int64, and how to join them: replace, add, subtract."""
    menu_requested = Signal(int, QPoint)
    """Carries the row below the pointer or -1, and the place on the screen."""
    turned = Signal(object)
    """Carries the rotation (3, 3) after points in space were turned by hand."""
    moved = Signal()
    """The map was moved, zoomed or turned by hand, and rests now."""
    pictures_wanted = Signal(object)
    """Carries the rows whose thumbnails would be drawn if they were at hand."""
    tool_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._box = MapBox()
        super().__init__(parent, viewBox=self._box)
        self._columns = columns_of(np.zeros(0, np.float32), np.zeros(0, np.float32))
        self._rotation = _UNTURNED
        self._lined: NDArray[np.int64] = np.zeros(0, np.int64)  # rows that lines lead to
        self._line_start = -1
        self._guest: NDArray[np.float32] | None = None
        self._visible = np.zeros(0, bool)  # by point
        self._drawn = np.zeros(0, bool)  # by point: visible, and somewhere
        self._shown_count = 0
        self._selected = np.zeros(0, bool)  # by point
        self._index: NDArray[np.uint8] | NDArray[np.uint16] = np.zeros(0, np.uint8)  # by point
        self._lut = np.zeros((1, 3), np.uint8)
        self._own_colours = False
        self._picture: Picture | None = None
        self._tool: Tool = "cursor"
        self._mark_scale = 1.0
        self._placed: Placed | None = None
        self._owner: NDArray[np.int32] | None = None
        self._relief: Relief | None = None
        self._dirty = True
        self._moving = False  # while it is, a sample of very many points is drawn
        self._rest = QTimer(self, singleShot=True, interval=_REST_MILLISECONDS)
        self._rest.timeout.connect(self._come_to_rest)
        self._fitted = True  # until the analyst moves the map, it is fitted again when resized
        self._hovered = -1
        self._current = -1
        self._background = 0xFF000000
        self.setAccessibleName(tr("Latent map"))
        self.setMenuEnabled(False)
        self.setMouseTracking(True)
        self.setViewportUpdateMode(self.ViewportUpdateMode.FullViewportUpdate)
        self.plotItem.hideButtons()
        self.hide_axes()
        self.plotItem.setContentsMargins(0, 0, 0, 0)
        self.setAspectLocked(True)
        self._image = MapPicture(self._painted)
        self._overlay = MapOverlay()
        self._box.addItem(self._image, ignoreBounds=True)
        self._box.addItem(self._overlay, ignoreBounds=True)
        self._box.sigRangeChanged.connect(self._moved)
        self._box.sigResized.connect(self._resized)
        self._box.sigRangeChangedManually.connect(self._moved_by_hand)
        self._box.disableAutoRange()
        self._box.canvas = self
        follow_theme(self._themed)

    # data

    def set_points(
        self,
        x: NDArray[np.floating[Any]],
        y: NDArray[np.floating[Any]],
        z: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Show one point per row at x, y and, in space, z, (n,) each; rows without a finite place
        are left out.

        Colours, selection and visibility start anew where the number of rows changes, and are kept
        where it does not, so that a map can move from epoch to epoch.
        """
        same = len(x) == len(self._columns.x)
        by_row = self._by_row
        visible, selected, index = (
            by_row(self._visible),
            by_row(self._selected),
            by_row(self._index),
        )
        self._columns = columns_of(x, y, z).turned(self._rotation)
        rows = self._columns.rows
        self._visible = (visible if same else np.ones(len(x), bool))[rows]
        self._selected = (selected if same else np.zeros(len(x), bool))[rows]
        self._index = index[rows] if same else np.zeros(len(x), np.uint8)
        if not same:
            self._own_colours = False
            self._lut = self._plain_lut()
            self._current = self._hovered = self._line_start = -1
            self._lined = self._lined[:0]
            self._guest = None
        self._count_shown()
        self._redraw(moved=True)
        if not same:
            self.fit()

    @property
    def is_spatial(self) -> bool:
        """Tell whether the points lie in space and can be turned."""
        return self._columns.space is not None

    @property
    def is_fitted(self) -> bool:
        """Tell whether all points are shown because nobody moved the map yet."""
        return self._fitted

    def set_rotation(self, rotation: NDArray[np.floating[Any]]) -> None:
        """Look at points in space after a rotation (3, 3)."""
        self._rotation = np.asarray(rotation, np.float64)
        if self.is_spatial:
            self._columns = self._columns.turned(self._rotation)
            self._redraw(moved=True)

    def turn(self, right: float, up: float) -> None:
        """Turn points in space as a drag over so many logical pixels does."""
        self._move()
        self.set_rotation(rotated(self._rotation, right * _TURN, -up * _TURN))

    def finish_turn(self) -> None:
        """Tell how the points are turned now."""
        self.turned.emit(self._rotation.copy())

    def set_colours(
        self, index: NDArray[np.uint8] | NDArray[np.uint16], lut: NDArray[np.uint8]
    ) -> None:
        """Colour each row (n,) by its number in `lut`, RGB (K, 3)."""
        self._index = index[self._columns.rows]
        self._lut = np.ascontiguousarray(lut[:, :3], np.uint8)
        self._own_colours = True
        self._redraw()

    def set_visible(self, mask: NDArray[np.bool_]) -> None:
        """Draw and pick only the rows (n,) that are True."""
        self._visible = mask[self._columns.rows]
        self._count_shown()
        self._redraw(moved=True)

    def set_selection(self, mask: NDArray[np.bool_]) -> None:
        """Highlight the rows (n,) that are True and fade the others; none True fades nothing."""
        selected = mask[self._columns.rows]
        if not np.array_equal(selected, self._selected):
            self._selected = selected
            self._redraw()

    def set_current(self, row: int) -> None:
        """Ring one row, -1 for none."""
        self._current = row
        self._mark_places()

    def set_lines(self, start: int, rows: NDArray[np.int64]) -> None:
        """Draw lines to these rows from a row, or from the guest where it is -1."""
        self._line_start, self._lined = start, rows
        self._mark_places()

    def set_guest(self, place: NDArray[np.floating[Any]] | None) -> None:
        """Mark the place (2,) or (3,) of an image that is not among the points; None for none."""
        self._guest = None if place is None else np.asarray(place, np.float32)
        self._mark_places()

    def show_hovered(self, row: int) -> None:
        """Ring the row that the pointer is on in another map, -1 for none."""
        if row != self._hovered and row < len(self._columns.x):
            self._hovered = row
            self._mark_places()

    def set_pictures(self, picture: Picture | None) -> None:
        """Draw thumbnails instead of marks when few points are on screen."""
        self._picture = picture
        self.refresh_pictures()

    def refresh_pictures(self) -> None:
        """Draw the thumbnails again, since more of them are at hand."""
        self._overlay.set_pictures([])
        self._redraw()

    def set_mark_scale(self, scale: float) -> None:
        """Draw marks larger or smaller than their number suggests."""
        self._mark_scale = scale
        self._redraw()

    # view

    def tool(self) -> Tool:
        """Return what dragging with the left button does."""
        return self._tool

    def set_tool(self, tool: Tool) -> None:
        """Choose what dragging does: move the map, draw a lasso or draw a rectangle."""
        if tool == self._tool:
            return
        self._tool = tool
        shape = Qt.CursorShape.ArrowCursor if tool == "cursor" else Qt.CursorShape.CrossCursor
        self.viewport().setCursor(shape)
        self.tool_changed.emit(tool)

    def fit(self) -> None:
        """Show all visible points; those in space however they are turned."""
        columns = self._columns
        shown = self._drawn
        if not shown.any():
            return
        if self.is_spatial:
            reach = columns.radius or 0.5
            area = QRectF(-reach, -reach, 2 * reach, 2 * reach)
        else:
            x, y = columns.x[shown], columns.y[shown]
            left, bottom = float(x.min()), float(y.min())
            width, height = float(x.max()) - left, float(y.max()) - bottom
            spare = max(width, height) * 0.02 or 0.5
            area = QRectF(left, bottom, width, height).adjusted(-spare, -spare, spare, spare)
        self._box.setRange(area, padding=0.03)
        self._fitted = True

    def camera(self) -> tuple[float, float, float, float] | None:
        """Return left, bottom, width and height of what is in sight; None while all is shown."""
        if self._fitted:
            return None
        seen = self._box.viewRect()
        return seen.left(), seen.top(), seen.width(), seen.height()

    def look_at(self, camera: tuple[float, float, float, float] | None) -> None:
        """Show a part of the map as `camera` told it, or all."""
        if camera is None or not camera[2] > 0 or not camera[3] > 0:
            self.fit()
            return
        self._fitted = False
        self._box.setRange(QRectF(*camera), padding=0)

    def zoom(self, factor: float) -> None:
        """Show `factor` times as much detail around the middle."""
        self._move()
        self._box.scaleBy((1 / factor, 1 / factor))

    def reveal(self, row: int) -> None:
        """Move the map to a row that lies out of sight."""
        point = int(self._columns.points[row])
        place = QPointF(float(self._columns.x[point]), float(self._columns.y[point]))
        if self._columns.finite[point] and not self._box.viewRect().contains(place):
            self.centre_on(row)

    def centre_on(self, row: int) -> None:
        """Move the map until a row is in its middle."""
        point = int(self._columns.points[row])
        if self._columns.finite[point]:
            self._move()
            centre = self._box.viewRect().center()
            dx = float(self._columns.x[point]) - centre.x()
            dy = float(self._columns.y[point]) - centre.y()
            self._box.translateBy(x=dx, y=dy)

    def hide_axes(self) -> None:
        """Show no axes: the coordinates of most maps mean nothing."""
        for side in ("left", "bottom"):
            self.plotItem.hideAxis(side)

    def show_axes(self, x_name: str, y_name: str) -> None:
        """Show named axes, for maps whose coordinates mean something."""
        for side, name in (("bottom", x_name), ("left", y_name)):
            self.plotItem.showAxis(side)
            self.plotItem.setLabel(side, name)

    def map_position(self, place: QPointF) -> QPointF:
        """Return the map coordinates of a place on the widget."""
        point: QPointF = self._box.mapSceneToView(place)  # the scene is the widget, pixel by pixel
        return point

    def widget_position(self, x: float, y: float) -> QPointF:
        """Return the place on the widget of map coordinates."""
        place: QPointF = self._box.mapViewToScene(QPointF(x, y))
        return place

    def row_at(self, place: QPointF) -> int:
        """Return the row whose mark lies at or next to a place on the widget, or -1."""
        if self._placed is None:
            return -1
        if self._owner is None:
            self._owner = splat.identities(self._placed)
        ratio, area = self._ratio(self._placed), self._area()
        column = int((place.x() - area.left()) * ratio) + MARGIN
        row = self._owner.shape[0] - MARGIN - 1 - int((place.y() - area.top()) * ratio)
        near = round((_NEAR + self._diameter() / 2) * ratio)
        around = self._owner[
            max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1
        ]
        up, across = np.nonzero(around >= 0)
        if not len(up):
            return -1
        distance = (up - min(near, row)) ** 2 + (across - min(near, column)) ** 2
        nearest = int(distance.argmin())
        return int(self._columns.rows[around[up[nearest], across[nearest]]])

    # pictures of the map

    def image(self, scale: float = 1.0) -> QImage:
        """Return the map as it is on screen, `scale` times as large."""
        ratio = scale * self.devicePixelRatioF()
        raster = self._raster(self._place(ratio, whole=True), ratio)
        return _as_image(splat.cropped(raster)).copy()

    def export_png(self, path: Path, scale: float = 2.0) -> None:
        """Write the map as it is on screen to a PNG file; raises OSError where that fails."""
        if not self.image(scale).save(str(path)):
            raise OSError(
                tr("The picture cannot be written to '{path}': choose another place.", path=path)
            )

    # events

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what the pointer is on."""
        super().mouseMoveEvent(event)
        place = event.position()
        on_map = self.map_position(place)
        self.pointer_moved.emit(on_map.x(), on_map.y())
        if not event.buttons():
            self._hover(self.row_at(place))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open a point, or show all where there is none."""
        row = self.row_at(event.position())
        if row >= 0:
            self.activated.emit(row)
        else:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        """Forget what the pointer was on."""
        super().leaveEvent(event)
        self._hover(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move with the arrows, zoom with plus and minus; Home shows all, Escape gives up."""
        rect = self._box.viewRect()
        steps = {
            Qt.Key.Key_Left: (-0.1, 0.0),
            Qt.Key.Key_Right: (0.1, 0.0),
            Qt.Key.Key_Up: (0.0, 0.1),
            Qt.Key.Key_Down: (0.0, -0.1),
        }
        zooms = {Qt.Key.Key_Plus: 1.25, Qt.Key.Key_Equal: 1.25, Qt.Key.Key_Minus: 0.8}
        key = Qt.Key(event.key())
        if key in steps:
            across, up = steps[key]
            self._move()
            self._box.translateBy(x=across * rect.width(), y=up * rect.height())
        elif key in zooms:
            self.zoom(zooms[key])
        elif key == Qt.Key.Key_Home:
            self.fit()
        elif key == Qt.Key.Key_Escape:
            self._overlay.set_path(QPolygonF())
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus ring to whoever came by keyboard."""
        super().focusInEvent(event)
        by_key = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._overlay.set_focused(event.reason() in by_key)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the focus ring."""
        super().focusOutEvent(event)
        self._overlay.set_focused(False)

    def sizeHint(self) -> QSize:
        """Return a size at which a map can be read."""
        return QSize(640, 480)

    # lasso: called by the view box

    def draw_lasso(self, path: QPolygonF) -> None:
        """Show the path, in widget coordinates, while it is being drawn."""
        self._overlay.set_path(path)

    def finish_lasso(self, path: QPolygonF, mode: SelectionMode) -> None:
        """Tell which visible rows lie inside the path."""
        self._overlay.set_path(QPolygonF())
        self.lassoed.emit(self.rows_inside(path), mode)

    def rows_inside(self, path: QPolygonF) -> NDArray[np.int64]:
        """Return the visible rows inside a path in widget coordinates, ascending."""
        self._come_to_rest()
        if self._placed is None:
            self._painted()
        if self._placed is None or path.size() < 3:
            return np.zeros(0, np.int64)
        height, width = self._placed.window.shape
        mask = QImage(width, height, QImage.Format.Format_Grayscale8)
        mask.fill(0)
        ratio, area = self._ratio(self._placed), self._area()
        painter = QPainter(mask)
        painter.translate(MARGIN, MARGIN)
        painter.scale(ratio, ratio)
        painter.translate(-area.left(), -area.top())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(Qt.GlobalColor.white)
        painter.drawPolygon(path)
        painter.end()
        pixels = np.frombuffer(mask.constBits(), np.uint8).reshape(height, mask.bytesPerLine())
        inside = pixels[::-1, :width].ravel()[self._placed.flat] > 0
        return np.sort(self._columns.rows[self._placed.points[inside]])

    def click(self, place: QPointF) -> None:
        """Tell what was clicked."""
        on_map = self.map_position(place)
        self.clicked.emit(on_map.x(), on_map.y(), self.row_at(place))

    def request_menu(self, place: QPointF) -> None:
        """Ask for the context menu of the point below the pointer."""
        at = self.viewport().mapToGlobal(place.toPoint())
        self.menu_requested.emit(self.row_at(place), at)

    # drawing

    def _by_row(self, values: NDArray[Any]) -> NDArray[Any]:
        return values[self._columns.points]

    def _resized(self, *_change: object) -> None:
        if self._fitted:
            self.fit()
        self._redraw(moved=True)

    def _moved_by_hand(self, *_change: object) -> None:
        self._move()

    def _move(self) -> None:
        """Let the map move: very many points are drawn in part until it rests."""
        self._fitted = False
        self._moving = True
        self._rest.start()

    def _come_to_rest(self) -> None:
        if not self._moving:
            return
        self._moving = False
        self._rest.stop()
        if self._placed is not None and self._placed.share < 1:
            self._redraw(moved=True)
        self.moved.emit()

    def _moved(self, *_change: object) -> None:
        self._redraw(moved=True)

    def _redraw(self, moved: bool = False) -> None:
        """Mark the picture as old; it is made anew when Qt paints next."""
        self._dirty = True
        if moved:
            self._placed = None
            self._owner = None
            self._relief = None
        self._image.update()

    def _count_shown(self) -> None:
        self._drawn = self._visible & self._columns.finite
        self._shown_count = int(np.count_nonzero(self._drawn))

    def _area(self) -> QRectF:
        """Return where on the widget the map lies, in logical pixels."""
        area: QRectF = self._box.sceneBoundingRect()
        return area

    def _ratio(self, placed: Placed) -> float:
        """Return how many pixels of the raster a logical pixel has."""
        return placed.window.width / max(1.0, round(self._area().width()))

    def _window(self, area: QRectF, ratio: float) -> Window:
        seen = self._box.viewRect()
        return Window(
            seen.left(),
            seen.top(),
            seen.right(),
            seen.bottom(),
            max(1, round(area.width() * ratio)),
            max(1, round(area.height() * ratio)),
        )

    def _place(self, ratio: float, *, whole: bool = False) -> Placed:
        """Find the points in sight at so many pixels per logical pixel.

        All of them, or, while very many move, a sample: as a coarse density where they crowd.
        """
        columns, area = self._columns, self._area()
        window = self._window(area, ratio)
        if self._moving and not whole and len(columns.x) > _SAMPLED:
            coarse = self._window(area, ratio * _COARSE)
            placed = self._sample(_SAMPLE, coarse)
            if placed.count > MANY and self._is_crowded(placed):
                return placed
            in_sight = max(1, len(placed.flat)) / _SAMPLE
            return self._sample(min(len(columns.x), int(_MOST_MOVING / in_sight)), window)
        placed = splat.placed(columns.x, columns.y, self._drawn, window)
        if columns.depth is not None and len(placed.points) <= _SORTED:
            placed = placed.ordered(columns.depth[placed.points])
        return placed

    def _sample(self, count: int, window: Window) -> Placed:
        """Find the first `count` points: they are a fair sample, since the order is random."""
        columns, part = self._columns, slice(0, count)
        share = count / len(columns.x)
        return splat.placed(columns.x[part], columns.y[part], self._drawn[part], window, share)

    def _painted(self) -> tuple[QImage, QPointF]:
        """Return the picture of the map and where on the widget it belongs; make it if needed."""
        area = self._area()
        if self._placed is None:
            self._placed = self._place(self.devicePixelRatioF())
        ratio = self._ratio(self._placed)
        if self._dirty:
            self._dirty = False
            self._shown = _as_image(splat.cropped(self._raster(self._placed, ratio)))
            self._shown.setDevicePixelRatio(ratio)
            self._lay_pictures(self._placed)
            self._mark_places()
        return self._shown, area.topLeft()

    def _raster(self, placed: Placed, ratio: float) -> splat.Raster:
        """Draw the points: faded, then the selected ones on top."""
        index = self._index[placed.points]
        chosen = self._selected[placed.points]
        any_chosen = bool(self._selected.any())
        strength = _FADED if any_chosen else 1.0
        many = placed.count > MANY and self._is_crowded(placed)
        lut, ground = self._lut, self._background
        diameter = self._diameter() * ratio
        if many:
            raster = splat.density(
                placed,
                self._relief_of(placed, ratio),
                self._index,
                lut,
                ground,
                diameter=_SMALLEST_MARK * ratio,
                strength=max(strength, 0.35),
            )
        else:
            raster = splat.empty(placed.window, ground)
            faint = splat.faded(lut, ground, strength)
            back = ~chosen if any_chosen else slice(None)
            splat.splat(raster, placed.flat[back], index[back], faint, ground, diameter)
        if any_chosen:
            front = np.flatnonzero(chosen)
            size = diameter if len(front) > 20_000 else diameter + 2 * ratio
            splat.splat(raster, placed.flat[front], index[front], lut, ground, size)
        return raster

    def _diameter(self) -> float:
        """Return the size of a mark in logical pixels: by how many share how much room."""
        area = self._area()
        count = max(1, round(self._shown_count * self._share_in_view()))
        room = _INK * area.width() * area.height() / count
        size = min(_LARGEST_MARK, max(_SMALLEST_MARK, room**0.5)) * self._mark_scale
        return float(np.clip(round(size * 2) / 2, 1.5, 12.0))

    def _relief_of(self, placed: Placed, ratio: float) -> Relief:
        """Return the relief of the placed points; new colours alone need no new one."""
        if placed is not self._placed:
            return splat.relief(placed, max(1, round(2 * ratio)))
        if self._relief is None:
            self._relief = splat.relief(placed, max(1, round(2 * ratio)))
        return self._relief

    def _share_in_view(self) -> float:
        """Return how much of the whole map is on screen, 0 to 1."""
        seen, extent = self._box.viewRect(), self._columns.extent
        return min(1.0, seen.width() * seen.height() / extent) if extent else 1.0

    def _is_crowded(self, placed: Placed) -> bool:
        """Say whether marks would hide each other: zoomed in, even many points lie apart."""
        area, ratio = self._area(), self.devicePixelRatioF()
        per_pixel = placed.count / max(1.0, area.width() * area.height() * ratio * ratio)
        return self._share_in_view() > 0.5 or per_pixel > 1

    def _lay_pictures(self, placed: Placed) -> None:
        """Choose the points in sight that show their thumbnail: never two in one place."""
        if self._picture is None or not 0 < len(placed.flat) <= _MOST_PICTURES:
            self._overlay.set_pictures([])
            return
        columns, laid, wanted = self._columns, [], []
        taken: dict[tuple[int, int], QPointF] = {}
        any_chosen = bool(self._selected.any())
        for point, x, y in zip(placed.points.tolist(), *self._on_widget(placed), strict=True):
            place = QPointF(x, y)
            if not _claimed(taken, place):
                continue
            row = int(columns.rows[point])
            image = self._picture(row)
            if image is None:
                wanted.append(row)
            else:
                faded = any_chosen and not self._selected[point]
                laid.append((place, image, tuple(self._lut[self._index[point]].tolist()), faded))
        self._overlay.set_pictures(laid)
        if wanted:
            self.pictures_wanted.emit(np.array(wanted, np.int64))

    def _on_widget(self, placed: Placed) -> tuple[list[float], list[float]]:
        """Return where on the widget placed points lie: across and down, (n,) each."""
        seen, area = self._box.viewRect(), self._area()
        x, y = (axis[placed.points].astype(float) for axis in (self._columns.x, self._columns.y))
        across = area.left() + (x - seen.left()) * (area.width() / seen.width())
        down = area.bottom() - (y - seen.top()) * (area.height() / seen.height())
        return across.tolist(), down.tolist()

    def _mark_places(self) -> None:
        ring = self._ring
        self._overlay.set_rings(
            [ring(self._current)] if self._current >= 0 else [],
            [ring(self._hovered)] if self._hovered >= 0 else [],
            self._diameter() / 2 + 3,
        )
        guest = self._guest_place()
        start = ring(self._line_start) if self._line_start >= 0 else guest
        finite, points = self._columns.finite, self._columns.points
        ends = [ring(row) for row in self._lined.tolist() if finite[points[row]]]
        self._overlay.set_lines([(start, end) for end in ends] if start is not None else [])
        self._overlay.set_guest(guest)
        self._overlay.set_triad(self._rotation[:2] if self.is_spatial else None)

    def _guest_place(self) -> QPointF | None:
        if self._guest is None:
            return None
        place = self._guest
        if len(place) == 3:
            place = (self._rotation[:2] @ place).astype(np.float32)
        return self.widget_position(float(place[0]), float(place[1]))

    def _ring(self, row: int) -> QPointF:
        point = int(self._columns.points[row])
        return self.widget_position(float(self._columns.x[point]), float(self._columns.y[point]))

    def _hover(self, row: int) -> None:
        if row != self._hovered:
            self._hovered = row
            self._mark_places()
            self.hovered.emit(row)

    def _plain_lut(self) -> NDArray[np.uint8]:
        return current_theme().category_lut(1)

    def _themed(self, theme: Theme) -> None:
        self.setBackground(theme.colours.canvas)
        self._background = theme.colour("canvas").rgba()
        for side in ("left", "bottom"):
            axis = self.plotItem.getAxis(side)
            axis.setPen(theme.colours.border)
            axis.setTextPen(theme.colours.text_secondary)
        if not self._own_colours:
            self._lut = self._plain_lut()
        self._redraw()


def joined(
    selected: NDArray[np.bool_], rows: NDArray[np.int64], mode: SelectionMode
) -> NDArray[np.bool_]:
    """Return the selection (n,) after a lasso around `rows`."""
    result = np.zeros_like(selected) if mode == "replace" else selected.copy()
    result[rows] = mode != "subtract"
    return result


def _claimed(taken: dict[tuple[int, int], QPointF], place: QPointF) -> bool:
    """Take a place for a thumbnail unless one lies so near that the two would overlap."""
    column, row = int(place.x() // _PICTURE), int(place.y() // _PICTURE)
    for across in (-1, 0, 1):
        for down in (-1, 0, 1):
            other = taken.get((column + across, row + down))
            if other is None:
                continue
            if abs(other.x() - place.x()) < _PICTURE and abs(other.y() - place.y()) < _PICTURE:
                return False
    taken[column, row] = place
    return True


def _as_image(pixels: NDArray[np.uint32]) -> QImage:
    """Wrap pixels 0xffRRGGBB (H, W) without a copy; the image keeps the array alive."""
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
    image.pixels = pixels  # type: ignore[attr-defined]
    return image
