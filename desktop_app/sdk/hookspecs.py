"""The hooks that a plugin may implement; each is one verb and one sentence."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

from desktop_app.sdk.method import Method

PROJECT = "loupe"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class DatasetSource:
    """A data set that a plugin can write to disk, such as a sample to try things on."""

    id: str
    title: str
    summary: str
    write: Callable[[Path], Path]
    """Write the images below the given empty folder and return the folder to open."""


@hookspec
def register_methods() -> Iterable[type[Method[Any]]]:  # type: ignore[empty-body]
    """Return the method classes that this plugin offers."""


@hookspec
def register_datasets() -> Iterable[DatasetSource]:  # type: ignore[empty-body]
    """Return the data sets that this plugin can write to disk."""


@hookspec
def job_event(run_dir: Path, event: dict[str, Any]) -> None:
    """Take notice of an event of a running job, in the worker process that runs it."""
