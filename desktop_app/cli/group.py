"""`loupe group`: the most unusual images of a folder, grouped by what is unusual about them."""

import argparse
import json
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from desktop_app.cli.use import applied, array_of, require_file
from desktop_app.core.anomalies import MOST_GROUPED, grouping
from desktop_app.core.clusters import write_clusters
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.pixels import PixelCache
from desktop_app.core.runs import Run
from desktop_app.core.sight import seen_by
from desktop_app.sdk.capabilities import Scores
from desktop_app.sdk.data import batch_size, batches
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.worker.describing import described
from desktop_app.worker.loading import channels_of, trained_method

_BATCH = 32


def group(options: argparse.Namespace) -> int:
    """Write the group of each of the most unusual images, the group with the worst one first."""
    require_file(options.out)
    with applied(options, {"scores"}, Scores, "score images") as (table, result):
        scores = np.array(array_of(result, "scores"), np.float64)
    rows = _unusual(scores, options)
    table, scores = table.where(rows), scores[rows]
    blocks = _blocks(Run.open(options.run), ImageFolder(options.folder), table, options.device)
    if options.by == "latents" and "latents" not in blocks:
        raise MissingCapability("This method does not encode images: group --by region.")
    tree = grouping(blocks if options.by == "both" else {options.by: blocks[options.by]})
    groups = tree.groups(options.groups or tree.suggested, scores)
    order = np.concatenate(groups).tolist()
    numbers = [number for number, places in enumerate(groups, 1) for _ in places]
    paths, labels = ([column[row] for row in order] for column in (table.paths, table.labels))
    for _ in write_clusters(options.out, paths, labels, numbers):
        pass
    sizes = list(Counter(numbers).values())
    if options.json:
        report = {"n_images": len(table), "groups": sizes, "suggested": tree.suggested}
        print(json.dumps({**report, "out": str(options.out)}))
    else:
        print(f"{len(table)} images in {len(sizes)} groups of {sizes}: {options.out}")
    return 0


def _unusual(scores: NDArray[np.float64], options: argparse.Namespace) -> NDArray[np.int64]:
    """Return the rows to group, the most unusual first. Raises InvalidInput for too few."""
    order = np.argsort(-scores, kind="stable")
    if options.threshold is None:
        rows = order[: min(options.top, MOST_GROUPED)]
    else:
        rows = order[scores[order] >= options.threshold][:MOST_GROUPED]
    if len(rows) < 2:
        raise InvalidInput(
            f"Expected two or more images to group, got {len(rows)}: "
            "choose a lower --threshold or a larger --top."
        )
    return rows.astype(np.int64)


def _blocks(
    run: Run, folder: ImageFolder, table: ImageTable, device: str
) -> dict[str, NDArray[np.float32]]:
    """Return the descriptors (N, D) of the images of a table by kind."""
    method = trained_method(run.path, device)
    cache, region = PixelCache(folder, run.spec().image_size, channels_of(run)), run.region()
    data = seen_by(run, cache.dataset(table))
    size = batch_size(data.sample_shape, _BATCH)
    parts = [described(method, images, region) for _rows, images in batches(data, size)]
    return {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}
