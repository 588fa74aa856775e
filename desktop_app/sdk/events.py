"""What a method tells while it learns: plain, picklable data, never tensors.

Shapes: N images, C channels, H rows, W columns, D latent dimensions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Array, Images
from desktop_app.sdk.views import View


@dataclass(frozen=True)
class Metrics:
    """Numbers at one step: live curves, readouts, progress and remaining time.

    A step is complete when its Metrics are yielded: the host checkpoints only after them.
    """

    step: int
    """Optimiser steps, passes or whatever the method counts, from 1."""
    progress: float
    """Share of the training that is done, in [0, 1]."""
    values: Mapping[str, float]
    """Named numbers; every name is a curve."""
    epoch: float = 0.0
    """Passes over the data, fractional."""
    images: int = 0
    """Images seen since the last Metrics, for the images-per-second readout."""
    waited: float = 0.0
    """Seconds spent waiting for data since the last Metrics."""


@dataclass(frozen=True)
class Preview:
    """Pictures of the present state: reconstructions, samples, filters."""

    name: str
    images: Images
    """float32 (N, C, H, W) in [0, 1]."""
    columns: int = 8
    caption: str = ""


@dataclass(frozen=True)
class Latents:
    """Where the images lie at this moment: the live latent map."""

    latents: Array
    """float32 (N, D)."""
    rows: NDArray[np.int64]
    """(N,): rows of the data set."""


@dataclass(frozen=True)
class Picture:
    """A view drawn while the training goes on."""

    view: View


@dataclass(frozen=True)
class Note:
    """One sentence for the log."""

    text: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True)
class TrivialValue:
    """A horizontal line on a curve: what the method reaches without having learned anything.

    The host draws it, and warns when the curve stays there: within half a percent of the value for
    three epochs (`stays="near"`), at or below it, or at or above it.
    """

    curve: str
    """The name of a value in Metrics."""
    value: float
    meaning: str
    """Short: "mean image", "chance", "collapse"."""
    stays: Literal["near", "below", "above"] | None = "near"
    """When the host warns; None draws the line alone."""


Event = Metrics | Preview | Latents | Picture | Note | TrivialValue
Events = Iterator[Event]
