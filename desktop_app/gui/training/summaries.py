"""Runs in one line each, read from the ends of their event files and kept until these change."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.runs import JobState, Run
from desktop_app.gui.training.groups import main_metric
from desktop_app.sdk.errors import LoupeError

_TAIL = 256 * 1024  # bytes at the end of the events that are looked at

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run."""

    path: Path
    title: str
    method: str
    folder: str
    created: float
    state: JobState
    progress: float = 0.0
    metric: str = ""
    value: float | None = None
    extends: bool = False
    """Whether the run counts epochs, so that there can be more of them."""
    problem: str = ""
    """Why the run cannot be read; empty when it can."""
    stamp: Stamp = (0, 0, 0)
    """Changes with the files that this was read from."""


def summaries(runs: Sequence[Run], known: Mapping[Path, RunSummary]) -> list[RunSummary]:
    """Return a summary of every run; those in `known` whose files are the same are reused."""
    return [_summary(run, known.get(run.path)) for run in runs]


def _summary(run: Run, known: RunSummary | None) -> RunSummary:
    stamp = _stamp(run)
    if known is not None and known.stamp == stamp and not known.state.is_active:
        return known
    try:
        spec = run.spec()
    except LoupeError as problem:
        name = run.path.name
        return RunSummary(
            run.path, name, "", "", stamp[1] / 1e9, JobState.FAILED, problem=str(problem)
        )
    told = _last_events(run.events_path)
    state = JobState(told["state"]["state"]) if "state" in told else JobState.QUEUED
    if "state" not in told and "metrics" in told:
        state = JobState.RUNNING
    if state.is_active and run.owner() is None:
        state = JobState.LOST
    metrics = told.get("metrics", {"values": {}, "progress": 0.0})
    name = main_metric(list(metrics["values"]))
    column = [value for value in metrics["values"].get(name, ()) if value is not None]
    return RunSummary(
        path=run.path,
        title=spec.title or run.path.name,
        method=spec.method,
        folder=spec.folder,
        created=spec.created,
        state=state,
        progress=1.0 if state is JobState.FINISHED else float(metrics["progress"]),
        metric=name,
        value=float(column[-1]) if column else None,
        extends=isinstance(spec.params.get("epochs"), int),
        stamp=stamp,
    )


def _last_events(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last event of each type that stands near the end of a file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            tail = file.read(_TAIL)
    except OSError:
        return {}
    lines = tail.splitlines()
    if size > _TAIL:
        lines = lines[1:]
    last: dict[str, dict[str, Any]] = {}
    for line in reversed(lines):
        if {"state", "metrics"} <= last.keys():
            break
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a line that is being written, or was torn
        if isinstance(event, dict) and "type" in event:
            last.setdefault(str(event["type"]), event)
    return last


def _stamp(run: Run) -> Stamp:
    """Return numbers that change when the run tells something or is renamed."""
    numbers = [0, 0, 0]
    for place, path in ((0, run.events_path), (1, run.path / "spec.json")):
        try:
            status = path.stat()
        except OSError:
            continue
        numbers[place] = status.st_mtime_ns
        numbers[2] += status.st_size
    return numbers[0], numbers[1], numbers[2]
