"""Painting a region of interest: rectangles, polygons, brush strokes, and the way back.

Places are shares of the image, x to the right and y down. Shapes: h w of the mask.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from desktop_app.core.regions import LONGEST, Region

Mask = NDArray[np.bool_]
Place = tuple[float, float]

_MOST_STEPS = 200  # that are kept to go back; each takes an eighth of a byte per pixel


class Painting:
    """A mask that is painted, at the proportions of an image."""

    def __init__(self, width: int, height: int, region: Region | None = None) -> None:
        """Begin with a region, or with all of an image of these proportions."""
        longest = max(width, height, 1)
        shape = (
            max(1, round(height * LONGEST / longest)),
            max(1, round(width * LONGEST / longest)),
        )
        self.mask: Mask = np.ones(shape, np.bool_) if region is None else region.at(*shape).copy()
        """(h, w): True where images count."""
        self._done: list[NDArray[np.uint8]] = []
        self._undone: list[NDArray[np.uint8]] = []

    @property
    def can_undo(self) -> bool:
        """Tell whether something can be taken back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Tell whether something that was taken back can be done again."""
        return bool(self._undone)

    def region(self) -> Region | None:
        """Return what counts, None for all of it. Raises InvalidInput when nothing does."""
        return None if self.mask.all() else Region(self.mask.copy())

    def rectangle(self, first: Place, second: Place, *, counts: bool) -> None:
        """Mark what lies between two corners."""
        (x0, y0), (x1, y1) = self._pixel(first), self._pixel(second)
        box = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
        self._mark(lambda draw: draw.rectangle(box, fill=255), counts)

    def polygon(self, places: Sequence[Place], *, counts: bool) -> None:
        """Mark what lies within three places or more."""
        if len(places) >= 3:
            pixels = [self._pixel(place) for place in places]
            self._mark(lambda draw: draw.polygon(pixels, fill=255, outline=255), counts)

    def brush(self, places: Sequence[Place], width: float, *, counts: bool) -> None:
        """Mark a stroke through places; its width is a share of the longest side."""
        pixels = [self._pixel(place) for place in places]
        radius = max(0.5, width * max(self.mask.shape) / 2)

        def stroke(draw: ImageDraw.ImageDraw) -> None:
            if len(pixels) > 1:
                draw.line(pixels, fill=255, width=max(1, round(2 * radius)))
            for x, y in pixels:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)

        self._mark(stroke, counts)

    def invert(self) -> None:
        """Let count what does not, and the other way round."""
        self._change(~self.mask)

    def count_all(self) -> None:
        """Let all of the image count."""
        self._change(np.ones_like(self.mask))

    def take(self, region: Region) -> None:
        """Take another region in its place."""
        self._change(region.at(*self.mask.shape).copy())

    def undo(self) -> None:
        """Take the last change back."""
        if self._done:
            self._undone.append(np.packbits(self.mask))
            self.mask = self._unpacked(self._done.pop())

    def redo(self) -> None:
        """Do again what was taken back last."""
        if self._undone:
            self._done.append(np.packbits(self.mask))
            self.mask = self._unpacked(self._undone.pop())

    def _mark(self, draw: Callable[[ImageDraw.ImageDraw], None], counts: bool) -> None:
        """Let a shape count or not; the first one that counts begins with an empty image."""
        height, width = self.mask.shape
        shape = Image.new("L", (width, height))
        draw(ImageDraw.Draw(shape))
        marked = np.asarray(shape) > 0
        if not counts:
            self._change(self.mask & ~marked)
        else:
            self._change(marked if self.mask.all() else self.mask | marked)

    def _change(self, mask: Mask) -> None:
        if not np.array_equal(mask, self.mask):
            self._done = [*self._done[1 - _MOST_STEPS :], np.packbits(self.mask)]
            self._undone.clear()
            self.mask = mask

    def _unpacked(self, bits: NDArray[np.uint8]) -> Mask:
        flat = np.unpackbits(bits, count=self.mask.size)
        return flat.reshape(self.mask.shape).astype(np.bool_)

    def _pixel(self, place: Place) -> Place:
        height, width = self.mask.shape
        x, y = (min(1.0, max(0.0, share)) for share in place)
        return x * (width - 1), y * (height - 1)
