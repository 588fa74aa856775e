import json
import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from desktop_app.core.channel import Address
from desktop_app.core.eventlog import EventLog
from desktop_app.core.files import write_array
from desktop_app.core.locks import take_lock
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.states import write_state
from desktop_app.sdk.errors import InvalidInput, UnreadableRun
from desktop_app.sdk.method import State


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "运行 1", JobSpec(folder="/图片", method="vae", seed=3))


def _tell(run: Run, *states: JobState) -> None:
    with EventLog(run.events_path) as log:
        for state in states:
            log.append("state", state=str(state))


def _save(run: Run, step: int) -> Path:
    path = run.path / "checkpoints" / f"{step:012d}"
    write_state(path, State({"a": np.array([step])}, {"step": step}), step=step)
    return path


def test_a_run_is_opened_as_it_was_made(run: Run) -> None:
    assert Run.open(run.path).spec() == run.spec()
    assert run.spec().method == "vae"
    assert run.state() is JobState.QUEUED
    assert run.events() == []
    assert run.data() is None
    assert not run.is_trained


def test_a_spec_is_plain_json(run: Run) -> None:
    plain = json.loads((run.path / "spec.json").read_text(encoding="utf-8"))

    assert plain == run.spec().model_dump()
    assert plain["folder"] == "/图片"


def test_a_folder_with_something_in_it_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(InvalidInput, match="exists and is not empty"):
        Run.create(tmp_path, JobSpec(folder="x"))
    with pytest.raises(InvalidInput, match="exists and is not empty"):
        Run.create(tmp_path / "notes.txt", JobSpec(folder="x"))


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"folder": 3}', b"\xff"])
def test_a_folder_without_a_readable_spec_is_no_run(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "spec.json").write_bytes(content)

    with pytest.raises(UnreadableRun):
        Run.open(tmp_path)


def test_a_spec_of_a_newer_version_is_a_sentence(run: Run) -> None:
    plain = json.loads((run.path / "spec.json").read_text(encoding="utf-8"))
    (run.path / "spec.json").write_text(json.dumps(plain | {"quantum": True}), encoding="utf-8")

    with pytest.raises(UnreadableRun, match="does not fit this version"):
        Run.open(run.path)


def test_the_state_is_the_last_one_that_was_told(run: Run) -> None:
    _tell(run, JobState.STARTING, JobState.RUNNING, JobState.FINISHED)

    assert run.state() is JobState.FINISHED


@pytest.mark.parametrize("told", [JobState.STARTING, JobState.RUNNING, JobState.PAUSED])
def test_a_run_whose_process_is_gone_is_lost(run: Run, told: JobState) -> None:
    _tell(run, told)

    assert run.state() is JobState.LOST


def test_a_run_whose_process_lives_is_what_it_told(run: Run) -> None:
    take_lock(run.lock_path, Address.new())
    _tell(run, JobState.RUNNING)

    assert run.state() is JobState.RUNNING
    owner = run.owner()
    assert owner is not None
    assert owner.pid == os.getpid() == psutil.Process().pid


def test_checkpoints_are_listed_oldest_first_without_what_is_half_there(run: Run) -> None:
    for step in (900, 1000, 80):
        _save(run, step)
    (run.path / "checkpoints" / ".000000001100.ab12cd34").mkdir()

    assert [int(path.name) for path in run.checkpoints()] == [80, 900, 1000]


def test_the_newest_checkpoint_that_can_be_read_is_used(run: Run) -> None:
    _save(run, 10)
    _save(run, 20)
    (_save(run, 30) / "state.json").write_text("{", encoding="utf-8")

    checkpoint = run.latest_checkpoint()

    assert checkpoint is not None
    assert int(checkpoint.name) == 20
    assert run.trained_state().values == {"step": 20}


def test_the_trained_method_is_used_unless_training_went_on_after_it(run: Run) -> None:
    _save(run, 30)
    write_state(run.method_path, State({}, {"step": "trained"}), step=30)
    assert run.trained_state().values == {"step": "trained"}

    _save(run, 40)

    assert run.trained_state().values == {"step": 40}


def test_a_run_in_which_nothing_was_trained_says_so(run: Run) -> None:
    with pytest.raises(UnreadableRun, match="holds nothing trained yet: resume its training"):
        run.trained_state()


def test_results_count_once_they_are_complete(run: Run) -> None:
    for key in ("a", "b"):
        write_array(run.result(key).path / "scores.npy", np.arange(3.0))
    run.result("b").write_rows({"paths": ["1", "2", "3"]})

    assert [result.path.name for result in run.results()] == ["b"]
    scores = run.result("b").array("scores", mapped=True)
    assert scores is not None
    assert scores.tolist() == [0, 1, 2]
    assert run.result("b").array("maps") is None


def test_arrays_of_objects_are_never_unpickled(run: Run) -> None:
    result = run.result("key")
    result.path.mkdir(parents=True)
    np.save(result.path / "scores.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

    with pytest.raises(ValueError, match="allow_pickle"):
        result.array("scores")


@pytest.mark.parametrize("state", list(JobState))
def test_exactly_the_states_in_which_a_process_works_are_active(state: JobState) -> None:
    working = {"starting", "running", "pausing", "paused", "stopping"}

    assert state.is_active is (str(state) in working)
