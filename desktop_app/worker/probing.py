"""How well labels can be read from what a trained run encodes, against what it must beat."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.baselines import Accuracies, Probed, pixel_baselines, untrained_baseline
from desktop_app.core.images import ImageFolder
from desktop_app.core.probe import LEAST_PER_CLASS, MOST_IMAGES, halves
from desktop_app.core.runs import Run
from desktop_app.core.sight import seen_by
from desktop_app.sdk.capabilities import Encodes
from desktop_app.sdk.data import Dataset, batch_size, batches
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.commands import Commands
from desktop_app.worker.loading import channels_of, require, trained_method
from desktop_app.worker.measuring import untrained_key
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.preparation import decoded
from desktop_app.worker.untrained import has_untrained, untrained_latents

_BATCH = 64


@dataclass(frozen=True)
class Probing:
    """What was measured, and on what."""

    accuracies: dict[str, Accuracies]
    """latents, pixels, pca and, for networks, untrained: knn and linear of each."""
    known: int
    """Images whose labels were given."""
    asked: int
    """Images that were classified."""
    classes: tuple[str, ...]


def probed_run(
    run: Run,
    folder: ImageFolder,
    narrator: Narrator,
    *,
    device: str = "auto",
    most: int = MOST_IMAGES,
) -> Probing:
    """Measure a trained run on at most about `most` labelled images of a folder.

    Raises MissingCapability where the run does not encode, InvalidInput where labels are too few.
    """
    method: Any = trained_method(run.path, device)
    require(method, Encodes, "encode images")
    table = folder.list_files().usable()
    found = halves(table.labels, table.splits, most)
    if found is None:
        raise InvalidInput(
            f"'{folder.root}' has too few labels to measure: at least two classes with "
            f"{LEAST_PER_CLASS} images each are needed, each in a folder of its own."
        )
    spec = run.spec()
    size, channels = spec.image_size, channels_of(run)
    rows = np.sort(found.rows)
    part, data = decoded(folder, table.where(rows), size, channels, narrator, Commands())
    again = halves(part.labels, part.splits, most)  # images that cannot be read are gone now
    if again is None:
        raise InvalidInput(f"Too few labelled images in '{folder.root}' can be read.")
    probed = Probed(seen_by(run, data), again, folder.key, part, spec.region)
    accuracies = {"latents": probed.measured(_encoded(method, probed.data)[again.rows])}
    accuracies |= pixel_baselines(probed)
    if has_untrained(method):
        about = {**untrained_key(spec), "fitted": probed.known_as()}
        accuracies |= untrained_baseline(
            probed,
            about,
            lambda: untrained_latents(
                spec, run.attached_path, method.device, data, data.images(again.rows)
            ),
        )
    return Probing(accuracies, len(again.known), len(again.asked), again.classes)


def _encoded(method: Encodes, data: Dataset) -> NDArray[np.float32]:
    size = batch_size(data.sample_shape, _BATCH)
    return np.concatenate([method.encode(images) for _rows, images in batches(data, size)])
