"""The states of a run in words, and what can be done in each."""

from dataclasses import dataclass

from desktop_app.core.runs import JobState, Run
from desktop_app.gui.feed import RunFeed
from desktop_app.gui.i18n import tr
from desktop_app.gui.jobs import Job
from desktop_app.gui.widgets.badge import Tone


@dataclass(frozen=True)
class Choices:
    """What the buttons of a run offer."""

    main: str = ""
    """start, pause, resume, continue or extend; empty where only waiting helps."""
    stops: bool = False
    kills: bool = False


_CHOICES = {
    JobState.QUEUED: Choices(stops=True),
    JobState.STARTING: Choices(stops=True, kills=True),
    JobState.RUNNING: Choices("pause", stops=True, kills=True),
    JobState.PAUSING: Choices(stops=True, kills=True),
    JobState.PAUSED: Choices("resume", stops=True, kills=True),
    JobState.STOPPING: Choices(kills=True),
    JobState.FINISHED: Choices("extend"),
}
_ENDED = Choices("continue")


def choices(state: JobState, *, has_job: bool) -> Choices:
    """Return what can be done with a run in a state; without a job nobody listens to it."""
    if has_job:
        return _CHOICES.get(state, _ENDED)
    if state is JobState.QUEUED:
        return Choices("start")
    return _CHOICES[state] if state is JobState.FINISHED else _ENDED


def state_words(state: JobState) -> tuple[str, Tone]:
    """Return the word on a badge and its tone."""
    words: dict[JobState, tuple[str, Tone]] = {
        JobState.QUEUED: (tr("queued"), ""),
        JobState.STARTING: (tr("starting"), "accent"),
        JobState.RUNNING: (tr("running"), "accent"),
        JobState.PAUSING: (tr("pausing"), "warning"),
        JobState.PAUSED: (tr("paused"), "warning"),
        JobState.STOPPING: (tr("stopping"), "warning"),
        JobState.FINISHED: (tr("finished"), "good"),
        JobState.STOPPED: (tr("stopped"), ""),
        JobState.FAILED: (tr("failed"), "bad"),
        JobState.OUT_OF_MEMORY: (tr("out of memory"), "bad"),
        JobState.CRASHED: (tr("crashed"), "bad"),
        JobState.LOST: (tr("interrupted"), "warning"),
    }
    return words[state]


def present_state(run: Run, job: Job | None, feed: RunFeed | None) -> JobState:
    """Return where a run is: as its job says, else as its events tell."""
    if job is not None:
        return job.state
    state = feed.state if feed is not None else run.state()
    if state.is_active and run.owner() is None:
        return JobState.LOST
    return state
