"""Painting of one tile of the gallery: photograph, caption, marks."""

from collections import OrderedDict
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPen, QPixmap

from desktop_app.gui.icons import pixmap
from desktop_app.gui.library.items import TileBadge, Verdict
from desktop_app.gui.theme import RADIUS, SPACE, TYPE, Theme, number_font, ui_font

PADDING = SPACE.s - 2
"""Between the outline of a tile and its photograph."""
CAPTION = 20
"""Height of the caption below the photograph."""
_CHIP = 8
_MARK = 18
_FAINT = 0.35
"""Opacity of photographs that are not trained on."""
_KEPT = 800  # photographs scaled for the screen

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "normal": ("check", "good"),
    "anomalous": ("x", "bad"),
    "unsure": ("question", "warning"),
}


def cell_size(tile: int) -> QSize:
    """Return the size of a cell whose photograph is at most `tile` pixels wide and high."""
    return QSize(tile + 2 * PADDING, tile + 2 * PADDING + CAPTION)


@dataclass(frozen=True)
class TileState:
    """What a tile looks like apart from its contents."""

    selected: bool = False
    hovered: bool = False
    current: bool = False
    focused: bool = False
    """The gallery has the keyboard focus."""


class TilePainter:
    """Paints tiles of one size in one theme; keeps photographs scaled to the screen."""

    def __init__(self, theme: Theme, tile: int, ratio: float) -> None:
        self.tile = tile
        self._theme = theme
        self._ratio = ratio
        self._font = ui_font(TYPE.caption + 1)
        self._numbers = number_font(TYPE.caption, QFont.Weight.Medium)
        self._metrics = QFontMetrics(self._font)
        self._number_metrics = QFontMetrics(self._numbers)
        self._signs: dict[tuple[str, str, int], QPixmap] = {}
        self._scaled: OrderedDict[int, QPixmap] = OrderedDict()
        self._colours = {
            name: theme.colour(name)
            for name in (
                "accent",
                "border",
                "canvas",
                "pressed",
                "raised",
                "selection",
                "text",
                "text_secondary",
            )
        }

    def paint(
        self,
        painter: QPainter,
        corner: QPoint,
        image: QImage | None,
        broken: bool,
        caption: str,
        score: str,
        badge: TileBadge,
        state: TileState,
    ) -> None:
        """Draw one tile with its left upper corner at `corner`."""
        size = cell_size(self.tile)
        whole = QRect(corner, size)
        square = QRect(whole.x() + PADDING, whole.y() + PADDING, self.tile, self.tile)
        self._draw_ground(painter, whole, state)
        if image is not None:
            shown = self._on_screen(image)
            width, height = shown.deviceIndependentSize().toTuple()
            place = QPoint(
                square.x() + round((self.tile - width) / 2),
                square.y() + round((self.tile - height) / 2),
            )
            painter.setOpacity(_FAINT if badge.left_out else 1.0)
            painter.drawPixmap(place, shown)
            painter.setOpacity(1.0)
        else:
            self._draw_placeholder(painter, square, broken)
        self._draw_caption(painter, square, caption, score, badge.colour, state)
        if badge.problem:
            self._draw_mark(painter, square.topLeft(), "warning", "warning")
        if badge.left_out:
            self._draw_mark(painter, square.bottomLeft() - QPoint(0, _MARK + 7), "minus", "accent")
        if badge.verdict:
            icon, tint = _VERDICTS[badge.verdict]
            self._draw_mark(painter, square.topRight() - QPoint(_MARK + 7, 0), icon, tint)

    def _draw_ground(self, painter: QPainter, whole: QRect, state: TileState) -> None:
        ring = state.current and state.focused
        if not (state.selected or state.hovered or ring):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = self._colours["selection" if state.selected else "pressed"]
        painter.setBrush(ground if state.selected or state.hovered else Qt.BrushStyle.NoBrush)
        outline = self._colours["accent"]
        if ring:
            painter.setPen(QPen(outline, 2))
        elif state.selected:
            painter.setPen(QPen(outline, 1))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
        edge = QRectF(whole).adjusted(1, 1, -1, -1)
        painter.drawRoundedRect(edge, RADIUS.m, RADIUS.m)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_placeholder(self, painter: QPainter, square: QRect, broken: bool) -> None:
        painter.fillRect(square, self._colours["raised"])
        if broken:
            size = min(32, self.tile // 2)
            mark = self._sign("image-off", "text_disabled", size)
            painter.drawPixmap(square.center() - QPoint(size // 2, size // 2), mark)

    def _draw_caption(
        self,
        painter: QPainter,
        square: QRect,
        caption: str,
        score: str,
        colour: str,
        state: TileState,
    ) -> None:
        line = QRect(square.left(), square.bottom() + 3, square.width(), CAPTION)
        if score:
            painter.setFont(self._numbers)
            painter.setPen(self._colours["text" if state.selected else "text_secondary"])
            painter.drawText(line, _RIGHT, score)
            line.setRight(line.right() - self._number_metrics.horizontalAdvance(score) - SPACE.xs)
        if colour:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(line.left(), line.center().y() - _CHIP // 2 + 1, _CHIP, _CHIP)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            line.setLeft(line.left() + _CHIP + 5)
        painter.setFont(self._font)
        painter.setPen(self._colours["text" if state.selected else "text_secondary"])
        shown = self._metrics.elidedText(caption, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, _LEFT, shown)

    def _draw_mark(self, painter: QPainter, corner: QPoint, icon: str, tint: str) -> None:
        """Draw a sign in a disc that reads on bright and dark photographs alike."""
        disc = QRectF(corner.x() + 4, corner.y() + 4, _MARK, _MARK)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.colour(tint), 1))
        painter.setBrush(self._theme.colour("raised" if tint == "accent" else f"{tint}_fill"))
        painter.drawEllipse(disc)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.drawPixmap(disc.topLeft() + QPoint(3, 3), self._sign(icon, tint, _MARK - 6))

    def _sign(self, icon: str, tint: str, size: int) -> QPixmap:
        key = (icon, tint, size)
        if key not in self._signs:
            self._signs[key] = pixmap(icon, size, tint, self._ratio)
        return self._signs[key]

    def _on_screen(self, image: QImage) -> QPixmap:
        """Return the photograph at the size of the tile, kept for the next repaint."""
        key = image.cacheKey()
        kept = self._scaled.get(key)
        if kept is not None:
            self._scaled.move_to_end(key)
            return kept
        edge = round(self.tile * self._ratio)
        if max(image.width(), image.height()) != edge:
            image = image.scaled(
                QSize(edge, edge),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        made = QPixmap.fromImage(image)
        made.setDevicePixelRatio(self._ratio)
        self._scaled[key] = made
        while len(self._scaled) > _KEPT:
            self._scaled.popitem(last=False)
        return made


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
