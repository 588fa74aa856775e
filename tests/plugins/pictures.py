"""Small generated images and real digits for tests of methods."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from desktop_app.sdk.data import ArrayDataset, Images, as_images
from desktop_app.sdk.events import Events, Metrics
from desktop_app.sdk.method import Method

Pixels = NDArray[np.uint8]


def shaded(count: int, channels: int = 1, side: int = 16, seed: int = 0) -> ArrayDataset:
    """Return images lit from varying directions, which three numbers describe."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    slopes = random.uniform(-1, 1, (3, count, 1, 1, 1))
    light = 0.5 + 0.15 * (slopes[0] * rows + slopes[1] * columns + slopes[2] * rows * columns)
    light = np.repeat(light, channels, axis=1)
    return ArrayDataset(np.rint(light * 255).astype(np.uint8), "shaded")


def photographs(folder: Path, size: int = 128) -> Pixels:
    """Return the images of a folder as uint8 (N, 3, S, S), in the order of their names."""
    opened = [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]
    return np.stack([np.asarray(one.resize((size, size))).transpose(2, 0, 1) for one in opened])


def cookies_told(method: Method[Any], shared_data: Path, size: int) -> tuple[float, float]:
    """Train on good cookies; return the image AUROC of broken ones, and that of the mean image."""
    cookies = shared_data / "aws_cookies"
    learned = ArrayDataset(photographs(cookies / "train" / "good", size))
    last_metrics(method.fit(learned))
    good, broken = (
        as_images(photographs(cookies / "test" / kind, size)) for kind in ("good", "broken")
    )
    mean = learned.images(slice(None)).mean(axis=0)

    def area(score: Callable[[Images], NDArray[Any]]) -> float:
        return float((score(broken)[:, None] > score(good)[None]).mean())

    trivial = area(lambda images: np.square(images - mean).mean(axis=(1, 2, 3)))
    return area(method.score), trivial  # type: ignore[attr-defined]


def digits(folder: Path, part: str) -> Pixels:
    """Return the MNIST digits of a part, "train" or "t10k", as uint8 (N, 1, 28, 28)."""
    with gzip.open(folder / "mnist_idx" / f"{part}-images-idx3-ubyte.gz") as file:
        values = np.frombuffer(file.read(), np.uint8, offset=16)
    return values.reshape(-1, 1, 28, 28)


def small_digits(count: int) -> tuple[ArrayDataset, NDArray[np.int64]]:
    """Return the first digits of scikit-learn's, 8 pixels wide, and what they are (N,)."""
    found = load_digits()
    pixels = np.rint(found.images[:count, None] * (255 / 16)).astype(np.uint8)
    return ArrayDataset(pixels, "digits"), found.target[:count]


def labels_of_digits(folder: Path, part: str) -> NDArray[np.uint8]:
    """Return which digit (N,) each image of a part is."""
    with gzip.open(folder / "mnist_idx" / f"{part}-labels-idx1-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=8)


def last_metrics(events: Events) -> Metrics:
    """Follow a training to its end and return its last Metrics."""
    return [event for event in events if isinstance(event, Metrics)][-1]


def digit_labels(folder: Path, part: str) -> NDArray[np.int64]:
    """Return what the digits of a part are, (N,)."""
    with gzip.open(folder / "mnist_idx" / f"{part}-labels-idx1-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)


def probe_accuracy(
    known: NDArray[np.float32],
    known_labels: NDArray[np.int64],
    asked: NDArray[np.float32],
    asked_labels: NDArray[np.int64],
) -> float:
    """Return the accuracy of a softmax classifier of standardised features, 20 epochs of Adam."""
    mean, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-3)
    x, asked_x = (torch.from_numpy((part - mean) / spread) for part in (known, asked))
    y = torch.from_numpy(known_labels)
    torch.manual_seed(0)
    classifier = torch.nn.Linear(x.shape[1], int(y.max()) + 1)
    adam = torch.optim.Adam(classifier.parameters(), 1e-3, weight_decay=5e-6)
    for _ in range(20):
        for rows in torch.randperm(len(x)).split(250):
            loss = torch.nn.functional.cross_entropy(classifier(x[rows]), y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    with torch.no_grad():
        return float((classifier(asked_x).argmax(dim=1).numpy() == asked_labels).mean())
