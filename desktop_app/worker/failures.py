"""What went wrong in a job, as a state and a sentence; the traceback goes to the log."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from desktop_app.core.runs import JobState
from desktop_app.sdk.errors import LoupeError
from desktop_app.worker.devices import is_out_of_memory
from desktop_app.worker.narrator import Narrator


@dataclass
class Outcome:
    """How a job ended."""

    state: JobState = JobState.FAILED
    detail: str = ""


@contextmanager
def told_failures(narrator: Narrator, batch_size: int | None = None) -> Iterator[Outcome]:
    """Give an outcome to fill in; when the block fails, fill it in and tell what happened."""
    outcome = Outcome()
    try:
        yield outcome
    except LoupeError as problem:
        outcome.detail = str(problem)
    except KeyboardInterrupt:
        outcome.state, outcome.detail = JobState.STOPPED, "Interrupted."
    except Exception as problem:  # a method of anybody: its failure ends the job, not the process
        if is_out_of_memory(problem):
            outcome.state, outcome.detail = JobState.OUT_OF_MEMORY, _memory_sentence(batch_size)
            fits = max(1, batch_size // 2) if batch_size else None
            narrator.tell("out_of_memory", text=str(problem), batch_size=batch_size, fits=fits)
        else:
            outcome.detail = f"{type(problem).__name__}: {problem}"
        trace = traceback.format_exc()
        narrator.tell("note", level="error", text=outcome.detail, traceback=trace)


def _memory_sentence(batch_size: int | None) -> str:
    if batch_size is None or batch_size < 2:
        return "The memory did not suffice: choose smaller images or fewer nodes."
    return (
        f"The memory did not suffice for batches of {batch_size} images: "
        f"try {batch_size // 2}, or smaller images."
    )
