"""Points as pixels: a million of them in tens of milliseconds, with NumPy alone.

A raster is a uint32 array (H, W) of 0xffRRGGBB, opaque, its first row at the bottom; points are drawn
in the order of their arrays, later ones on top. Rasters carry a margin of `MARGIN` pixels so that
marks at the edge need no clipping.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

MARGIN = 16
"""Pixels around the raster; no mark reaches further."""

_CHUNK = 32_768  # points whose marks are written at once: small enough for the processor's cache
_SAMPLE = 4  # one point in so many colours a density

Raster = NDArray[np.uint32]
"""(H + 2 MARGIN, W + 2 MARGIN), 0xffRRGGBB."""
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Window:
    """The part of the plane on screen and its size in pixels."""

    left: float
    bottom: float
    right: float
    top: float
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a raster with its margin."""
        return self.height + 2 * MARGIN, self.width + 2 * MARGIN

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels per unit of x and of y."""
        return self.width / (self.right - self.left), self.height / (self.top - self.bottom)


@dataclass(frozen=True)
class Placed:
    """The points of a window: where they lie in the raster, and which they are."""

    window: Window
    flat: Ints
    """(n,) index into the flattened raster."""
    points: Ints
    """(n,) index into the columns, ascending."""


@dataclass(frozen=True)
class Stamp:
    """The pixels of a round mark around its centre and how much of each it covers."""

    rows: Ints
    columns: Ints
    coverage: NDArray[np.float32]


def placed(
    x: NDArray[np.float32], y: NDArray[np.float32], drawn: NDArray[np.bool_], window: Window
) -> Placed:
    """Find the raster positions of the points (n,) that are drawn and lie in the window."""
    across, up = window.scale
    height, width = window.shape
    column = x * np.float32(across)
    column += np.float32(MARGIN - window.left * across)
    row = y * np.float32(up)
    row += np.float32(MARGIN - window.bottom * up)
    # a mark of the window's margin is still seen, further ones are not; NaN fails both
    inside = (column >= MARGIN / 2) & (column < width - MARGIN / 2)
    inside &= (row >= MARGIN / 2) & (row < height - MARGIN / 2)
    inside &= drawn
    points = np.flatnonzero(inside).astype(np.int32)
    flat = row[points].astype(np.int32)
    flat *= width
    flat += column[points].astype(np.int32)
    return Placed(window, flat, points)


@cache
def stamp(diameter: float) -> Stamp:
    """Return a disc of `diameter` pixels, at most 2 MARGIN - 2, with soft edges."""
    reach = math.ceil(diameter / 2)
    fine = np.arange(-reach - 0.5 + 1 / 16, reach + 0.5, 1 / 8)
    disc = (fine[:, None] ** 2 + fine[None, :] ** 2) <= (diameter / 2) ** 2
    size = 2 * reach + 1
    covered = disc.reshape(size, 8, size, 8).mean(axis=(1, 3)).astype(np.float32)
    rows, columns = np.nonzero(covered > 0.08)
    return Stamp(
        (rows - reach).astype(np.int32), (columns - reach).astype(np.int32), covered[rows, columns]
    )


def empty(window: Window, background: int) -> Raster:
    """Return a raster of one colour 0xffRRGGBB."""
    return np.full(window.shape, background, np.uint32)


def splat(
    raster: Raster,
    flat: Ints,
    colour_index: NDArray[np.uint8] | NDArray[np.uint16],
    lut: NDArray[np.uint8],
    background: int,
    diameter: float,
) -> None:
    """Draw marks at raster positions (n,) in the colours `lut` (K, 3) of their index (n,)."""
    mark = stamp(diameter)
    offsets = mark.rows * np.int32(raster.shape[1]) + mark.columns
    colours = blended(lut[:, None, :], background, mark.coverage[None, :, None])  # (K, pixels)
    target = raster.reshape(-1)
    for start in range(0, len(flat), _CHUNK):
        part = slice(start, start + _CHUNK)
        target[flat[part, None] + offsets] = colours[colour_index[part]]


def identities(placed: Placed, diameter: float) -> Ints:
    """Return for each pixel of a raster the point on top, an index into the columns, or -1."""
    owner = np.full(placed.window.shape, -1, np.int32)
    mark = stamp(diameter)
    offsets = mark.rows * np.int32(owner.shape[1]) + mark.columns
    target = owner.reshape(-1)
    for start in range(0, len(placed.flat), _CHUNK):
        part = slice(start, start + _CHUNK)
        target[placed.flat[part, None] + offsets] = placed.points[part, None]
    return owner


def density(
    placed: Placed,
    colour_index: NDArray[np.uint8] | NDArray[np.uint16],
    lut: NDArray[np.uint8],
    background: int,
    *,
    cell: int = 1,
    levels: int = 9,
    strength: float = 1.0,
) -> Raster:
    """Return how dense the points lie, in their mean colour, with the lines of equal density.

    `cell` is the edge of a bin in pixels, `strength` fades the whole picture, 0 to 1.
    """
    height, width = placed.window.shape
    rows, columns = -(-height // cell), -(-width // cell)
    bins = placed.flat if cell == 1 else _coarse(placed.flat, width, columns, cell)
    size = rows * columns
    counts = np.bincount(bins, minlength=size).reshape(rows, columns).astype(np.float32)
    smooth = _blurred(counts)
    peak = float(smooth.max())
    if peak <= 0:
        return empty(placed.window, background)
    relative = np.log1p(smooth * (60 / peak))
    relative *= 1 / math.log1p(60)
    ink = _mean_colours(bins[::_SAMPLE], colour_index[placed.points[::_SAMPLE]], lut, rows, columns)
    level = np.ceil(relative * levels)
    edge = np.zeros(level.shape, bool)
    edge[:, 1:] |= level[:, 1:] != level[:, :-1]
    edge[1:] |= level[1:] != level[:-1]
    opacity = np.where(relative > 0.02, 0.08 + 0.8 * level / levels, 0).astype(np.float32)
    opacity[edge] += 0.12
    opacity *= strength
    whole = blended(ink, background, np.minimum(opacity, 1)[..., None])
    if cell > 1:
        whole = whole.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
    return np.ascontiguousarray(whole)


def blended(
    colours: NDArray[np.uint8] | NDArray[np.float32], background: int, share: NDArray[np.float32]
) -> NDArray[np.uint32]:
    """Lay RGB colours (..., 3) over a background 0xffRRGGBB by their share (..., 1), 0 to 1."""
    red, green, blue = (
        _channel(colours[..., band], background >> shift & 0xFF, share[..., 0]) << np.uint32(shift)
        for band, shift in enumerate((16, 8, 0))
    )
    return red | green | blue | np.uint32(0xFF000000)


def cropped(raster: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the raster without its margin, its first row at the top: as images are stored."""
    return np.ascontiguousarray(raster[MARGIN:-MARGIN, MARGIN:-MARGIN][::-1])


def _channel(
    values: NDArray[np.uint8] | NDArray[np.float32], ground: int, share: NDArray[np.float32]
) -> NDArray[np.uint32]:
    mixed = values.astype(np.float32)
    mixed -= ground
    mixed = mixed * share
    mixed += ground + 0.5
    return mixed.astype(np.uint32)


def _coarse(flat: Ints, width: int, columns: int, cell: int) -> Ints:
    row, column = np.divmod(flat, np.int32(width))
    return (row // cell) * np.int32(columns) + column // cell


def _mean_colours(
    bins: Ints, index: NDArray[np.uint8] | NDArray[np.uint16], lut: NDArray[np.uint8],
    rows: int, columns: int,
) -> NDArray[np.float32]:
    """Return the blurred mean colour (rows, columns, 3) of the points in each bin."""
    size = rows * columns
    if len(np.unique(lut, axis=0)) == 1:
        return np.broadcast_to(lut[0].astype(np.float32), (rows, columns, 3))
    weight = np.bincount(bins, minlength=size).reshape(rows, columns).astype(np.float32)
    total = np.maximum(_blurred(weight), 1e-6)
    mean = np.empty((rows, columns, 3), np.float32)
    for band in range(3):
        sums = np.bincount(bins, lut[index, band].astype(np.float64), minlength=size)
        mean[..., band] = _blurred(sums.reshape(rows, columns).astype(np.float32)) / total
    return mean


def _blurred(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image under a 7 x 7 near-Gaussian: three passes of a 3 x 3 box."""
    for _ in range(3):
        wide = image.copy()
        wide[:, 1:] += image[:, :-1]
        wide[:, :-1] += image[:, 1:]
        image = wide.copy()
        image[1:] += wide[:-1]
        image[:-1] += wide[1:]
        image *= np.float32(1 / 9)
    return image
