import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import psutil
import pytest

from desktop_app.core.eventlog import read_events
from desktop_app.core.files import write_json
from desktop_app.core.locks import Lock
from desktop_app.core.runs import JobState, Run
from desktop_app.core.states import read_about
from desktop_app.sdk.errors import LoupeError
from desktop_app.worker.commands import Commands
from desktop_app.worker.loading import trained_method
from desktop_app.worker.training import train
from tests.runs import STEPS, At, dense_spec, kinds, losses, states

pytestmark = pytest.mark.usefixtures("every_step_is_told_at_once")


@pytest.fixture
def run(tmp_path: Path, image_folder: Path) -> Run:
    return Run.create(tmp_path / "运行 1", dense_spec(image_folder))


@pytest.fixture
def uninterrupted(tmp_path: Path, image_folder: Path) -> list[tuple[int, float]]:
    run = Run.create(tmp_path / "uninterrupted", dense_spec(image_folder))
    assert train(run) is JobState.FINISHED
    return losses(run)


def test_a_training_tells_its_states_and_every_step(run: Run) -> None:
    state = train(run)

    assert state is JobState.FINISHED
    assert states(run) == ["starting", "running", "finished"]
    assert [step for step, _ in losses(run)] == list(range(1, STEPS + 1))
    assert run.state() is JobState.FINISHED
    assert {"device", "progress", "preview", "latents", "memory", "checkpoint"} <= set(kinds(run))


def test_a_trained_method_needs_nothing_outside_its_run_folder(
    run: Run, image_folder: Path, tmp_path: Path
) -> None:
    train(run)
    moved = shutil.move(run.path, tmp_path / "elsewhere")
    shutil.rmtree(image_folder)

    method = trained_method(Path(moved), "cpu")

    images = np.zeros((2, 1, 16, 16), np.float32)
    assert method.decode(method.encode(images)).shape == (2, 1, 16, 16)  # type: ignore[attr-defined]


def test_the_same_seed_gives_the_same_losses_and_another_seed_gives_others(
    run: Run, uninterrupted: list[tuple[int, float]], tmp_path: Path, image_folder: Path
) -> None:
    other = Run.create(tmp_path / "other", dense_spec(image_folder, seed=4))

    train(run)
    train(other)

    assert losses(run) == uninterrupted
    assert losses(other) != uninterrupted


def test_a_stopped_training_resumes_with_the_same_losses(
    run: Run, uninterrupted: list[tuple[int, float]]
) -> None:
    stop = At(5, "stop")

    assert train(run, stop.commands, stop) is JobState.STOPPED
    stopped_at = len(losses(run))
    assert train(run) is JobState.FINISHED

    assert stopped_at == 5
    assert losses(run) == uninterrupted
    assert states(run) == ["starting", "running", "stopping", "starting", "running", "finished"]


def test_a_stopped_training_can_be_used_as_it_stands(run: Run) -> None:
    stop = At(5, "stop")
    train(run, stop.commands, stop)

    method = trained_method(run.path, "cpu")

    assert method.encode(np.zeros((1, 1, 16, 16), np.float32)).shape == (1, 4)  # type: ignore[attr-defined]


def test_a_pause_saves_and_waits_and_its_time_is_not_counted(
    run: Run, uninterrupted: list[tuple[int, float]]
) -> None:
    pause = At(5, "pause", "resume")

    assert train(run, pause.commands, pause) is JobState.FINISHED

    assert states(run) == ["starting", "running", "paused", "running", "finished"]
    saved = [event["type"] for event in run.events()].index("checkpoint")
    paused = [event.get("state") for event in run.events()].index("paused")
    assert saved < paused
    assert losses(run) == uninterrupted


def test_a_paused_training_can_be_stopped(run: Run) -> None:
    pause = At(5, "pause", "stop")

    assert train(run, pause.commands, pause) is JobState.STOPPED

    assert states(run)[-3:] == ["paused", "stopping", "stopped"]
    assert run.checkpoints()


def test_commands_checkpoint_and_preview_are_followed_at_the_next_step(run: Run) -> None:
    both = At(5, "checkpoint", "preview")

    train(run, both.commands, both)

    saved = [event["step"] for event in run.events() if event["type"] == "checkpoint"]
    drawn = [event["step"] for event in run.events() if event["type"] == "preview"]
    assert saved == [5, STEPS]
    assert drawn == [1, 1, 5, 5, STEPS, STEPS]


def test_the_newest_checkpoints_are_kept_and_older_ones_removed(
    tmp_path: Path, image_folder: Path
) -> None:
    run = Run.create(tmp_path / "run", dense_spec(image_folder, checkpoint_seconds=0))

    train(run)

    assert [int(path.name) for path in run.checkpoints()] == [STEPS - 1, STEPS]
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == [
        path.name for path in run.checkpoints()
    ]


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, image_folder: Path, uninterrupted: list[tuple[int, float]]
) -> None:
    run = Run.create(tmp_path / "run", dense_spec(image_folder, checkpoint_seconds=0))
    stop = At(12, "stop")
    train(run, stop.commands, stop)
    older, newest = run.checkpoints()
    arrays = newest / "state.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:100])

    assert trained_method(run.path, "cpu").state().values["step"] == int(older.name)
    assert train(run) is JobState.FINISHED

    assert losses(run) == uninterrupted


def test_a_run_whose_checkpoints_are_all_damaged_starts_again(
    run: Run, uninterrupted: list[tuple[int, float]]
) -> None:
    stop = At(12, "stop")
    train(run, stop.commands, stop)
    for path in run.checkpoints():
        (path / "state.json").write_text("{", encoding="utf-8")

    assert train(run) is JobState.FINISHED

    assert losses(run) == uninterrupted


def test_a_torn_last_line_of_the_events_does_no_harm(
    run: Run, uninterrupted: list[tuple[int, float]]
) -> None:
    stop = At(5, "stop")
    train(run, stop.commands, stop)
    with run.events_path.open("ab") as file:
        file.write(b'{"type": "metrics", "step": [1')

    assert run.state() is JobState.STOPPED
    assert train(run) is JobState.FINISHED

    assert losses(run) == uninterrupted
    assert all(line.endswith(b"}") for line in run.events_path.read_bytes().splitlines())


def test_events_that_are_shorter_than_the_checkpoint_remembers_are_continued(run: Run) -> None:
    stop = At(5, "stop")
    train(run, stop.commands, stop)
    run.events_path.write_bytes(b"")

    assert train(run) is JobState.FINISHED

    assert b"\0" not in run.events_path.read_bytes()
    assert states(run) == ["starting", "running", "finished"]


def test_a_second_worker_is_refused_and_leaves_the_run_alone(run: Run) -> None:
    other = psutil.Process(os.getppid())
    lock = Lock(other.pid, other.create_time(), "nowhere", "00")
    write_json(run.lock_path, asdict(lock))

    with pytest.raises(LoupeError, match=f"Process {other.pid} is working on"):
        train(run)

    assert run.owner() == lock
    assert not run.events_path.exists()


def test_the_lock_of_a_process_that_is_gone_does_not_keep_a_run(run: Run) -> None:
    number_used_again = Lock(os.getppid(), 12.0, "nowhere", "00")
    write_json(run.lock_path, asdict(number_used_again))

    assert train(run) is JobState.FINISHED

    assert not run.lock_path.exists()


def test_a_run_is_owned_while_it_is_trained(run: Run) -> None:
    owners: list[Lock | None] = []
    watch = At(3, do=lambda: owners.append(run.owner()))

    train(run, watch.commands, watch)

    assert [owner.pid for owner in owners if owner is not None] == [os.getpid()]


def test_a_finished_run_can_be_extended_by_more_epochs(run: Run) -> None:
    train(run)
    spec = run.spec()
    run.write_spec(spec.model_copy(update={"params": spec.params | {"epochs": 12}}))

    assert train(run) is JobState.FINISHED

    assert [step for step, _ in losses(run)] == list(range(1, 37))
    assert read_about(run.method_path)["step"] == 36


def test_a_finished_run_that_is_started_again_stays_as_it_is(
    run: Run, uninterrupted: list[tuple[int, float]]
) -> None:
    train(run)

    assert train(run) is JobState.FINISHED

    assert losses(run) == uninterrupted


def test_images_added_later_do_not_change_a_resumed_run(
    run: Run, image_folder: Path, uninterrupted: list[tuple[int, float]]
) -> None:
    stop = At(5, "stop")
    train(run, stop.commands, stop)
    one = next(image_folder.rglob("*.png"))
    shutil.copy(one, one.with_name("aaa.png"))

    train(run)

    assert losses(run) == uninterrupted


def test_an_image_that_is_gone_ends_a_resumed_run_with_a_sentence(
    run: Run, image_folder: Path
) -> None:
    stop = At(5, "stop")
    train(run, stop.commands, stop)
    next(image_folder.rglob("*.png")).unlink()

    assert train(run) is JobState.FAILED

    detail = run.events()[-1]["detail"]
    assert "1 of 24 images of this run are no longer in" in detail


FAILING = """
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.params import Params

class Failing(Method[Params]):
    card = Card("failing", "Failing", "Tests", "Fails at the third step.")

    def fit(self, data):
        for step in range(1, 3):
            yield Metrics(step, step / 10, {"loss": 1.0})
        raise PROBLEM

    def state(self):
        return State({}, {})

    def restore(self, state):
        pass

@hookimpl
def register_methods():
    return [Failing]
"""


@pytest.mark.parametrize(
    ("problem", "state", "sentence"),
    [
        ("ValueError('shapes differ')", JobState.FAILED, "ValueError: shapes differ"),
        ("MemoryError()", JobState.OUT_OF_MEMORY, "The memory did not suffice"),
        (
            'RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: '
            "can't allocate memory: you tried to allocate 99 bytes\")",
            JobState.OUT_OF_MEMORY,
            "The memory did not suffice",
        ),
        (
            "__import__('torch').OutOfMemoryError('CUDA out of memory. Tried to allocate 9 GiB')",
            JobState.OUT_OF_MEMORY,
            "The memory did not suffice",
        ),
    ],
)
def test_a_failing_method_ends_its_run_with_a_state_a_sentence_and_a_traceback(
    write_plugin: Callable[[str, str], Path],
    tmp_path: Path,
    image_folder: Path,
    problem: str,
    state: JobState,
    sentence: str,
) -> None:
    write_plugin("failing", FAILING.replace("PROBLEM", problem))
    run = Run.create(
        tmp_path / "run",
        dense_spec(image_folder, method="failing").model_copy(update={"params": {}}),
    )

    assert train(run) is state

    last = run.events()[-1]
    assert (last["type"], last["state"]) == ("state", str(state))
    assert last["detail"].startswith(sentence)
    notes = [event for event in run.events() if event["type"] == "note"]
    assert "in fit" in notes[-1]["traceback"]
    assert [event["step"] for event in run.events() if event["type"] == "metrics"] != []


def test_out_of_memory_names_a_batch_size_that_may_fit(run: Run) -> None:
    def fail() -> None:
        raise MemoryError

    watch = At(3, do=fail)
    assert train(run, watch.commands, watch) is JobState.OUT_OF_MEMORY

    told = next(event for event in run.events() if event["type"] == "out_of_memory")
    assert (told["batch_size"], told["fits"]) == (8, 4)
    assert "try 4" in run.events()[-1]["detail"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "vea"}, "No method 'vea'. Known: "),
        ({"params": {"nodes": -1}}, "nodes must be at least 1, got -1."),
        ({"device": "warp"}, "Device 'warp' cannot be used"),
        ({"split": "test"}, "has no split 'test'. Known: none."),
    ],
)
def test_a_spec_that_cannot_be_followed_ends_as_failed_with_a_sentence(
    run: Run, changes: dict[str, object], sentence: str
) -> None:
    spec = run.spec()
    params = {"params": spec.params | dict(changes.get("params", {}))}  # type: ignore[call-overload]
    run.write_spec(spec.model_copy(update=changes | params))

    assert train(run) is JobState.FAILED

    assert sentence in run.events()[-1]["detail"]


def test_the_folder_of_images_is_never_written_to(run: Run, image_folder: Path) -> None:
    before = _listing(image_folder)
    run.write_spec(run.spec().model_copy(update={"apply_after": True}))

    assert train(run) is JobState.FINISHED

    assert _listing(image_folder) == before
    assert len(list(run.results())) == 1


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")
    )


def test_events_can_be_read_while_a_training_writes_them(run: Run) -> None:
    seen: list[int] = []
    watch = At(5, do=lambda: seen.append(len(read_events(run.events_path))))

    train(run, watch.commands, watch)

    assert 0 < seen[0] < len(run.events())


def test_a_training_can_be_stopped_while_it_looks_into_images(run: Run) -> None:
    commands = Commands()
    commands.put("preview")
    commands.put("stop")

    assert train(run, commands) is JobState.STOPPED

    assert states(run) == ["starting", "stopped"]
    assert train(run) is JobState.FINISHED


def test_images_that_cannot_be_read_are_told_of(run: Run, image_folder: Path) -> None:
    (image_folder / "circles" / "bad.png").write_bytes(b"\x89PNG nonsense")

    assert train(run) is JobState.FINISHED

    notes = [event["text"] for event in run.events() if event["type"] == "note"]
    assert notes == ["1 of 25 images cannot be read and are left out."]
