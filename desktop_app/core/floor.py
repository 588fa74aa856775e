"""The honest floor: what two baselines that look at nothing but pixels say of the same images.

Beside every evaluation stand the distance from the mean training image and the error that a few
principal components of the training images leave. A method that does not clear them has found
nothing that a minute of linear algebra would not.

Shapes: N images, F = C*S*S values of an image at side S, D components.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import write_array
from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache, natural_channels
from desktop_app.core.projection import leading_axes
from desktop_app.core.regions import InsideRegion, mean_colour
from desktop_app.core.runs import Run
from desktop_app.core.scoring import Evaluation, ThresholdTable, truth_from_labels
from desktop_app.core.settings import cache_dir
from desktop_app.core.table import ImageTable
from desktop_app.sdk.data import Dataset, even_rows
from desktop_app.sdk.errors import InvalidInput, UnreadableRun

SIDE = 64
"""Side S in pixels at which the baselines look."""
COMPONENTS = 32
_FITTED = 512
"""Training images, evenly chosen, that the components are found on."""
_BLOCK = 256

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Floor:
    """Scores (N,) of the two baselines; higher is more unusual."""

    mean_image: Floats
    """Mean squared distance from the mean training image."""
    principal_components: Floats
    """Mean squared error that the components leave."""

    def auroc(self, labels: Sequence[str]) -> dict[str, float] | None:
        """Return the image AUROC of each baseline; None where labels do not tell."""
        truth = truth_from_labels(labels)
        if truth is None or not truth.anomalous.any():
            return None
        known = truth.labelled
        return {
            name: ThresholdTable.build(scores[known], truth.anomalous[known]).auroc()
            for name, scores in vars(self).items()
        }


def floor_of(run: Run, folder: ImageFolder, table: ImageTable, rows: NDArray[Any]) -> Floor | None:
    """Return what the baselines say of rows (N,) of a table, having seen what the run has seen.

    The answer is kept: a second call reads it. None where the images that the run was trained on
    are gone, or cannot be read.
    """
    seen = _trained_on(run)
    if seen is None or not len(rows):
        return None
    own_folder, trained = seen
    measured = table.where(np.asarray(rows, dtype=np.int64))
    kept = _kept_path(trained, measured, run.spec().region)
    if kept.exists():
        return Floor(*np.load(kept, allow_pickle=False))
    channels = natural_channels(trained)
    try:
        first = _pixels(own_folder, trained, channels)
        second = _pixels(folder, measured, channels)
    except InvalidInput:
        return None
    region = run.region()
    if region is not None:
        inside = region.at(SIDE, SIDE)
        colour = mean_colour(first, inside)
        first, second = InsideRegion(first, inside, colour), InsideRegion(second, inside, colour)
    floor = _measured(first, second)
    write_array(kept, np.stack([floor.mean_image, floor.principal_components]))
    return floor


def with_floor(measures: Evaluation, floor: Floor | None, labels: Sequence[str]) -> Evaluation:
    """Return measures with those of the baselines beside them."""
    return replace(measures, floor=None if floor is None else floor.auroc(labels))


def _trained_on(run: Run) -> tuple[ImageFolder, ImageTable] | None:
    """Return the folder and the images that a run was trained on, None where some are gone."""
    try:
        data, spec = run.data(), run.spec()
        folder = ImageFolder(Path(spec.folder))
    except (UnreadableRun, InvalidInput):
        return None
    if data is None or not data["paths"]:
        return None
    table = folder.table()
    row_of = {path: row for row, path in enumerate(table.paths)}
    rows = [row_of.get(path, -1) for path in data["paths"]]
    if min(rows) < 0:
        return None
    return folder, table.where(np.array(rows, dtype=np.int64))


def _pixels(folder: ImageFolder, table: ImageTable, channels: int) -> Dataset:
    cache = PixelCache(folder, SIDE, channels)
    for _ in cache.fill(table):
        pass
    return cache.dataset(table)


def _measured(trained: Dataset, measured: Dataset) -> Floor:
    mean = _mean(trained)  # (F,)
    rows = even_rows(len(trained), _FITTED)
    centred = trained.images(rows).reshape(len(rows), -1).astype(np.float64) - mean  # (n, F)
    found, _ = leading_axes(centred, min(COMPONENTS, max(1, len(rows) - 1)))
    axes = found.astype(np.float32)  # (D, F)
    distances, errors = [], []
    for start in range(0, len(measured), _BLOCK):
        images = measured.images(slice(start, start + _BLOCK))
        deviation = images.reshape(len(images), -1) - mean  # (n, F)
        distances.append(np.square(deviation).mean(axis=1))
        residual = deviation - (deviation @ axes.T) @ axes
        errors.append(np.square(residual).mean(axis=1))
    return Floor(
        np.concatenate(distances).astype(np.float32), np.concatenate(errors).astype(np.float32)
    )


def _mean(data: Dataset) -> Floats:
    total = np.zeros(int(np.prod(data.sample_shape)))
    for start in range(0, len(data), _BLOCK):
        images = data.images(slice(start, start + _BLOCK))
        total += images.reshape(len(images), -1).sum(axis=0, dtype=np.float64)
    mean: Floats = (total / len(data)).astype(np.float32)
    return mean


def _kept_path(trained: ImageTable, measured: ImageTable, region: str) -> Path:
    """Return the file that holds the floor of these images in a region, as they are now."""
    mark = hashlib.blake2b(f"{SIDE} {COMPONENTS} {region}".strip().encode(), digest_size=16)
    for table in (trained, measured):
        mark.update("\n".join(table.paths).encode("utf-8", "surrogateescape"))
        mark.update(np.ascontiguousarray(table.fingerprints).tobytes())
    return cache_dir() / "floors" / f"{mark.hexdigest()}.npy"
