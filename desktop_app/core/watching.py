"""New images of a folder as they arrive, and what was said of them beside the folder's results.

A file counts as arrived once its size and time have stayed the same for a while: until then it is
being written. Folders are listed again and again, which works on network drives as well; whoever
hears of a change asks at once.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import write_array
from desktop_app.core.images import ImageFolder
from desktop_app.core.layout import recognised_layout
from desktop_app.core.runs import Result, Run
from desktop_app.core.table import fingerprints
from desktop_app.core.walk import walked
from desktop_app.core.watched import WATCHED, read_watched

Stamp = tuple[int, int]
"""Bytes and time of the last change in nanoseconds of a file."""

_FEWEST = 5  # images that make a percentile worth telling


@dataclass(frozen=True)
class Arrival:
    """A file that is whole."""

    path: str
    """POSIX path relative to the folder."""
    stamp: Stamp
    is_replaced: bool
    """There was another file of this name before."""


class Watcher:
    """Notices files of a folder that are new or replaced; asked again and again."""

    def __init__(
        self,
        root: Path,
        known: Mapping[str, Stamp],
        *,
        settle_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Files that are `known` and have not changed are passed over."""
        self._root = root
        self._told: dict[str, Stamp] = dict(known)
        self._waiting: dict[str, tuple[Stamp, float]] = {}  # and since when they are like this
        self._settle_seconds = settle_seconds
        self._clock = clock
        self.folders: frozenset[str] = frozenset()
        """POSIX paths of the folders that were listed last, relative, "" for the root."""

    @property
    def waiting(self) -> int:
        """How many files are still being written."""
        return len(self._waiting)

    def poll(self) -> list[Arrival]:
        """Return the files that have arrived since the last call, the oldest first.

        Raises InvalidInput while the folder cannot be listed.
        """
        found, folders = _walked_files(self._root)
        self.folders = frozenset(folders)
        now = self._clock()
        arrivals = []
        for path, stamp in found.items():
            if self._told.get(path) == stamp:
                self._waiting.pop(path, None)
            elif self._is_settled(path, stamp, now):
                del self._waiting[path]
                arrivals.append(Arrival(path, stamp, path in self._told))
                self._told[path] = stamp
        for gone in self._told.keys() - found.keys():
            del self._told[gone]  # whatever bears this name later is new
        for gone in self._waiting.keys() - found.keys():
            del self._waiting[gone]
        return sorted(arrivals, key=lambda arrival: (arrival.stamp[1], arrival.path))

    def forget(self, arrivals: Iterable[Arrival]) -> None:
        """Let files arrive once more: nothing could be done with them."""
        for arrival in arrivals:
            self._told.pop(arrival.path, None)

    def _is_settled(self, path: str, stamp: Stamp, now: float) -> bool:
        before, since = self._waiting.get(path, ((-1, -1), now))
        if stamp != before:
            self._waiting[path] = (stamp, now)
            return False
        return stamp[0] > 0 and now - since >= self._settle_seconds


def listed(root: Path) -> dict[str, Stamp]:
    """Return every image file below a folder, masks left out.

    Raises InvalidInput when the folder cannot be listed.
    """
    return _walked_files(root)[0]


def _walked_files(root: Path) -> tuple[dict[str, Stamp], list[str]]:
    """Return every image file below a folder, and all folders that may hold such."""
    found: dict[str, Stamp] = {}
    folders = []
    for folder in walked(root, without=recognised_layout(root).masks_folder):
        start = f"{folder.path}/" if folder.path else ""
        found.update({start + file.name: (file.size, file.mtime_ns) for file in folder.files})
        folders.append(folder.path)
    return found, folders


def scored_files(folder: ImageFolder, result: Result) -> dict[str, Stamp]:
    """Return the files of a folder whose scores in a result are those of the file as it is now."""
    table, files = folder.list_files(), listed(folder.root)
    if not result.is_complete:
        return {}
    written = (result.path / "rows.json").stat().st_mtime_ns
    ids = result.array("ids")
    applied = set() if ids is None else set(ids.tolist())
    watched = {int(row["id"]): int(row["fingerprint"]) for row in read_watched(result)}
    marks = table.fingerprints.tolist()
    known = {}
    for row, (image_id, path) in enumerate(zip(table.ids.tolist(), table.paths, strict=True)):
        stamp = files.get(path)
        if stamp is None:
            continue
        if watched.get(image_id) == marks[row] or (
            image_id not in watched and image_id in applied and stamp[1] <= written
        ):
            known[path] = stamp
    return known


def keep_scores(
    folder: ImageFolder, result: Result, scores: Mapping[str, tuple[Stamp, float]]
) -> int:
    """Add the scores of files to a folder's results; return how many could be kept.

    Files that changed or went away meanwhile are left out. Whoever reads the results sees them in
    the place of older scores.
    """
    table = folder.list_files()
    places = [row for row, path in enumerate(table.paths) if path in scores]
    sizes = np.array([scores[table.paths[row]][0][0] for row in places], np.int64)
    times = np.array([scores[table.paths[row]][0][1] for row in places], np.int64)
    rows = np.array(places, np.int64)
    same = fingerprints(sizes, times) == table.fingerprints[rows]
    rows = rows[same]
    fresh = np.empty(len(rows), WATCHED)
    fresh["id"] = table.ids[rows]
    fresh["score"] = [scores[table.paths[row]][1] for row in rows.tolist()]
    fresh["fingerprint"] = table.fingerprints[rows]
    before = read_watched(result)
    older = before[~np.isin(before["id"], fresh["id"])]
    if not result.is_complete:
        _write_nothing(result, folder)
    write_array(result.path / "watched.npy", np.concatenate([older, fresh]))
    return len(rows)


def usual_scores(run: Run) -> NDArray[np.float64]:
    """Return, ascending, the scores that a run gave to what it was trained on.

    Those of images that it has not seen where there are enough of them; none where it kept none.
    """
    data = run.data()
    result = _training_result(run, data) if data is not None else None
    scores = result.array("scores") if result is not None else None
    if data is None or result is None or scores is None:
        return np.zeros(0)
    paths: list[str] = result.rows()["paths"]
    for names in (data.get("held_out", ()), data["paths"]):
        chosen = _among(paths, names)
        usual = scores[chosen][np.isfinite(scores[chosen])]
        if len(usual) >= _FEWEST:
            return np.sort(usual.astype(np.float64))
    return np.zeros(0)


def _training_result(run: Run, data: Mapping[str, Any]) -> Result | None:
    """Return what a run says of the folder it was trained on, perhaps at an earlier place."""
    result = run.result(data["folder_key"])
    if result.is_complete:
        return result
    wanted = set(data["paths"])
    moved = (one for one in run.results() if wanted <= set(one.rows()["paths"]))
    return next(moved, None)


def _among(paths: list[str], names: Iterable[str]) -> NDArray[np.bool_]:
    wanted = set(names)
    return np.array([path in wanted for path in paths], dtype=np.bool_)


def _write_nothing(result: Result, folder: ImageFolder) -> None:
    """Begin the results of a folder that was never looked at as a whole."""
    write_array(result.path / "ids.npy", np.zeros(0, np.int64))
    write_array(result.path / "scores.npy", np.zeros(0, np.float32))
    empty: list[str] = []
    names = dict.fromkeys(("paths", "labels", "splits", "masks"), empty)
    result.write_rows({"folder": str(folder.root), "method": result.spec().method, **names})
