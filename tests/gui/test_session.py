"""The state that all views share, with real folders and a worker on a thread."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.jobs import ThreadRunner
from desktop_app.core.runs import JobSpec, JobState
from desktop_app.core.workspace import Workspace
from desktop_app.gui.jobs import Job
from desktop_app.gui.session import Session
from desktop_app.worker.commands import Commands
from desktop_app.worker.process import work

_PATIENCE = 60_000


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, catalog: Path) -> Iterator[Session]:
    runner = ThreadRunner(lambda path, commands: work(path, commands), Commands)
    session = Session(Workspace(tmp_path / "workspace"), runner)
    yield session
    session.close()


def open_folder(qtbot: QtBot, session: Session, root: Path) -> None:
    with qtbot.waitSignal(session.folder_changed, timeout=_PATIENCE):
        session.open_folder(root)
    qtbot.waitUntil(lambda: not session.indexing.is_running, timeout=_PATIENCE)


def small_training(root: Path, **changes: object) -> JobSpec:
    params = {"architecture": "dense", "code_size": 4, "nodes": 16, "epochs": 4, "least_steps": 8}
    spec = JobSpec(
        folder=str(root), method="autoencoder", params=params, image_size=16, preview_seconds=0
    )
    return spec.model_copy(update=changes)


def trained(qtbot: QtBot, session: Session, root: Path) -> Job:
    job = session.jobs.start(small_training(root), "Autoencoder")
    qtbot.waitUntil(lambda: not job.state.is_active, timeout=_PATIENCE)
    assert job.state is JobState.FINISHED, job.detail
    return job


def test_an_opened_folder_fills_the_table(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)

    assert len(session.table) == 22
    assert (session.truth == 1).sum() == 6
    assert session.visible.all()
    assert not session.selected.any()


def test_a_selection_can_be_added_to_and_taken_from(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)

    session.select(np.array([1, 2, 3]))
    session.select(np.array([3, 4]), "add")
    session.select(np.array([1]), "subtract")

    assert np.flatnonzero(session.selected).tolist() == [2, 3, 4]


def test_a_verdict_can_be_undone_and_survives_the_window(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)

    session.set_verdict(np.array([0, 1]), 2)
    session.set_verdict(np.array([1]), 1)
    session.undo()

    assert session.verdicts[:3].tolist() == [2, 2, 0]
    kept = session.workspace.verdicts(session.folder.key)
    assert kept == {session.table.paths[0]: "anomalous", session.table.paths[1]: "anomalous"}


def test_a_trained_run_shows_scores_for_every_image(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)

    job = trained(qtbot, session, mvtec_folder)
    session.open_run(job.run)
    qtbot.waitUntil(lambda: session.result is not None, timeout=_PATIENCE)

    assert np.isfinite(session.result.scores).all()
    assert session.result.positions.shape == (22, 2)
    assert session.result.map(0).shape == (16, 16)
    assert session.threshold is not None


def test_the_feed_gathers_every_step(qtbot: QtBot, session: Session, mvtec_folder: Path) -> None:
    open_folder(qtbot, session, mvtec_folder)

    job = trained(qtbot, session, mvtec_folder)
    qtbot.waitUntil(lambda: job.feed.progress == 1.0, timeout=_PATIENCE)

    told = np.isfinite(job.feed.curves.values("loss"))  # other rows are what the host measured
    assert job.feed.curves.x("step")[told].tolist() == list(range(1, 9))
    assert job.feed.previews["reconstructions"]
    assert job.feed.latents


def test_a_job_can_be_paused_resumed_and_stopped(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)
    params = small_training(mvtec_folder).params | {"epochs": 100_000}
    job = session.jobs.start(small_training(mvtec_folder, params=params), "Autoencoder")

    qtbot.waitUntil(lambda: len(job.feed.curves) > 0, timeout=_PATIENCE)
    job.pause()
    qtbot.waitUntil(lambda: job.state is JobState.PAUSED, timeout=_PATIENCE)
    job.resume()
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING, timeout=_PATIENCE)
    job.stop()
    qtbot.waitUntil(lambda: job.state is JobState.STOPPED, timeout=_PATIENCE)

    assert job.run.checkpoints()


def test_two_trainings_wait_for_each_other(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)

    first = session.jobs.start(small_training(mvtec_folder), "first")
    second = session.jobs.start(small_training(mvtec_folder), "second")

    assert second.state is JobState.QUEUED
    qtbot.waitUntil(lambda: second.state is JobState.FINISHED, timeout=_PATIENCE)
    assert first.state is JobState.FINISHED


def test_a_failed_training_says_why(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    job = session.jobs.start(small_training(empty), "Autoencoder")
    qtbot.waitUntil(lambda: job.state is JobState.FAILED, timeout=_PATIENCE)

    assert "holds no images" in job.detail


def test_a_worker_process_answers_questions(
    qtbot: QtBot, session: Session, mvtec_folder: Path
) -> None:
    open_folder(qtbot, session, mvtec_folder)
    session.open_run(trained(qtbot, session, mvtec_folder).run)
    answers = []

    latents = np.zeros((3, 4), np.float32)
    session.inference.request(
        "decode", {}, {"latents": latents}, lambda header, arrays: answers.append(arrays["images"])
    )
    qtbot.waitUntil(lambda: bool(answers), timeout=_PATIENCE)

    assert answers[0].shape == (3, 1, 16, 16)


def test_a_window_finds_a_worker_that_runs_already(
    qtbot: QtBot, session: Session, mvtec_folder: Path, tmp_path: Path
) -> None:
    from desktop_app.core.jobs import ProcessRunner

    params = small_training(mvtec_folder).params | {"epochs": 100_000}
    first = Session(session.workspace, ProcessRunner())
    job = first.jobs.start(small_training(mvtec_folder, params=params), "Autoencoder")
    qtbot.waitUntil(lambda: len(job.feed.curves) > 0, timeout=_PATIENCE)
    first.close()

    session.jobs.attach()
    found = session.jobs.jobs[0]
    qtbot.waitUntil(lambda: found.state is JobState.RUNNING, timeout=_PATIENCE)
    found.stop()
    qtbot.waitUntil(lambda: found.state is JobState.STOPPED, timeout=_PATIENCE)

    assert found.run.path == job.run.path
    assert found.run.checkpoints()
