"""How the map looked while the run was trained: its snapshots by step, and the newest of them."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.core.latentmap import Axes, Kind, projected
from desktop_app.gui.i18n import tr
from desktop_app.gui.jobs import Job
from desktop_app.gui.latent.decode import aligned
from desktop_app.gui.session import Session
from desktop_app.sdk.errors import InvalidInput

_KEPT = 200  # snapshots in memory
_LOOK_MILLISECONDS = 500


@dataclass(frozen=True)
class Moment:
    """The map at one step of the training."""

    step: int
    positions: NDArray[np.float32]
    """(N, k), not a number for images that were not looked at."""
    explained: float | None
    """Share of the variance that the axes show; None where that says nothing."""
    kind: Kind = "plane"
    """Which axes these are."""
    dimensions: int = 0
    """Numbers in a latent vector; 0 where that is not known."""


@dataclass(frozen=True)
class _Placed:
    """A snapshot on its own axes, before it is laid on the others."""

    ids: NDArray[np.int64]
    positions: NDArray[np.float32]
    explained: float | None
    kind: Kind
    dimensions: int


class MapHistory(QObject):
    """The snapshots of the open run, also of one that is being trained."""

    grown = Signal()
    """There are more snapshots, or those of another run."""
    arrived = Signal(object)
    """Carries the Moment that was asked for last."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._files: list[tuple[int, Path]] = []
        self._kept: OrderedDict[int, Moment] = OrderedDict()
        self._reference: NDArray[np.float32] | None = None
        self._axes = Axes()
        self._job: Job | None = None
        self._timer = QTimer(self, interval=_LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._look)
        session.run_changed.connect(self._follow_run)
        session.table_changed.connect(self._forget)
        session.jobs.jobs_changed.connect(self._follow_job)
        self._follow_run()

    @property
    def steps(self) -> list[int]:
        """The steps of which there is a snapshot, ascending."""
        return [step for step, _path in self._files]

    @property
    def is_growing(self) -> bool:
        """Whether the run is being trained."""
        return self._job is not None and self._job.state.is_active

    def show(self, step: int) -> None:
        """Fetch the map of a step; `arrived` tells when it is there."""
        kept = self._kept.get(step)
        if kept is not None:
            self.arrived.emit(kept)
            return
        path, axes = dict(self._files).get(step), self._axes
        if path is not None:
            self._session.background.run(
                "map snapshot",
                lambda: _read(path, axes),
                lambda placed: self._take(step, placed, axes),
            )

    def set_reference(self, positions: NDArray[np.float32] | None, axes: Axes) -> bool:
        """Lay the snapshots on this map (N, k) along such axes, so that images keep their side.

        Without a map they are laid on the first of them. Return whether anything is new.
        """
        if axes == self._axes and (positions is None or positions is self._reference):
            return False
        if axes != self._axes or positions is not None:
            self._reference = positions
        self._axes = axes
        self._kept.clear()
        return True

    def _follow_run(self) -> None:
        self._files = []
        self._kept.clear()
        self._reference = None
        run = self._session.run
        if run is not None:
            self._session.background.run(
                "map snapshots", lambda: _listed(run.path / "latents"), self._take_list
            )
        self._follow_job()
        self.grown.emit()

    def _follow_job(self) -> None:
        run = self._session.run
        self._job = self._session.jobs.job_of(run) if run is not None else None
        if self.is_growing and not self._timer.isActive():
            self._timer.start()
        elif not self.is_growing:
            self._timer.stop()

    def _look(self) -> None:
        job = self._job
        if job is None:
            return
        self._take_list(sorted(set(job.feed.latents)))
        if not job.state.is_active:
            self._timer.stop()

    def _take_list(self, files: list[tuple[int, Path]]) -> None:
        if files != self._files:
            self._files = files
            self.grown.emit()

    def _take(self, step: int, placed: _Placed | None, axes: Axes) -> None:
        """Lay a snapshot on the map that was seen before, and keep it."""
        if placed is None or axes != self._axes:
            return
        table = self._session.table
        width = placed.positions.shape[1]
        positions = np.full((len(table), width), np.nan, np.float32)
        order = np.argsort(table.ids)
        places = np.searchsorted(table.ids, placed.ids, sorter=order)
        rows = order[np.clip(places, 0, max(0, len(table) - 1))] if len(table) else places[:0]
        same = table.ids[rows] == placed.ids[: len(rows)]
        positions[rows[same]] = placed.positions[: len(rows)][same]
        if self._reference is None or self._reference.shape != positions.shape:
            self._reference = positions
        elif placed.kind != "dimensions":  # whose sides are fixed by the method
            positions = aligned(positions, self._reference)
        moment = Moment(step, positions, placed.explained, placed.kind, placed.dimensions)
        self._kept[step] = moment
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self.arrived.emit(moment)

    def _forget(self) -> None:
        """Forget maps in rows of another table."""
        self._kept.clear()
        if self._reference is not None and len(self._reference) != len(self._session.table):
            self._reference = None


def _listed(folder: Path) -> list[tuple[int, Path]]:
    """Return the snapshots in a run folder: step, file."""
    if not folder.is_dir():
        return []
    files = (path for path in folder.glob("*.npz") if path.stem.isdigit())
    return sorted((int(path.stem), path) for path in files)


def _read(path: Path, axes: Axes) -> _Placed | None:
    """Read a snapshot and lay it along axes; None where there is nothing to be seen.

    Raises InvalidInput when the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            latents, ids = arrays["latents"], arrays["ids"]
    except (OSError, ValueError, KeyError) as problem:
        raise InvalidInput(
            tr("The snapshot '{name}' cannot be read: {reason}.", name=path.name, reason=problem)
        ) from problem
    if latents.ndim != 2 or len(latents) < 2 or not np.isfinite(latents).all():
        return None
    shown = projected(latents, axes)
    return _Placed(
        ids.astype(np.int64), shown.coordinates, shown.explained, shown.kind, latents.shape[1]
    )
