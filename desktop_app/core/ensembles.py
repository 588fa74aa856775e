"""Several runs as one: the mean of how unusual each of them finds an image.

    score(x) = 1/R sum_r F_r(s_r(x))

F_r is the share of the scores that run r gave to the images of one folder that are lower than its
score of x, ties counted half. An ensemble is a run folder like any other, whose spec names the runs
it is made of; the scores that each share is read from lie beside it:

    reference/<number>.npy   ascending scores of a member on the folder the ensemble was made on
    reference/ranges.npy     (R, 2): the ends of the scale of each member's maps

Where all runs mark places, the ensemble does, by the mean of their maps on one scale:

    map(x) = 1/R sum_r (m_r(x) - low_r) / (high_r - low_r)

low_r and high_r are the ends of the scale on which the maps of run r are shown: the 1st and the
99.9th percentile of its maps of the first folder that all runs have maps of. Smaller maps are
stretched to the largest.

Shapes: R runs, N rows of the table, M scored images, H rows and W columns of a map.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.agreement import agreement, shares_below
from desktop_app.core.catalog import MethodInfo
from desktop_app.core.columns import map_range, place_of_rows, score_column
from desktop_app.core.eventlog import EventLog
from desktop_app.core.files import ArrayWriter, write_array
from desktop_app.core.heatmaps import MOST_MAP_BYTES
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import JobSpec, JobState, Result, Run
from desktop_app.core.table import ImageTable
from desktop_app.sdk.errors import InvalidInput, LoupeError, UnreadableRun

ENSEMBLE = "ensemble"
"""What stands in a spec in the place of a method."""

ENSEMBLE_INFO = MethodInfo(
    ENSEMBLE,
    "Ensemble by rank",
    summary="The mean of how unusual several runs find an image.",
    capabilities=("scores",),
    translations={"zh_CN": {"title": "按名次集成", "summary": "多次运行对图像异常程度的平均。"}},
)


@dataclass(frozen=True)
class MemberMaps:
    """What one run marks."""

    maps: NDArray[np.float32]
    """(M, H, W), mapped from the disk."""
    index: NDArray[np.int64]
    """(N,): the place of each row, -1 where it has no map."""


def is_ensemble(run: Run) -> bool:
    """Tell whether a run is made of others. Raises UnreadableRun when it is none."""
    return run.spec().method == ENSEMBLE


def members(ensemble: Run) -> list[Run]:
    """Return the runs that an ensemble is made of. Raises UnreadableRun when one is gone."""
    runs = []
    for path in ensemble.spec().params["runs"]:
        try:
            runs.append(Run.open(Path(path)))
        except LoupeError:
            raise UnreadableRun(
                f"The run '{path}' of this ensemble is gone: put it back, or keep the ensemble "
                "anew from runs that are there."
            ) from None
    return runs


def write_ensemble(
    path: Path,
    folder: ImageFolder,
    table: ImageTable,
    runs: Sequence[Run],
    scores: Sequence[NDArray[np.floating[Any]]],
    title: str = "",
) -> Run:
    """Write the ensemble of R runs with scores (N,) each on a table as a run folder; return it.

    Raises InvalidInput with fewer than two runs, an ensemble among them, or too few common images.
    """
    if any(is_ensemble(run) for run in runs):
        raise InvalidInput("An ensemble cannot be part of another: take the runs it is made of.")
    together = agreement(scores).together
    spec = runs[0].spec()
    paths = [str(run.path.absolute()) for run in runs]
    ensemble = Run.create(
        path,
        JobSpec(
            folder=str(folder.root),
            method=ENSEMBLE,
            params={"runs": paths},
            image_size=spec.image_size,
            device=spec.device,
            threads=spec.threads,
            title=title,
        ),
    )
    ensemble.write_data(_images_of(runs, folder.key))
    for number, column in enumerate(scores):
        known = np.asarray(column[np.isfinite(column)], np.float64)
        write_array(_reference(ensemble, number), np.sort(known))
    result = ensemble.result(folder.key)
    result.write_spec(ensemble.spec().model_copy(update={"action": "apply"}))
    maps = [member_maps(run.result(folder.key), table) for run in runs]
    write_ensemble_result(ensemble, result, folder, table, together, maps)
    with EventLog(ensemble.events_path) as log:
        log.append("state", state=str(JobState.FINISHED), detail="", elapsed=0.0)
    return ensemble


def joined_scores(
    ensemble: Run, scores: Sequence[NDArray[np.floating[Any]]]
) -> NDArray[np.float64]:
    """Return the score (N,) of an ensemble from those of its R members, (N,) each."""
    shares = [
        shares_below(
            np.asarray(column, np.float64),
            np.load(_reference(ensemble, number), allow_pickle=False),
        )
        for number, column in enumerate(scores)
    ]
    mean: NDArray[np.float64] = np.mean(shares, axis=0)
    return mean


def member_maps(result: Result, table: ImageTable) -> MemberMaps | None:
    """Return the maps of a complete result beside a table; None where it has none."""
    maps = result.array("maps", mapped=True) if result.is_complete else None
    return None if maps is None else MemberMaps(maps, place_of_rows(result, table))


def joined_map(
    maps: Sequence[NDArray[np.floating[Any]]], ranges: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Return the mean (H, W) of R maps on one scale, given the ends (R, 2) of theirs.

    Maps of other sides are stretched to the largest. What is no number in one of them is none.
    """
    height, width = np.max([one.shape for one in maps], axis=0).tolist()
    total = np.zeros((height, width), np.float32)
    for one, (low, high) in zip(maps, ranges, strict=True):
        scaled = ((np.asarray(one) - low) / max(high - low, 1e-12)).astype(np.float32)
        if scaled.shape != total.shape:
            stretched = Image.fromarray(scaled).resize((width, height), Image.Resampling.BILINEAR)
            scaled = np.asarray(stretched)
        total += scaled / len(maps)
    return total


def write_ensemble_result(
    ensemble: Run,
    result: Result,
    folder: ImageFolder,
    table: ImageTable,
    scores: NDArray[np.float64],
    maps: Sequence[MemberMaps | None],
    most_map_bytes: float = MOST_MAP_BYTES,
) -> None:
    """Write the scores (N,) of an ensemble, of the images that have one, into a result.

    And their maps, where all of its R members have some.
    """
    known = np.isfinite(scores)
    rows = table.where(known)
    for name in ("watched.npy", "maps.npy", "rows.json"):
        (result.path / name).unlink(missing_ok=True)
    whole = [one for one in maps if one is not None and (one.index[known] >= 0).all()]
    if known.any() and maps and len(whole) == len(maps):
        _write_maps(ensemble, result, np.flatnonzero(known), whole, most_map_bytes)
    write_array(result.path / "scores.npy", scores[known].astype(np.float32))
    write_array(result.path / "ids.npy", rows.ids)
    result.write_rows(
        {
            "folder": str(folder.root),
            "method": ENSEMBLE,
            "paths": rows.paths,
            "labels": rows.labels,
            "splits": rows.splits,
            "masks": rows.masks,
        }
    )


def _write_maps(
    ensemble: Run,
    result: Result,
    rows: NDArray[np.int64],
    marked: Sequence[MemberMaps],
    most_bytes: float,
) -> None:
    """Write the joined maps of rows (M,), unless they need too much room."""
    ranges = _ranges(ensemble, marked)

    def joined(row: int) -> NDArray[np.float32]:
        return joined_map([one.maps[one.index[row]] for one in marked], ranges)

    first = joined(int(rows[0]))[None]
    if first.nbytes * len(rows) > most_bytes:
        return
    result.path.mkdir(parents=True, exist_ok=True)
    with closing(ArrayWriter(result.path / "maps.npy", len(rows), first)) as file:
        for row in rows.tolist():
            file.write(joined(row)[None])


def _ranges(ensemble: Run, marked: Sequence[MemberMaps]) -> NDArray[np.float64]:
    """Return the ends (R, 2) of the scales of the members' maps; found once, and kept."""
    path = ensemble.path / "reference" / "ranges.npy"
    if not path.exists():
        write_array(path, np.array([map_range(one.maps) for one in marked], np.float64))
    ranges: NDArray[np.float64] = np.load(path, allow_pickle=False)
    return ranges


def scored_by(run: Run, folder: ImageFolder, table: ImageTable) -> NDArray[np.float32]:
    """Return the scores (N,) that a run keeps of a folder. Raises InvalidInput without any."""
    scores = score_column(run.result(folder.key), table)
    if scores is None:
        raise InvalidInput(f"The run '{run.path.name}' has not scored '{folder.name}': score it.")
    return scores


def _images_of(runs: Sequence[Run], folder_key: str) -> dict[str, Any]:
    """Return what an ensemble has learned from: all that a member has, and seen by none."""
    told = [data for run in runs if (data := run.data()) is not None]
    told = [data for data in told if data["folder_key"] == folder_key]
    seen = {path for data in told for path in data["paths"]}
    held_out = [set(data.get("held_out", ())) for data in told]
    unseen = set.intersection(*held_out) - seen if len(told) == len(runs) else set()
    channels = max((int(data["channels"]) for data in told), default=3)
    return {
        "folder_key": folder_key,
        "channels": channels,
        "paths": sorted(seen),
        "held_out": sorted(unseen),
        "left_out": [],
    }


def _reference(ensemble: Run, number: int) -> Path:
    return ensemble.path / "reference" / f"{number}.npy"
