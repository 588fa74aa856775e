"""What a run says of a folder, as columns beside the images of the window's table.

Shapes: N rows of the table, M images that the run looked at, D latent dimensions, H rows and W
columns of a map.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.runs import Result, Run
from desktop_app.core.synthetic import SyntheticScores, read_synthetic
from desktop_app.core.table import ImageTable
from desktop_app.core.watched import with_watched

_RANGE_MAPS = 200
_RANGE_SIDE = 256
"""Pixels along a side of the maps that a scale is taken from."""


@dataclass(frozen=True)
class ResultColumns:
    """A result, aligned with a table of images."""

    run: Run
    index: NDArray[np.int64]
    """(N,): place of a row in latents and maps, -1 where the run has not looked at it."""
    scores: NDArray[np.float32] | None
    """(N,), not a number where missing."""
    latents: NDArray[np.float32] | None
    """(M, D)."""
    positions: NDArray[np.float32] | None
    """(N, 2), not a number where missing: the principal plane of the latents, or the latents
    themselves where they are two numbers; (N, 3) of methods that lay out in space alone."""
    basis: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    """Mean (D,) and axes (2, D): a point p of the map is the latent `p @ axes + mean`."""
    explained: float
    """Share of the latents' variance that the map shows."""
    clusters: NDArray[np.int64] | None
    """(N,), -1 for none."""
    maps: NDArray[np.float32] | None
    """(M, H, W), mapped from the disk."""
    map_range: tuple[float, float]
    """One scale for all maps: their 1st and 99.9th percentile."""
    vectors: NDArray[np.float32] | None = None
    """(M, V): what the positions of an embedding stand for; None where that are the latents."""
    unseen: NDArray[np.bool_] | None = None
    """(N,): training images whose score is by a method that has not seen them; None: there is none.
    """
    synthetic: SyntheticScores | None = None
    """Scores of defects made from normal images; None until somebody asked for them."""

    def map(self, row: int) -> NDArray[np.float32] | None:
        """Return the map (H, W) of a row of the table; None where there is none."""
        if self.maps is None or self.index[row] < 0:
            return None
        return np.array(self.maps[self.index[row]])


def result_columns(run: Run, result: Result, table: ImageTable) -> ResultColumns:
    """Read a complete result and align it with a table. Raises LoupeError when it is damaged."""
    index = place_of_rows(result, table)
    scores = _column(result.array("scores"), index, index >= 0, np.float32(np.nan))
    index, scores = with_watched(result, table, index, scores)
    known = index >= 0
    maps = result.array("maps", mapped=True)
    basis = result.array("basis")
    return ResultColumns(
        run=run,
        index=index,
        scores=scores,
        latents=result.array("latents"),
        positions=_column(result.array("positions"), index, known, np.float32(np.nan)),
        basis=None if basis is None else (basis[0], basis[1:]),
        explained=float(result.rows().get("explained", 0.0)),
        clusters=_column(result.array("clusters"), index, known, np.int64(-1)),
        maps=maps,
        map_range=map_range(maps),
        vectors=result.array("vectors", mapped=True),
        unseen=_unseen(run, result, table),
        synthetic=read_synthetic(result),
    )


def score_column(result: Result, table: ImageTable) -> NDArray[np.float32] | None:
    """Return the scores (N,) of a result in rows of a table, not a number where missing.

    None where the result holds no scores.
    """
    if not result.is_complete:
        return None
    index = place_of_rows(result, table)
    column: NDArray[np.float32] | None = _column(
        result.array("scores", mapped=True), index, index >= 0, np.float32(np.nan)
    )
    return with_watched(result, table, index, column)[1]


def _unseen(run: Run, result: Result, table: ImageTable) -> NDArray[np.bool_] | None:
    """Return which rows were held out of the training, or scored out of their fold."""
    data, ids = run.data() or {}, result.array("unseen")
    if ids is not None:
        unseen: NDArray[np.bool_] = np.isin(table.ids, ids)
    elif data.get("held_out") and data.get("folder_key") == result.path.name:
        names = set(data["held_out"])
        unseen = np.array([path in names for path in table.paths], dtype=np.bool_)
    else:
        return None
    return unseen if unseen.any() else None


def place_of_rows(result: Result, table: ImageTable) -> NDArray[np.int64]:
    """Return the place (N,) of each row of a table in the arrays of a result, -1 for none."""
    ids = result.array("ids")
    if ids is None or not len(ids):
        return np.full(len(table), -1, np.int64)
    order = np.argsort(ids)
    places = np.searchsorted(ids, table.ids, sorter=order)
    candidates = order[np.clip(places, 0, len(ids) - 1)]
    return np.where(ids[candidates] == table.ids, candidates, -1)


def _column(
    array: NDArray[Any] | None, index: NDArray[np.int64], known: NDArray[np.bool_], empty: Any
) -> Any:
    if array is None:
        return None
    column = np.full((len(index), *array.shape[1:]), empty, dtype=type(empty))
    column[known] = array[index[known]]
    return column


def thinned(maps: NDArray[Any]) -> NDArray[Any]:
    """Return maps (N, H, W) with evenly fewer pixels where they are large, not read yet."""
    step = max(1, max(maps.shape[1:]) // _RANGE_SIDE)
    return maps[:, step // 2 :: step, step // 2 :: step]


def map_range(maps: NDArray[Any] | None) -> tuple[float, float]:
    """Return the 1st and the 99.9th percentile of maps (M, H, W), of so many of them."""
    if maps is None or not len(maps):
        return 0.0, 1.0
    some = thinned(maps)[:: max(1, len(maps) // _RANGE_MAPS)]
    low, high = np.nanpercentile(some, (1, 99.9))
    return float(low), float(max(high, low + 1e-12))
