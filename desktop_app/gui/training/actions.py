"""What can be done with a run as a whole: rename, extend, retry, export, throw away."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QFile, QUrl
from PySide6.QtGui import QDesktopServices

from desktop_app.core.runs import JobSpec, Run
from desktop_app.gui.i18n import tr
from desktop_app.gui.training.series import Floats, Metrics
from desktop_app.gui.views.exporting import write_rows
from desktop_app.sdk.errors import InvalidInput

EPOCHS = "epochs"
BATCH_SIZE = "batch_size"
_LOG_LETTERS = 20_000
_PIECE = 10_000  # rows at a time


def rename(run: Run, title: str) -> None:
    """Give a run another title."""
    run.write_spec(run.spec().model_copy(update={"title": title.strip()}))


def can_extend(spec: JobSpec) -> bool:
    """Tell whether a run counts epochs, so that there can be more of them."""
    return isinstance(spec.params.get(EPOCHS), int)


def extend(run: Run, reached: float, more: int) -> None:
    """Let a run end `more` epochs after the `reached` one; resuming it does the rest."""
    spec = run.spec()
    epochs = max(int(spec.params[EPOCHS]), round(reached)) + more
    run.write_spec(spec.model_copy(update={"params": {**spec.params, EPOCHS: epochs}}))


def with_batch_size(spec: JobSpec, size: int) -> JobSpec:
    """Return a spec that differs in its batch size alone."""
    params = {**spec.params, BATCH_SIZE: size}
    title = tr("{title} · batch {n}", title=spec.title or spec.method, n=size)
    return JobSpec.model_validate(
        {
            **spec.model_dump(exclude={"created", "loupe", "experiment"}),
            "params": params,
            "title": title,
        }
    )


def throw_away(run: Run) -> None:
    """Move a run folder to the trash. Raises InvalidInput when it cannot be moved there."""
    if not QFile.moveToTrash(str(run.path)):
        raise InvalidInput(
            tr(
                "'{path}' cannot be moved to the trash: delete the folder in the file manager.",
                path=run.path,
            )
        )


def worker_log(run: Run) -> str:
    """Return the end of what the worker printed, empty without any."""
    try:
        return run.log_path.read_text(encoding="utf-8", errors="replace")[-_LOG_LETTERS:].strip()
    except OSError:
        return ""


def reveal(path: Path) -> None:
    """Show a folder in the file manager of the desktop."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def write_values(path: Path, source: Metrics, names: Sequence[str], length: int) -> None:
    """Write the first `length` steps of all metrics as CSV; empty where a step told nothing.

    Raises InvalidInput when the file cannot be written.
    """
    axes = ("step", "epoch", "elapsed")
    columns = [source.x(axis)[:length] for axis in axes]
    columns += [source.values(name)[:length] for name in names]
    write_rows(path, [*axes, *names], _cells(columns, length))


def _cells(columns: Sequence[Floats], length: int) -> Iterator[list[str]]:
    for start in range(0, length, _PIECE):
        piece = np.column_stack([column[start : start + _PIECE] for column in columns])
        for row in piece.tolist():
            yield ["" if math.isnan(value) else f"{value:.10g}" for value in row]
