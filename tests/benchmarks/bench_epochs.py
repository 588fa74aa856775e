"""How much faster an epoch of training is from the pixel cache than from a folder of files.

The same method trains on the same images, once as Loupe feeds it, once from torchvision's
ImageFolder and a DataLoader with a process for each core. The rounds take turns, so that a busy
machine slows both; the ratio of the best times is printed.

    python -m tests.benchmarks.bench_epochs                  # makes 2,000 photographs of 256 px
    python -m tests.benchmarks.bench_epochs --folder PATH    # sub-folders of images
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.sdk.data import Dataset, Images
from desktop_app.sdk.events import Metrics
from plugins.autoencoder.autoencoder import Autoencoder
from plugins.vae.vae import VAE
from tests.benchmarks.bench_pixels import exhaust, make_images

BATCH = 128
BAR = 3.0


class FilesInTurn:
    """A data set that gives the next batch of a DataLoader, whichever rows are asked for.

    The loader shuffles and its processes read ahead, as in any training from files; what the
    networks do with a batch is the same as with one from the cache. What a method reads before its
    first step comes from the cache, in no time, for both.
    """

    def __init__(self, loader: "DataLoader[Any]", whole: Dataset) -> None:
        self.name = whole.name
        self.sample_shape = whole.sample_shape
        self.is_training = False
        self._loader, self._whole = loader, whole
        self._batches: Iterator[Any] | None = None

    def __len__(self) -> int:
        return len(self._whole)

    def pixels(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """Return the next batch of the loader in the training, the rows asked for before it."""
        if not self.is_training:
            return self._whole.pixels(rows)
        self._batches = self._batches or iter(self._loader)
        batch: NDArray[np.uint8] = next(self._batches)[0].numpy()
        return batch

    def images(self, rows: NDArray[np.int64] | slice) -> Images:
        """Return the images of rows, which baselines are computed on."""
        return self._whole.images(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="sub-folders of images; without: made ones")
    parser.add_argument("--images", type=int, default=2_000, help="images that are made")
    parser.add_argument("--side", type=int, default=256, help="pixels of the made images")
    parser.add_argument("--size", type=int, default=64, help="pixels at which is trained")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["LOUPE_HOME"] = str(Path(temporary) / "home")
        folder = arguments.folder or Path(temporary) / "images"
        if arguments.folder is None:
            make_images(folder, arguments.images, arguments.side, "jpg")
        compare(folder, arguments.size, arguments.rounds)


def compare(folder: Path, size: int, rounds: int) -> None:
    """Print seconds per epoch from the cache and from files, for both methods and for none."""
    opened = ImageFolder(folder)
    table = opened.list_files()
    cache = PixelCache(opened, size, 3)
    began = time.perf_counter()
    exhaust(cache.fill(table))
    filled = time.perf_counter() - began
    data = cache.dataset(table)
    cores = os.cpu_count() or 1
    print(f"{len(data):,} images at {size} px, batches of {BATCH}, {cores} cores")
    print(f"  filling the cache, once             {filled:8.2f} s")
    read = transforms.Compose([transforms.Resize((size, size)), transforms.PILToTensor()])
    loader = DataLoader(
        datasets.ImageFolder(str(folder), read), BATCH, shuffle=True, num_workers=cores
    )
    kinds = ("cache", "files")
    for title, method in (
        ("autoencoder, conv 16", (Autoencoder, {"nodes": 16})),
        ("autoencoder, conv 128", (Autoencoder, {"nodes": 128})),
        ("VAE, conv 16", (VAE, {"nodes": 16})),
        ("VAE, dense 256", (VAE, {"nodes": 256, "architecture": "dense"})),
    ):
        best = dict.fromkeys(kinds, float("inf"))
        for _ in range(rounds):
            for name in kinds:
                feed = data if name == "cache" else FilesInTurn(loader, data)
                best[name] = min(best[name], seconds_of_an_epoch(*method, feed))
        ratio = best["files"] / best["cache"]
        print(
            f"  {title:24} files {best['files']:8.2f} s   cache {best['cache']:8.2f} s   "
            f"{ratio:5.1f} x faster   {'kept' if ratio >= BAR else 'missed'}: {BAR:.0f} x"
        )


def seconds_of_an_epoch(kind: type[Any], values: dict[str, Any], data: Any) -> float:
    """Return how long a method takes for one epoch, by all its steps but the first.

    Preparation and the start of the loader's processes are left out: they are paid once.
    """
    wishes = {**values, "epochs": 1, "least_steps": 0, "batch_size": BATCH}
    events = kind(kind.params_type.parse(wishes)).fit(data)
    next(events)  # the first trivial value: the preparation is over
    if isinstance(data, FilesInTurn):
        data.is_training = True
    steps = (event for event in events if isinstance(event, Metrics))
    first = next(steps)
    began = time.perf_counter()
    images = sum(event.images for event in steps)
    return (time.perf_counter() - began) * (images + first.images) / images


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
