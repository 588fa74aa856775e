"""One run's events for the window: read and parsed behind, pulled twenty times a second.

No signal per event: a thread gathers what the worker wrote, a timer of the window takes it over.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from desktop_app.core.eventlog import EventReader, Line
from desktop_app.core.runs import JobFolder, JobState
from desktop_app.gui.i18n import tr

_PULL_MILLISECONDS = 50
_READ_SECONDS = 0.05
_RATE_SECONDS = 10.0
"""Images per second and remaining time are taken over this many seconds."""

Floats = NDArray[np.float64]


class Column:
    """A growing array of numbers; its view costs nothing."""

    def __init__(self, length: int = 0) -> None:
        self._numbers: Floats = np.full(max(1024, 2 * length), np.nan)
        self._length = length

    def extend(self, numbers: Floats) -> None:
        """Append numbers."""
        end = self._length + len(numbers)
        if end > len(self._numbers):
            grown = np.full(2 * end, np.nan)
            grown[: self._length] = self._numbers[: self._length]
            self._numbers = grown
        self._numbers[self._length : end] = numbers
        self._length = end

    def view(self) -> Floats:
        """Return the numbers (n,), not copied."""
        return self._numbers[: self._length]


class Curves:
    """All metrics of a run, column by column, every step kept."""

    def __init__(self) -> None:
        self._axes = {name: Column() for name in ("step", "epoch", "elapsed")}
        self._values: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self._axes["step"].view())

    @property
    def names(self) -> list[str]:
        """The metrics, in the order in which they came."""
        return list(self._values)

    def x(self, axis: str) -> Floats:
        """Return step, epoch or elapsed seconds (n,)."""
        return self._axes[axis].view()

    def values(self, name: str) -> Floats:
        """Return a metric (n,), NaN where a step did not tell it."""
        return self._values[name].view()

    def extend(self, line: dict[str, Any]) -> None:
        """Append the steps of one metrics event whose lists are arrays."""
        known = len(self)
        count = len(line["step"])
        for name, column in self._axes.items():
            column.extend(line[name])
        for name in line["values"]:
            if name not in self._values:
                self._values[name] = Column(known)
        for name, column in self._values.items():
            column.extend(line["values"].get(name, np.full(count, np.nan)))


@dataclass(frozen=True)
class Reference:
    """A horizontal line on a curve: what a value means."""

    curve: str
    value: float
    meaning: str
    """Short, in the words of the method; the host's own are keys: healthy, pixels, pca ..."""


@dataclass(frozen=True)
class Alarm:
    """A curve that has stayed where nothing is learned."""

    curve: str
    value: float
    meaning: str
    stays: str
    """near, below, above; or collapse, of latents."""
    epochs: float
    text: str
    """The sentence of the log."""


@dataclass
class _Story:
    """What has happened, apart from the curves."""

    state: JobState = JobState.QUEUED
    detail: str = ""
    progress: float = 0.0
    phase: str = ""
    device: str = ""
    memory: tuple[int, int] | None = None
    out_of_memory: dict[str, Any] | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)
    previews: dict[str, list[tuple[int, Path, str, int]]] = field(default_factory=dict)
    latents: list[tuple[int, Path]] = field(default_factory=list)
    marks: list[tuple[int, str, str]] = field(default_factory=list)
    references: dict[tuple[str, str], Reference] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    views: dict[str, Path] = field(default_factory=dict)
    probe: dict[str, dict[str, float]] = field(default_factory=dict)
    images: int = 0
    waited: float = 0.0
    elapsed: float = 0.0


class RunFeed(QObject):
    """Follows the events of one run."""

    updated = Signal()
    """Something is new; at most twenty times a second."""
    restarted = Signal()
    """The run was resumed from a checkpoint: what came after it is gone, and comes again."""

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.curves = Curves()
        self._story = _Story()
        self._recent: list[tuple[float, float, int]] = []
        self._fresh: list[tuple[bool, list[Line]]] = []
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"feed {path.name}", daemon=True)
        self._reader.start()
        self._timer = QTimer(self)
        self._timer.setInterval(_PULL_MILLISECONDS)
        self._timer.timeout.connect(self._pull)
        self._timer.start()

    def close(self) -> None:
        """Follow no longer."""
        if isValid(self._timer):  # Qt may have taken it away with a parent
            self._timer.stop()
        self._ended.set()
        self._reader.join(timeout=2)

    @property
    def state(self) -> JobState:
        """The last state that the worker told."""
        return self._story.state

    @property
    def detail(self) -> str:
        """Why the run is in that state."""
        return self._story.detail

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        return self._story.progress

    @property
    def phase(self) -> str:
        """What is being prepared, such as "Decoding images 120 of 400"; empty while training."""
        return self._story.phase

    @property
    def elapsed(self) -> float:
        """Seconds of work, pauses not counted."""
        return self._story.elapsed

    @property
    def remaining(self) -> float | None:
        """Seconds until the end at the recent pace; None when that is not known."""
        if len(self._recent) < 2 or not self.state.is_active:
            return None
        (then, before, _), (now, after, _) = self._recent[0], self._recent[-1]
        if after <= before or now <= then:
            return None
        return (1 - after) * (now - then) / (after - before)

    @property
    def images_per_second(self) -> float:
        """Recent pace; 0 when not known."""
        if len(self._recent) < 2:
            return 0.0
        seconds = self._recent[-1][0] - self._recent[0][0]
        images = self._recent[-1][2] - self._recent[0][2]
        return images / seconds if seconds > 0 else 0.0

    @property
    def waited_share(self) -> float:
        """Share of the time spent waiting for images."""
        return min(1.0, self._story.waited / self.elapsed) if self.elapsed > 0 else 0.0

    @property
    def notes(self) -> list[dict[str, Any]]:
        """Log entries: time, level, text, perhaps traceback."""
        return self._story.notes

    @property
    def previews(self) -> dict[str, list[tuple[int, Path, str, int]]]:
        """Pictures by name: step, file with 'images', caption, columns."""
        return self._story.previews

    @property
    def latents(self) -> list[tuple[int, Path]]:
        """Positions of images while training: step, file with 'latents' and 'ids'."""
        return self._story.latents

    @property
    def marks(self) -> list[tuple[int, str, str]]:
        """Ticks of the curves: step, kind, text."""
        return self._story.marks

    @property
    def references(self) -> list[Reference]:
        """Horizontal lines of the curves: trivial values, healthy values, baselines."""
        return list(self._story.references.values())

    @property
    def alarms(self) -> list[Alarm]:
        """Curves that have stayed where nothing is learned."""
        return self._story.alarms

    @property
    def views(self) -> Mapping[str, Path]:
        """The newest picture that the method drew on the way, by title: a folder of views."""
        return self._story.views

    @property
    def probe(self) -> Mapping[str, Mapping[str, float]]:
        """Accuracies knn and linear: of the latents, and of the baselines that are known."""
        return self._story.probe

    @property
    def device(self) -> str:
        """What the device is called."""
        return self._story.device

    @property
    def memory(self) -> tuple[int, int] | None:
        """Bytes used and in total on the device."""
        return self._story.memory

    @property
    def out_of_memory(self) -> dict[str, Any] | None:
        """What was asked for when the memory did not suffice, and the batch size that may fit."""
        return self._story.out_of_memory

    def _read(self) -> None:
        reader = EventReader(JobFolder(self.path).events_path)
        while not self._ended.is_set():
            cut, lines = reader.poll()
            if cut or lines:
                for line in lines:
                    _to_arrays(line)
                with self._guard:
                    self._fresh.append((cut, lines))
            self._ended.wait(_READ_SECONDS)

    def _pull(self) -> None:
        with self._guard:
            fresh, self._fresh = self._fresh, []
        if not fresh:
            return
        for cut, lines in fresh:
            if cut:
                self._restart()
            for line in lines:
                self._take(line)
        self.updated.emit()

    def _restart(self) -> None:
        self.curves = Curves()
        self._story = _Story()
        self._recent = []
        self.restarted.emit()

    def _take(self, line: Line) -> None:
        take = _TAKEN.get(line["type"])
        if take is not None:
            take(self, line)

    def _take_metrics(self, line: Line) -> None:
        self.curves.extend(line)
        story = self._story
        story.phase = ""
        story.progress = line["progress"]
        story.images += line["images"]
        story.waited += line["waited"]
        story.elapsed = float(line["elapsed"][-1])
        self._recent.append((story.elapsed, story.progress, story.images))
        while self._recent[-1][0] - self._recent[0][0] > _RATE_SECONDS and len(self._recent) > 2:
            self._recent.pop(0)

    def _take_state(self, line: Line) -> None:
        story = self._story
        story.state, story.detail = JobState(line["state"]), line.get("detail", "")
        story.elapsed = max(story.elapsed, line.get("elapsed", 0.0))
        if story.state in (JobState.PAUSED, JobState.RUNNING) and len(self.curves):
            story.marks.append((self._step(), str(story.state), ""))
        if story.state is JobState.FINISHED:
            story.phase, story.progress = "", 1.0

    def _take_progress(self, line: Line) -> None:
        said = str(line["what"])
        known = {
            "Listing images": tr("Listing images"),
            "Looking into images": tr("Looking into images"),
            "Decoding images": tr("Decoding images"),
            "Looking at images": tr("Looking at images"),
        }
        what = known.get(said, said)
        counts = tr("{done} of {total}", done=line["done"], total=line["total"])
        self._story.phase = f"{what} {counts}" if line["total"] > 1 else what

    def _take_note(self, line: Line) -> None:
        self._story.notes.append(line)

    def _take_preview(self, line: Line) -> None:
        entry = (line["step"], self.path / line["file"], line["caption"], line["columns"])
        self._story.previews.setdefault(line["name"], []).append(entry)

    def _take_latents(self, line: Line) -> None:
        self._story.latents.append((line["step"], self.path / line["file"]))

    def _take_trivial_value(self, line: Line) -> None:
        self._refer(str(line["curve"]), float(line["value"]), str(line["meaning"]))

    def _take_alarm(self, line: Line) -> None:
        alarm = Alarm(**{item.name: line[item.name] for item in fields(Alarm)})
        self._story.alarms.append(alarm)
        self._story.marks.append((line["step"], "alarm", alarm.text))

    def _take_health(self, line: Line) -> None:
        self._extend_measured("health", line)
        for name, value in line["healthy"].items():
            words = "healthy" if name == "spread" else "dimensions"
            self._refer(f"health/{name}", float(value), words)

    def _take_probe(self, line: Line) -> None:
        self._extend_measured("probe", line)
        story = self._story
        story.probe = {**story.probe, "latents": line["values"], **line["baselines"]}
        for what, accuracies in line["baselines"].items():
            for name, value in accuracies.items():
                self._refer(f"probe/{name}", float(value), str(what))

    def _take_view(self, line: Line) -> None:
        if "file" in line:
            self._story.views[str(line["title"])] = self.path / line["file"]

    def _refer(self, curve: str, value: float, meaning: str) -> None:
        self._story.references[curve, meaning] = Reference(curve, value, meaning)

    def _extend_measured(self, group: str, line: Line) -> None:
        """Append what the host measured at a step as one more row of the curves."""
        row = {axis: np.array([float(line[axis])]) for axis in ("step", "epoch", "elapsed")}
        values = {
            f"{group}/{name}": np.array([float(value)]) for name, value in line["values"].items()
        }
        self.curves.extend({**row, "values": values})

    def _take_checkpoint(self, line: Line) -> None:
        self._story.marks.append((line["step"], "checkpoint", ""))

    def _take_device(self, line: Line) -> None:
        self._story.device = line["name"]
        self._story.memory = (line["used"], line["total"])

    def _take_memory(self, line: Line) -> None:
        self._story.memory = (line["used"], line["total"])

    def _take_out_of_memory(self, line: Line) -> None:
        self._story.out_of_memory = line
        self._story.marks.append((self._step(), "out of memory", line["text"]))

    def _step(self) -> int:
        return int(self.curves.x("step")[-1]) if len(self.curves) else 0


_TAKEN = {
    "metrics": RunFeed._take_metrics,
    "state": RunFeed._take_state,
    "progress": RunFeed._take_progress,
    "note": RunFeed._take_note,
    "preview": RunFeed._take_preview,
    "latents": RunFeed._take_latents,
    "trivial_value": RunFeed._take_trivial_value,
    "alarm": RunFeed._take_alarm,
    "health": RunFeed._take_health,
    "probe": RunFeed._take_probe,
    "view": RunFeed._take_view,
    "checkpoint": RunFeed._take_checkpoint,
    "device": RunFeed._take_device,
    "memory": RunFeed._take_memory,
    "out_of_memory": RunFeed._take_out_of_memory,
}


def _to_arrays(line: Line) -> None:
    """Turn the lists of a metrics event into arrays, on the reading thread."""
    if line["type"] != "metrics":
        return
    for name in ("step", "epoch", "elapsed"):
        line[name] = np.array(line[name], dtype=np.float64)
    line["values"] = {
        name: np.array(values, dtype=np.float64) for name, values in line["values"].items()
    }
