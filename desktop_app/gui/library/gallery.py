"""The gallery: a grid of thumbnails that costs what is in sight, not what is in the folder.

Rows are numbers into `GalleryItems`; the order - after any filter and sort - is one array of rows,
and the selection is one boolean per row, so that map, histogram and table can share both.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QEvent,
    QMimeData,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QUrl,
    Signal,
)
from PySide6.QtGui import (
    QDrag,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QToolTip, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.library.grid import Grid
from desktop_app.gui.library.items import NO_ITEMS, GalleryItems, short_number
from desktop_app.gui.library.preview import HoverPreview
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.library.tiles import TilePainter, TileState, cell_size
from desktop_app.gui.theme import Theme, current_theme, follow_theme

SMALLEST_TILE, LARGEST_TILE = 64, 256
"""Limits of the tile size in logical pixels."""

_MOST_DRAGGED = 5000  # files in one drag
_EDGES = (96, 128, 192, 256, 384, 512)  # device pixels at which thumbnails are fetched

Rows = NDArray[np.int64]

_SHIFT = Qt.KeyboardModifier.ShiftModifier
_CONTROL = Qt.KeyboardModifier.ControlModifier


class GalleryView(QAbstractScrollArea):
    """Shows thumbnails, lets the analyst select them, and says what was selected."""

    selection_changed = Signal(object)
    """Carries the selected rows, int64 ascending; only changes by the analyst are told."""
    current_changed = Signal(int)
    """Carries the row with the focus, -1 for none."""
    activated = Signal(int)
    """A row was double-clicked or Return was pressed on it."""
    menu_requested = Signal(int, QPoint)
    """Carries the row below the pointer or -1, and the place on the screen."""
    tile_size_changed = Signal(int)

    def __init__(self, loader: ThumbnailLoader, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loader = loader
        self._items = NO_ITEMS
        self._order: Rows = np.zeros(0, np.int64)
        self._selected = np.zeros(0, bool)
        self._current = -1  # row
        self._anchor = -1  # position from which shift selects
        self._hovered = -1  # position
        self._tile = 128
        self._pressed: QPointF | None = None  # in content coordinates
        self._pressed_position = -1
        self._pressed_selected = False
        self._band: QRectF | None = None
        self._band_base = np.zeros(0, bool)
        self._painter = TilePainter(current_theme(), self._tile, self.devicePixelRatioF())
        self._preview = HoverPreview(self)
        self._scroll_timer = QTimer(self, interval=30)
        self._scroll_timer.timeout.connect(self._scroll_with_band)
        self.setAccessibleName(tr("Gallery"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        loader.loaded.connect(self._repaint_loaded)
        follow_theme(self._themed)

    # data

    def set_items(self, items: GalleryItems, order: Rows | None = None) -> None:
        """Show other images; nothing is selected afterwards."""
        self._items = items
        self._selected = np.zeros(len(items), bool)
        self._current = self._anchor = self._hovered = -1
        self._set_order(np.arange(len(items)) if order is None else order)
        self.verticalScrollBar().setValue(0)
        self.viewport().update()

    def set_columns(self, items: GalleryItems) -> None:
        """Replace captions, badges or scores of the same images; order and selection stay.

        Raises ValueError where the number of rows differs.
        """
        if len(items) != len(self._items):
            raise ValueError(f"{len(self._items)} rows were expected, but {len(items)} came.")
        self._items = items
        self.viewport().update()

    def set_order(self, rows: Rows) -> None:
        """Show these rows in this order; the focused image stays in sight if it is among them."""
        was_seen = self._position(self._current) in self._visible() if self._current >= 0 else False
        before, hovered = self._shown_rows(), self._hovered
        self._set_order(rows)
        if hovered >= 0 or not np.array_equal(before, self._shown_rows()):
            self.viewport().update()  # a threshold that is dragged changes the end of a ranking
        if was_seen and self._position(self._current) >= 0:
            self.scroll_to(self._current)

    def order(self) -> Rows:
        """Return the rows on show, in order."""
        return self._order

    def refresh(self) -> None:
        """Paint again, since a badge or a caption has changed."""
        self.viewport().update()

    # selection

    def selection(self) -> Rows:
        """Return the selected rows, ascending; some may be filtered away."""
        return np.flatnonzero(self._selected).astype(np.int64)

    def set_selection(self, rows: Rows | NDArray[np.bool_]) -> None:
        """Select rows, given as numbers or as one boolean per row, without telling anybody."""
        if rows.dtype == np.bool_:
            self._selected = rows.copy()
        else:
            self._selected = np.zeros(len(self._items), bool)
            self._selected[rows] = True
        self.viewport().update()

    def select_all(self) -> None:
        """Select every row on show."""
        self._selected[self._order] = True
        self._tell_selection()

    def clear_selection(self) -> None:
        """Select nothing."""
        self._selected[:] = False
        self._tell_selection()

    def current(self) -> int:
        """Return the row with the focus, -1 for none."""
        return self._current

    def set_current(self, row: int) -> None:
        """Move the focus to a row and bring it into sight; tells `current_changed`."""
        position = self._position(row)
        self._anchor = position
        self._focus(position)

    def scroll_to(self, row: int) -> None:
        """Bring a row into sight with as little movement as possible."""
        position = self._position(row)
        if position < 0:
            return
        grid = self._grid()
        _left, top = grid.corner(position)
        bar, height = self.verticalScrollBar(), self.viewport().height()
        lowest = top + grid.cell_height + grid.margin - height
        bar.setValue(max(min(bar.value(), top - grid.margin), lowest))

    # look

    def tile_size(self) -> int:
        """Return the longest edge of a photograph in logical pixels."""
        return self._tile

    def set_tile_size(self, tile: int) -> None:
        """Set the longest edge of a photograph; what was in the middle stays in the middle."""
        tile = max(SMALLEST_TILE, min(LARGEST_TILE, tile))
        if tile == self._tile:
            return
        middle = self.verticalScrollBar().value() + self.viewport().height() / 2
        share = middle / max(1, self._grid().height)
        self._tile = tile
        self._renew_painter()
        self._lay_out()
        value = share * self._grid().height - self.viewport().height() / 2
        self.verticalScrollBar().setValue(round(value))
        self.tile_size_changed.emit(tile)

    def set_hover_preview(self, shown: bool) -> None:
        """Show a large version of the photograph on which the pointer rests."""
        self._preview.set_enabled(shown)

    def sizeHint(self) -> QSize:
        """Return room for a few tiles."""
        return QSize(640, 480)

    # events

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tiles that the exposed strip touches, and wish for missing thumbnails."""
        painter = QPainter(self.viewport())
        try:  # captions and badges come from elsewhere: a painter must end whatever they do
            self._paint_strip(painter, event.rect())
        finally:
            painter.end()
        self._wish(self._grid())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out anew; the first tile in sight stays in sight."""
        super().resizeEvent(event)
        self._lay_out()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the window to a screen of another resolution."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._renew_painter()
        super().changeEvent(event)

    def scrollContentsBy(self, _dx: int, dy: int) -> None:
        """Move what is painted already and paint the strip that comes into sight."""
        self._hover(-1)
        self.viewport().scroll(0, dy)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll, or change the tile size while Control is held."""
        if event.modifiers() & _CONTROL:
            self.set_tile_size(self._tile + (16 if event.angleDelta().y() > 0 else -16))
            event.accept()
        else:
            super().wheelEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus ring."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the focus ring."""
        super().focusOutEvent(event)
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        """Forget what the pointer was on."""
        self._hover(-1)
        super().leaveEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """Show the tool tip of a tile, and notice the pointer leaving."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            position = self._position_at(QPointF(event.pos()))
            tip = self._tip(position) if position >= 0 else ""
            QToolTip.showText(event.globalPos(), tip, self)
            return True
        if event.type() == QEvent.Type.Leave:
            self._hover(-1)
        return super().viewportEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select, or begin a rubber band or a drag."""
        position = self._position_at(event.position())
        row = int(self._order[position]) if position >= 0 else -1
        if event.button() == Qt.MouseButton.RightButton:
            if row >= 0 and not self._selected[row]:
                self._anchor = position
                self._select_only(position)
                self._focus(position)
            self.menu_requested.emit(row, event.globalPosition().toPoint())
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._preview.hide()
        self._pressed = self._in_content(event.position())
        self._pressed_position = position
        self._pressed_selected = row >= 0 and bool(self._selected[row])
        additive = bool(event.modifiers() & (_CONTROL | _SHIFT))
        self._band_base = self._selected.copy() if additive else np.zeros_like(self._selected)
        if position < 0:
            if not additive and self._selected.any():
                self.clear_selection()
            return
        if event.modifiers() & _SHIFT:
            self._select_range(position, bool(event.modifiers() & _CONTROL))
        elif event.modifiers() & _CONTROL:
            self._anchor = position
            self._selected[row] = not self._selected[row]
            self._tell_selection()
        else:
            self._anchor = position
            if not self._pressed_selected:
                self._select_only(position)
        self._focus(position)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Stretch the rubber band, begin a drag, or follow the pointer."""
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self._hover(self._position_at(event.position()))
            return
        here = self._in_content(event.position())
        moved = (here - self._pressed).manhattanLength()
        if self._band is None and moved < QApplication.startDragDistance():
            return
        if self._band is None and self._pressed_selected:
            self._pressed = None
            self._drag_out()
            return
        self._stretch_band(here)
        inside = 0 <= event.position().y() <= self.viewport().height()
        if inside:
            self._scroll_timer.stop()
        elif not self._scroll_timer.isActive():
            self._scroll_timer.start()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Finish the rubber band; a plain click on a selected tile selects it alone."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._scroll_timer.stop()
        plain = not event.modifiers() & (_CONTROL | _SHIFT)
        if self._band is not None:
            self._band = None
            self.viewport().update()
        elif self._pressed is not None and self._pressed_selected and plain:
            self._select_only(self._pressed_position)
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open an image."""
        position = self._position_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and position >= 0:
            self.activated.emit(int(self._order[position]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk, select, open."""
        key, modifiers = Qt.Key(event.key()), event.modifiers()
        steps = self._steps()
        if key in steps:
            self._walk(steps[key], modifiers)
        elif key == Qt.Key.Key_A and modifiers & _CONTROL:
            self.select_all()
        elif key == Qt.Key.Key_Escape and self._selected.any():
            self.clear_selection()
        elif key == Qt.Key.Key_Space and self._current >= 0:
            self._selected[self._current] = not self._selected[self._current]
            self._tell_selection()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            self.activated.emit(self._current)
        elif key == Qt.Key.Key_Menu and self._current >= 0:
            centre = self._tile_area(self._position(self._current)).center()
            self.menu_requested.emit(self._current, self.viewport().mapToGlobal(centre))
        else:
            super().keyPressEvent(event)

    # layout

    def _set_order(self, rows: Rows) -> None:
        self._order = np.ascontiguousarray(rows, np.int64)
        self._anchor = self._hovered = -1
        self._preview.hide()
        self._set_ranges()

    def _shown_rows(self) -> Rows:
        """Return the rows in sight, in order."""
        seen = self._visible()
        return self._order[seen.start : seen.stop]

    def _grid(self) -> Grid:
        cell = cell_size(self._tile)
        return Grid(len(self._order), self.viewport().width(), cell.width(), cell.height())

    def _lay_out(self) -> None:
        self._set_ranges()
        self.viewport().update()

    def _set_ranges(self) -> None:
        grid, height = self._grid(), self.viewport().height()
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, grid.height - height))
        bar.setPageStep(max(1, height - grid.cell_height))
        bar.setSingleStep(max(1, grid.cell_height // QApplication.wheelScrollLines()))

    def _visible(self) -> range:
        offset = self.verticalScrollBar().value()
        return self._grid().between(offset, offset + self.viewport().height())

    def _position(self, row: int) -> int:
        """Return where a row is shown, or -1 where it is filtered away."""
        if 0 <= row < len(self._order) and self._order[row] == row:
            return row
        found = np.flatnonzero(self._order == row)
        return int(found[0]) if len(found) else -1

    def _in_content(self, place: QPointF) -> QPointF:
        return QPointF(place.x(), place.y() + self.verticalScrollBar().value())

    def _position_at(self, place: QPointF) -> int:
        content = self._in_content(place)
        return self._grid().position_at(content.x(), content.y())

    def _tile_area(self, position: int) -> QRect:
        left, top = self._grid().corner(position)
        corner = QPoint(left, top - self.verticalScrollBar().value())
        return QRect(corner, cell_size(self._tile))

    # painting

    def _paint_strip(self, painter: QPainter, strip: QRect) -> None:
        painter.fillRect(strip, current_theme().colour("canvas"))
        offset, grid = self.verticalScrollBar().value(), self._grid()
        for position in grid.between(strip.top() + offset, strip.bottom() + offset):
            left, above = grid.corner(position)
            self._paint_tile(painter, position, QPoint(left, above - offset))
        if self._band is not None:
            self._paint_band(painter, self._band.translated(0, -offset))

    def _paint_tile(self, painter: QPainter, position: int, corner: QPoint) -> None:
        row = int(self._order[position])
        image_id = int(self._items.ids[row])
        state = TileState(
            selected=bool(self._selected[row]),
            hovered=position == self._hovered,
            current=row == self._current,
            focused=self.hasFocus(),
        )
        self._painter.paint(
            painter,
            corner,
            self._loader.image(image_id),
            self._loader.failed(image_id),
            self._items.caption(row),
            self._score(row),
            self._items.badge(row),
            state,
        )

    def _paint_band(self, painter: QPainter, band: QRectF) -> None:
        colour = current_theme().colour("accent")
        painter.setPen(colour)
        colour.setAlpha(40)
        painter.setBrush(colour)
        painter.drawRect(band)

    def _score(self, row: int) -> str:
        scores = self._items.scores
        return "" if scores is None else short_number(float(scores[row]))

    def _tip(self, position: int) -> str:
        row = int(self._order[position])
        badge = self._items.badge(row)
        score = self._score(row)
        lines = [
            self._items.path(row) or self._items.caption(row),
            tr("Label: {label}", label=badge.label) if badge.label else "",
            tr("Score: {score}", score=score) if score else "",
            tr("Problem: {problem}", problem=badge.problem) if badge.problem else "",
            tr("Left out of training") if badge.left_out else "",
            badge.remark,
        ]
        return "\n".join(line for line in lines if line)

    def _wish(self, grid: Grid) -> None:
        """Ask for what is in sight first, then for one page below and one above."""
        offset, height = self.verticalScrollBar().value(), self.viewport().height()
        seen = grid.between(offset, offset + height)
        below = grid.between(offset + height, offset + 2 * height)
        above = grid.between(offset - height, offset) if offset else range(0)
        positions = dict.fromkeys([*seen, *below, *above])
        rows = self._order[np.fromiter(positions, np.int64, len(positions))]
        self._loader.want(self._items.ids[rows].tolist())

    def _repaint_loaded(self, image_ids: Sequence[int]) -> None:
        arrived = set(image_ids)
        for position in self._visible():
            if int(self._items.ids[self._order[position]]) in arrived:
                self.viewport().update(self._tile_area(position))

    def _renew_painter(self) -> None:
        ratio = self.devicePixelRatioF()
        self._painter = TilePainter(current_theme(), self._tile, ratio)
        wanted = self._tile * ratio
        self._loader.set_edge(next((edge for edge in _EDGES if edge >= wanted), _EDGES[-1]))

    def _themed(self, _theme: Theme) -> None:
        self._renew_painter()
        self.viewport().update()

    # hovering

    def _hover(self, position: int) -> None:
        if position == self._hovered:
            return
        before, self._hovered = self._hovered, position
        for changed in (before, position):
            if 0 <= changed < len(self._order):
                self.viewport().update(self._tile_area(changed))
        if position < 0:
            self._preview.hide()
        else:
            row = int(self._order[position])
            area = self._tile_area(position)
            area.moveTopLeft(self.viewport().mapToGlobal(area.topLeft()))
            self._preview.offer(lambda: self._image(row), self._items.caption(row), area)

    def _image(self, row: int) -> QImage | None:
        return self._loader.image(int(self._items.ids[row]))

    # selecting

    def _tell_selection(self) -> None:
        self.viewport().update()
        self.selection_changed.emit(self.selection())

    def _select_only(self, position: int) -> None:
        self._selected[:] = False
        self._selected[self._order[position]] = True
        self._tell_selection()

    def _select_range(self, position: int, keep: bool) -> None:
        start = self._anchor if self._anchor >= 0 else position
        if not keep:
            self._selected[:] = False
        first, last = sorted((start, position))
        self._selected[self._order[first : last + 1]] = True
        self._anchor = start
        self._tell_selection()

    def _focus(self, position: int) -> None:
        row = int(self._order[position]) if position >= 0 else -1
        if row == self._current:
            return
        self._current = row
        if row >= 0:
            self.scroll_to(row)
            self.setAccessibleDescription(self._items.caption(row))
        self.viewport().update()
        self.current_changed.emit(row)

    def _stretch_band(self, here: QPointF) -> None:
        if self._pressed is None:
            return
        self._band = QRectF(self._pressed, here).normalized()
        positions = self._grid().inside(
            self._band.left(), self._band.top(), self._band.right(), self._band.bottom()
        )
        self._selected = self._band_base.copy()
        self._selected[self._order[positions]] = True
        self._tell_selection()

    def _scroll_with_band(self) -> None:
        place = QPointF(self.viewport().mapFromGlobal(self.cursor().pos()))
        beyond = min(place.y(), 0) + max(place.y() - self.viewport().height(), 0)
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + round(beyond / 2))
        self._stretch_band(self._in_content(place))

    def _steps(self) -> dict[Qt.Key, int]:
        """Return how far each key walks, in positions."""
        grid = self._grid()
        page = max(1, self.viewport().height() // grid.cell_height) * grid.columns
        return {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -grid.columns,
            Qt.Key.Key_Down: grid.columns,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -grid.count,
            Qt.Key.Key_End: grid.count,
        }

    def _walk(self, step: int, modifiers: Qt.KeyboardModifier) -> None:
        if not len(self._order):
            return
        position = self._position(self._current)
        if position < 0:
            target = len(self._order) - 1 if step >= len(self._order) else 0
        else:
            target = max(0, min(len(self._order) - 1, position + step))
        if modifiers & _SHIFT:
            if self._anchor < 0:
                self._anchor = max(position, 0)
            self._select_range(target, keep=False)
        elif not modifiers & _CONTROL:
            self._anchor = target
            self._select_only(target)
        self._focus(target)

    def _drag_out(self) -> None:
        """Offer the selected files to other programs."""
        shown = self._order[self._selected[self._order]][:_MOST_DRAGGED]
        paths = [self._items.path(int(row)) for row in shown]
        urls = [QUrl.fromLocalFile(str(Path(path))) for path in paths if path]
        if not urls:
            return
        files = QMimeData()
        files.setUrls(urls)
        drag = QDrag(self)
        drag.setMimeData(files)
        area = self._tile_area(self._pressed_position)
        picture = self.viewport().grab(area)
        drag.setPixmap(picture)
        drag.setHotSpot(QPoint(area.width() // 2, area.height() // 2))
        drag.exec(Qt.DropAction.CopyAction)
