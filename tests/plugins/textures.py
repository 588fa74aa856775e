"""Striped images with and without a grey square, and short trainings, for tests of detectors."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision import models

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.method import Method
from desktop_app.sdk.testing.trial import through_disk

Trained = TypeVar("Trained", bound=Method[Any])
Pixels = NDArray[np.uint8]


def stripes(count: int, *, size: int = 48, channels: int = 3, seed: int = 0) -> Pixels:
    """Return striped images, each shifted and a little noisy."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 8, (count, 1, 1, 1))
    wave = np.sin((np.arange(size) + phase) * 2 * np.pi / 8) * np.ones((1, channels, size, 1))
    images = 128 + 60 * wave + random.normal(0, 4, (count, channels, size, size))
    return np.clip(images, 0, 255).astype(np.uint8)


def scratched(pixels: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Return the images with a grey square in each, and the masks of the squares."""
    random, copies = np.random.default_rng(1), pixels.copy()
    masks = np.zeros((len(pixels), *pixels.shape[2:]), bool)
    for image, mask in zip(copies, masks, strict=True):
        row, column = random.integers(8, pixels.shape[2] - 16, 2)
        image[:, row : row + 8, column : column + 8] = 128
        mask[row : row + 8, column : column + 8] = True
    return copies, masks


def followed(method: Trained, pixels: Pixels) -> Trained:
    """Train a method to its end and return it."""
    for _ in method.fit(ArrayDataset(pixels, "stripes")):
        pass
    return method


def weight_file(folder: Path) -> Path:
    """Write random weights of a small torchvision network and return the file."""
    torch.manual_seed(0)
    network = models.squeezenet1_1(weights=None)
    torch.save(network.half().state_dict(), folder / "squeezenet.pth")
    return folder / "squeezenet.pth"


def interrupted(method: Trained, other: Trained, pixels: Pixels, stop: int) -> Trained:
    """Train a method until step `stop`, let another go on to the end, and return that."""
    for event in method.fit(ArrayDataset(pixels, "stripes")):
        if isinstance(event, Metrics) and event.step == stop:
            break
    other.restore(through_disk(method.state()))
    return followed(other, pixels)
