"""Every image decoded once per size, in a file that is mapped into memory.

The file holds uint8 pixels (rows, C, S, S); the row is the id of the image in the index. A second
file holds a fingerprint per row, written after its pixels: where it equals the fingerprint of the
image file, the row is good; elsewhere the image is decoded again. Rows are written with ordinary
writes, so that a full disk is an error with a sentence and not a crash, and read through the map,
so that a million images need no memory.

Shapes: N images, C channels (1 or 3), S the side of the square images.
"""

import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from io import FileIO
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.crops import square
from desktop_app.core.decoding import decode
from desktop_app.core.images import ImageFolder
from desktop_app.core.parallel import done_in_threads
from desktop_app.core.refusals import made_folder, refusal, shown
from desktop_app.core.table import ImageTable, natural_channels
from desktop_app.sdk.data import Images, Pixels, Rows, as_images
from desktop_app.sdk.errors import InvalidInput, InvalidParameter, UnreadableImage

__all__ = ["CachedDataset", "PixelCache", "natural_channels"]

_VERSION = 1
"""Changes when `decode` returns other pixels for the same file."""

_BATCH_BYTES = 1_000_000  # decoded pixels in one piece of work, about
_COMMIT_BYTES, _COMMIT_SECONDS = 64_000_000, 2.0
_SPARE = 100_000_000  # bytes of disk that are left to others


class PixelCache:
    """The pixels of one folder at one size."""

    def __init__(self, folder: ImageFolder, size: int, channels: int) -> None:
        if not 1 <= size <= 4096:
            raise InvalidParameter(f"The image size must be 1 to 4096 pixels, got {size}.")
        if channels not in (1, 3):
            raise InvalidParameter(f"Images have 1 or 3 channels, got {channels}.")
        self.sample_shape = (channels, size, size)
        self._folder = folder
        self._size = size
        self._channels = channels
        self._row_bytes = channels * size * size
        self._pixels_file = folder.index_dir / f"pixels-{_VERSION}-{size}x{channels}.uint8"
        self._fingerprints_file = self._pixels_file.with_suffix(".fingerprints")

    def fill(self, table: ImageTable, workers: int = 2) -> Generator[tuple[int, int], None, None]:
        """Decode what is missing of the usable images; yield (done, total) of this call.

        Images that turn out to be unreadable are put in quarantine in the folder's index. What is
        decoded is kept every few seconds, also when the iterator is closed early. Raises
        InvalidInput when the disk is too small or the folder disappears.
        """
        rows = self._missing(table)
        done, total = 0, len(rows)
        yield done, total
        if not total:
            return
        self._require_space(total)
        with closing(_Writer(self._pixels_file, self._fingerprints_file, self._row_bytes)) as file:
            batches = done_in_threads(
                lambda batch: self._decoded(table, batch), self._batches(rows), workers
            )
            with closing(batches):
                for ids, marks, pixels, reasons in batches:
                    file.write(ids, marks, pixels)
                    if reasons:
                        self._folder.quarantine(reasons)
                    done += len(ids) + len(reasons)
                    yield done, total

    def absent(self, table: ImageTable) -> int:
        """Return how many usable images of a table are still to be decoded."""
        return len(self._missing(table))

    def dataset(self, table: ImageTable) -> "CachedDataset":
        """Return the images of a table, row i for row i, read from the cache alone.

        Raises InvalidInput when some are not in the cache.
        """
        missing = len(self._missing(table, also_unusable=True))
        if missing:
            raise InvalidInput(
                f"{missing} of {len(table)} images of '{self._folder.name}' are not in the pixel "
                "cache. Fill it first, and leave out images in quarantine."
            )
        return CachedDataset(self._folder.name, self._pixels_file, self.sample_shape, table.ids)

    def remove(self) -> None:
        """Delete the pixels; they can be made again."""
        for path in (self._fingerprints_file, self._pixels_file):
            path.unlink(missing_ok=True)

    def _missing(self, table: ImageTable, also_unusable: bool = False) -> NDArray[np.int64]:
        """Return the rows of a table whose pixels are absent or of an older file."""
        cached = np.zeros(int(table.ids.max(initial=-1)) + 1, np.uint64)
        try:
            kept = np.fromfile(self._fingerprints_file, np.uint64, count=len(cached))
        except FileNotFoundError:
            kept = cached[:0]
        cached[: len(kept)] = kept
        absent = (cached[table.ids] != table.fingerprints) | (table.fingerprints == 0)
        if not also_unusable:
            absent &= np.array([not problem for problem in table.problems], dtype=np.bool_)
        return np.flatnonzero(absent)

    def _require_space(self, images: int) -> None:
        free = shutil.disk_usage(made_folder(self._pixels_file.parent)).free
        needed = images * (self._row_bytes + 8)
        if needed > free - _SPARE:
            raise InvalidInput(
                f"The pixels of {images:,} images at {self._size} x {self._size} need "
                f"{needed / 1e9:.1f} GB in '{shown(self._pixels_file.parent)}', where "
                f"{free / 1e9:.1f} GB are free. Free some space or choose a smaller image size."
            )

    def _batches(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        images = int(np.clip(_BATCH_BYTES // self._row_bytes, 1, 32))
        return (rows[start : start + images] for start in range(0, len(rows), images))

    def _decoded(
        self, table: ImageTable, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], Pixels, dict[int, str]]:
        """Return ids (n,), fingerprints (n,), pixels (n, C, S, S) and the unreadable ids."""
        pixels = np.empty((len(rows), *self.sample_shape), np.uint8)
        good = np.ones(len(rows), np.bool_)
        reasons: dict[int, str] = {}
        for place, row in enumerate(rows.tolist()):
            path = self._folder.absolute(table.paths[row])
            try:
                pixels[place] = decode(path, self._size, self._channels).transpose(2, 0, 1)
            except UnreadableImage as reason:
                self._folder.require_root()
                good[place] = False
                reasons[int(table.ids[row])] = str(reason)
        kept = rows[good]
        return table.ids[kept], table.fingerprints[kept], pixels[good], reasons


class CachedDataset:
    """Images of a table in a pixel cache; implements the Dataset of the sdk."""

    def __init__(
        self,
        name: str,
        pixels_file: Path,
        sample_shape: tuple[int, int, int],
        ids: NDArray[np.int64],
    ) -> None:
        self.name = name
        self.sample_shape = sample_shape
        self._ids = ids
        self._file = pixels_file
        self._in_order = bool((np.diff(ids) == 1).all())
        self._map = _mapped(pixels_file, sample_shape) if len(ids) else _nothing(sample_shape)

    def __len__(self) -> int:
        return len(self._ids)

    def pixels(self, rows: Rows) -> Pixels:
        """Return the images of these rows as uint8 (n, C, S, S), a copy."""
        return self._read(rows)

    def images(self, rows: Rows) -> Images:
        """Return the images of these rows as float32 (n, C, S, S) in [0, 1]."""
        return as_images(self._read(rows))

    def crops(self, rows: NDArray[np.int64], corners: NDArray[np.int64], side: int) -> Pixels:
        """Return squares (n, C, t, t) of rows (n,) at tops and lefts (n, 2), read alone."""
        found = np.empty((len(rows), self.sample_shape[0], side, side), np.uint8)
        for place, (image, corner) in enumerate(zip(self._ids[rows], corners, strict=True)):
            found[place] = square(self._map[image], corner, side)
        return found

    def _read(self, rows: Rows) -> Pixels:
        """Return a copy; rows that follow each other are read past the map.

        Whoever looks at a whole folder in order would else hold all of it in memory at the end.
        """
        ids = self._ids[rows]
        if self._in_order and isinstance(rows, slice) and rows.step in (None, 1) and len(ids):
            size = int(np.prod(self.sample_shape))
            offset = int(ids[0]) * size
            pixels = np.fromfile(self._file, np.uint8, len(ids) * size, offset=offset)
            return pixels.reshape(len(ids), *self.sample_shape)
        return self._map[ids]


class _Writer:
    """Writes rows anywhere in the two files; fingerprints follow their pixels to the disk."""

    def __init__(self, pixels_file: Path, fingerprints_file: Path, row_bytes: int) -> None:
        self._row_bytes = row_bytes
        self._path = pixels_file
        self._pixels = _opened_for_update(pixels_file)
        self._fingerprints = _opened_for_update(fingerprints_file)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
        self._waiting_bytes = 0
        self._kept_at = time.monotonic()

    def write(
        self, ids: NDArray[np.int64], fingerprints: NDArray[np.uint64], pixels: Pixels
    ) -> None:
        """Write the pixels (n, C, S, S) of these ids, and now and then their fingerprints."""
        self._write_rows(self._pixels, ids, pixels.reshape(len(pixels), self._row_bytes))
        self._waiting.append((ids, fingerprints))
        self._waiting_bytes += pixels.nbytes
        late = time.monotonic() - self._kept_at > _COMMIT_SECONDS
        if late or self._waiting_bytes > _COMMIT_BYTES:
            self.keep()

    def keep(self) -> None:
        """Write the fingerprints of all rows so far: from here on, these are good."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for ids, fingerprints in waiting:
            self._write_rows(self._fingerprints, ids, fingerprints.view(np.uint8).reshape(-1, 8))
        self._kept_at = time.monotonic()

    def close(self) -> None:
        """Keep what was written and close the files."""
        try:
            self.keep()
        finally:
            self._pixels.close()
            self._fingerprints.close()

    def _write_rows(self, file: FileIO, ids: NDArray[np.int64], rows: Pixels) -> None:
        """Write rows (n, bytes) at their ids; neighbours go in one piece."""
        breaks = np.flatnonzero(np.diff(ids) != 1) + 1
        starts = [0, *breaks.tolist(), len(ids)]
        try:
            for start, stop in pairwise(starts):
                if stop > start:
                    file.seek(int(ids[start]) * rows.shape[1])
                    _write_all(file, rows[start:stop].tobytes())
        except OSError as error:
            raise refusal(self._path, error) from error


def _opened_for_update(path: Path) -> FileIO:
    try:
        made_folder(path.parent)
        path.touch()
        return path.open("r+b", buffering=0)
    except OSError as error:
        raise refusal(path, error) from error


def _write_all(file: FileIO, data: bytes) -> None:
    """Write all bytes; an unbuffered file may take them in several bites."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _mapped(path: Path, sample_shape: tuple[int, int, int]) -> Pixels:
    """Return all whole rows of a file as a read-only array (rows, C, S, S)."""
    rows = path.stat().st_size // int(np.prod(sample_shape))
    return np.memmap(path, np.uint8, "r", shape=(rows, *sample_shape))


def _nothing(sample_shape: tuple[int, int, int]) -> Pixels:
    return np.zeros((0, *sample_shape), np.uint8)
