"""Jobs as the window sees them: supervised in the background, queued, stopped step by step."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.core.jobs import (
    STOP_SECONDS,
    TERMINATE_SECONDS,
    Handle,
    Runner,
    running_handle,
    worker_threads,
)
from desktop_app.core.regions import Region
from desktop_app.core.runs import JobSpec, JobState, Result, Run
from desktop_app.core.workspace import Workspace
from desktop_app.gui.feed import RunFeed
from desktop_app.gui.i18n import tr
from desktop_app.sdk.errors import LoupeError, WorkerLost

_SUPERVISE_MILLISECONDS = 200
_LAST_WORDS_SECONDS = 2.0
_LISTENING_SECONDS = 30.0
"""A worker listens once Python has imported torch."""


class Job(QObject):
    """One piece of work on one run folder: training it, or looking at a folder with it."""

    state_changed = Signal()
    ended = Signal()
    _answered = Signal(str)

    def __init__(
        self,
        run: Run,
        title: str,
        runner: Runner,
        *,
        result: Result | None = None,
        exports_to: Path | None = None,
    ) -> None:
        super().__init__()
        self.exports_to = exports_to
        """The file that is written, of a job that exports."""
        self.run = run
        self.result = result
        self.title = title
        self.state = JobState.QUEUED
        self.detail = ""
        self.feed = RunFeed(self.folder.path, self)
        self._runner = runner
        self._handle: Handle | None = None
        self._found_dead: float | None = None
        self._wanted_stop: float | None = None
        self._terminated: float | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_SUPERVISE_MILLISECONDS)
        self._timer.timeout.connect(self._supervise)
        self._answered.connect(self._note)
        self.feed.updated.connect(self._follow)

    @property
    def folder(self) -> Run | Result:
        """The job folder: the run's, or that of its result."""
        return self.result if self.result is not None else self.run

    def start(self) -> None:
        """Start the worker."""
        self._handle = self._runner.start(self.folder)
        self._begin()

    def attach(self, handle: Handle) -> None:
        """Supervise a worker that runs already."""
        self._handle = handle
        self._begin()
        self._set(JobState.RUNNING)

    def pause(self) -> None:
        """Save and wait, at the next event."""
        if self.state is JobState.RUNNING:
            self._set(JobState.PAUSING, tr("Saving, then waiting"))
            self._tell("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        if self.state in (JobState.PAUSED, JobState.PAUSING):
            self._tell("resume")

    def checkpoint(self) -> None:
        """Save now and go on."""
        self._tell("checkpoint")

    def preview(self) -> None:
        """Draw the previews now."""
        self._tell("preview")

    def stop(self) -> None:
        """Save and end at the next event; terminate and then kill a worker that does not."""
        if self.state is JobState.QUEUED:
            self._end(JobState.STOPPED, tr("Taken from the queue"))
        elif self.state.is_active and self._wanted_stop is None:
            self._wanted_stop = time.monotonic()
            self._set(JobState.STOPPING)
            self._tell("stop")

    def kill(self) -> None:
        """End the worker and its children at once; what was saved is kept."""
        if self._handle is None or not self._handle.is_alive():
            return
        if not self._handle.kill():
            self._note(tr("A job on a thread of this window cannot be killed, only stopped."))
            return
        self._end(JobState.STOPPED, tr("Killed; the last checkpoint is kept"))

    def close(self) -> None:
        """Let go: the worker saves and goes on without this window."""
        self._timer.stop()
        self.feed.close()
        if self._handle is not None and self._handle.is_alive():
            handle = self._handle
            _aside(handle.close)

    def _begin(self) -> None:
        self._found_dead = self._wanted_stop = self._terminated = None
        self._set(JobState.STARTING)
        self._timer.start()

    def _follow(self) -> None:
        """Take over the state that the worker tells."""
        told = self.feed.state
        if self._wanted_stop is not None and told.is_active:
            return
        if self.state is JobState.PAUSING and told is JobState.RUNNING:
            return
        if not self.state.is_active and self.state is not JobState.QUEUED:
            return
        if told.is_active:
            self._set(told, self.feed.detail)

    def _supervise(self) -> None:
        """Notice the worker's end, and press on with a stop that takes too long."""
        if self._handle is None:
            return
        if not self._handle.is_alive():
            self._take_end()
        elif self._wanted_stop is not None:
            self._press_on(time.monotonic() - self._wanted_stop)

    def _press_on(self, waited: float) -> None:
        handle = self._handle
        if handle is None:
            return
        if self._terminated is None and waited < STOP_SECONDS:
            left = round(STOP_SECONDS - waited)
            self._set(
                JobState.STOPPING,
                tr("waiting for the next step, terminating in {n} s", n=left),
            )
        elif self._terminated is None:
            self._terminated = time.monotonic()
            if handle.terminate():
                self._set(JobState.STOPPING, tr("terminating"))
            else:
                self._set(JobState.STOPPING, tr("waiting for the next step"))
        elif time.monotonic() - self._terminated > TERMINATE_SECONDS:
            handle.kill()
            self._set(JobState.STOPPING, tr("killing"))

    def _take_end(self) -> None:
        """Find out how the worker ended once its last events are read."""
        told, code = self.feed.state, self._handle.exit_code() if self._handle else None
        if told.is_active or told is JobState.QUEUED:
            self._found_dead = self._found_dead or time.monotonic()
            if time.monotonic() - self._found_dead < _LAST_WORDS_SECONDS:
                return  # its last events may not be read yet
            if self._wanted_stop is not None:
                self._end(JobState.STOPPED, tr("The last checkpoint is kept"))
            elif code is None:
                self._end(JobState.LOST, tr("The worker is gone; the last checkpoint is kept"))
            else:
                self._end(JobState.CRASHED, _crash_sentence(code))
            return
        self._end(told, self.feed.detail)

    def _end(self, state: JobState, detail: str) -> None:
        self._timer.stop()
        if self._handle is not None:
            self._handle.close()
        self._set(state, detail)
        self.ended.emit()

    def _tell(self, command: str) -> None:
        """Say something to the worker without waiting for it."""
        handle = self._handle
        if handle is None:
            return

        def say() -> None:
            problem = _said(handle, command)
            if problem:
                self._answered.emit(problem)

        _aside(say)

    def _note(self, sentence: str) -> None:
        self.detail = sentence
        self.state_changed.emit()

    def _set(self, state: JobState, detail: str = "") -> None:
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail = state, detail
            self.state_changed.emit()


class JobQueue(QObject):
    """All jobs of this window; one training at a time on each device."""

    jobs_changed = Signal()
    job_started = Signal(object)
    """A job was made or queued here."""
    job_ended = Signal(object)

    def __init__(self, workspace: Workspace, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs: list[Job] = []
        self._workspace = workspace
        self._runner = runner

    def start(self, spec: JobSpec, title: str, region: Region | None = None) -> Job:
        """Make a run for a spec and queue its training, and looking at the whole folder after.

        The run keeps a copy of the region of interest.
        """
        threads = spec.threads or worker_threads()
        spec = spec.model_copy(update={"threads": threads, "apply_after": True})
        run = Run.create(self._workspace.new_run_dir(spec.method), spec, region)
        return self._queued(Job(run, title, self._runner))

    def resume(self, run: Run) -> Job:
        """Queue the rest of a training. Raises LoupeError when somebody works on it."""
        self._require_idle(run)
        return self._queued(Job(run, run.spec().title or run.path.name, self._runner))

    def apply(self, run: Run, folder: str, folder_key: str) -> Job:
        """Queue looking at a folder with a trained run."""
        result = run.result(folder_key)
        spec = run.spec()
        update = {"action": "apply", "folder": folder, "threads": worker_threads()}
        result.write_spec(spec.model_copy(update=update))
        title = tr("{method}: score images", method=spec.title or spec.method)
        return self._queued(Job(run, title, self._runner, result=result))

    def export_encoder(self, run: Run, target: Path, folder: str) -> Job:
        """Queue writing a run's encoder to a file, checked on the images of a folder."""
        place = run.new_export()
        spec = run.spec()
        update = {
            "action": "export",
            "out": str(target),
            "folder": folder or spec.folder,
            "threads": worker_threads(),
        }
        place.write_spec(spec.model_copy(update=update))
        title = tr("{method}: export encoder", method=spec.title or spec.method)
        return self._queued(Job(run, title, self._runner, result=place, exports_to=target))

    def attach(self) -> None:
        """Supervise the workers that earlier windows left running."""
        for path in self._workspace.runs():
            run = Run(path)
            handle = running_handle(run)
            if handle is not None and self.job_of(run) is None:
                job = Job(run, run.spec().title or path.name, self._runner)
                self._watch(job)
                job.attach(handle)
        self.jobs_changed.emit()

    def job_of(self, run: Run) -> Job | None:
        """Return the job that trains a run, or trained it last in this window."""
        jobs = [job for job in self.jobs if job.result is None and job.run.path == run.path]
        return jobs[-1] if jobs else None

    def active(self) -> list[Job]:
        """Return the jobs that are being worked on."""
        return [job for job in self.jobs if job.state.is_active]

    def close(self) -> None:
        """Let go of all jobs; their workers go on."""
        for job in self.jobs:
            job.close()

    def _queued(self, job: Job) -> Job:
        self._watch(job)
        self._start_next()
        self.jobs_changed.emit()
        self.job_started.emit(job)
        return job

    def _watch(self, job: Job) -> None:
        job.setParent(self)
        self.jobs.append(job)
        job.ended.connect(lambda: self._take_end(job))
        job.state_changed.connect(self.jobs_changed)

    def _take_end(self, job: Job) -> None:
        self.job_ended.emit(job)
        self._start_next()
        self.jobs_changed.emit()

    def _start_next(self) -> None:
        busy = {_device(job) for job in self.active()}
        for job in self.jobs:
            if job.state is JobState.QUEUED and _device(job) not in busy:
                busy.add(_device(job))
                job.start()

    def _require_idle(self, run: Run) -> None:
        job = self.job_of(run)
        waits = job is not None and (job.state.is_active or job.state is JobState.QUEUED)
        if waits or run.owner() is not None:
            raise LoupeError(
                tr("This run is being worked on already: wait for it, or stop it first.")
            )


def _device(job: Job) -> str:
    wish = job.run.spec().device
    return "cuda" if wish == "auto" else wish


def _crash_sentence(code: int) -> str:
    if code == -9:
        return tr(
            "The system ended the worker, perhaps for want of memory; "
            "the last checkpoint is kept: resume, or start again with smaller images."
        )
    if code < 0:
        return tr(
            "The worker crashed (signal {n}); the last checkpoint is kept: resume it.", n=-code
        )
    return tr(
        "The worker ended with code {n}; its log tells why. The last checkpoint is kept.", n=code
    )


def _said(handle: Handle, command: str) -> str:
    """Say something, waiting until a worker that has just started listens; return a problem."""
    deadline = time.monotonic() + _LISTENING_SECONDS
    while True:
        try:
            handle.tell(command)
            return ""
        except WorkerLost as problem:
            if not handle.is_alive() or time.monotonic() > deadline:
                return str(problem)
        time.sleep(0.1)


def _aside(act: Callable[[], Any]) -> None:
    threading.Thread(target=act, daemon=True).start()
