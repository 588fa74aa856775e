"""Several runs as one: the mean of how unusual each of them finds an image.

    score(x) = 1/R sum_r F_r(s_r(x))

F_r is the share of the scores that run r gave to the images of one folder that are lower than its
score of x, ties counted half. An ensemble is a run folder like any other, whose spec names the runs
it is made of; the scores that each share is read from lie beside it:

    reference/<number>.npy   ascending scores of a member on the folder the ensemble was made on

Shapes: R runs, N rows of the table, M scored images.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.agreement import agreement, shares_below
from desktop_app.core.catalog import MethodInfo
from desktop_app.core.columns import score_column
from desktop_app.core.eventlog import EventLog
from desktop_app.core.files import write_array
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
    write_ensemble_scores(result, folder, table, together)
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


def write_ensemble_scores(
    result: Result, folder: ImageFolder, table: ImageTable, scores: NDArray[np.float64]
) -> None:
    """Write the scores (N,) of an ensemble, of the images that have one, into a result."""
    known = np.isfinite(scores)
    rows = table.where(known)
    (result.path / "watched.npy").unlink(missing_ok=True)
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
