"""The entry of a worker process: do what the spec of a job folder asks for."""

from pathlib import Path

from desktop_app.core.runs import JobFolder, JobState, Result, Run
from desktop_app.worker.applying import applies_to, apply
from desktop_app.worker.commands import Commands
from desktop_app.worker.exporting import export
from desktop_app.worker.narrator import Observer, silent
from desktop_app.worker.training import train


def work(path: Path, commands: Commands | None = None, observe: Observer = silent) -> JobState:
    """Run the job of a folder to its end and return how it ended."""
    job = JobFolder(path)
    match job.spec().action:
        case "apply":
            result = Result(path)
            return apply(result, applies_to(result), commands, observe)
        case "export":
            return export(job, applies_to(job), commands, observe)
        case "train":
            return train(Run.open(path), commands, observe)
