"""Points as pixels: a million of them in tens of milliseconds, with NumPy alone.

A raster is a uint32 array (H, W) of 0xffRRGGBB, opaque, its first row at the bottom; points are
drawn in the order of their arrays, later ones on top. Rasters carry a margin of `MARGIN` pixels so
that marks at the edge need no clipping.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

MARGIN = 16
"""Pixels around the raster; no mark reaches further."""

_CHUNK = 32_768  # points whose marks are written at once: small enough for the processor's cache
_COLOURED = 100_000  # points that decide the colours of a density, where it has more
_RANGE = 60  # densities from the peak to 1/60 of it are told apart
_LEVELS = 9
_SPARSE = 0.09  # share of the scale below which points are drawn one by one

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
    """(n,) index into the columns, ascending unless they were ordered."""
    share: float = 1.0
    """Which share of all points these are a sample of."""

    @property
    def count(self) -> int:
        """How many points lie in the window, about, where these are a sample."""
        return round(len(self.flat) / self.share)

    def ordered(self, depth: NDArray[np.float32]) -> "Placed":
        """Return the points so that those with a large depth (n,) are drawn last, on top."""
        order = np.argsort(depth, kind="stable")
        return Placed(self.window, self.flat[order], self.points[order], self.share)


@dataclass(frozen=True)
class Stamp:
    """The pixels of a round mark around its centre and how much of each it covers."""

    rows: Ints
    columns: Ints
    coverage: NDArray[np.float32]


def placed(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    drawn: NDArray[np.bool_],
    window: Window,
    share: float = 1.0,
) -> Placed:
    """Find the raster positions of the points (n,) that are drawn and lie in the window.

    What is drawn has a finite place. `share` tells which share of all points these are.
    """
    across, up = window.scale
    height, width = window.shape
    # a mark of the window's margin is still seen, further ones are not
    left, bottom = MARGIN / 2 - window.left * across, MARGIN / 2 - window.bottom * up
    with np.errstate(invalid="ignore"):  # NaN and far points become large numbers
        column = _pixels(x, across, left)
        row = _pixels(y, up, bottom)
    inside = column < np.uint32(width - MARGIN)  # unsigned: negative ones are large
    inside &= row < np.uint32(height - MARGIN)
    inside &= drawn
    points = np.flatnonzero(inside).astype(np.int32)
    everywhere = len(points) == len(x)
    flat = row.view(np.int32) if everywhere else row.view(np.int32)[points]
    flat += np.int32(MARGIN // 2)
    flat *= np.int32(width)
    flat += column.view(np.int32) if everywhere else column.view(np.int32)[points]
    flat += np.int32(MARGIN // 2)
    return Placed(window, flat, points, share)


def _pixels(values: NDArray[np.float32], scale: float, start: float) -> NDArray[np.uint32]:
    """Return whole pixels (n,), as unsigned numbers of which those below zero are very large."""
    place = values * np.float32(scale)
    place += np.float32(start)
    np.floor(place, out=place)
    return place.astype(np.int32).view(np.uint32)


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


def identities(placed: Placed) -> Ints:
    """Return for each pixel of a raster the point whose centre is there, an index into the columns,
    or -1; of several the one on top.
    """
    owner = np.full(placed.window.shape, -1, np.int32)
    owner.reshape(-1)[placed.flat] = placed.points
    return owner


@dataclass(frozen=True)
class Relief:
    """How dense the points of a window lie; the costly part of a density, free of colours."""

    cell: int
    """Edge of a bin in pixels."""
    shape: tuple[int, int]
    """Rows and columns of bins."""
    bins: Ints
    """(n,) bin of each placed point."""
    opacity: NDArray[np.float32]
    """As large as the raster: terraces of equal density, 0 to 1."""
    alone: Ints
    """Placed points in places so sparse that each is drawn by itself."""


def relief(placed: Placed, cell: int = 2) -> Relief:
    """Return how dense the points lie, as terraces with bright edges."""
    height, width = placed.window.shape
    rows, columns = -(-height // cell), -(-width // cell)
    bins = _coarse(placed.flat, width, columns, cell)
    counts = np.bincount(bins, minlength=rows * columns).reshape(rows, columns)
    smooth = _blurred(counts.astype(np.float32))
    peak = max(float(smooth.max()), 1e-6)
    relative = np.log1p(smooth * (_RANGE / peak)) * np.float32(1 / math.log1p(_RANGE))
    opacity = _terraces(_enlarged(relative, cell)[:height, :width])
    alone = np.flatnonzero(relative.ravel()[bins] < _SPARSE).astype(np.int32)
    return Relief(cell, (rows, columns), bins, opacity, alone)


def density(
    placed: Placed,
    relief: Relief,
    colour_index: NDArray[np.uint8] | NDArray[np.uint16],
    lut: NDArray[np.uint8],
    background: int,
    *,
    diameter: float = 2.5,
    strength: float = 1.0,
) -> Raster:
    """Return a relief in the mean colour of its points, and the ones in sparse places singly.

    `colour_index` has one entry per column, not per placed point. `diameter` is the size of a
    single point, `strength` fades the whole picture, 0 to 1.
    """
    sample = slice(None, None, max(1, len(placed.points) // _COLOURED))
    sampled = colour_index[placed.points[sample]]
    ink = _mean_colours(relief.bins[sample], sampled, lut, relief.shape)
    raster = _inked(ink, relief, background, strength)
    faint = faded(lut, background, 0.65 * strength)
    alone = relief.alone
    index = colour_index[placed.points[alone]]
    splat(raster, placed.flat[alone], index, faint, background, diameter)
    return raster


def faded(lut: NDArray[np.uint8], background: int, strength: float) -> NDArray[np.uint8]:
    """Return RGB colours (K, 3) as they look at this opacity, 0 to 1, over the background."""
    if strength >= 1:
        return lut
    mixed = blended(lut, background, np.full((len(lut), 1), strength, np.float32))
    return np.stack([mixed >> shift & 0xFF for shift in (16, 8, 0)], axis=-1).astype(np.uint8)


def blended(
    colours: NDArray[np.uint8] | NDArray[np.float32], background: int, share: NDArray[np.float32]
) -> NDArray[np.uint32]:
    """Lay RGB colours (..., 3) over a background 0xffRRGGBB by their share (..., 1), 0 to 1."""
    mixed: NDArray[np.uint32] = np.uint32(0xFF000000)  # type: ignore[assignment]
    for band, shift in enumerate((16, 8, 0)):
        ground = background >> shift & 0xFF
        mixed = mixed | _channel(colours[..., band], ground, share[..., 0]) << np.uint32(shift)
    return mixed


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
    row = flat // np.int32(width)
    column = flat - row * np.int32(width)
    row //= np.int32(cell)
    column //= np.int32(cell)
    row *= np.int32(columns)
    row += column
    return row


def _inked(ink: NDArray[np.float32], relief: Relief, background: int, strength: float) -> Raster:
    """Lay the colours of the bins (3, rows, columns) over a background as opaque as the relief."""
    height, width = relief.opacity.shape
    opacity = relief.opacity if strength == 1 else relief.opacity * np.float32(strength)
    raster = np.full((height, width), 0xFF000000, np.uint32)
    for band, shift in enumerate((16, 8, 0)):  # one band after the other stays in the cache
        ground = background >> shift & 0xFF
        lift = ink[band] - np.float32(ground)
        wide = lift.repeat(relief.cell, axis=0).repeat(relief.cell, axis=1)[:height, :width]
        mixed = wide * opacity
        mixed += np.float32(ground + 0.5)
        channel = mixed.astype(np.uint32)
        channel <<= np.uint32(shift)
        raster |= channel
    return raster


def _mean_colours(
    bins: Ints,
    index: NDArray[np.uint8] | NDArray[np.uint16],
    lut: NDArray[np.uint8],
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the blurred mean colour (3, rows, columns) of the points in each bin."""
    if (lut == lut[0]).all():
        return np.broadcast_to(lut[0].astype(np.float32)[:, None, None], (3, *shape))
    size = shape[0] * shape[1]
    weight = np.bincount(bins, minlength=size).reshape(shape).astype(np.float32)
    total = np.maximum(_blurred(weight), 1e-6)
    mean = np.empty((3, *shape), np.float32)
    for band, values in enumerate(lut.T.astype(np.float64)):
        sums = np.bincount(bins, values[index], minlength=size).reshape(shape)
        mean[band] = _blurred(sums.astype(np.float32)) / total
    return mean


def _terraces(relative: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the opacity of a density 0 to 1: steps with brighter edges, like a relief map."""
    level = np.ceil(relative * np.float32(_LEVELS))
    edge = np.zeros(level.shape, bool)
    edge[:, 1:] = level[:, 1:] != level[:, :-1]
    edge[1:] |= level[1:] != level[:-1]
    level *= np.float32(0.7 / _LEVELS)
    level += np.float32(0.18) * relative
    level += edge * np.float32(0.12)
    level *= relative >= np.float32(_SPARSE)
    opacity: NDArray[np.float32] = level
    return opacity


def _enlarged(image: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """Return the image `times` as large, blended linearly along both axes."""
    for axis in (0, 1):
        image = np.moveaxis(image, axis, 0)
        following = np.concatenate([image[1:], image[-1:]])
        step = (following - image) * np.float32(1 / times)
        wide = np.empty((image.shape[0], times, *image.shape[1:]), np.float32)
        for part in range(times):
            wide[:, part] = image + step * np.float32(part)
        image = np.moveaxis(wide.reshape(-1, *image.shape[1:]), 0, axis)
    return np.ascontiguousarray(image)


def _blurred(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image under a 7 x 7 near-Gaussian: a 3 x 3 and a 5 x 5 box."""
    for reach in (1, 2):
        wide = image.copy()
        for step in range(1, reach + 1):
            wide[:, step:] += image[:, :-step]
            wide[:, :-step] += image[:, step:]
        image = wide.copy()
        for step in range(1, reach + 1):
            image[step:] += wide[:-step]
            image[:-step] += wide[step:]
    image *= np.float32(1 / (9 * 25))
    return image
