"""What leaves the window of a run: features by a thread, the encoder by a worker."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop_app.core.jobs import ThreadRunner
from desktop_app.core.runs import JobState, Run
from desktop_app.gui import runexports
from desktop_app.gui.jobs import JobQueue
from desktop_app.gui.runexports import RunExports, features_of
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.commands import Commands
from desktop_app.worker.process import work
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run()
    yield session
    session.close()


def choose(monkeypatch: pytest.MonkeyPatch, path: Path, kind: str) -> None:
    monkeypatch.setattr(runexports.QFileDialog, "getSaveFileName", lambda *_args: (str(path), kind))


def test_features_of_images_that_were_looked_at_are_written(
    session: StillSession, tmp_path: Path
) -> None:
    result = result_for(session)
    index = result.index.copy()
    index[3] = -1
    session.put_result(replace(result, index=index))

    list(features_of(session)(tmp_path / "特征.npz"))

    with np.load(tmp_path / "特征.npz", allow_pickle=False) as arrays:
        paths = [path for row, path in enumerate(session.table.paths) if row != 3]
        assert arrays["paths"].tolist() == paths
        assert result.latents is not None
        np.testing.assert_array_equal(arrays["latents"], np.delete(result.latents, 3, axis=0))


def test_the_kind_that_is_chosen_gives_the_suffix(
    qtbot: QtBot, session: StillSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    session.put_result(result_for(session))
    choose(monkeypatch, tmp_path / "out" / "features", "CSV (*.csv)")

    RunExports(session, owner).export_features()

    qtbot.waitUntil((tmp_path / "out" / "features.csv").is_file)


def test_without_latents_it_says_what_to_do(session: StillSession) -> None:
    with pytest.raises(InvalidInput, match="score the folder"):
        features_of(session)


def test_nothing_is_written_to_the_folder_of_the_images(
    qtbot: QtBot, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    session.put_result(result_for(session))
    assert session.folder is not None
    choose(monkeypatch, session.folder.root / "f.csv", "CSV (*.csv)")

    with qtbot.waitSignal(session.problem) as told:
        RunExports(session, owner).export_features()

    assert "to which nothing is ever written" in told.args[0]
    assert not (session.folder.root / "f.csv").exists()


def test_a_worker_exports_the_encoder(
    qtbot: QtBot, session: StillSession, trained_run: Run, tmp_path: Path
) -> None:
    queue = JobQueue(session.workspace, ThreadRunner(work, Commands))  # type: ignore[arg-type]

    job = queue.export_encoder(trained_run, tmp_path / "编码器.ts", "")

    qtbot.waitUntil(lambda: job.state is JobState.FINISHED, timeout=60_000)
    assert job.exports_to == tmp_path / "编码器.ts"
    about = json.loads((tmp_path / "编码器.ts.json").read_text(encoding="utf-8"))
    assert about["parity"]["largest_relative_difference"] <= 1e-4
    assert queue.job_of(trained_run) is None
    queue.close()
