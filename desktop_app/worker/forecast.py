"""How long a trained method will need for a folder, and how much memory, told before it begins.

A few images of the folder are decoded, which is kept, and looked at; the rest will take as long,
image for image. Memory does not depend on the number of images: arrays are written as they come.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psutil

from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.pixels import PixelCache
from desktop_app.sdk.data import Dataset, Images, batch_size, even_rows

_TRIED = 64
"""Images that are tried, half of them to warm up; folders of less than ten times as many pass.
Where images are cut into tiles, tiles count: at least two images are tried."""
_PLAIN_SECONDS = 120


@dataclass(frozen=True)
class Forecast:
    """What looking at a folder will cost."""

    images: int
    seconds: float
    peak_bytes: int

    def sentence(self) -> str:
        """Return it as it is told."""
        s = self.seconds
        needed = f"{s:.0f} s" if s < _PLAIN_SECONDS else f"{s / 60:.1f} min"
        return (
            f"{self.images:,} images: about {needed} and {self.peak_bytes / 1e6:,.0f} MB of "
            "memory, as a few of them suggest."
        )


def forecast(
    cache: PixelCache,
    folder: ImageFolder,
    table: ImageTable,
    look: Callable[[Images], object],
    tiles: int = 1,
) -> Forecast | None:
    """Return what `look` at all images (N, C, S, S) of a table will cost, with their decoding.

    `tiles` is how many there are of each image. None for small folders, and where too few of the
    images that are tried can be read.
    """
    if len(table) * tiles < 10 * _TRIED or len(table) < 2:
        return None
    tried = table.where(even_rows(len(table), max(2, _TRIED // tiles)))
    began = time.perf_counter()
    progress = list(cache.fill(tried))
    absent = progress[0][1]
    decoding = (
        (time.perf_counter() - began) / max(1, absent) * cache.absent(table) if absent else 0.0
    )
    problems = dict(folder.problems())
    tried = tried.where(np.array([path not in problems for path in tried.paths], np.bool_))
    half = len(tried) // 2
    if half == 0:
        return None
    data = cache.dataset(tried)
    _look_at(data, slice(0, half), look)
    began = time.perf_counter()
    _look_at(data, slice(half, 2 * half), look)
    looking = (time.perf_counter() - began) / half * len(table)
    return Forecast(len(table), decoding + looking, _peak_bytes())


def _look_at(data: Dataset, rows: slice, look: Callable[[Images], object]) -> None:
    """Look at some images as at all of them: as many at a time as are held at a time."""
    size = batch_size(data.sample_shape, rows.stop - rows.start)
    for start in range(rows.start, rows.stop, size):
        look(data.images(slice(start, min(start + size, rows.stop))))


def _peak_bytes() -> int:
    """Return the most memory that this process has had, as far as the system tells."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
