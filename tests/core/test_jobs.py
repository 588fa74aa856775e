import queue
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from desktop_app.core import jobs
from desktop_app.core.files import write_json
from desktop_app.core.jobs import (
    ProcessHandle,
    ThreadRunner,
    running_handle,
    worker_threads,
)
from desktop_app.core.locks import Lock
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.sdk.errors import WorkerLost
from tests.runs import dense_spec, losses, states, until


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", JobSpec(folder="x"))


class TestThreadRunner:
    def test_a_job_on_a_thread_is_told_things_like_one_in_a_process(
        self, tmp_path: Path, image_folder: Path
    ) -> None:
        from desktop_app.worker.commands import Commands
        from desktop_app.worker.process import work

        run = Run.create(tmp_path / "run", dense_spec(image_folder, params={"epochs": 100_000}))
        handle = ThreadRunner(work, Commands).start(run)  # type: ignore[arg-type]
        until(lambda: losses(run))
        assert handle.is_alive()
        assert handle.exit_code() is None

        handle.tell("pause")
        until(lambda: run.state() is JobState.PAUSED)
        handle.tell("resume")
        until(lambda: run.state() is JobState.RUNNING)
        handle.tell("stop")
        until(lambda: not handle.is_alive())

        assert handle.exit_code() == 0
        assert states(run)[-4:] == ["paused", "running", "stopping", "stopped"]
        assert run.checkpoints()

    def test_a_thread_cannot_be_ended_from_outside(self, run: Run) -> None:
        end = threading.Event()
        handle = ThreadRunner(lambda path, commands: end.wait(10), queue.SimpleQueue).start(run)

        assert (handle.terminate(), handle.kill()) == (False, False)
        assert handle.is_alive()
        end.set()
        until(lambda: not handle.is_alive())

    def test_letting_go_of_a_job_asks_for_a_checkpoint(self, run: Run) -> None:
        told: queue.SimpleQueue[str] = queue.SimpleQueue()
        handle = ThreadRunner(lambda path, commands: None, lambda: told).start(run)

        handle.close()

        assert told.get(timeout=5) == "checkpoint"


def _sleeper(run: Run, script: str = "import time; time.sleep(600)") -> ProcessHandle:
    return ProcessHandle(run, subprocess.Popen([sys.executable, "-c", script]))


class TestProcessHandle:
    def test_terminate_asks_a_process_to_end(self, run: Run) -> None:
        handle = _sleeper(run)

        assert handle.terminate()

        until(lambda: not handle.is_alive())
        assert handle.exit_code() == -15
        assert not handle.terminate()

    def test_kill_ends_the_children_too(self, run: Run) -> None:
        script = (
            "import subprocess, sys, time;"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
            "time.sleep(600)"
        )
        handle = _sleeper(run, script)
        child = until(lambda: psutil.Process(handle._process.pid).children())[0]

        assert handle.kill()

        until(lambda: not handle.is_alive())
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)

    def test_a_worker_that_does_not_listen_yet_is_told_of(self, run: Run) -> None:
        handle = _sleeper(run)

        with pytest.raises(WorkerLost, match="has not started to listen yet, or has ended"):
            handle.tell("pause")

        handle.kill()
        until(lambda: not handle.is_alive())

    def test_a_worker_found_by_its_lock_has_no_exit_code(self, run: Run) -> None:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        started = psutil.Process(process.pid).create_time()
        write_json(run.lock_path, asdict(Lock(process.pid, started, "nowhere", "00")))

        handle = running_handle(run)

        assert handle is not None
        assert handle.is_alive()
        assert handle.exit_code() is None
        with pytest.raises(WorkerLost, match="does not answer"):
            handle.tell("pause")
        assert handle.kill()
        process.wait()
        assert not handle.is_alive()
        assert running_handle(run) is None


def test_a_run_that_nobody_works_on_has_no_handle(run: Run) -> None:
    assert running_handle(run) is None


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7), (None, 1)])
def test_one_core_belongs_to_the_window(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: int
) -> None:
    monkeypatch.setattr(jobs.os, "cpu_count", lambda: cores)

    assert worker_threads() == threads
