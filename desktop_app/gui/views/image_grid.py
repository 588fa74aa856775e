"""Renders `ImageGrid`: filters, codebook entries, eigen-images, samples.

Shapes: N pictures, C channels, H rows, W columns.
"""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.gui.theme import SPACE, Theme, current_theme, follow_theme
from desktop_app.gui.views.tiles import TileSheet
from desktop_app.gui.widgets import ColourBar
from desktop_app.sdk.views import ImageGrid

_DIVERGING = {"dark": "CET-D4", "light": "CET-D1"}
"""Maps of pyqtgraph whose middle is the colour of the canvas: nothing there means zero."""


class ImageGridView(QWidget):
    """The pictures; signed ones in two colours, with a bar that says how large."""

    def __init__(self, view: ImageGrid, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self.sheet = TileSheet(view.title)
        self.bar = ColourBar(view.title)
        self.bar.setVisible(view.signed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self.sheet)
        column.addWidget(self.bar)
        column.addStretch()
        follow_theme(self._draw)

    def _draw(self, theme: Theme) -> None:
        view = self._view
        images = np.asarray(view.images, np.float32)
        if view.signed:
            reach = largest(images)
            table = diverging(theme.name)
            self.sheet.set_tiles(signed_pixels(images, table), view.columns, view.captions)
            self.bar.set_scale(table, -reach, reach)
        else:
            self.sheet.set_tiles(stretched_pixels(images), view.columns, view.captions)


def stretched_pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images (N, C, H, W) as uint8 (N, H, W, C), from the lowest value to the highest."""
    finite = images[np.isfinite(images)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    share = np.nan_to_num((images - low) / ((high - low) or 1.0))
    pixels: NDArray[np.uint8] = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def signed_pixels(images: NDArray[Any], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the channel mean of images (N, C, H, W) as uint8 (N, H, W, 3), zero in the middle."""
    values = np.nan_to_num(images).mean(axis=1)
    reach = largest(images)
    place = np.rint((values / reach + 1) / 2 * (len(table) - 1)).astype(np.intp)
    pixels: NDArray[np.uint8] = table[np.clip(place, 0, len(table) - 1)]
    return pixels


def largest(images: NDArray[Any]) -> float:
    """Return the largest channel mean by size, 1 where all are zero."""
    values = np.abs(np.nan_to_num(images).mean(axis=1))
    return (float(values.max()) if values.size else 0.0) or 1.0


def diverging(theme: str | None = None) -> NDArray[np.uint8]:
    """Return the diverging map of a theme as (256, 3) RGB."""
    found = pg.colormap.get(_DIVERGING[theme or current_theme().name])
    return np.ascontiguousarray(found.getLookupTable(0.0, 1.0, 255)[:, :3], np.uint8)
