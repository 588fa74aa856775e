"""Small trainings: what is asked for, and what they told."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desktop_app.core.runs import JobSpec, Run
from desktop_app.worker.commands import Command, Commands

EPOCHS = 10
STEPS = 30
"""Steps of 24 images in batches of 8 for ten epochs."""


def dense_spec(folder: Path, **changes: Any) -> JobSpec:
    """Return the spec of a tiny dense autoencoder: 30 steps on 24 images, under a second."""
    params: dict[str, Any] = {
        "architecture": "dense",
        "code_size": 4,
        "nodes": 16,
        "epochs": EPOCHS,
        "least_steps": 0,
        "batch_size": 8,
    }
    params |= changes.pop("params", {})
    values: dict[str, Any] = {"method": "autoencoder", "image_size": 16, "seed": 3}
    return JobSpec(folder=str(folder), device="cpu", threads=1, params=params, **(values | changes))


def losses(run: Run) -> list[tuple[int, float]]:
    """Return step and loss of every step that the events tell, in their order."""
    return [
        pair
        for event in run.events()
        if event["type"] == "metrics"
        for pair in zip(event["step"], event["values"]["loss"], strict=True)
    ]


def metrics(run: Run) -> list[tuple[int, str, float | None]]:
    """Return step, name and value of every metric that the events tell, in their order."""
    return [
        (step, name, column[row])
        for event in run.events()
        if event["type"] == "metrics"
        for row, step in enumerate(event["step"])
        for name, column in event["values"].items()
    ]


def states(run: Run) -> list[str]:
    """Return the states that the events tell."""
    return [event["state"] for event in run.events() if event["type"] == "state"]


def kinds(run: Run) -> list[str]:
    """Return the kinds of all events."""
    return [event["type"] for event in run.events()]


class At:
    """Observes a job and tells it something once, at its first metrics of a step or later."""

    def __init__(self, step: int, *told: Command, do: Callable[[], object] | None = None) -> None:
        self.commands = Commands()
        self._step = step
        self._told = told
        self._do = do

    def __call__(self, line: dict[str, Any]) -> None:
        if line["type"] == "metrics" and line["step"][-1] >= self._step and self._step:
            self._step = 0
            if self._do is not None:
                self._do()
            for command in self._told:
                self.commands.put(command)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return what a condition gives once that is true; fail when it takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"What was waited for did not come within {seconds} s.")
