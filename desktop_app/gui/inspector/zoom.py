"""Where a group of pictures of one scene is looked at: shared zoom and place."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, QPointF, QRectF, QSizeF, Signal

_MOST = 64.0  # times the size at which the picture fits


@dataclass(frozen=True)
class _Place:
    scale: float = 1.0
    """1 where the whole picture fits."""
    x: float = 0.5
    """What is in the middle, as a share of the picture's width."""
    y: float = 0.5


class Zoom(QObject):
    """One zoom for all panes; places are shares of the picture, whatever its resolution."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = _Place()

    @property
    def scale(self) -> float:
        """How much larger the picture is than where it fits."""
        return self._place.scale

    def fit(self) -> None:
        """Show the whole picture."""
        self._go(_Place())

    def zoom_at(self, factor: float, at: QPointF) -> None:
        """Show `factor` times as much detail; the share `at` of the picture stays where it is."""
        scale = min(_MOST, max(1.0, self._place.scale * factor))
        kept = self._place.scale / scale
        x = at.x() + (self._place.x - at.x()) * kept
        y = at.y() + (self._place.y - at.y()) * kept
        self._go(_Place(scale, x, y))

    def set_scale(self, scale: float) -> None:
        """Show this much detail around the middle."""
        self._go(_Place(min(_MOST, max(1.0, scale)), self._place.x, self._place.y))

    def move(self, dx: float, dy: float) -> None:
        """Move the picture by shares of its size as it is shown."""
        self._go(_Place(self._place.scale, self._place.x - dx, self._place.y - dy))

    def area(self, picture: QSizeF, pane: QSizeF) -> QRectF:
        """Return where on a pane of this size a picture of this shape lies."""
        if picture.isEmpty() or pane.isEmpty():
            return QRectF()
        fitted = min(pane.width() / picture.width(), pane.height() / picture.height())
        width = picture.width() * fitted * self._place.scale
        height = picture.height() * fitted * self._place.scale
        left = pane.width() / 2 - self._place.x * width
        top = pane.height() / 2 - self._place.y * height
        return QRectF(left, top, width, height)

    def _go(self, place: _Place) -> None:
        margin = 0.5 / place.scale
        kept = _Place(
            place.scale,
            min(1 - margin, max(margin, place.x)),
            min(1 - margin, max(margin, place.y)),
        )
        if kept != self._place:
            self._place = kept
            self.changed.emit()
