"""The list of images that arrived: newest first or worst first, and how a row is painted."""

import time
from bisect import bisect_left, insort
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.theme import (
    RADIUS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    number_font,
    ui_font,
)
from desktop_app.gui.watch.process import Arrived

Index = QModelIndex | QPersistentModelIndex

ROW = Qt.ItemDataRole.UserRole
TILE = 52
"""Side of a thumbnail in logical pixels."""
ROW_HEIGHT = TILE + 2 * SPACE.s
MOST_ROWS = 5000
"""Images that are listed; the scores of all others are kept in the run as well."""
HOUR = 3600.0
_PILL = 20


class ArrivalModel(QAbstractListModel):
    """What arrived, a row for each; the row number is the number of its thumbnail, too."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[Arrived] = []  # in the order of their arrival
        self._latest: dict[str, int] = {}  # path -> number
        self._by_score: list[tuple[float, int]] = []  # -score and number, ascending
        self._worst_first = False
        self._ordered: list[int] | None = None  # until something changes
        self.threshold: float | None = None

    def add(self, arrived: Sequence[Arrived]) -> None:
        """List more images; one that was replaced takes the place of its former self."""
        if len(arrived) == 1 and not self._worst_first and arrived[0].path not in self._latest:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self._take(arrived[0])
            self.endInsertRows()
        else:
            self.beginResetModel()
            for one in arrived:
                self._take(one)
            self.endResetModel()
        if len(self._latest) > MOST_ROWS:
            self._forget_oldest()

    def clear(self) -> None:
        """List nothing."""
        self.beginResetModel()
        self._all, self._latest, self._by_score = [], {}, []
        self._ordered = None
        self.endResetModel()

    def set_worst_first(self, worst: bool) -> None:
        """Sort by score, or by time."""
        self.beginResetModel()
        self._worst_first, self._ordered = worst, None
        self.endResetModel()

    def set_threshold(self, threshold: float | None) -> None:
        """Flag images with this score or a higher one."""
        self.threshold = threshold
        if self._latest:
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))

    def is_flagged(self, one: Arrived) -> bool:
        """Tell whether an image reaches the threshold."""
        return self.threshold is not None and one.score is not None and one.score >= self.threshold

    def flagged(self) -> int:
        """Return how many of the listed images reach the threshold."""
        if self.threshold is None:
            return 0
        return bisect_left(self._by_score, (-self.threshold, 1 << 62))

    def broken(self) -> int:
        """Return how many of the listed files cannot be read."""
        return len(self._latest) - len(self._by_score)

    def since(self, moment: float) -> int:
        """Return how many images arrived at or after a moment, the same one twice."""
        place = bisect_left(self._all, moment, key=lambda one: one.time)
        return len(self._all) - place

    def by_hour(self, hours: int, now: float | None = None) -> list[int]:
        """Return how many images arrived in each of the last hours, the present one last."""
        now = time.time() if now is None else now
        after = [self.since(now - HOUR * back) for back in range(hours, 0, -1)] + [0]
        return [after[hour] - after[hour + 1] for hour in range(hours)]

    def number_of(self, index: Index) -> int:
        """Return the number of the image in a row."""
        return self._order()[index.row()]

    def image(self, number: int) -> Arrived:
        """Return an image by its number."""
        return self._all[number]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """Return how many there are."""
        return 0 if parent.isValid() else len(self._latest)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the image of a row, or its words for those who do not see it."""
        one = self._all[self.number_of(index)]
        if role == ROW:
            return one
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return f"{one.path}\n{one.problem or words_of(one)}"
        return None

    def _order(self) -> list[int]:
        """Return the numbers of all rows; files that cannot be read are the last of the worst."""
        if self._ordered is None:
            self._ordered = list(reversed(self._latest.values()))
            if self._worst_first:
                broken = [number for number in self._ordered if self._all[number].score is None]
                self._ordered = [number for _score, number in self._by_score] + broken
        return self._ordered

    def _take(self, one: Arrived) -> None:
        number, self._ordered = len(self._all), None
        former = self._latest.pop(one.path, None)
        if former is not None:
            self._drop_score(former)
        self._all.append(one)
        self._latest[one.path] = number
        if one.score is not None:
            insort(self._by_score, (-one.score, number))

    def _drop_score(self, number: int) -> None:
        score = self._all[number].score
        if score is not None:
            del self._by_score[bisect_left(self._by_score, (-score, number))]

    def _forget_oldest(self) -> None:
        self.beginResetModel()
        self._ordered = None
        while len(self._latest) > MOST_ROWS:
            path = next(iter(self._latest))
            self._drop_score(self._latest.pop(path))
        self.endResetModel()


def words_of(one: Arrived) -> str:
    """Say when an image came and what was found."""
    parts = [time.strftime("%H:%M:%S", time.localtime(one.time))]
    if one.score is not None:
        parts.append(tr("score {score}", score=f"{one.score:.4g}"))
    if one.share is not None:
        parts.append(tr("above {share} % of usual images", share=f"{100 * one.share:.1f}"))
    if one.is_replaced:
        parts.append(tr("replaced"))
    return "  ·  ".join(parts)


class ArrivalPainter(QStyledItemDelegate):
    """Draws thumbnail, name, score and verdict."""

    def __init__(self, model: ArrivalModel, loader: ThumbnailLoader, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self._loader = loader

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """Return the height of every row."""
        return QSize(260, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one image."""
        number = self._model.number_of(index)
        one, theme = self._model.image(number), current_theme()
        area: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _draw_ground(painter, theme, option, area)
        inside = area.adjusted(SPACE.m, SPACE.s, -SPACE.m, -SPACE.s)
        square = QRect(inside.left(), inside.top(), TILE, TILE)
        self._draw_picture(painter, theme, square, number)
        text = inside.adjusted(TILE + SPACE.m, 2, 0, -2)
        right = self._draw_verdict(painter, theme, text, one)
        line = QRect(text.left(), text.top(), right - text.left() - SPACE.s, text.height() // 2)
        painter.setFont(ui_font(TYPE.body, QFont.Weight.DemiBold))
        painter.setPen(theme.colour("text"))
        path = PurePosixPath(one.path)
        parent = "" if str(path.parent) == "." else f"  {path.parent}"
        _draw_words(painter, line, f"{path.name}{parent}", Qt.TextElideMode.ElideMiddle)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        below = line.translated(0, text.height() // 2)
        _draw_words(painter, below, one.problem or words_of(one), Qt.TextElideMode.ElideRight)
        painter.restore()

    def _draw_picture(self, painter: QPainter, theme: Theme, square: QRect, number: int) -> None:
        image = self._loader.image(number)
        if image is None:
            painter.fillRect(square, theme.colour("raised"))
            return
        size = image.size().scaled(square.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRect(QPoint(0, 0), size)
        place.moveCenter(square.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, image)

    def _draw_verdict(self, painter: QPainter, theme: Theme, area: QRect, one: Arrived) -> int:
        """Draw what was decided, at the right; return where it begins."""
        if one.score is None:
            words, tint = tr("Cannot be read"), "warning"
        elif self._model.threshold is None:
            return area.right()
        else:
            flagged = self._model.is_flagged(one)
            words, tint = (tr("Flagged"), "bad") if flagged else (tr("Passed"), "good")
        painter.setFont(number_font(TYPE.caption, QFont.Weight.Medium))
        width = painter.fontMetrics().horizontalAdvance(words) + 2 * SPACE.s
        pill = QRect(area.right() - width, area.center().y() - _PILL // 2, width, _PILL)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(f"{tint}_fill"))
        painter.drawRoundedRect(pill, _PILL / 2, _PILL / 2)
        painter.setPen(theme.colour(tint))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, words)
        return pill.left()


def _draw_ground(
    painter: QPainter, theme: Theme, option: QStyleOptionViewItem, area: QRect
) -> None:
    flags = option.state
    inside = QRectF(area).adjusted(SPACE.xs, 1, -SPACE.xs, -1)
    painter.setPen(Qt.PenStyle.NoPen)
    for flag, role in (
        (QStyle.StateFlag.State_Selected, "selection"),
        (QStyle.StateFlag.State_MouseOver, "hover"),
    ):
        if flags & flag:
            painter.setBrush(theme.colour(role))
            painter.drawRoundedRect(inside, RADIUS.m, RADIUS.m)
            break
    if flags & QStyle.StateFlag.State_HasFocus:
        painter.setPen(theme.colour("accent"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(inside.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS.m, RADIUS.m)


def _draw_words(painter: QPainter, area: QRect, words: str, mode: Qt.TextElideMode) -> None:
    shown = painter.fontMetrics().elidedText(words, mode, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, shown)
