"""Scores of the training images by methods that have not seen them: out-of-fold.

A folder that may hold anomalies of its own cannot be ranked by a method that was trained on them.
The method is trained again, once per fold, without the images of that fold, and scores them. Scores
of different folds are brought to one scale by their median and median absolute deviation.

Shapes: N training images.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import write_array
from desktop_app.core.holdout import fold_numbers
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.pixels import PixelCache
from desktop_app.core.runs import Result, Run
from desktop_app.core.sight import seen_by
from desktop_app.sdk.capabilities import Scores
from desktop_app.sdk.data import Dataset, LabelledDataset, batch_size, batches
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.method import Method
from desktop_app.worker.commands import Commands
from desktop_app.worker.devices import chosen_device
from desktop_app.worker.loading import channels_of, new_method, require
from desktop_app.worker.narrator import Narrator

Floats = NDArray[np.float64]

_BATCH = 32
_FINE = 1000  # steps of the progress of one fold
_MAD_TO_SIGMA = 1.4826


def score_out_of_fold(run: Run, result: Result, narrator: Narrator, commands: Commands) -> None:
    """Replace the scores of the training images in a result by those out of their fold.

    Folds that are done are kept: an interrupted job goes on with the next one. Raises
    MissingCapability when the method gives no scores, InvalidInput with fewer images than folds,
    and Stopped when told to stop.
    """
    spec = run.spec()
    folder = ImageFolder(Path(spec.folder))
    table = _trained_on(run, folder)
    if len(table) < 2 * spec.folds:
        raise InvalidInput(
            f"{spec.folds} folds need at least {2 * spec.folds} training images, there are "
            f"{len(table)}: choose fewer folds."
        )
    numbers = fold_numbers(table.paths, spec.folds, spec.seed)
    scores = np.zeros(len(table))
    for fold in range(spec.folds):
        inside = numbers == fold
        kept = run.path / "folds" / f"{fold}.npy"
        if not kept.exists():
            write_array(kept, _scored_fold(run, folder, table, inside, fold, narrator, commands))
        scores[inside] = np.load(kept, allow_pickle=False)
    _replace(result, table, on_one_scale(scores, numbers))


def on_one_scale(scores: Floats, numbers: NDArray[np.int64]) -> Floats:
    """Return scores (N,) whose folds (N,) have the median and the deviation of all."""
    middle, spread = _location(scores)
    aligned = scores.copy()
    for fold in np.unique(numbers):
        own = numbers == fold
        own_middle, own_spread = _location(scores[own])
        scale = spread / own_spread if own_spread > 0 and spread > 0 else 1.0
        aligned[own] = middle + (scores[own] - own_middle) * scale
    return aligned


def _scored_fold(
    run: Run,
    folder: ImageFolder,
    table: ImageTable,
    inside: NDArray[np.bool_],
    fold: int,
    narrator: Narrator,
    commands: Commands,
) -> Floats:
    """Train without the images of a fold and return their scores."""
    spec = run.spec()
    method = new_method(spec, chosen_device(spec.device), run.attached_path, run.region())
    require(method, Scores, "score images, which folds are for")
    cache = PixelCache(folder, spec.image_size, channels_of(run))
    outside = table.where(~inside)
    data = seen_by(run, cache.dataset(outside))
    if method.uses_labels:
        data = LabelledDataset(data, outside.labels)
    what = f"Fold {fold + 1} of {spec.folds}"
    for event in method.fit(data):
        if isinstance(event, Metrics):
            narrator.progress(what, round(_FINE * event.progress), _FINE)
            commands.require_no_stop()
    return _scores(method, seen_by(run, cache.dataset(table.where(inside))))


def _scores(method: Method[Any], data: Dataset) -> Floats:
    scorer: Any = method
    size = batch_size(data.sample_shape, _BATCH)
    parts = [scorer.score(images) for _, images in batches(data, size)]
    return np.concatenate(parts).astype(np.float64)


def _location(scores: Floats) -> tuple[float, float]:
    middle = float(np.median(scores))
    return middle, _MAD_TO_SIGMA * float(np.median(np.abs(scores - middle)))


def _trained_on(run: Run, folder: ImageFolder) -> ImageTable:
    data, table = run.data(), folder.table()
    row_of = {path: row for row, path in enumerate(table.paths)}
    paths = data["paths"] if data is not None else []
    return table.where(np.array([row_of[path] for path in paths], dtype=np.int64))


def _replace(result: Result, table: ImageTable, scores: Floats) -> None:
    """Put scores in the place of those of the same images; the former ones are kept beside."""
    former, ids = result.array("scores"), result.array("ids")
    if former is None or ids is None:
        return
    place_of = {image_id: place for place, image_id in enumerate(ids.tolist())}
    places = np.array([place_of[image_id] for image_id in table.ids.tolist()], dtype=np.int64)
    changed = former.copy()
    changed[places] = scores.astype(former.dtype)
    write_array(result.path / "seen_scores.npy", former)
    write_array(result.path / "scores.npy", changed)
    write_array(result.path / "unseen.npy", table.ids)
