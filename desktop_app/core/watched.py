"""Scores of images that were looked at as they arrived, beside the other results of their folder.

    results/<key>/watched.npy   id, score and fingerprint of each

Shapes: N rows of the table, K images scored on arrival.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.runs import Result
from desktop_app.core.table import ImageTable

WATCHED = np.dtype([("id", np.int64), ("score", np.float32), ("fingerprint", np.uint64)])


def read_watched(result: Result) -> NDArray[Any]:
    """Return (K,) records of id, score and fingerprint of what was scored on arrival."""
    kept = result.array("watched")
    return np.zeros(0, WATCHED) if kept is None else kept


def with_watched(
    result: Result,
    table: ImageTable,
    index: NDArray[np.int64],
    scores: NDArray[np.float32] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """Return places (N,) in the arrays of a result and scores (N,) with those given on arrival.

    What else the result says of these images is of older files, so they have no place there.
    """
    watched = read_watched(result)
    if scores is None or not len(watched):
        return index, scores
    order = np.argsort(watched["id"])
    known = watched[order]
    places = np.clip(np.searchsorted(known["id"], table.ids), 0, len(known) - 1)
    found = known["id"][places] == table.ids
    return np.where(found, -1, index), np.where(found, known["score"][places], scores)
