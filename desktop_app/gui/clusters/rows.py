"""The list of clusters: name, size, and as many of the most typical images as there is room for."""

from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop_app.core.clusters import Cluster
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.session import Session
from desktop_app.gui.theme import RADIUS, SPACE, TYPE, current_theme, number_font, ui_font

TILE = 84
"""Side of a thumbnail in logical pixels."""
_GAP = SPACE.xs
_HEAD = 28
ROW_HEIGHT = _HEAD + TILE + 2 * SPACE.s

ROW = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class ClusterRow:
    """A cluster as the analyst reads it."""

    cluster: Cluster
    name: str
    size: str
    """"120 images, 12 %"."""
    remark: str
    """What most of its images are labelled, or ""."""
    colour: str


class ClusterModel(QAbstractListModel):
    """The rows of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[ClusterRow] = []

    def set_rows(self, rows: list[ClusterRow]) -> None:
        """Show other clusters."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """Return how many there are."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the row, or its words for those who do not see it."""
        row = self.rows[index.row()]
        if role == ROW:
            return row
        words = " · ".join(part for part in (row.name, row.size, row.remark) if part)
        is_text = role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole)
        return words if is_text else None


def tile_at(area: QRect, place: QPoint) -> int:
    """Return the number of the thumbnail below a place in a row's area, -1 for none."""
    strip = _strip(area)
    if not strip.contains(place):
        return -1
    number, offset = divmod(place.x() - strip.left(), TILE + _GAP)
    return number if offset < TILE and number < tiles_in(area) else -1


def tiles_in(area: QRect) -> int:
    """Return how many thumbnails have room in a row's area."""
    return max(0, (_strip(area).width() + _GAP) // (TILE + _GAP))


class ClusterPainter(QStyledItemDelegate):
    """Draws one cluster."""

    def __init__(self, session: Session, loader: ThumbnailLoader, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._loader = loader

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """Return the height of every row."""
        return QSize(320, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw name, size and the most typical images of a cluster."""
        row: ClusterRow = index.data(ROW)
        area: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_ground(painter, option, area)
        self._draw_head(painter, row, area)
        self._draw_tiles(painter, row, area)
        painter.restore()

    def _draw_ground(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect) -> None:
        theme, flags = current_theme(), option.state
        inside = QRectF(area).adjusted(SPACE.s, 1, -SPACE.s, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if flags & QStyle.StateFlag.State_Selected:
            painter.setBrush(theme.colour("selection"))
            painter.drawRoundedRect(inside, RADIUS.m, RADIUS.m)
        elif flags & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme.colour("hover"))
            painter.drawRoundedRect(inside, RADIUS.m, RADIUS.m)
        if flags & QStyle.StateFlag.State_HasFocus:
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(inside.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS.m, RADIUS.m)

    def _draw_head(self, painter: QPainter, row: ClusterRow, area: QRect) -> None:
        theme = current_theme()
        line = QRect(
            area.left() + SPACE.l, area.top() + SPACE.xs, area.width() - 2 * SPACE.l, _HEAD
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(row.colour))
        painter.drawEllipse(line.left(), line.center().y() - 4, 9, 9)
        line.setLeft(line.left() + 9 + SPACE.s)
        for words, font, role in (
            (row.name, ui_font(TYPE.body, QFont.Weight.DemiBold), "text"),
            (row.size, number_font(TYPE.caption), "text_secondary"),
            (row.remark, ui_font(TYPE.caption), "text_secondary"),
        ):
            painter.setFont(font)
            painter.setPen(theme.colour(role))
            metrics = painter.fontMetrics()
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)
            line.setLeft(line.left() + metrics.horizontalAdvance(shown) + SPACE.m)

    def _draw_tiles(self, painter: QPainter, row: ClusterRow, area: QRect) -> None:
        theme, strip = current_theme(), _strip(area)
        shown = row.cluster.rows[: tiles_in(area)]
        ids = self._session.table.ids[shown].tolist()
        self._loader.want(ids)
        for number, (image_row, image_id) in enumerate(zip(shown.tolist(), ids, strict=True)):
            square = QRect(strip.left() + number * (TILE + _GAP), strip.top(), TILE, TILE)
            image = self._loader.image(image_id)
            if image is None:
                painter.fillRect(square, theme.colour("raised"))
            else:
                size = image.size().scaled(square.size(), Qt.AspectRatioMode.KeepAspectRatio)
                place = QRect(QPoint(0, 0), size)
                place.moveCenter(square.center())
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(place, image)
            if image_row == self._session.current:
                painter.setPen(theme.colour("accent"))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(square.adjusted(-1, -1, 0, 0))


def _strip(area: QRect) -> QRect:
    """Return where the thumbnails of a row are."""
    left = area.left() + SPACE.l
    return QRect(left, area.top() + _HEAD + SPACE.xs, area.width() - 2 * SPACE.l, TILE)
