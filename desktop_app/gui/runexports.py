"""What leaves the window of a run: its latents for other programs, its encoder as a file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop_app.core.copies import lies_within
from desktop_app.core.features import SUFFIXES, Features, require_format, write_features
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.tasks import Steps, run_with_progress
from desktop_app.sdk.errors import InvalidInput, LoupeError

_ENCODER_SUFFIXES = (".pt2", ".onnx", ".ts")


class RunExports:
    """Exports the open run on behalf of a window."""

    def __init__(self, session: Session, owner: QWidget) -> None:
        self._session = session
        self._owner = owner

    def export_features(self) -> None:
        """Ask for a file and write the latents of all images that the run has looked at."""
        self._try(self._export_features)

    def export_encoder(self) -> None:
        """Ask for a file and let a worker write the encoder of the open run."""
        self._try(self._export_encoder)

    def _export_features(self) -> None:
        write = features_of(self._session)
        name = f"{self._base_name()}-features.npz"
        path = self._asked(
            tr("Export features"), name, "NumPy (*.npz);;CSV (*.csv);;Parquet (*.parquet)", SUFFIXES
        )
        if path is None:
            return
        self._require_outside(path)
        require_format(path)
        title = tr("Exporting features")
        run_with_progress(self._owner, title, write(path), self._tell_end)

    def _export_encoder(self) -> None:
        session = self._session
        if session.run is None or not session.run.is_trained:
            raise InvalidInput(tr("Open a trained run first: its encoder is what is exported."))
        kinds = "torch.export (*.pt2);;ONNX (*.onnx);;TorchScript (*.ts)"
        path = self._asked(tr("Export encoder"), "encoder.pt2", kinds, _ENCODER_SUFFIXES)
        if path is None:
            return
        self._require_outside(path)
        folder = str(session.folder.root) if session.folder is not None else ""
        session.jobs.export_encoder(session.run, path, folder)

    def _asked(self, title: str, name: str, kinds: str, suffixes: tuple[str, ...]) -> Path | None:
        """Return the file that was chosen; without a suffix of its own it gets that of its kind."""
        chosen, kind = QFileDialog.getSaveFileName(self._owner, title, name, kinds)
        if not chosen:
            return None
        path = Path(chosen)
        wanted = next((suffix for suffix in suffixes if f"*{suffix})" in kind), suffixes[0])
        return path if path.suffix else path.with_name(path.name + wanted)

    def _require_outside(self, path: Path) -> None:
        folder = self._session.folder
        if folder is not None and lies_within(path.parent, folder.root):
            raise InvalidInput(
                tr(
                    "'{path}' lies in the folder of the images, to which nothing is ever written. "
                    "Choose a folder elsewhere.",
                    path=path.parent,
                )
            )

    def _base_name(self) -> str:
        return self._session.folder.name if self._session.folder is not None else "loupe"

    def _tell_end(self, problem: str, _stopped: bool) -> None:
        if problem:
            self._session.problem.emit(problem)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (LoupeError, OSError) as problem:
            self._session.problem.emit(str(problem))


def features_of(session: Session) -> Callable[[Path], Steps]:
    """Note the latents of the open run and their images; return what writes them to a file.

    Raises InvalidInput while the run has not looked at the open folder.
    """
    result, table = session.result, session.table
    if result is None or result.latents is None or len(result.index) != len(table):
        raise InvalidInput(
            tr(
                "The run has no latents of this folder yet: open a run of a method that encodes, "
                "and score the folder."
            )
        )
    latents, index = result.latents, result.index

    def steps(path: Path) -> Steps:
        rows = np.flatnonzero(index >= 0)
        numbers = rows.tolist()
        paths, labels, splits = (
            [column[row] for row in numbers] for column in (table.paths, table.labels, table.splits)
        )
        yield from write_features(Features(paths, labels, splits, latents[index[rows]]), path)

    return steps
