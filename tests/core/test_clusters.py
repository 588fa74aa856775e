from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.core.clusters import cluster_folder, found_clusters
from desktop_app.core.columns import ResultColumns
from desktop_app.core.runs import Run


def result(
    clusters: list[int] | None, latents: list[float] | None, index: NDArray[np.int64] | None = None
) -> ResultColumns:
    count = len(clusters or [0])
    return ResultColumns(
        run=Run(Path("run")),
        index=np.arange(count) if index is None else index,
        scores=None,
        latents=None if latents is None else np.array(latents, np.float32)[:, None],
        positions=None,
        basis=None,
        explained=0.0,
        clusters=None if clusters is None else np.array(clusters),
        maps=None,
        map_range=(0.0, 1.0),
    )


def test_the_most_typical_image_comes_first_and_no_cluster_last() -> None:
    found = found_clusters(result([-1, 2, 0, 2, 2, -1], [9, 0, 5, 3, 10, 9]))
    assert [(cluster.number, cluster.rows.tolist()) for cluster in found] == [
        (0, [2]),
        (2, [3, 1, 4]),  # their mean is 4.33
        (-1, [0, 5]),
    ]


def test_latents_are_found_where_the_run_has_put_them() -> None:
    found = found_clusters(result([1, 1, 1], [0, 10, 1], np.array([1, 2, 0])))
    assert found[0].rows.tolist() == [1, 2, 0]  # of latents 10, 1, 0 the second is nearest to 3.67


def test_images_that_were_not_looked_at_are_in_no_group() -> None:
    found = found_clusters(result([0, -1, -1], [0, 0, 0], np.array([0, -1, 1])))
    assert [cluster.rows.tolist() for cluster in found] == [[0], [2]]


@pytest.mark.parametrize("clusters", [None, []])
def test_there_may_be_none(clusters: list[int] | None) -> None:
    assert found_clusters(result(clusters, None, np.zeros(0, np.int64))) == []


def test_folders_are_named_by_number() -> None:
    assert (cluster_folder(3), cluster_folder(-1)) == ("cluster 3", "no cluster")
