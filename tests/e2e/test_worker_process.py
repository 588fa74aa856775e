import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_app.core.jobs import Handle, ProcessHandle, ProcessRunner, running_handle
from desktop_app.core.runs import JobState, Run
from desktop_app.sdk.errors import WorkerLost
from desktop_app.worker.training import train
from tests.runs import dense_spec, kinds, losses, states, until

MANY_EPOCHS = 700
"""2,100 steps, a few seconds."""


@pytest.fixture
def run(tmp_path: Path, image_folder: Path) -> Run:
    spec = dense_spec(image_folder, params={"epochs": MANY_EPOCHS}, checkpoint_seconds=0.3)
    return Run.create(tmp_path / "运行 🍪", spec)


@pytest.fixture
def worker(run: Run) -> Iterator[Handle]:
    handle = ProcessRunner().start(run)
    until(lambda: run.owner() is not None and losses(run), seconds=120)
    yield handle
    handle.kill()
    until(lambda: not handle.is_alive())
    handle.close()


def test_a_worker_killed_with_nine_resumes_with_the_same_final_losses(
    run: Run, worker: Handle, tmp_path: Path
) -> None:
    until(lambda: "checkpoint" in kinds(run))
    until(lambda: kinds(run)[-1] == "metrics")

    assert worker.kill()
    until(lambda: not worker.is_alive())

    assert worker.exit_code() == -signal.SIGKILL
    assert run.state() is JobState.LOST
    with pytest.raises(WorkerLost, match="has not started to listen yet, or has ended"):
        worker.tell("pause")
    assert len(losses(run)) < 3 * MANY_EPOCHS
    assert train(run) is JobState.FINISHED
    whole = Run.create(tmp_path / "whole", run.spec())
    train(whole)
    assert losses(run) == losses(whole)


def test_a_window_that_starts_later_attaches_to_a_paused_worker_and_lets_it_go_on(
    run: Run, worker: Handle
) -> None:
    worker.tell("pause")
    until(lambda: run.state() is JobState.PAUSED)
    steps = len(losses(run))
    worker.close()

    later = running_handle(run)

    assert isinstance(later, ProcessHandle)
    assert later.is_alive()
    assert len(losses(run)) == steps
    later.tell("resume")
    until(lambda: len(losses(run)) > steps)
    later.tell("stop")
    until(lambda: not worker.is_alive())
    later.close()
    assert worker.exit_code() == 0
    assert states(run)[-4:] == ["paused", "running", "stopping", "stopped"]
    assert running_handle(run) is None


def test_a_window_that_goes_away_leaves_a_checkpoint_and_the_worker_running(
    tmp_path: Path, image_folder: Path
) -> None:
    spec = dense_spec(image_folder, params={"epochs": 50_000}, checkpoint_seconds=1000.0)
    run = Run.create(tmp_path / "run", spec)
    worker = ProcessRunner().start(run)
    until(lambda: run.owner() is not None and losses(run), seconds=120)
    worker.tell("preview")

    worker.close()

    until(lambda: "checkpoint" in kinds(run))
    assert worker.is_alive()
    worker.terminate()
    until(lambda: not worker.is_alive())
    assert worker.exit_code() == 0
    assert states(run)[-2:] == ["stopping", "stopped"]
    assert int(run.checkpoints()[-1].name) == losses(run)[-1][0]
