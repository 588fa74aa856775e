"""Training a run: from its spec to a trained method, with checkpoints, pauses and stops."""

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import KEPT_CHECKPOINTS, JobState, Run
from desktop_app.core.states import read_about, read_state, write_state
from desktop_app.core.table import ImageTable
from desktop_app.core.viewfiles import write_views
from desktop_app.sdk.data import Dataset, LabelledDataset
from desktop_app.sdk.events import (
    Event,
    Latents,
    Metrics,
    Note,
    Picture,
    Preview,
    TrivialValue,
)
from desktop_app.sdk.method import Method
from desktop_app.worker import alarms
from desktop_app.worker.applying import apply_method, apply_spec
from desktop_app.worker.commands import Commands, Stopped
from desktop_app.worker.devices import chosen_device, device_name, memory, use_threads
from desktop_app.worker.failures import told_failures
from desktop_app.worker.folds import score_out_of_fold
from desktop_app.worker.loading import keep_attached, new_method
from desktop_app.worker.measuring import Probe
from desktop_app.worker.narrator import Narrator, Observer, silent
from desktop_app.worker.ownership import continued, owned
from desktop_app.worker.pictures import Pictures
from desktop_app.worker.preparation import training_images
from desktop_app.worker.snapshots import Snapshots


def train(run: Run, commands: Commands | None = None, observe: Observer = silent) -> JobState:
    """Train a run, or continue it where its last checkpoint stands; return how it ended.

    Whatever goes wrong is told as an event and ends as a state, never as an exception.
    """
    commands = commands or Commands()
    with owned(run, commands), continued(run, observe) as (narrator, checkpoint):
        narrator.start_clock()
        with told_failures(narrator, batch_size=run.spec().params.get("batch_size")) as outcome:
            outcome.state = _Training(run, commands, narrator, checkpoint).state()
        if outcome.state is JobState.FINISHED:
            narrator.stop_clock()
        narrator.state(outcome.state, outcome.detail)
        return outcome.state


class _Training:
    """One stretch of training, between a start or resume and the next stop."""

    def __init__(
        self, run: Run, commands: Commands, narrator: Narrator, checkpoint: Path | None
    ) -> None:
        self._run = run
        self._spec = run.spec()
        self._commands = commands
        self._narrator = narrator
        self._checkpoint = checkpoint
        self._step = int(read_about(checkpoint)["step"]) if checkpoint is not None else 0
        self._epoch = 0.0
        told = run.events() if checkpoint is not None else []
        self._alarms = alarms.Alarms({line["curve"] for line in told if line["type"] == "alarm"})
        self._pictures = Pictures(run, narrator)
        self._saved = time.monotonic()
        self._saved_step = self._step

    def state(self) -> JobState:
        """Prepare, train, and use the trained method; return finished or stopped."""
        narrator, spec = self._narrator, self._spec
        narrator.state(JobState.STARTING)
        device = chosen_device(spec.device)
        use_threads(spec.threads)
        keep_attached(self._run)
        method = new_method(spec, device, self._run.attached_path, self._run.region())
        narrator.tell("device", device=device, name=device_name(device), **memory(device))
        try:
            table, data = training_images(self._run, narrator, self._commands)
        except Stopped:
            return JobState.STOPPED
        if self._checkpoint is not None:
            method.restore(read_state(self._checkpoint))
        if method.uses_labels:
            data = LabelledDataset(data, table.labels)
        narrator.state(JobState.RUNNING)
        if not self._finishes(method, data, self._snapshots(table, data)):
            return JobState.STOPPED
        write_state(self._run.method_path, method.state(), step=self._step)
        write_views(self._run.path / "views", method.views())
        return self._applied(method) if spec.apply_after else JobState.FINISHED

    def _applied(self, method: Method[Any]) -> JobState:
        """Look at the whole folder with the trained method."""
        spec, folder = self._spec, ImageFolder(Path(self._spec.folder))
        result = self._run.result(folder.key)
        result.write_spec(apply_spec(self._run, spec.folder, spec.device, spec.threads))
        try:
            apply_method(method, self._run, folder, result, self._narrator, commands=self._commands)
            if spec.folds:
                score_out_of_fold(self._run, result, self._narrator, self._commands)
        except Stopped:
            return JobState.STOPPED
        return JobState.FINISHED

    def _snapshots(self, table: ImageTable, data: Dataset) -> Snapshots:
        """Return what takes pictures and measures latents; labels are for it alone."""
        run, spec = self._run, self._spec
        key = str((run.data() or {}).get("folder_key", ""))
        probe = Probe(spec, run.attached_path, key, table, data)
        return Snapshots(run, data, table.ids, spec.preview_seconds, probe)

    def _finishes(self, method: Method[Any], data: Dataset, snapshots: Snapshots) -> bool:
        """Drive the training to its end; False when it was stopped before."""
        events = method.fit(data)
        for event in events:
            self._tell(event, snapshots)
            if not isinstance(event, Metrics):
                continue
            self._step, self._epoch = event.step, event.epoch
            alarms.tell(self._alarms.watch(event), self._step, self._narrator)
            if snapshots.is_due(self._narrator.elapsed):
                self._take(method, snapshots)
                self._narrator.tell("memory", **memory(method.device))
            if time.monotonic() - self._saved > self._spec.checkpoint_seconds:
                self._save(method, event)
            if self._obeyed(method, event, snapshots) == "stop":
                self._pictures.flush()
                return False
        alarms.tell(self._alarms.finish(), self._step, self._narrator)
        self._take(method, snapshots, last=True)
        self._pictures.flush()
        self._save(method, None)
        return True

    def _take(self, method: Method[Any], snapshots: Snapshots, *, last: bool = False) -> None:
        """Take pictures and measures of this moment, and warn when the latents have collapsed."""
        step, epoch = self._step, self._epoch
        health = snapshots.take(method, step, self._narrator, epoch=epoch, last=last)
        if health is not None:
            alarms.tell(self._alarms.watch_health(epoch, health), step, self._narrator)

    def _obeyed(self, method: Method[Any], event: Metrics, snapshots: Snapshots) -> str | None:
        """Follow the commands that came; return "stop" when the training must end here."""
        command = self._commands.next()
        while command is not None:
            if command == "checkpoint":
                self._save(method, event)
            elif command == "preview":
                self._take(method, snapshots)
            elif command == "stop":
                self._narrator.state(JobState.STOPPING)
                self._save(method, event)
                return "stop"
            elif command == "pause" and self._paused(method, event) == "stop":
                return "stop"
            command = self._commands.next()
        return None

    def _paused(self, method: Method[Any], event: Metrics) -> str:
        """Save, then wait for "resume" or "stop" and return it."""
        self._save(method, event)
        self._narrator.stop_clock()
        self._narrator.state(JobState.PAUSED)
        command = self._commands.next(timeout=60)
        while command not in ("resume", "stop"):
            command = self._commands.next(timeout=60)
        self._narrator.start_clock()
        self._narrator.state(JobState.RUNNING if command == "resume" else JobState.STOPPING)
        return command

    def _save(self, method: Method[Any], event: Metrics | None) -> None:
        if self._step == self._saved_step and self._checkpoint is not None:
            return
        path = self._run.path / "checkpoints" / f"{self._step:012d}"
        write_state(
            path,
            method.state(),
            step=self._step,
            epoch=event.epoch if event else None,
            progress=event.progress if event else 1.0,
            elapsed=self._narrator.elapsed,
            events=self._narrator.size(),
        )
        self._checkpoint, self._saved_step, self._saved = path, self._step, time.monotonic()
        for old in self._run.checkpoints()[:-KEPT_CHECKPOINTS]:
            _remove(old)
        self._narrator.tell("checkpoint", step=self._step)

    def _tell(self, event: Event, snapshots: Snapshots) -> None:
        match event:
            case Metrics():
                self._narrator.metrics(event)
            case Note():
                self._narrator.tell("note", text=event.text, level=event.level)
            case Preview():
                snapshots.write_preview(event, self._step, self._narrator)
            case Latents():
                snapshots.told_latents(event, self._step, self._narrator)
            case Picture():
                self._pictures.take(event.view, self._step)
            case TrivialValue():
                self._alarms.expect(event)
                self._narrator.tell("trivial_value", **asdict(event))


def _remove(path: Path) -> None:
    """Remove a checkpoint so that it is never half there under its own name."""
    hidden = path.with_name(f".{path.name}.old")
    path.replace(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
