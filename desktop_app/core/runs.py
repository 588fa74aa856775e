"""What jobs leave on disk: run folders and, inside them, results for image folders.

    spec.json            what was asked for
    data.json            which images were trained on, their channels
    events.jsonl         everything that happened
    region.png           the part of every image that counts, where not all of it does
    run.lock             who works here, while somebody does
    checkpoints/<step>/  where a resumed training starts again
    method/              the trained method
    attached/<name>/     copies of the trained runs that parameters name
    previews/ latents/   pictures and positions of the probe images, by step
    pictures/ views/     what only this method draws: while it trained, and at its end
    results/<key>/       scores, latents and maps of one image folder
    exports/<time>/      what exporting the encoder told
    folds/<number>.npy   scores of the images of a fold by a method that has not seen them

Whatever is on screen can be rebuilt from it; the folder can be copied to another machine.
"""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from desktop_app import __version__
from desktop_app.core.eventlog import read_events
from desktop_app.core.files import read_json, write_json
from desktop_app.core.locks import Lock, read_lock
from desktop_app.core.refusals import made_folder
from desktop_app.core.regions import Region, region_from_png
from desktop_app.core.states import read_about, read_state
from desktop_app.sdk.errors import InvalidInput, UnreadableRun
from desktop_app.sdk.method import State

KEPT_CHECKPOINTS = 2


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    LOST = "lost"

    @property
    def is_active(self) -> bool:
        """Tell whether a process is expected to work on the job."""
        return self in _ACTIVE


_ACTIVE = {
    JobState.STARTING,
    JobState.RUNNING,
    JobState.PAUSING,
    JobState.PAUSED,
    JobState.STOPPING,
}


class JobSpec(BaseModel):
    """What a worker is asked to do, as plain data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["train", "apply", "export"] = "train"
    folder: str
    """The image folder."""
    out: str = ""
    """The file that "export" writes the encoder to."""
    split: str | None = None
    """Images of this split alone; None: the training images that the layout names."""
    leave_out: list[str] = Field(default_factory=list)
    """Paths of images that are not trained on; they are scored like all others."""
    hold_out: float = Field(0.0, ge=0.0, le=0.5)
    """Share of the training images kept back, so that there are scores of images never seen."""
    region: str = ""
    """Hash of the region of interest, which lies beside the spec; "": all of every image counts."""
    folds: int = Field(0, ge=0, le=50)
    """Afterwards train this many more times, each without one part, and score that part."""
    method: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    image_size: int = Field(64, ge=8, le=4096)
    tile: int = Field(0, ge=0, le=4096)
    """Side in pixels of the tiles that images are cut into; 0: they are looked at whole."""
    overlap: int = Field(0, ge=0, le=4096)
    """Pixels that neighbouring tiles share at least."""
    channels: Literal[0, 1, 3] = 0
    """0: grey when all images are grey, else colour."""
    seed: int = 0
    device: str = "auto"
    threads: int = 0
    """Torch threads; 0: as many as cores."""
    apply_after: bool = False
    """After training, score and encode the whole folder."""
    checkpoint_seconds: float = 30.0
    preview_seconds: float = 5.0
    title: str = ""
    experiment: str = ""
    """Name and moment of the experiment that the run is a variant of, "" for none."""
    loupe: str = __version__
    created: float = Field(default_factory=time.time)


class JobFolder:
    """A folder with a spec and events, in which one process works at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def events_path(self) -> Path:
        """The file of events."""
        return self.path / "events.jsonl"

    @property
    def lock_path(self) -> Path:
        """The file that names the process that works here."""
        return self.path / "run.lock"

    @property
    def log_path(self) -> Path:
        """What the worker process printed."""
        return self.path / "worker.log"

    def write_spec(self, spec: JobSpec) -> None:
        """Write what is asked for."""
        write_json(self.path / "spec.json", spec.model_dump())

    def spec(self) -> JobSpec:
        """Return what was asked for. Raises UnreadableRun when that cannot be read."""
        try:
            return JobSpec.model_validate(read_json(self.path / "spec.json"))
        except InvalidInput:
            raise UnreadableRun(
                f"'{self.path}' is not a run folder: it holds no readable spec.json."
            ) from None
        except ValidationError as problem:
            raise UnreadableRun(
                f"The spec of '{self.path}' does not fit this version: {problem}."
            ) from None

    def owner(self) -> Lock | None:
        """Return the process that works here, if it is alive."""
        lock = read_lock(self.lock_path)
        return lock if lock is not None and lock.is_alive() else None

    def events(self) -> list[dict[str, Any]]:
        """Return all events so far."""
        return read_events(self.events_path)

    def state(self) -> JobState:
        """Return the last state that was told; LOST when its process is gone."""
        told = [event["state"] for event in self.events() if event["type"] == "state"]
        state = JobState(told[-1]) if told else JobState.QUEUED
        return JobState.LOST if state.is_active and self.owner() is None else state


class Result(JobFolder):
    """What one trained method says of one image folder.

    Arrays of N images in the order of `rows`: latents (N, D), scores (N,), maps (N, H, W).
    """

    @property
    def is_complete(self) -> bool:
        """Tell whether everything was written."""
        return (self.path / "rows.json").exists()

    def write_rows(self, rows: dict[str, Any]) -> None:
        """Write the images that the arrays speak of; the last thing that is written."""
        write_json(self.path / "rows.json", rows)

    def rows(self) -> dict[str, Any]:
        """Return lists of equal length: paths, labels, splits, masks."""
        rows: dict[str, Any] = read_json(self.path / "rows.json")
        return rows

    def array(self, name: str, *, mapped: bool = False) -> NDArray[Any] | None:
        """Return latents, scores, maps or clusters; None when the method has none."""
        path = self.path / f"{name}.npy"
        if not path.exists():
            return None
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        return array


class Run(JobFolder):
    """A training and what came of it."""

    @classmethod
    def create(cls, path: Path, spec: JobSpec, region: Region | None = None) -> "Run":
        """Make a run folder, with a copy of the region of interest.

        Raises InvalidInput when something is already there.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InvalidInput(
                f"'{path}' exists and is not empty: name a new folder, or resume what is in it."
            )
        run = cls(made_folder(path))
        if region is not None:
            run.region_path.write_bytes(region.png())
        run.write_spec(spec.model_copy(update={"region": region.hash if region else ""}))
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run folder. Raises UnreadableRun when it is none."""
        run = cls(path)
        run.spec()
        return run

    @property
    def method_path(self) -> Path:
        """The trained method."""
        return self.path / "method"

    @property
    def attached_path(self) -> Path:
        """Copies of the trained runs that parameters name, a run folder for each."""
        return self.path / "attached"

    @property
    def region_path(self) -> Path:
        """The region of interest, a PNG file that is white where images count."""
        return self.path / "region.png"

    def region(self) -> Region | None:
        """Return the region of interest, None where all of every image counts.

        Raises UnreadableRun when its file is gone, damaged or another one.
        """
        wanted = self.spec().region
        if not wanted:
            return None
        try:
            region = region_from_png(self.region_path.read_bytes())
        except (OSError, InvalidInput) as problem:
            raise UnreadableRun(
                f"The region of interest of '{self.path}' cannot be read ({problem}): put its "
                f"'{self.region_path.name}' back, or train a new run."
            ) from None
        if region.hash != wanted:
            raise UnreadableRun(
                f"'{self.region_path}' is not the region of interest that this run was trained "
                "with: put the original back, or train a new run."
            )
        return region

    @property
    def is_trained(self) -> bool:
        """Tell whether a trained method, or a checkpoint of one, can be used."""
        return self.method_path.exists() or bool(self.checkpoints())

    def trained_state(self) -> State:
        """Return the trained method's state, or that of a checkpoint after it.

        Raises UnreadableRun when nothing was trained yet.
        """
        checkpoint = self.latest_checkpoint()
        if self.method_path.exists() and not self._has_passed(checkpoint):
            return read_state(self.method_path)
        if checkpoint is None:
            raise UnreadableRun(f"'{self.path}' holds nothing trained yet: resume its training.")
        return read_state(checkpoint)

    def latest_checkpoint(self) -> Path | None:
        """Return the newest checkpoint that can be read; a damaged one is passed over."""
        for path in reversed(self.checkpoints()):
            try:
                read_state(path)
            except UnreadableRun:
                continue
            return path
        return None

    def _has_passed(self, checkpoint: Path | None) -> bool:
        """Tell whether training went on after the trained method was written."""
        return checkpoint is not None and int(checkpoint.name) > int(
            read_about(self.method_path)["step"]
        )

    def data(self) -> dict[str, Any] | None:
        """Return the images that are trained on: paths, channels, key; None before the start."""
        path = self.path / "data.json"
        return read_json(path) if path.exists() else None

    def write_data(self, data: dict[str, Any]) -> None:
        """Note the images that are trained on, so that a resumed training takes the same."""
        write_json(self.path / "data.json", data)

    def checkpoints(self) -> list[Path]:
        """Return the checkpoint folders, oldest first."""
        folder = self.path / "checkpoints"
        names = folder.iterdir() if folder.exists() else iter(())
        return sorted(path for path in names if path.name.isdigit())

    def new_export(self) -> Result:
        """Return an unused place for a job that exports the encoder."""
        names = (f"{time.strftime('%Y%m%d-%H%M%S')}-{number}" for number in range(1, 10_000))
        places = (self.path / "exports" / name for name in names)
        return Result(next(place for place in places if not place.exists()))

    def result(self, folder_key: str) -> Result:
        """Return the place of the results for an image folder."""
        return Result(self.path / "results" / folder_key)

    def results(self) -> Iterator[Result]:
        """Yield the results that are complete."""
        folder = self.path / "results"
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if Result(path).is_complete:
                yield Result(path)
