from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.jobs import running_handle
from desktop_app.core.runs import JobState, Run
from desktop_app.core.workspace import Workspace
from desktop_app.gui.workbench import Workbench
from tests.runs import dense_spec, states

MINUTE = 60_000  # ms


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "工作区 🍪")


@pytest.fixture
def open_window(qtbot: QtBot, workspace: Workspace) -> Iterator[Callable[[], Workbench]]:
    windows: list[Workbench] = []

    def open_one() -> Workbench:
        window = Workbench(workspace)
        qtbot.addWidget(window)
        window.show()
        windows.append(window)
        return window

    yield open_one
    for window in windows:
        window.close()


def _wait(qtbot: QtBot, condition: Callable[[], Any]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=MINUTE)


def test_from_a_folder_to_ranked_images_with_a_worker_process(
    qtbot: QtBot, open_window: Callable[[], Workbench], mvtec_folder: Path
) -> None:
    window = open_window()
    session = window.session
    window.open_folder(mvtec_folder)
    _wait(qtbot, lambda: len(session.table) == 22)

    job = session.jobs.start(dense_spec(mvtec_folder, apply_after=True), "Autoencoder")
    _wait(qtbot, lambda: not job.state.is_active and job.state is not JobState.QUEUED)
    assert job.state is JobState.FINISHED, job.detail
    _wait(qtbot, lambda: session.result is not None)

    assert session.run is not None
    assert session.run.path == job.run.path
    assert np.isfinite(job.feed.curves.values("loss")).sum() == 20
    assert session.result is not None
    assert session.result.scores is not None
    assert np.isfinite(session.result.scores).all()
    for view in ("gallery", "training", "map", "inspector"):
        window.show_view(view)
        qtbot.wait(50)
    answers: list[Any] = []
    latents = np.zeros((1, 4), np.float32)
    session.inference.request(
        "decode", {}, {"latents": latents}, lambda header, arrays: answers.append(arrays["images"])
    )
    _wait(qtbot, lambda: answers)
    assert answers[0].shape == (1, 1, 16, 16)


def test_a_window_that_is_closed_leaves_the_training_alive_and_the_next_one_finds_it(
    qtbot: QtBot,
    open_window: Callable[[], Workbench],
    workspace: Workspace,
    image_folder: Path,
) -> None:
    first = open_window()
    first.open_folder(image_folder)
    spec = dense_spec(image_folder, params={"epochs": 100_000})
    job = first.session.jobs.start(spec, "Autoencoder")
    run = Run(job.run.path)
    _wait(qtbot, lambda: job.state is JobState.RUNNING and len(job.feed.curves) > 0)
    first.close()

    second = open_window()
    _wait(qtbot, lambda: second.session.jobs.jobs)

    (found,) = second.session.jobs.jobs
    assert found.run.path == run.path
    _wait(qtbot, lambda: found.state is JobState.RUNNING)
    found.pause()
    _wait(qtbot, lambda: found.state is JobState.PAUSED)
    found.resume()
    _wait(qtbot, lambda: found.state is JobState.RUNNING)
    found.stop()
    _wait(qtbot, lambda: found.state is JobState.STOPPED)
    assert running_handle(run) is None
    assert states(run)[-4:] == ["paused", "running", "stopping", "stopped"]
    assert run.checkpoints()


def test_a_worker_that_is_killed_is_told_of_and_can_be_resumed(
    qtbot: QtBot, open_window: Callable[[], Workbench], image_folder: Path
) -> None:
    window = open_window()
    window.open_folder(image_folder)
    spec = dense_spec(image_folder, params={"epochs": 500})
    job = window.session.jobs.start(spec, "Autoencoder")
    _wait(qtbot, lambda: job.state is JobState.RUNNING)
    job.pause()
    _wait(qtbot, lambda: job.state is JobState.PAUSED)

    owner = job.run.owner()
    assert owner is not None
    psutil.Process(owner.pid).kill()
    _wait(qtbot, lambda: job.state is JobState.CRASHED)
    assert "resume" in job.detail
    again = window.session.jobs.resume(job.run)
    _wait(qtbot, lambda: again.state is JobState.FINISHED)

    assert np.isfinite(again.feed.curves.values("loss")).sum() == 1500
