"""What leaves the window: scores and verdicts as a table, chosen images as a list or as copies."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.copies import copied, lies_within
from desktop_app.core.files import replaced
from desktop_app.core.table import ImageTable
from desktop_app.core.zones import Thresholds
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.verdicts import NAMES
from desktop_app.sdk.errors import InvalidInput

_TOLD = 500  # rows between two words about progress


@dataclass(frozen=True)
class Snapshot:
    """What is known of some images at one moment, so that a thread may write it down."""

    root: Path
    table: ImageTable
    rows: NDArray[np.int64]
    """(n,) in the order in which they are written."""
    verdicts: NDArray[np.uint8]
    """(N,)."""
    scores: NDArray[np.float32] | None
    """(N,)."""
    shares: NDArray[np.float64] | None
    """(N,): share of the reference images with a lower score."""
    thresholds: Thresholds | None
    clusters: NDArray[np.int64] | None = None
    """(N,), -1 for none."""
    places: NDArray[np.float32] | None = None
    """(N, k): coordinates on the latent map, not a number where there are none."""


def snapshot(
    session: Session,
    rows: NDArray[np.int64],
    shares: NDArray[np.float64] | None = None,
    places: NDArray[np.float32] | None = None,
) -> Snapshot:
    """Note what is known of these rows now, and where they lie on a map.

    Raises InvalidInput while no folder is open.
    """
    if session.folder is None:
        raise InvalidInput(tr("No folder is open, so there is nothing to export. Open a folder."))
    return Snapshot(
        root=session.folder.root,
        table=session.table,
        rows=rows.copy(),
        verdicts=session.verdicts.copy(),
        scores=session.result.scores if session.result is not None else None,
        shares=shares,
        thresholds=session.thresholds,
        clusters=session.result.clusters if session.result is not None else None,
        places=places,
    )


def write_table(shot: Snapshot, path: Path) -> Iterator[tuple[int, int]]:
    """Write path, label, split, score, percentile, flagged, zone and verdict; yield progress.

    Clusters and coordinates on a map follow where they are known. Scores are written in full; a
    cell is empty where nothing is known. A path that ends in .json gives a list of objects of the
    same words, any other one CSV.
    """
    _require_outside(path.parent, shot.root)
    is_json = path.suffix.lower() == ".json"
    names = [*_COLUMNS, *_more_columns(shot)]
    with (
        replaced(path) as temporary,
        temporary.open("w", encoding="utf-8" if is_json else "utf-8-sig", newline="") as file,
    ):
        put = _json_rows(file, names) if is_json else _csv_rows(file, names)
        for done, row in enumerate(shot.rows.tolist(), start=1):
            put([*_cells(shot, row), *_more_cells(shot, row)])
            if done % _TOLD == 0:
                yield done, len(shot.rows)
        if is_json:
            file.write("\n]\n" if len(shot.rows) else "[]\n")
    yield len(shot.rows), len(shot.rows)


def _csv_rows(file: TextIO, names: list[str]) -> Callable[[list[str]], object]:
    writer = csv.writer(file)
    writer.writerow(names)
    return writer.writerow


def _json_rows(file: TextIO, names: list[str]) -> Callable[[list[str]], object]:
    between = iter(chain(["[\n"], repeat(",\n")))

    def put(cells: list[str]) -> None:
        words = dict(zip(names, cells, strict=True))
        file.write(next(between) + json.dumps(words, ensure_ascii=False))

    return put


def write_list(shot: Snapshot, path: Path) -> Iterator[tuple[int, int]]:
    """Write the absolute paths of the images, one per line; yield progress."""
    _require_outside(path.parent, shot.root)
    lines = [str(shot.root / shot.table.paths[row]) for row in shot.rows.tolist()]
    with replaced(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    yield len(lines), len(lines)


def copy_images(shot: Snapshot, target: Path) -> Iterator[tuple[int, int]]:
    """Copy the images below `target` in the sub-folders they are in; yield progress.

    A file that is there already is left alone, and the copy gets a number. Raises InvalidInput
    where `target` lies in the folder of the images: nothing is ever written there.
    """
    _require_outside(target, shot.root)
    for done, row in enumerate(shot.rows.tolist(), start=1):
        relative = shot.table.paths[row]
        copied(shot.root / relative, target / relative)
        yield done, len(shot.rows)


_COLUMNS = ("path", "label", "split", "score", "percentile", "flagged", "zone", "verdict")


def _cells(shot: Snapshot, row: int) -> tuple[str, ...]:
    score = float(shot.scores[row]) if shot.scores is not None else float("nan")
    share = float(shot.shares[row]) if shot.shares is not None else float("nan")
    is_scored = not np.isnan(score)
    zone = shot.thresholds.zone(score) if shot.thresholds is not None else None
    flagged = "" if zone is None else "yes" if zone == "fail" else "no"
    return (
        shot.table.paths[row],
        shot.table.labels[row],
        shot.table.splits[row],
        repr(score) if is_scored else "",
        f"{100 * share:.2f}" if is_scored and not np.isnan(share) else "",
        flagged,
        zone or "",
        NAMES[shot.verdicts[row]],
    )


def _more_columns(shot: Snapshot) -> list[str]:
    axes = shot.places.shape[1] if shot.places is not None else 0
    return ["cluster"] * (shot.clusters is not None) + ["x", "y", "z"][:axes]


def _more_cells(shot: Snapshot, row: int) -> list[str]:
    cells = []
    if shot.clusters is not None:
        cells.append(str(int(shot.clusters[row])) if shot.clusters[row] >= 0 else "")
    if shot.places is not None:
        cells += [repr(place) if np.isfinite(place) else "" for place in shot.places[row].tolist()]
    return cells


def _require_outside(target: Path, root: Path) -> None:
    """Raise InvalidInput where a folder is, or lies in, the folder of the images."""
    if lies_within(target, root):
        raise InvalidInput(
            tr(
                "'{path}' lies in the folder of the images, to which nothing is ever written. "
                "Choose a folder elsewhere.",
                path=target,
            )
        )
