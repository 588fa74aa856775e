"""Pictures of a Boltzmann machine: its filters, and how its numbers are distributed.

Shapes: F visible units, D hidden units, P pictures, C channels, H rows, W columns.
"""

import numpy as np

from desktop_app.sdk.data import Array, Images
from desktop_app.sdk.views import Curve, ImageGrid
from desktop_app.toolbox.boltzmann import BoltzmannMachine

_BINS = 40
SHOWN = 64
"""Filters in a picture."""


def strongest_filters(machine: BoltzmannMachine, shape: tuple[int, int, int]) -> Array:
    """Return the weights (P, C, H, W) of the hidden units with the longest ones, longest first."""
    strongest = machine.weights.square().sum(dim=0).argsort(descending=True, stable=True)[:SHOWN]
    filters: Array = machine.weights[:, strongest].T.cpu().numpy()
    return filters.reshape(-1, *shape)


def filter_sheet(title: str, machine: BoltzmannMachine, shape: tuple[int, int, int]) -> ImageGrid:
    """Return the strongest filters of a machine that sees images of shape (C, H, W)."""
    return ImageGrid(title, strongest_filters(machine, shape), signed=True)


def as_pictures(filters: Array) -> Images:
    """Return filters (P, C, H, W) as images in [0, 1]: zero is grey, each at its own contrast."""
    reach = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(0.5 + 0.5 * filters / np.maximum(reach, 1e-12), np.float32)


def histogram(
    title: str, values: Array, x_label: str, limits: tuple[float, float] | None = None
) -> Curve:
    """Return how many of the values (any shape) lie in each of equally wide bins."""
    counts, edges = np.histogram(values, bins=_BINS, range=limits)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    return Curve(
        title,
        {"count": (centres, counts.astype(np.float32))},
        x_label=x_label,
        y_label="count",
        kind="bars",
    )
