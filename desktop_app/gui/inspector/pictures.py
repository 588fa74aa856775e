"""Photographs in full resolution, decoded behind the window, the newest wish first."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage

from desktop_app.core.images import decode, decode_mask
from desktop_app.gui.inspector.heat import outline
from desktop_app.gui.session import Session
from desktop_app.gui.widgets import image_from_array
from desktop_app.sdk.errors import LoupeError

_KEPT_BYTES = 400 << 20
_SMALLEST = 256  # pixels below which no further halves are made


@dataclass(frozen=True)
class Photograph:
    """One image at several resolutions, and the outline of its ground-truth mask."""

    levels: tuple[QImage, ...] = ()
    """The full resolution and its halves; empty where the file cannot be read."""
    outline: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    """(n, 4) lines in shares of the image."""
    mask: tuple[QImage, ...] = ()
    """The ground-truth mask, where there is one, like `levels`."""
    problem: str = ""
    """Why it cannot be shown."""

    @property
    def bytes(self) -> int:
        """Memory of all levels."""
        return sum(level.sizeInBytes() for level in (*self.levels, *self.mask))

    def level(self, width: float) -> QImage:
        """Return the smallest level at least `width` pixels wide, or the full resolution."""
        fitting = [level for level in self.levels if level.width() >= width]
        return fitting[-1] if fitting else self.levels[0]


class Photographs(QObject):
    """Keeps the photographs looked at last; fetches the one that is wanted, then its neighbours."""

    arrived = Signal(int)
    """Carries the row of a photograph that is at hand now."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kept: OrderedDict[int, Photograph] = OrderedDict()  # by image id
        self._folder = session.folder
        session.table_changed.connect(self._forget_other_folder)

    def photograph(self, row: int) -> Photograph | None:
        """Return a photograph that is at hand, or None."""
        image_id = int(self._session.table.ids[row])
        kept = self._kept.get(image_id)
        if kept is not None:
            self._kept.move_to_end(image_id)
        return kept

    def want(self, row: int, next_rows: tuple[int, ...] = ()) -> None:
        """Fetch a photograph, and afterwards those that will probably be wanted next."""
        if self.photograph(row) is None:
            self._fetch("photograph", row, lambda: self._prefetch(next_rows))
        else:
            self._prefetch(next_rows)

    def _prefetch(self, rows: tuple[int, ...]) -> None:
        missing = [row for row in rows if 0 <= row < len(self._session.table)]
        missing = [row for row in missing if self.photograph(row) is None]
        if missing:
            self._fetch("next photograph", missing[0], lambda: self._prefetch(tuple(missing[1:])))

    def _fetch(self, name: str, row: int, then: Callable[[], None]) -> None:
        session = self._session
        image_id, folder = int(session.table.ids[row]), session.folder
        path, mask = session.image_path(row), session.mask_path(row)

        def take(photograph: Photograph) -> None:
            if session.folder is not folder:
                return
            self._keep(image_id, photograph)
            if row < len(session.table) and session.table.ids[row] == image_id:
                self.arrived.emit(row)
                then()

        session.background.run(name, lambda: read_photograph(path, mask), take)

    def _keep(self, image_id: int, photograph: Photograph) -> None:
        self._kept[image_id] = photograph
        self._kept.move_to_end(image_id)
        while len(self._kept) > 2 and sum(kept.bytes for kept in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def _forget_other_folder(self) -> None:
        if self._session.folder is not self._folder:
            self._folder = self._session.folder
            self._kept.clear()


def read_photograph(path: Path, mask: Path | None) -> Photograph:
    """Decode an image and its mask; a file that cannot be read becomes a sentence."""
    try:
        full = image_from_array(decode(path))
    except (LoupeError, OSError) as problem:
        return Photograph(problem=str(problem))
    levels = tuple(_halves(full.convertToFormat(QImage.Format.Format_RGB32)))
    if mask is not None:
        with suppress(LoupeError, OSError):  # the image is worth showing without its mask
            pixels = decode_mask(mask)
            grey = image_from_array(np.where(pixels, np.uint8(255), np.uint8(0)))
            return Photograph(levels, outline(pixels), tuple(_halves(grey)))
    return Photograph(levels)


def _halves(image: QImage) -> list[QImage]:
    levels = [image]
    while max(levels[-1].width(), levels[-1].height()) > 2 * _SMALLEST:
        last = levels[-1]
        half = QSize(max(1, last.width() // 2), max(1, last.height() // 2))
        smooth = Qt.TransformationMode.SmoothTransformation
        levels.append(last.scaled(half, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))
    return levels
