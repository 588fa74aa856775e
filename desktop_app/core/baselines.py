"""What any features must beat, measured once and kept on the disk.

    loupe cache/probes/<folder key>/<what was measured>.json

The name is a hash of all that a number depends on: image size, channels, the images by their
numbers and fingerprints, their halves and labels; for an untrained network its method and
parameters as well.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import read_json, write_json
from desktop_app.core.probe import (
    Halves,
    knn_accuracy,
    linear_accuracy,
    pixels_as_features,
    principal_features,
)
from desktop_app.core.settings import cache_dir
from desktop_app.core.table import ImageTable
from desktop_app.sdk.data import Dataset, Rows, as_images
from desktop_app.sdk.errors import InvalidInput

_BATCH = 64
_PIXELS = "pixels"

Accuracies = dict[str, float]
"""knn and linear, each in [0, 1]."""


@dataclass(frozen=True)
class Probed:
    """Images of a data set that have labels: what features of them are measured on."""

    data: Dataset
    halves: Halves
    folder_key: str
    table: ImageTable
    """Row i is image i of the data set."""
    region: str = ""
    """Hash of the region of interest that the images show, "" for all of them."""

    def known_as(self) -> str:
        """Return a text that tells these images, their size, halves and labels from others."""
        rows = self.halves.rows
        digest = hashlib.blake2b(digest_size=12)
        for column in (self.table.ids[rows], self.table.fingerprints[rows]):
            digest.update(np.ascontiguousarray(column).tobytes())
        about = [
            list(self.data.sample_shape),
            len(self.halves.known),
            self.halves.classes,
            self.halves.known_codes.tolist(),
            self.halves.asked_codes.tolist(),
            *([self.region] if self.region else []),
        ]
        digest.update(json.dumps(about).encode())
        return digest.hexdigest()

    def measured(self, features: NDArray[Any]) -> Accuracies:
        """Return both accuracies of features (n + m, F) in the order of `halves.rows`."""
        known, asked = features[: len(self.halves.known)], features[len(self.halves.known) :]
        return {
            "knn": knn_accuracy(known, asked, self.halves),
            "linear": linear_accuracy(known, asked, self.halves),
        }


def kept_baselines(probed: Probed, about: Mapping[str, Any]) -> dict[str, Accuracies]:
    """Return the baselines that are on the disk; `about` is what an untrained network depends on.

    Those that were not measured yet are missing.
    """
    found: dict[str, Accuracies] = {}
    for name in (_PIXELS, _untrained(about)):
        with suppress(InvalidInput):
            found |= read_json(_place(probed, name))
    return found


def pixel_baselines(probed: Probed) -> dict[str, Accuracies]:
    """Return the accuracies of raw pixels and of their first 64 principal components."""

    def measure() -> dict[str, Accuracies]:
        features = _pixels(probed.data, probed.halves.rows)
        count = len(probed.halves.known)
        components = np.concatenate(principal_features(features[:count], features[count:]))
        return {"pixels": probed.measured(features), "pca": probed.measured(components)}

    return _kept(probed, _PIXELS, measure)


def untrained_baseline(
    probed: Probed, about: Mapping[str, Any], latents: Callable[[], NDArray[Any]]
) -> dict[str, Accuracies]:
    """Return the accuracies of a network with random weights.

    `about` is what its latents depend on; `latents` makes them (n + m, D) where they are not known.
    """
    return _kept(probed, _untrained(about), lambda: {"untrained": probed.measured(latents())})


def _untrained(about: Mapping[str, Any]) -> str:
    return "untrained " + json.dumps(dict(about), sort_keys=True, default=str)


def _kept(
    probed: Probed, name: str, measure: Callable[[], dict[str, Accuracies]]
) -> dict[str, Accuracies]:
    path = _place(probed, name)
    try:
        kept: dict[str, Accuracies] = read_json(path)
    except InvalidInput:
        kept = measure()
        write_json(path, kept)
    return kept


def _place(probed: Probed, name: str) -> Path:
    digest = hashlib.blake2b(f"{probed.known_as()} {name}".encode(), digest_size=12).hexdigest()
    return cache_dir() / "probes" / probed.folder_key / f"{digest}.json"


def _pixels(data: Dataset, rows: Rows) -> NDArray[np.float32]:
    numbers = np.asarray(rows)
    return np.concatenate(
        [
            pixels_as_features(as_images(data.pixels(numbers[start : start + _BATCH])))
            for start in range(0, len(numbers), _BATCH)
        ]
    )
