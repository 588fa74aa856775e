"""Points in a few dimensions as images, so that methods of vectors can be held to the textbook."""

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_blobs, make_moons

from desktop_app.sdk.data import ArrayDataset, Images, as_images
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.method import Method

Labels = NDArray[np.int64]


def as_pixels_of(points: NDArray[np.floating]) -> ArrayDataset:
    """Return points (N, D) as images (N, 1, 1, D), each dimension from black to white."""
    low, high = points.min(), points.max()
    share = (points - low) / (high - low)
    return ArrayDataset(np.rint(share * 255).astype(np.uint8)[:, None, None, :], "points")


def blobs(
    count: int = 400, kinds: int = 4, dimensions: int = 6, spread: float = 1.0, seed: int = 1
) -> tuple[ArrayDataset, Labels]:
    """Return separated round clusters and which one each point belongs to."""
    points, labels = make_blobs(
        count, dimensions, centers=kinds, cluster_std=spread, random_state=seed
    )
    return as_pixels_of(points), labels


def moons(count: int = 500, seed: int = 0) -> tuple[ArrayDataset, Labels]:
    """Return two half circles that reach into each other."""
    points, labels = make_moons(count, noise=0.05, random_state=seed)
    return as_pixels_of(points), labels


def vectors_of(data: ArrayDataset) -> Images:
    """Return the images as vectors (N, D) in [0, 1]."""
    return as_images(data.array).reshape(len(data), -1)


def trained_on(method: Method, data: ArrayDataset) -> list[Metrics]:
    """Train a method and return its Metrics."""
    return [event for event in method.fit(data) if isinstance(event, Metrics)]
