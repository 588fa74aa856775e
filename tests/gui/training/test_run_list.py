"""Runs, log and jobs at a glance."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.gui.theme import apply_theme
from desktop_app.gui.training import actions
from desktop_app.gui.training.jobsbar import JobsBar
from desktop_app.gui.training.log import LogPanel
from desktop_app.gui.training.runs import RunList
from desktop_app.gui.training.summaries import summaries
from tests.gui.fakes import FakeSession

SPEC = JobSpec(folder="/images/饼干", method="vae", title="VAE", params={"epochs": 5})


def past_run(folder: Path, title: str, *events: dict[str, Any], created: float = 0.0) -> Run:
    run = Run.create(folder, SPEC.model_copy(update={"title": title, "created": created}))
    lines = [json.dumps(event) for event in events]
    run.events_path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return run


def metrics(progress: float, **values: float) -> dict[str, Any]:
    return {
        "type": "metrics",
        "progress": progress,
        "values": {name: [value, None] for name, value in values.items()},
    }


def state(name: str) -> dict[str, Any]:
    return {"type": "state", "state": name, "detail": ""}


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> FakeSession:
    session = FakeSession(tmp_path)
    session.runs = [
        past_run(tmp_path / "a", "First", metrics(1, kl=3, loss=0.5), state("finished"), created=1),
        past_run(tmp_path / "b", "Second", metrics(0.4, loss=7), state("stopped"), created=2),
        past_run(tmp_path / "c", "Third 饼干", state("running"), created=3),
    ]
    return session


@pytest.fixture
def runs(session: FakeSession, qtbot: QtBot) -> RunList:
    runs = RunList(session)  # type: ignore[arg-type]
    qtbot.addWidget(runs)
    runs.resize(280, 400)
    runs.show()
    return runs


def titles(runs: RunList) -> list[str]:
    return [runs.model.row(runs.model.index(row)).title for row in range(runs.model.rowCount())]


def choose(runs: RunList, *rows: int) -> None:
    runs.list.clearSelection()
    selection = runs.list.selectionModel()
    for row in rows:
        selection.select(runs.model.index(row), selection.SelectionFlag.Select)


def offered(menu: QMenu) -> dict[str, bool]:
    return {action.text(): action.isEnabled() for action in menu.actions() if action.text()}


def test_a_summary_is_read_from_the_end_of_the_events(session: FakeSession) -> None:
    first, second, third = summaries(session.runs, {})
    assert (first.state, first.progress, first.metric, first.value) == (
        JobState.FINISHED,
        1.0,
        "loss",
        0.5,
    )
    assert (second.state, second.progress) == (JobState.STOPPED, 0.4)
    assert third.state is JobState.LOST, "nobody works on it"


def test_a_summary_of_a_long_run_needs_only_its_end(tmp_path: Path) -> None:
    long = [metrics(step / 20_000, loss=float(step)) for step in range(20_000)]
    run = past_run(tmp_path / "long", "Long", *long, state("stopped"))
    summary = summaries([run], {})[0]
    assert (summary.state, summary.value) == (JobState.STOPPED, 19_999)


def test_summaries_are_reused_until_a_file_changes(session: FakeSession) -> None:
    known = {row.path: row for row in summaries(session.runs, {})}
    again = summaries(session.runs, known)
    assert again[0] is known[session.runs[0].path]
    actions.rename(session.runs[0], "Renamed")
    assert summaries(session.runs, known)[0].title == "Renamed"


def test_a_damaged_run_is_listed_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{")
    summary = summaries([Run(tmp_path)], {})[0]
    assert "not a run folder" in summary.problem


def test_the_newest_run_stands_first_and_the_search_narrows(runs: RunList) -> None:
    assert titles(runs) == ["Third 饼干", "Second", "First"]
    runs.search.searched.emit("饼干 third")
    assert titles(runs) == ["Third 饼干"]
    runs.search.searched.emit("nothing")
    assert runs._stack.currentWidget() is runs._empty
    runs._empty.button.click()


def test_a_click_opens_a_run(runs: RunList, session: FakeSession, qtbot: QtBot) -> None:
    place = runs.list.visualRect(runs.model.index(1)).center()
    qtbot.mouseClick(runs.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.run is not None
    assert session.run.path.name == "b"


def test_rows_are_painted_in_both_themes(
    runs: RunList, session: FakeSession, qapp: QApplication
) -> None:
    job = session.jobs.add_job(SPEC)
    job.feed.extend(loss=np.ones(4))
    session.runs.append(job.run)
    session.refresh_runs()
    for theme in ("light", "dark"):
        apply_theme(qapp, theme)
        image = runs.grab().toImage()
        rows = range(40, image.height(), 2)
        assert len({image.pixel(x, y) for y in rows for x in range(image.width())}) > 20


def test_the_menu_offers_what_fits_the_run(runs: RunList, session: FakeSession) -> None:
    session.open_run(session.runs[0])
    choose(runs, 2)
    finished = offered(runs.menu())
    choose(runs, 1)
    stopped = offered(runs.menu())
    choose(runs, 1, 2)
    both = offered(runs.menu())
    assert "Extend…" in finished
    assert "Resume" not in finished
    assert "Resume" in stopped
    assert "Extend…" not in stopped
    assert both == {"Compare curves": True, "Compare maps": True, "Move to trash…": True}


def test_runs_to_compare_and_to_duplicate_are_told(runs: RunList, qtbot: QtBot) -> None:
    runs._session.open_run(Run(Path("open")))
    choose(runs, 0, 2)
    with qtbot.waitSignal(runs.compare_wanted) as told:
        next(act for act in runs.menu().actions() if act.text() == "Compare curves").trigger()
    assert [run.path.name for run in told.args[0]] == ["c", "a"]
    choose(runs, 1)
    with qtbot.waitSignal(runs.duplicate_wanted) as told:
        next(act for act in runs.menu().actions() if "Duplicate" in act.text()).trigger()
    assert told.args[0].path.name == "b"


def test_a_stopped_run_is_resumed_from_the_menu(runs: RunList, session: FakeSession) -> None:
    choose(runs, 1)
    next(act for act in runs.menu().actions() if act.text() == "Resume").trigger()
    assert session.jobs.jobs[0].run.path.name == "b"


def test_a_run_is_renamed(runs: RunList, session: FakeSession) -> None:
    runs.rename(session.runs[0], "  新名字 ")
    assert "新名字" in titles(runs)
    assert session.runs[0].spec().title == "新名字"
    runs.rename(session.runs[0], "   ")
    assert session.runs[0].spec().title == "新名字"


def test_a_run_is_thrown_away_only_when_confirmed(
    runs: RunList, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    thrown: list[str] = []
    monkeypatch.setattr(actions, "throw_away", lambda run: thrown.append(run.path.name))
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(QMessageBox, "question", lambda *_args: next(answers))
    session.open_run(session.runs[1])
    choose(runs, 1)
    for _ in range(2):
        next(act for act in runs.menu().actions() if "trash" in act.text()).trigger()
    assert thrown == ["b"]
    assert session.run is None


def test_a_run_that_is_worked_on_cannot_be_thrown_away(
    runs: RunList, session: FakeSession, qtbot: QtBot
) -> None:
    session.jobs.resume(session.runs[2])
    choose(runs, 0)
    assert not next(act for act in runs.menu().actions() if "trash" in act.text()).isEnabled()
    with qtbot.waitSignal(session.problem):
        qtbot.keyClick(runs, Qt.Key.Key_Delete)


def test_without_runs_the_list_says_how_to_get_one(qtbot: QtBot, tmp_path: Path) -> None:
    runs = RunList(FakeSession(tmp_path))  # type: ignore[arg-type]
    qtbot.addWidget(runs)
    with qtbot.waitSignal(runs.setup_wanted):
        runs._empty.button.click()


# -- The log ---------------------------------------------------------------------------------


@pytest.fixture
def log(session: FakeSession, qtbot: QtBot) -> LogPanel:
    log = LogPanel(session)  # type: ignore[arg-type]
    qtbot.addWidget(log)
    log.resize(700, 200)
    log.show()
    return log


def lines(log: LogPanel) -> list[str]:
    return [log._filter.index(row, 2).data() for row in range(log._filter.rowCount())]


def note(text: str, level: str = "info", trace: str = "") -> dict[str, Any]:
    return {"type": "note", "time": 1.0, "level": level, "text": text, "traceback": trace}


def test_notes_of_jobs_come_as_they_are_told(log: LogPanel, session: FakeSession) -> None:
    job = session.jobs.add_job(SPEC)
    job.feed.notes.append(note("Reading."))
    job.feed.updated.emit()
    job.feed.notes.append(note("Broken.", "error"))
    job.feed.updated.emit()
    job.feed.updated.emit()
    assert lines(log) == ["Reading.", "Broken."]


def test_a_resumed_run_does_not_repeat_itself(log: LogPanel, session: FakeSession) -> None:
    job = session.jobs.add_job(SPEC)
    job.feed.notes = [note("One."), note("Two.")]
    job.feed.updated.emit()
    job.feed.notes = [note("One.")]
    job.feed.updated.emit()
    assert lines(log) == ["One."]


def test_notes_of_a_run_of_the_past_are_read(
    log: LogPanel, session: FakeSession, tmp_path: Path
) -> None:
    run = past_run(tmp_path / "old", "Old", note("Long ago.", "warning"), metrics(1, loss=1))
    session.open_run(run)
    session.open_run(None)
    session.open_run(run)
    assert lines(log) == ["Long ago."]


def test_entries_are_filtered_by_level_and_by_words(log: LogPanel) -> None:
    log.add("info", "Loupe", "Hello.")
    log.add("warning", "Loupe", "Careful.")
    log.add("error", "Loupe", "Broken.")
    log.levels.choose("warning")
    assert lines(log) == ["Careful.", "Broken."]
    log.levels.choose("error")
    assert lines(log) == ["Broken."]
    log.levels.choose("info")
    log.search.searched.emit("HELLO")
    assert lines(log) == ["Hello."]


def test_problems_of_the_window_are_kept_and_counted(
    log: LogPanel, session: FakeSession, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(log.counted) as told:
        session.problem.emit("No such folder.")
    assert told.args == [1]
    assert lines(log) == ["No such folder."]


def test_entries_are_copied_with_their_tracebacks_and_cleared(log: LogPanel) -> None:
    log.add("error", "VAE", "Broken.", "Traceback (most recent call last)")
    log.copy()
    text = QGuiApplication.clipboard().text()
    assert "ERROR VAE: Broken." in text
    assert "Traceback (most recent call last)" in text
    log.clear()
    assert lines(log) == []
    assert log._stack.currentWidget() is log._empty


# -- Jobs in the status bar ------------------------------------------------------------------


@pytest.fixture
def bar(session: FakeSession, qtbot: QtBot) -> JobsBar:
    bar = JobsBar(session)  # type: ignore[arg-type]
    qtbot.addWidget(bar)
    bar.show()
    return bar


def test_the_bar_tells_what_runs_how_far_it_is_and_what_waits(
    bar: JobsBar, session: FakeSession
) -> None:
    assert bar.button.text() == "No job runs"
    assert not bar.progress.isVisible()
    running = session.jobs.start(SPEC, "VAE")
    session.jobs.start(SPEC, "Next")
    running.feed.progress, running.feed.remaining = 0.42, 170.0
    session.jobs.jobs_changed.emit()
    assert bar.button.text() == "VAE"
    assert bar.words.text() == "42% · about 3 min"
    assert bar.waiting.text() == "1 more"
    running.set_state(JobState.FINISHED)
    assert bar.button.text() == "No job runs"


def test_every_job_can_be_steered_from_the_bar(
    bar: JobsBar, session: FakeSession, qtbot: QtBot
) -> None:
    job = session.jobs.start(SPEC, "VAE")
    entry = bar.menu().actions()[0].menu()
    assert isinstance(entry, QMenu)
    acts = {act.text(): act for act in entry.actions()}
    assert list(acts) == ["Show", "Pause", "Stop", "Kill"]
    acts["Pause"].trigger()
    acts["Stop"].trigger()
    assert job.told == ["pause", "stop"]
    with qtbot.waitSignal(bar.job_chosen) as chosen:
        acts["Show"].trigger()
    assert chosen.args == [job]


def test_the_bar_follows_nothing_while_nothing_runs(bar: JobsBar, session: FakeSession) -> None:
    assert not bar._clock.isActive()
    job = session.jobs.start(SPEC, "VAE")
    assert bar._clock.isActive()
    job.set_state(JobState.STOPPED)
    assert not bar._clock.isActive()
