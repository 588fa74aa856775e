"""The live view of a run."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.core.eventlog import EventLog
from desktop_app.core.experiments import experiment_specs
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.viewfiles import write_views
from desktop_app.gui.training.panel import TrainingPanel
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.views import Curve, Table
from tests.gui.fakes import FakeJob, FakeSession

SPEC = JobSpec(
    folder="/images/饼干",
    method="vae",
    title="VAE",
    params={"epochs": 20, "batch_size": 256, "beta": 1.0},
)


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> FakeSession:
    return FakeSession(tmp_path)


@pytest.fixture
def panel(session: FakeSession, qtbot: QtBot) -> Iterator[TrainingPanel]:
    panel = TrainingPanel(session)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    panel.resize(1000, 700)
    panel.show()
    yield panel
    panel.close_feeds()


@pytest.fixture
def job(session: FakeSession, panel: TrainingPanel) -> FakeJob:
    """A run that trains, and is open."""
    job = session.jobs.start(SPEC, "VAE")
    session.open_run(job.run)
    return job


def told(job: FakeJob, **values: Any) -> None:
    for name, value in values.items():
        setattr(job.feed, name, value)
    job.feed.updated.emit()


def trained(path: Path, title: str, state: JobState, steps: int = 50) -> Run:
    """A run folder that nobody works on."""
    run = Run.create(path, SPEC.model_copy(update={"title": title}))
    with EventLog(run.events_path) as log:
        log.append("state", state="running", detail="")
        for step in range(1, steps + 1):
            log.metrics(Metrics(step, step / steps, {"loss": 1 / step}, epoch=step / 5), step / 10)
        log.append("state", state=str(state), detail="It was so.")
    return run


def test_without_a_run_the_panel_says_what_to_do(panel: TrainingPanel, qtbot: QtBot) -> None:
    assert panel._stack.currentWidget() is panel._empty
    with qtbot.waitSignal(panel.setup_wanted):
        panel._empty.button.click()


def test_curves_and_numbers_of_a_running_job_are_live(
    panel: TrainingPanel, job: FakeJob, qtbot: QtBot
) -> None:
    job.feed.extend(loss=np.linspace(10, 1, 100))
    told(
        job,
        progress=0.25,
        remaining=170.0,
        elapsed=65.0,
        images_per_second=1234.0,
        waited_share=0.6,
        memory=(2_000_000_000, 16_000_000_000),
        device="GPU 1",
    )
    shown = {key: tile.value() for key, tile in panel.readouts.tiles.items()}
    assert shown == {
        "epoch": "10.00",
        "step": "100",
        "pace": "1,234",
        "remaining": "about 3 min",
        "elapsed": "1 min 05 s",
        "best": "1.000",
        "since": "0.0 epochs",
        "learning_rate": "–",
        "memory": "2.0 GB / 16.0 GB",
        "waited": "60%",
    }
    assert panel.header.progress.value() == 250
    assert panel.header.phase.text() == "25% · about 3 min left"
    assert len(panel.curves.plots()) == 1


def test_a_phase_is_told_while_images_are_prepared(panel: TrainingPanel, job: FakeJob) -> None:
    told(job, phase="Decoding images 120 of 400")
    assert panel.header.phase.text() == "Decoding images 120 of 400"


def test_a_learning_rate_is_shown_where_a_method_tells_one(
    panel: TrainingPanel, job: FakeJob
) -> None:
    assert not panel.readouts.tiles["learning_rate"].isVisible()
    job.feed.extend(loss=[1.0], learning_rate=[2e-4])
    told(job)
    assert panel.readouts.tiles["learning_rate"].value() == "0.0002"
    assert panel.readouts.tiles["learning_rate"].isVisible()


@pytest.mark.parametrize(
    ("state", "main", "stops", "kills"),
    [
        (JobState.QUEUED, "", True, False),
        (JobState.STARTING, "", True, True),
        (JobState.RUNNING, "Pause", True, True),
        (JobState.PAUSING, "", True, True),
        (JobState.PAUSED, "Resume", True, True),
        (JobState.STOPPING, "", False, True),
        (JobState.FINISHED, "Extend…", False, False),
        (JobState.STOPPED, "Resume", False, False),
        (JobState.CRASHED, "Resume", False, False),
    ],
)
def test_each_state_offers_what_can_be_done_in_it(
    panel: TrainingPanel, job: FakeJob, state: JobState, main: str, stops: bool, kills: bool
) -> None:
    job.set_state(state)
    header = panel.header
    assert (header.main_button.text() if header.main_button.isVisible() else "") == main
    assert header.stop_button.isVisible() is stops
    assert header.kill_button.isVisible() is kills
    for button in (header.main_button, header.stop_button, header.kill_button):
        assert button.toolTip()
        assert button.accessibleName()


def test_buttons_steer_the_job(panel: TrainingPanel, job: FakeJob, qtbot: QtBot) -> None:
    header, left = panel.header, Qt.MouseButton.LeftButton
    qtbot.mouseClick(header.main_button, left)
    qtbot.mouseClick(header.stop_button, left)
    qtbot.mouseClick(header.kill_button, left)
    header.pressed.emit("save")
    job.set_state(JobState.PAUSED)
    qtbot.mouseClick(header.main_button, left)
    assert job.told == ["pause", "stop", "kill", "checkpoint", "resume"]


def test_a_stopped_run_is_resumed_as_a_new_job(
    panel: TrainingPanel, session: FakeSession, job: FakeJob
) -> None:
    job.set_state(JobState.STOPPED)
    panel.header.main_button.click()
    assert len(session.jobs.jobs) == 2
    assert session.jobs.jobs[-1].run.path == job.run.path
    assert panel.state is JobState.STARTING


def test_a_finished_run_is_extended_beyond_the_epoch_it_reached(
    panel: TrainingPanel, session: FakeSession, job: FakeJob
) -> None:
    job.feed.extend(loss=np.ones(600))  # 60 epochs: more than asked, for few images
    told(job)
    job.set_state(JobState.FINISHED)
    panel.extend(5)
    assert job.run.spec().params["epochs"] == 65
    assert session.jobs.jobs[-1] is not job


def test_a_method_without_epochs_cannot_be_extended(
    panel: TrainingPanel, session: FakeSession
) -> None:
    job = session.jobs.start(SPEC.model_copy(update={"params": {"components": 4}}), "PCA")
    session.open_run(job.run)
    job.set_state(JobState.FINISHED)
    assert not panel.header.main_button.isVisible()


def test_out_of_memory_offers_the_batch_size_that_fits(
    panel: TrainingPanel, session: FakeSession, job: FakeJob, qtbot: QtBot
) -> None:
    job.set_state(JobState.OUT_OF_MEMORY)
    told(
        job,
        out_of_memory={"batch_size": 256, "fits": 128, "text": "CUDA out of memory"},
        memory=(15_000_000_000, 16_000_000_000),
    )
    assert panel.trouble.isVisible()
    assert "batches of 256" in panel.trouble.accessibleName()
    assert panel.trouble.retry_button.text() == "Retry with 128"
    panel.trouble.retry_button.click()
    again = session.jobs.jobs[-1].run.spec()
    assert again.params == {**SPEC.params, "batch_size": 128}
    assert (again.folder, again.seed, again.method) == (SPEC.folder, SPEC.seed, SPEC.method)
    with qtbot.waitSignal(panel.duplicate_wanted) as wanted:
        panel.trouble.change_button.click()
    assert wanted.args[0].path == job.run.path


def test_a_failure_is_told_with_its_traceback(panel: TrainingPanel, job: FakeJob) -> None:
    job.feed.notes = [{"time": 0.0, "level": "error", "text": "It broke.", "traceback": "Trace"}]
    job.set_state(JobState.FAILED, "It broke.")
    assert panel.trouble.isVisible()
    assert "It broke." in panel.trouble.accessibleName()
    assert panel.trouble.traceback_button.isVisible()
    assert panel._traceback() == ("It broke.", "Trace")
    job.set_state(JobState.RUNNING)
    assert not panel.trouble.isVisible()


def test_a_crash_shows_what_the_worker_printed(panel: TrainingPanel, job: FakeJob) -> None:
    job.run.log_path.write_text("Fatal Python error: Segmentation fault\n")
    job.set_state(JobState.CRASHED, "The worker crashed (signal 11).")
    assert "Segmentation fault" in panel._traceback()[1]
    assert panel.trouble.traceback_button.isVisible()


def test_a_run_of_the_past_is_read_from_its_folder(
    panel: TrainingPanel, session: FakeSession, tmp_path: Path, qtbot: QtBot
) -> None:
    run = trained(tmp_path / "旧 run", "Old", JobState.FINISHED)
    session.open_run(run)
    qtbot.waitUntil(lambda: panel.state is JobState.FINISHED)
    assert panel.readouts.tiles["step"].value() == "50"
    assert panel.header.progress.value() == 1000


def test_a_run_whose_worker_is_gone_was_interrupted(
    panel: TrainingPanel, session: FakeSession, tmp_path: Path, qtbot: QtBot
) -> None:
    session.open_run(trained(tmp_path / "run", "Lost", JobState.RUNNING))
    qtbot.waitUntil(lambda: panel.state is JobState.LOST)
    assert panel.trouble.isVisible()
    assert panel.header.main_button.text() == "Resume"


def test_another_run_takes_the_place_of_the_first(
    panel: TrainingPanel, session: FakeSession, job: FakeJob, tmp_path: Path, qtbot: QtBot
) -> None:
    job.feed.extend(loss=np.ones(500))
    told(job)
    session.open_run(trained(tmp_path / "run", "Old", JobState.STOPPED))
    qtbot.waitUntil(lambda: panel.readouts.tiles["step"].value() == "50")
    job.feed.extend(loss=np.ones(500))
    told(job)
    assert panel.readouts.tiles["step"].value() == "50"
    session.open_run(None)
    assert panel._stack.currentWidget() is panel._empty


def test_a_restart_at_a_checkpoint_draws_the_curves_anew(
    panel: TrainingPanel, job: FakeJob
) -> None:
    job.feed.extend(loss=np.ones(100))
    told(job)
    job.feed.curves = type(job.feed.curves)()
    job.feed.extend(loss=np.ones(40))
    job.feed.restarted.emit()
    told(job)
    assert panel.readouts.tiles["step"].value() == "40"


def test_other_runs_are_laid_over_and_let_go(
    panel: TrainingPanel, session: FakeSession, job: FakeJob, tmp_path: Path, qtbot: QtBot
) -> None:
    other = trained(tmp_path / "other", "Other", JobState.FINISHED)
    session.runs = [job.run, other]
    session.refresh_runs()
    job.feed.extend(loss=np.ones(100))
    told(job)
    panel.compare([other])

    def names() -> list[str]:
        panel.curves._next = 0.0
        job.feed.updated.emit()
        return [line.name for plot in panel.curves.plots() for line in plot.lines]

    qtbot.waitUntil(lambda: names() == ["VAE", "Other"])
    panel.compare([])
    assert names() == ["Loss"]
    assert panel._overlaid == {}


def test_the_methods_own_pictures_appear_when_it_is_done(
    panel: TrainingPanel, job: FakeJob, qtbot: QtBot
) -> None:
    assert not panel.tabs.isTabVisible(1)
    line = np.arange(3, dtype=np.float32)
    write_views(
        job.run.path / "views", [Curve("Scree", {"a": (line, line)}), Table("T", ["a"], [(1,)])]
    )
    job.set_state(JobState.FINISHED)
    assert panel.tabs.isTabVisible(1)
    qtbot.waitUntil(lambda: list(panel.pictures.frames) == ["Scree", "T"])


def test_all_values_are_written_as_a_table(
    panel: TrainingPanel, job: FakeJob, tmp_path: Path
) -> None:
    job.feed.extend(loss=[1.0, np.nan, 0.25])
    told(job)
    panel.curves.table_wanted.emit(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines == [
        "step,epoch,elapsed,loss",
        "1,0.1,0.05,1",
        "2,0.2,0.1,",
        "3,0.3,0.15,0.25",
    ]


def test_what_cannot_be_done_is_told_and_not_raised(
    panel: TrainingPanel, session: FakeSession, job: FakeJob, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(session.problem) as sentence:
        panel.curves.table_wanted.emit(tmp_path / "missing" / "a.csv")
    assert "cannot be written" in sentence.args[0]


def test_a_hidden_panel_draws_nothing_and_catches_up(
    panel: TrainingPanel, job: FakeJob, qtbot: QtBot
) -> None:
    panel.hide()
    job.feed.extend(loss=np.ones(30))
    told(job)
    assert panel.readouts.tiles["step"].value() == "–"
    panel.show()
    assert panel.readouts.tiles["step"].value() == "30"


def test_the_details_are_enough_to_do_it_again(panel: TrainingPanel, job: FakeJob) -> None:
    item = panel._details.itemAt(0)
    assert item is not None
    frame: Any = item.widget()
    rows = dict(frame.content._view.rows)
    assert rows["Folder"] == SPEC.folder
    assert rows["Batch size"] == "256"
    assert rows["Seed"] == "0"
    assert rows["Started"] == time.strftime("%H:%M", time.localtime(SPEC.created)) or ":" in str(
        rows["Started"]
    )


def test_an_experiment_is_told_with_every_run_of_it_and_compared_when_two_are_done(
    panel: TrainingPanel, session: FakeSession, tmp_path: Path, qtbot: QtBot
) -> None:
    specs = experiment_specs(SPEC, "Depth", {"1 layer": {}, "2 layers": {}, "3 layers": {}})
    runs = [Run.create(tmp_path / str(place), spec) for place, spec in enumerate(specs)]
    session.runs = runs
    runs[0].method_path.mkdir()
    session.open_run(runs[2])
    assert "1 of 3 runs are done: 1 layer ✓, 2 layers, 3 layers" in (
        panel.experiment.accessibleName()
    )
    assert not panel.experiment.buttons[0].isEnabled()

    runs[1].method_path.mkdir()
    session.refresh_runs()
    qtbot.waitUntil(lambda: panel.experiment.buttons[0].isEnabled())
    with qtbot.waitSignal(panel.compare_maps_wanted) as wanted:
        panel.experiment.buttons[0].click()
    assert [run.path for run in wanted.args[0]] == [run.path for run in runs[:2]]

    panel.experiment.buttons[1].click()
    assert panel.curves.tools.compared() == [str(run.path) for run in runs[:2]]
    panel.experiment.buttons[2].click()
    session.open_run(runs[0])
    assert not panel.experiment.isVisible()


def test_a_run_of_no_experiment_has_no_card(panel: TrainingPanel, job: FakeJob) -> None:
    assert job.run.spec().experiment == ""
    assert not panel.experiment.isVisible()
