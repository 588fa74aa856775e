"""What a method sees of an image folder: rows of equally large images, decoded once.

Shapes: N images, C channels (1 or 3), H rows, W columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.errors import InvalidInput

Pixels = NDArray[np.uint8]
"""Images as they lie in the cache: uint8 (N, C, H, W)."""

Images = NDArray[np.float32]
"""Images at the border of a method: float32 (N, C, H, W) in [0, 1]."""

Array = NDArray[np.float32]

Rows = NDArray[np.int64] | slice


@runtime_checkable
class Dataset(Protocol):
    """Equally large images by row number; labels are deliberately not part of it."""

    @property
    def name(self) -> str:
        """The name of the folder, for messages."""

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every image."""

    def __len__(self) -> int: ...

    def pixels(self, rows: Rows) -> Pixels:
        """Return the images of these rows as uint8 (n, C, H, W)."""

    def images(self, rows: Rows) -> Images:
        """Return the images of these rows as float32 (n, C, H, W) in [0, 1]."""


@runtime_checkable
class Labelled(Dataset, Protocol):
    """A data set with labels: given to methods alone that say so with `uses_labels`."""

    @property
    def labels(self) -> Sequence[str]:
        """The label of every image, empty where it has none."""


@runtime_checkable
class InParts(Dataset, Protocol):
    """A data set whose rows are parts of images, such as tiles."""

    def wholes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number (n,) of the image that each of these rows is a part of."""


@dataclass(frozen=True)
class DatasetView:
    """A data set seen through another object, which changes a part of what it says."""

    data: Dataset

    @property
    def name(self) -> str:
        """The name of the folder, for messages."""
        return self.data.name

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every image."""
        return self.data.sample_shape

    def __len__(self) -> int:
        return len(self.data)

    def pixels(self, rows: Rows) -> Pixels:
        """Return the images of these rows as uint8 (n, C, H, W)."""
        return self.data.pixels(rows)

    def images(self, rows: Rows) -> Images:
        """Return the images of these rows as float32 (n, C, H, W) in [0, 1]."""
        return self.data.images(rows)


@dataclass(frozen=True)
class LabelledDataset(DatasetView):
    """A data set and the labels of its images."""

    labels: Sequence[str]


@dataclass(frozen=True)
class SomeRows(DatasetView):
    """Some images of a data set as a data set of their own."""

    rows: NDArray[np.int64]
    """(n,): rows of `data`, in the order that they have here."""

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, rows: Rows) -> Pixels:
        """Return the images of these rows as uint8 (n, C, H, W)."""
        return self.data.pixels(self.rows[rows])

    def images(self, rows: Rows) -> Images:
        """Return the images of these rows as float32 (n, C, H, W) in [0, 1]."""
        return self.data.images(self.rows[rows])


def held_out(data: Dataset, share: float, most: int, seed: int) -> tuple[SomeRows, SomeRows]:
    """Return what is learned from and, apart, a random share of at most `most` images.

    Of very few images none is held out. The choice depends on the arguments alone.
    """
    count = min(int(share * len(data)), most)
    order = np.random.default_rng(seed).permutation(len(data)).astype(np.int64)
    return SomeRows(data, np.sort(order[count:])), SomeRows(data, np.sort(order[:count]))


@dataclass(frozen=True)
class ArrayDataset:
    """A data set in memory, for tests, scripts and small selections."""

    array: Pixels
    """uint8 (N, C, H, W)."""
    name: str = "array"

    def __post_init__(self) -> None:
        if self.array.dtype != np.uint8 or self.array.ndim != 4:
            raise InvalidInput(
                "Expected uint8 images of shape (N, C, H, W), "
                f"got {self.array.dtype} of shape {self.array.shape}."
            )

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every image."""
        channels, height, width = self.array.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.array)

    def pixels(self, rows: Rows) -> Pixels:
        """Return the images of these rows as uint8 (n, C, H, W)."""
        return self.array[rows]

    def images(self, rows: Rows) -> Images:
        """Return the images of these rows as float32 (n, C, H, W) in [0, 1]."""
        return as_images(self.array[rows])


def as_images(pixels: NDArray[Any]) -> Images:
    """Return uint8 pixels of any shape as float32 in [0, 1]."""
    images: Images = np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)
    return images


def as_pixels(images: NDArray[Any]) -> Pixels:
    """Return images in [0, 1] of any shape as uint8, clipped and rounded."""
    pixels: Pixels = np.clip(np.rint(np.asarray(images) * 255), 0, 255).astype(np.uint8)
    return pixels


def even_rows(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of `count` rows, evenly spread, in order."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


_MOST_VALUES = 25_000_000
"""Values of images that are held at a time: 100 MB of float32."""


def batch_size(sample_shape: tuple[int, ...], most: int) -> int:
    """Return how many images of a shape (C, H, W) are held at a time: fewer of large ones."""
    return max(1, min(most, _MOST_VALUES // int(np.prod(sample_shape))))


def batches(data: Dataset, size: int, first: int = 0) -> Iterator[tuple[NDArray[np.int64], Images]]:
    """Yield rows (n,) and images (n, C, H, W) in order from row `first`, `size` at a time."""
    for start in range(first, len(data), size):
        stop = min(start + size, len(data))
        yield np.arange(start, stop, dtype=np.int64), data.images(slice(start, stop))
