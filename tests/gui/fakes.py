"""Stand-ins with the signals and attributes that panels use of session, jobs and feeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.catalog import MethodInfo
from desktop_app.core.regions import Region
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.table import ImageTable
from desktop_app.gui.feed import Alarm, Curves, Reference
from desktop_app.sdk.errors import LoupeError


def table_of(paths: list[str], splits: list[str] | None = None, edge: int = 256) -> ImageTable:
    count = len(paths)
    return ImageTable(
        ids=np.arange(1, count + 1),
        paths=paths,
        labels=[path.split("/")[-2] if "/" in path else "" for path in paths],
        splits=splits or [""] * count,
        masks=[""] * count,
        problems=[""] * count,
        remarks=[""] * count,
        widths=np.full(count, edge, np.int32),
        heights=np.full(count, edge, np.int32),
    )


class FakeFolder:
    """An image folder that trains on the split "train", or on all images without one."""

    def __init__(self, root: Path, layout: str = "flat") -> None:
        self.root = root
        self.layout = layout
        self.key = "key"

    def training_rows(self, table: ImageTable, split: str | None) -> NDArray[np.int64]:
        wanted = split or ("train" if "train" in table.splits else None)
        rows = [row for row, name in enumerate(table.splits) if wanted in (None, name)]
        return np.array(rows, np.int64)


class FakeFeed(QObject):
    updated = Signal()
    restarted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.curves = Curves()
        self.state = JobState.QUEUED
        self.detail = ""
        self.progress = 0.0
        self.remaining: float | None = None
        self.elapsed = 0.0
        self.images_per_second = 0.0
        self.waited_share = 0.0
        self.phase = ""
        self.notes: list[dict[str, Any]] = []
        self.previews: dict[str, list[tuple[int, Path, str, int]]] = {}
        self.latents: list[tuple[int, Path]] = []
        self.marks: list[tuple[int, str, str]] = []
        self.references: list[Reference] = []
        self.alarms: list[Alarm] = []
        self.views: dict[str, Path] = {}
        self.probe: dict[str, dict[str, float]] = {}
        self.device = ""
        self.memory: tuple[int, int] | None = None
        self.out_of_memory: dict[str, Any] | None = None
        self.closed = False

    def extend(self, **values: Any) -> None:
        """Append steps: arrays of equal length by metric name."""
        count = len(next(iter(values.values())))
        first = len(self.curves) + 1
        steps = np.arange(first, first + count, dtype=np.float64)
        self.curves.extend(
            {
                "step": steps,
                "epoch": steps / 10,
                "elapsed": steps * 0.05,
                "values": {name: np.asarray(column, float) for name, column in values.items()},
            }
        )

    def close(self) -> None:
        self.closed = True


class FakeJob(QObject):
    state_changed = Signal()
    ended = Signal()

    def __init__(self, run: Run, title: str, state: JobState = JobState.RUNNING) -> None:
        super().__init__()
        self.run = run
        self.result = None
        self.title = title
        self.state = state
        self.detail = ""
        self.feed = FakeFeed()
        self.feed.state = state
        self.told: list[str] = []

    def set_state(self, state: JobState, detail: str = "") -> None:
        self.state, self.detail = state, detail
        self.feed.state = state
        self.state_changed.emit()

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def stop(self) -> None:
        self.told.append("stop")

    def kill(self) -> None:
        self.told.append("kill")

    def checkpoint(self) -> None:
        self.told.append("checkpoint")

    def preview(self) -> None:
        self.told.append("preview")


class FakeQueue(QObject):
    jobs_changed = Signal()
    job_started = Signal(object)
    job_ended = Signal(object)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.jobs: list[FakeJob] = []
        self._folder = folder

    def start(self, spec: JobSpec, title: str, region: Region | None = None) -> FakeJob:
        run = Run.create(self._folder / f"run-{len(self.jobs)}", spec, region)
        return self.add(FakeJob(run, title, JobState.QUEUED if self.active() else JobState.RUNNING))

    def add_job(self, spec: JobSpec) -> FakeJob:
        return self.start(spec, spec.title)

    def resume(self, run: Run) -> FakeJob:
        return self.add(FakeJob(run, run.spec().title, JobState.STARTING))

    def add(self, job: FakeJob) -> FakeJob:
        self.jobs.append(job)
        job.setParent(self)
        job.state_changed.connect(self.jobs_changed)
        self.jobs_changed.emit()
        self.job_started.emit(job)
        return job

    def active(self) -> list[FakeJob]:
        return [job for job in self.jobs if job.state.is_active]

    def job_of(self, run: Run) -> FakeJob | None:
        found = [job for job in self.jobs if job.run.path == run.path]
        return found[-1] if found else None


class FakeBackground:
    """Does the work at once; failures are told as the session tells them."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def run(self, name: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        try:
            outcome = work()
        except (LoupeError, OSError) as problem:
            self._tell(str(problem))
        else:
            then(outcome)


class FakeSession(QObject):
    folder_changed = Signal()
    table_changed = Signal()
    run_changed = Signal()
    result_changed = Signal()
    selection_changed = Signal()
    filter_changed = Signal()
    current_changed = Signal()
    verdicts_changed = Signal()
    left_out_changed = Signal()
    region_changed = Signal()
    threshold_changed = Signal()
    runs_changed = Signal()
    catalog_changed = Signal()
    problem = Signal(str)

    def __init__(self, workspace: Path) -> None:
        super().__init__()
        self.folder: FakeFolder | None = None
        self.table = table_of([])
        self.run: Run | None = None
        self.runs: list[Run] = []
        self.catalog: list[MethodInfo] = []
        self.jobs = FakeQueue(workspace)
        self.jobs.setParent(self)
        self.background = FakeBackground(self.problem.emit)
        self.left_out_paths: list[str] = []
        self.region: Region | None = None

    @property
    def left_out(self) -> NDArray[np.bool_]:
        return np.isin(self.table.paths, self.left_out_paths)

    def open_folder(self, folder: FakeFolder, table: ImageTable) -> None:
        self.folder, self.table = folder, table
        self.folder_changed.emit()
        self.table_changed.emit()

    def open_run(self, run: Run | None) -> None:
        self.run = run
        self.run_changed.emit()

    def set_catalog(self, catalog: list[MethodInfo]) -> None:
        self.catalog = catalog
        self.catalog_changed.emit()

    def refresh_runs(self) -> None:
        self.runs = [run for run in self.runs if run.path.exists()]
        self.runs_changed.emit()
