"""The clusters that a run found in a folder, the most typical images first.

Shapes: N rows of the table, n images of a cluster, D latent dimensions.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.columns import ResultColumns
from desktop_app.core.files import replaced

_TOLD = 500  # rows between two words about progress

NONE = -1
"""The number of images that belong to no cluster."""


@dataclass(frozen=True)
class Cluster:
    """Images that belong together."""

    number: int
    """`NONE` for those that belong to none."""
    rows: NDArray[np.int64]
    """(n,): the image nearest to the mean of the cluster's latents first."""

    def __len__(self) -> int:
        return len(self.rows)


def cluster_folder(number: int) -> str:
    """Return the name of the folder for the images of a cluster."""
    return "no cluster" if number < 0 else f"cluster {number}"


def write_clusters(
    path: Path,
    paths: Sequence[str],
    labels: Sequence[str],
    clusters: Sequence[int],
    names: Mapping[int, str] | None = None,
) -> Iterator[tuple[int, int]]:
    """Write `path,label,cluster`, and `name` where clusters have names, as CSV; yield progress.

    The cell of an image that belongs to none is empty.
    """
    more = ["name"] if names else []
    with (
        replaced(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["path", "label", "cluster", *more])
        for done, (image, label, number) in enumerate(zip(paths, labels, clusters, strict=True), 1):
            name = [(names or {}).get(number, "")] if more else []
            writer.writerow([image, label, "" if number < 0 else number, *name])
            if done % _TOLD == 0:
                yield done, len(paths)
    yield len(paths), len(paths)


def found_clusters(result: ResultColumns) -> list[Cluster]:
    """Return the clusters of a result by their number, images without one last.

    Images that the run has not looked at are in none of them; without latents the images of a
    cluster keep their order.
    """
    if result.clusters is None:
        return []
    known = np.flatnonzero(result.index >= 0).astype(np.int64)
    numbers = result.clusters[known]
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=np.iinfo(np.int64).min))
    groups = np.split(known[order], starts[1:]) if len(known) else []
    found = [
        Cluster(int(result.clusters[rows[0]]), _typical_first(result, rows)) for rows in groups
    ]
    return sorted(found, key=lambda cluster: (cluster.number < 0, cluster.number))


def _typical_first(result: ResultColumns, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if result.latents is None or result.clusters is None or result.clusters[rows[0]] < 0:
        return rows
    latents = np.asarray(result.latents[result.index[rows]], np.float32)  # (n, D)
    distances = np.linalg.norm(latents - latents.mean(axis=0), axis=1)
    return rows[np.argsort(distances, kind="stable")]
