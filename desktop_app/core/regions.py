"""Which part of an image counts: painted once for a folder, for images of any size.

A region lies in shares of the image: stretched to the size at hand, as images are stretched to the
size of a method. Where it does not count, methods see one colour, the same in every image, so that
nothing there can be learned or make an image unusual.

Shapes: h w of the region as it was painted, H rows, W columns, S the side of square images,
C channels, N images.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.crops import crops_of, square
from desktop_app.core.decoding import decode_mask
from desktop_app.sdk.data import Dataset, DatasetView, Images, Pixels, Rows, as_images, even_rows
from desktop_app.sdk.errors import InvalidInput, UnreadableImage

Mask = NDArray[np.bool_]

LONGEST = 1024
"""Pixels of the longest side to which a region is reduced."""
_LOOKED_AT = 256
"""Images, evenly chosen, of which the mean colour is taken."""


@dataclass(frozen=True, eq=False)
class Region:
    """The part of an image that counts."""

    mask: Mask
    """(h, w): True where it counts; at least one is."""

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or not self.mask.any():
            raise InvalidInput(
                "A region of interest needs at least one pixel that counts, but nothing is marked: "
                "mark a part of the image."
            )

    @property
    def share(self) -> float:
        """The share of the image that counts."""
        return float(self.mask.mean())

    @cached_property
    def hash(self) -> str:
        """BLAKE2b of size and pixels, 32 hexadecimal digits."""
        mark = hashlib.blake2b(repr(self.mask.shape).encode(), digest_size=16)
        mark.update(np.packbits(self.mask).tobytes())
        return mark.hexdigest()

    def at(self, height: int, width: int) -> Mask:
        """Return it at a size (H, W): where at least half of a pixel counts, and never nothing."""
        if self.mask.shape == (height, width):
            return self.mask
        share = _shares(self.mask, height, width)
        halves = share >= 0.5
        return halves if halves.any() else share > 0

    def without(self, ignored: "Region") -> "Region":
        """Return what counts here and is not marked there, at the size of this one.

        Raises InvalidInput where nothing is left.
        """
        return Region(self.mask & ~ignored.at(*self.mask.shape))

    def png(self) -> bytes:
        """Return a PNG file, white where it counts."""
        file = io.BytesIO()
        Image.fromarray(self.mask.astype(np.uint8) * np.uint8(255)).save(file, "PNG")
        return file.getvalue()


def read_region(path: Path) -> Region:
    """Read an image file in which every value above zero counts.

    Raises InvalidInput when it cannot be read or marks nothing.
    """
    try:
        mask = decode_mask(path)
    except UnreadableImage as problem:
        raise InvalidInput(f"The mask '{path}' cannot be read. {problem}") from None
    if not mask.any():
        raise InvalidInput(
            f"The mask '{path}' marks nothing: expected an image that is white, or above zero, "
            "where it counts."
        )
    return Region(reduced(mask))


def region_from_png(data: bytes) -> Region:
    """Return the region that `Region.png` made the bytes of."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return Region(np.asarray(image.convert("L")) > 0)


def joined(counted: Region | None, ignored: Region | None) -> Region | None:
    """Return what counts of an image of which one part is asked for and another is ignored."""
    if ignored is None:
        return counted
    if counted is not None:
        return counted.without(ignored)
    if ignored.mask.all():
        raise InvalidInput("The ignore mask marks the whole image, so nothing is left to look at.")
    return Region(~ignored.mask)


def reduced(mask: Mask) -> Mask:
    """Return a mask (h, w) with sides of at most `LONGEST` pixels, of the same proportions."""
    longest = max(mask.shape)
    if longest <= LONGEST:
        return mask
    height, width = (max(1, round(side * LONGEST / longest)) for side in mask.shape)
    share = _shares(mask, height, width)
    halves = share >= 0.5
    return halves if halves.any() else share > 0


@dataclass(frozen=True)
class InsideRegion(DatasetView):
    """Images of a data set with one colour where they do not count."""

    inside: Mask
    """(H, W)."""
    colour: Pixels
    """(C,)."""

    def pixels(self, rows: Rows) -> Pixels:
        """Return the images of these rows as uint8 (n, C, H, W)."""
        return np.where(self.inside, self.data.pixels(rows), self.colour[:, None, None])

    def images(self, rows: Rows) -> Images:
        """Return the images of these rows as float32 (n, C, H, W) in [0, 1]."""
        return as_images(self.pixels(rows))

    def crops(self, rows: NDArray[np.int64], corners: NDArray[np.int64], side: int) -> Pixels:
        """Return squares (n, C, t, t) of rows (n,) at tops and lefts (n, 2)."""
        found = crops_of(self.data, rows, corners, side)
        for tile, corner in zip(found, corners, strict=True):
            inside = square(self.inside, corner, side)
            tile[:] = np.where(inside, tile, self.colour[:, None, None])
        return found


def mean_colour(data: Dataset, inside: Mask) -> Pixels:
    """Return the mean colour (C,) of images where they count; of very many, of an even sample."""
    rows = even_rows(len(data), _LOOKED_AT)
    total = np.zeros(data.sample_shape[0])
    for row in rows.tolist():
        total += data.pixels(slice(row, row + 1))[0][:, inside].mean(axis=1)
    colour: Pixels = np.rint(total / len(rows)).astype(np.uint8)
    return colour


def _shares(mask: Mask, height: int, width: int) -> NDArray[np.float32]:
    """Return which share of each pixel of another size (H, W) is marked."""
    image = Image.fromarray(mask.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))
