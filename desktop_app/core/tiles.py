"""Large images cut into equal tiles that overlap, and what is said of tiles put together again.

An image is decoded once to its working size; tiles are squares of it and kept nowhere. Along a side
of S pixels there are as few tiles as the overlap allows, evenly spread from border to border, so
that neighbours share at least that many pixels. Maps are blended where tiles overlap: the weight of
a tile falls towards its border, along a ramp as long as the overlap, and weights add up to 1.
Tiles that do not touch the region of interest are neither learned from nor looked at.

Shapes: N images, K tiles per image, C channels, S the side of images, t that of tiles.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.crops import crops_of, square
from desktop_app.core.regions import Mask, Region
from desktop_app.core.runs import JobSpec
from desktop_app.sdk.data import Dataset, Images, Pixels, Rows, as_images
from desktop_app.sdk.errors import InvalidParameter

LEAST_TILE = 8
"""Pixels along a side of a tile."""
MOST_TILES = 1024
"""Tiles that an image may be cut into."""
_USUAL_OVERLAP = 8
"""Tiles overlap by one part in so many, where nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class TileGrid:
    """Where the tiles of square images lie."""

    side: int
    tile: int
    overlap: int = 0
    """Pixels that neighbours share at least."""
    region: Mask | None = None
    """(S, S): where images count, None for everywhere."""

    def __post_init__(self) -> None:
        """Raise InvalidParameter for tiles that cannot be cut."""
        if not LEAST_TILE <= self.tile <= self.side:
            raise InvalidParameter(
                f"Tiles must be {LEAST_TILE} pixels to the image size of {self.side}, got "
                f"{self.tile}: choose smaller tiles, or read the images larger."
            )
        if not 0 <= self.overlap < self.tile:
            raise InvalidParameter(
                f"The overlap of tiles of {self.tile} pixels must be 0 to {self.tile - 1}, got "
                f"{self.overlap}: an eighth of a tile is usual."
            )
        if len(self._starts) ** 2 > MOST_TILES:
            raise InvalidParameter(
                f"Images of {self.side} pixels would be cut into {len(self._starts) ** 2:,} tiles, "
                f"at most {MOST_TILES:,} are: choose larger tiles or less overlap."
            )

    @cached_property
    def corners(self) -> NDArray[np.int64]:
        """Top and left (K, 2) of the tiles that touch the region, row by row."""
        rows, columns = np.meshgrid(self._starts, self._starts, indexing="ij")
        corners = np.stack([rows.ravel(), columns.ravel()], axis=1)
        if self.region is None:
            return corners
        touches = [bool(square(self.region, corner, self.tile).any()) for corner in corners]
        return corners[touches]

    def __len__(self) -> int:
        return len(self.corners)

    def counted(self, number: int) -> Mask | None:
        """Return where a tile counts (t, t), None for everywhere."""
        if self.region is None:
            return None
        inside = square(self.region, self.corners[number], self.tile)
        return None if inside.all() else inside

    def cut(self, images: Images, pairs: NDArray[np.int64]) -> Images:
        """Return tiles (n, C, t, t) of images (N, C, S, S): image and tile in each pair (n, 2)."""
        tiles = [square(images[image], self.corners[tile], self.tile) for image, tile in pairs]
        return np.stack(tiles)

    def stitched(self, parts: NDArray[Any]) -> NDArray[np.float32]:
        """Return what is said of tiles (N, K, ..., t, t) as whole images (N, ..., S, S)."""
        whole = self.blank(parts.shape[0], *parts.shape[2:-2])
        pairs = np.argwhere(np.ones(parts.shape[:2], np.bool_))
        self.add(whole, pairs, parts.reshape(-1, *parts.shape[2:]))
        return whole

    def blank(self, *shape: int) -> NDArray[np.float32]:
        """Return images (..., S, S) to which tiles are added; what no tile covers is no number."""
        covered = self._total > 0
        whole = np.zeros((*shape, self.side, self.side), np.float32)
        return whole if covered.all() else np.where(covered, whole, np.float32(np.nan))

    def add(
        self, whole: NDArray[np.float32], pairs: NDArray[np.int64], parts: NDArray[Any]
    ) -> None:
        """Blend parts (n, ..., t, t) into images (N, ..., S, S): image and tile in pairs (n, 2)."""
        for (image, tile), part in zip(pairs.tolist(), parts, strict=True):
            corner = self.corners[tile]
            weight = self._weight / square(self._total, corner, self.tile)
            square(whole[image], corner, self.tile)[...] += weight * part

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Where tiles begin along a side, evenly spread from border to border."""
        room = self.side - self.tile
        steps = -(-room // (self.tile - self.overlap))
        return np.arange(steps + 1) * room // max(steps, 1)

    @cached_property
    def _weight(self) -> NDArray[np.float32]:
        """How much each pixel (t, t) of a tile counts where others cover it as well."""
        reach = np.arange(self.tile) + 0.5
        ramp = np.minimum(np.minimum(reach, reach[::-1]) / max(self.overlap, 1), 1)
        return np.outer(ramp, ramp).astype(np.float32)

    @cached_property
    def _total(self) -> NDArray[np.float32]:
        """The sum (S, S) of the weights of all tiles."""
        total = np.zeros((self.side, self.side), np.float32)
        for corner in self.corners:
            square(total, corner, self.tile)[...] += self._weight
        return total


@dataclass(frozen=True, eq=False)
class TiledDataset:
    """The tiles of a data set as a data set: row i is tile i modulo K of image i / K."""

    data: Dataset
    grid: TileGrid

    @property
    def name(self) -> str:
        """The name of the folder, for messages."""
        return self.data.name

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """The shape (C, t, t) of every tile."""
        return self.data.sample_shape[0], self.grid.tile, self.grid.tile

    def __len__(self) -> int:
        return len(self.data) * len(self.grid)

    def pixels(self, rows: Rows) -> Pixels:
        """Return the tiles of these rows as uint8 (n, C, t, t)."""
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        images, tiles = np.divmod(numbers, len(self.grid))
        return crops_of(self.data, images, self.grid.corners[tiles], self.grid.tile)

    def wholes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the image (n,) that each of these rows is a tile of."""
        return rows // len(self.grid)

    def images(self, rows: Rows) -> Images:
        """Return the tiles of these rows as float32 (n, C, t, t) in [0, 1]."""
        return as_images(self.pixels(rows))


def grid_of(spec: JobSpec, region: Region | None = None) -> TileGrid | None:
    """Return the tiles that a run cuts its images into, None where it looks at whole images.

    Raises InvalidParameter for tiles that cannot be cut.
    """
    if not spec.tile:
        return None
    side = spec.image_size
    inside = None if region is None else region.at(side, side)
    return TileGrid(side, spec.tile, spec.overlap, inside)


def usual_overlap(tile: int) -> int:
    """Return the pixels by which tiles overlap where nothing else is asked for."""
    return tile // _USUAL_OVERLAP


WHOLE: dict[str, str] = {
    "labels": "It learns from labels, which speak of whole images.",
    "places": "It gives each image a place on a map, and tiles have none.",
    "groups": "It groups whole images.",
    "scores": "It does not say how unusual an image is, which is what tiles are for.",
}
"""Why methods look at whole images alone."""


def why_whole(capabilities: Collection[str], *, uses_labels: bool) -> str:
    """Return why a method looks at whole images alone, a key of `WHOLE`; "" where tiles suit it."""
    if uses_labels:
        return "labels"
    if "embeds" in capabilities:
        return "places"
    if "clusters" in capabilities and "localizes" not in capabilities:
        return "groups"
    return "" if "scores" in capabilities else "scores"


_KEPT = ("encodes", "generates", "scores", "localizes", "explains")
"""Capabilities that a method has for tiles as well: samples are tiles, all others whole images."""


def capabilities_in_tiles(capabilities: Collection[str]) -> tuple[str, ...]:
    """Return what a method can do of whole images that it is shown in tiles.

    "rebuilds" stands for encoding and decoding: the mean code of tiles is the code of no image.
    """
    kept = [name for name in _KEPT if name in capabilities]
    return (*kept, "rebuilds") if {"encodes", "decodes"} <= set(capabilities) else tuple(kept)
