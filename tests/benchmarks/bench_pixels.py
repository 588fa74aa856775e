"""How much faster an epoch reads from the pixel cache than from files, and how fast folders open.

`python -m tests.benchmarks.bench_pixels` makes its own images in a temporary folder and prints
ratios; on a busy machine the times differ, the ratios hardly.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from desktop_app.core.decoding import decode
from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import CachedDataset, PixelCache
from desktop_app.sdk.data import as_images

BATCH = 64


def main() -> None:
    """Make images, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2_000, help="images that are decoded")
    parser.add_argument("--files", type=int, default=20_000, help="files that are listed")
    parser.add_argument("--side", type=int, default=256, help="pixels of the made images")
    parser.add_argument("--size", type=int, default=64, help="pixels of the cached images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["LOUPE_HOME"] = str(Path(temporary) / "home")
        for kind in ("jpg", "png"):
            folder = Path(temporary) / kind
            make_images(folder, arguments.images, arguments.side, kind)
            compare_epochs(ImageFolder(folder), arguments.size, f"{arguments.side} px {kind}")
        many = Path(temporary) / "many"
        make_many_files(many, arguments.files)
        time_opening(ImageFolder(many))


def compare_epochs(folder: ImageFolder, size: int, title: str) -> None:
    """Print the time of one epoch of shuffled batches from files and from the cache."""
    table = folder.list_files()
    cache = PixelCache(folder, size, 3)
    filled = seconds(lambda: exhaust(cache.fill(table)))
    data = cache.dataset(table)
    order = np.random.default_rng(0).permutation(len(table))
    paths = [folder.absolute(path) for path in table.paths]

    def epoch_from_files() -> None:
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            as_images(np.stack([decode(paths[row], size, 3).transpose(2, 0, 1) for row in rows]))

    files = seconds(epoch_from_files)
    shuffled = best_of(3, lambda: epoch(data, order))
    straight = best_of(3, lambda: epoch_in_order(data))
    print(f"{title} -> {size} px, {len(table):,} images, batches of {BATCH}")
    print(f"  decoding files              {files:8.3f} s   1 x")
    print(f"  cache, shuffled             {shuffled:8.3f} s   {files / shuffled:.0f} x faster")
    print(f"  cache, in order             {straight:8.3f} s   {files / straight:.0f} x faster")
    print(f"  filling the cache once      {filled:8.3f} s   {files / filled:.1f} x faster")


def time_opening(folder: ImageFolder) -> None:
    """Print the time until a folder can be shown, and until all is known of it."""
    listed = seconds(folder.list_files)
    again = seconds(folder.list_files)
    probed = seconds(lambda: exhaust(folder.probe()))
    table = folder.table()
    thumbnails = seconds(lambda: folder.thumbnails.get_many(table.ids[:200].tolist()))
    print(f"folder of {len(table):,} files")
    print(f"  list_files, first time      {listed:8.3f} s")
    print(f"  list_files, unchanged       {again:8.3f} s")
    print(f"  probe (32 px images)        {probed:8.3f} s")
    print(f"  table                       {seconds(folder.table):8.3f} s")
    print(f"  200 thumbnails              {thumbnails:8.3f} s")


def epoch(data: CachedDataset, order: np.ndarray) -> None:
    """Read all images in batches of rows in this order."""
    for start in range(0, len(order), BATCH):
        data.images(order[start : start + BATCH])


def epoch_in_order(data: CachedDataset) -> None:
    """Read all images in batches of neighbouring rows."""
    for start in range(0, len(data), BATCH):
        data.images(slice(start, start + BATCH))


def make_images(folder: Path, number: int, side: int, kind: str) -> None:
    """Write smooth pictures with a little noise, like photographs, in ten classes."""
    random = np.random.default_rng(0)
    for index in range(number):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(smooth + random.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)
        path = folder / str(index % 10) / f"{index:06d}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy).save(path)


def make_many_files(folder: Path, number: int) -> None:
    """Write many small pictures, all of the same bytes."""
    make_images(folder, 1, 32, "jpg")
    data = next(folder.rglob("*.jpg")).read_bytes()
    for index in range(number):
        path = folder / str(index % 10) / f"{index:06d}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best_of(times: int, work: Callable[[], object]) -> float:
    """Return the shortest time of several."""
    return min(seconds(work) for _ in range(times))


def exhaust(steps: Iterable[object]) -> None:
    """Run an iterator to its end."""
    for _ in steps:
        pass


if __name__ == "__main__":
    main()
