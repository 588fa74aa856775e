"""What the host tells of a training, on the screen: levels, alarms, health, probes, pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.eventlog import EventLog
from desktop_app.core.runs import JobSpec, Run
from desktop_app.core.viewfiles import write_views
from desktop_app.gui.feed import Alarm, Reference, RunFeed
from desktop_app.gui.i18n import set_language
from desktop_app.gui.training.alarmcard import AlarmCard, alarm_words
from desktop_app.gui.training.curves import CurvesView, Overlay
from desktop_app.gui.training.groups import main_metric, measured_plots
from desktop_app.gui.training.panel import TrainingPanel
from desktop_app.gui.training.pictures import MethodPictures
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.views import HeatMap, Table
from tests.gui.fakes import FakeBackground, FakeFeed, FakeJob, FakeSession
from tests.gui.training.test_curves import refreshed

SPEC = JobSpec(folder="/images", method="vae", title="VAE", params={"epochs": 20})
STUCK = Alarm("loss", 0.5, "chance", "near", 3.0, "'loss' has stayed ...")
COLLAPSED = Alarm("health/spread", 0.25, "collapse", "collapse", 4.0, "The latents ...")


def told_run(path: Path) -> Run:
    """A run whose events hold everything that the host can tell."""
    run = Run.create(path, SPEC)
    with EventLog(run.events_path) as log:
        log.append("state", state="running", detail="")
        log.append("trivial_value", curve="loss", value=0.5, meaning="chance", stays="near")
        for step in range(1, 41):
            log.metrics(Metrics(step, step / 40, {"loss": 0.5}, epoch=step / 10), step / 10)
            if step % 20 == 0:
                tell_measures(log, step, last=step == 40)
        log.append("state", state="finished", detail="")
    return run


def tell_measures(log: EventLog, step: int, *, last: bool) -> None:
    at: dict[str, Any] = {"step": step, "epoch": step / 10, "elapsed": step / 10}
    values = {"spread": 0.2, "effective_rank": 3.0, "dead_share": 0.25}
    log.append("health", **at, values=values, healthy={"spread": 0.25, "effective_rank": 16})
    accuracies = {"knn": 0.6, "linear": 0.7} if last else {"knn": 0.5}
    baselines = {"pixels": {"knn": 0.4, "linear": 0.5}, "pca": {"knn": 0.45, "linear": 0.4}}
    log.append("probe", **at, values=accuracies, baselines=baselines if last else {})
    if last:
        log.append("alarm", step=step, **vars(STUCK))


@pytest.fixture
def view(qtbot: QtBot) -> CurvesView:
    view = CurvesView()
    qtbot.addWidget(view)
    view.resize(900, 900)
    view.show()
    return view


def levels(view: CurvesView, plot: int) -> list[tuple[str, float, bool]]:
    """Return words, place and visibility of the horizontal lines of a plot."""
    return [
        (level.words, float(item.value()), item.isVisible())
        for level, item in view.plots()[plot]._levels
    ]


def test_a_feed_keeps_what_the_host_told(tmp_path: Path, qtbot: QtBot) -> None:
    feed = RunFeed(told_run(tmp_path / "run").path)
    qtbot.waitUntil(lambda: bool(feed.alarms))
    feed.close()

    meanings = {(said.curve, said.meaning): said.value for said in feed.references}
    assert meanings["loss", "chance"] == 0.5
    assert meanings["health/spread", "healthy"] == 0.25
    assert meanings["probe/knn", "pca"] == 0.45
    assert feed.alarms == [STUCK]
    assert (40, "alarm", STUCK.text) in feed.marks
    assert feed.probe["latents"] == {"knn": 0.6, "linear": 0.7}
    column = feed.curves.values("health/effective_rank")
    assert column[np.isfinite(column)].tolist() == [3.0, 3.0]
    assert np.isfinite(feed.curves.values("loss")).sum() == 40


def test_what_the_host_measures_has_plots_of_its_own_below_those_of_the_method(
    tmp_path: Path, view: CurvesView, qtbot: QtBot
) -> None:
    feed = RunFeed(told_run(tmp_path / "run").path)
    qtbot.waitUntil(lambda: bool(feed.alarms))
    feed.close()
    view.set_source(feed.curves)
    view.set_references(feed.references)
    refreshed(view, qtbot)

    assert [[line.metric for line in plot.lines] for plot in view.plots()] == [
        ["loss"],
        ["health/spread", "health/dead_share"],
        ["health/effective_rank"],
        ["probe/knn", "probe/linear"],
    ]
    assert [plot.title.text() for plot in view.plots()][1::2] == [
        "Health of the latents",
        "Agreement with the labels",
    ]
    assert levels(view, 0) == [("chance 0.500", 0.5, True)]
    assert levels(view, 1) == [("healthy 0.250", 0.25, True)]
    assert [words for words, _, _ in levels(view, 3)] == ["raw pixels 0.400", "PCA-64 0.450"]
    x, _ = view.plots()[3].lines[1].dots.getData()
    assert x.tolist() == [40]
    assert main_metric(feed.curves.names) == "loss"


def test_a_level_near_the_curve_is_brought_into_sight_and_a_far_one_is_not(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed = FakeFeed()
    feed.extend(loss=np.linspace(2, 1, 100))
    view.set_source(feed.curves)
    view.set_references([Reference("loss", 2.5, "chance"), Reference("loss", 90.0, "mean image")])
    refreshed(view, qtbot)

    low, high = view.plots()[0].box.viewRange()[1]
    assert low < 1
    assert 2.5 < high < 10


def test_on_a_logarithmic_axis_a_level_of_zero_is_hidden(view: CurvesView, qtbot: QtBot) -> None:
    feed = FakeFeed()
    feed.extend(loss=np.linspace(100, 1, 100))
    view.set_source(feed.curves)
    view.set_references([Reference("loss", 10.0, "chance"), Reference("loss", 0.0, "collapse")])
    view.tools.choose(logarithmic=True)
    refreshed(view, qtbot)

    assert levels(view, 0)[0] == ("chance 10.0", 1.0, True)
    assert levels(view, 0)[1][2] is False


def test_a_level_is_hidden_with_its_curve(view: CurvesView, qtbot: QtBot) -> None:
    feed = FakeFeed()
    feed.extend(loss=np.linspace(2, 1, 100), mse=np.linspace(3, 2, 100))
    view.set_source(feed.curves)
    view.set_references([Reference("loss", 2.0, "chance"), Reference("mse", 3.0, "mean image")])
    refreshed(view, qtbot)
    view.plots()[0].chips.toggled.emit("/mse", False)
    refreshed(view, qtbot)

    assert [shown for _, _, shown in levels(view, 0)] == [True, False]


def test_runs_laid_over_bring_their_levels_and_share_those_that_are_equal(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed, other = FakeFeed(), FakeFeed()
    feed.extend(loss=np.linspace(2, 1, 100))
    other.extend(loss=np.linspace(3, 1, 80))
    theirs = [Reference("loss", 2.0, "chance"), Reference("loss", 2.8, "mean image")]
    view.set_source(feed.curves, "Mine")
    view.set_references([Reference("loss", 2.0, "chance")])
    view.set_overlays([Overlay("key", "Other", other.curves, lambda: theirs)])
    refreshed(view, qtbot)

    found = [(level.words, level.colour) for level, _ in view.plots()[0]._levels]
    assert found == [("chance 2.00", None), ("mean image 2.80", 1)]


def test_measured_plots_hold_what_is_there() -> None:
    assert measured_plots(["loss", "probe/knn"]) == [["probe/knn"]]


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> FakeSession:
    return FakeSession(tmp_path)


@pytest.fixture
def panel(session: FakeSession, qtbot: QtBot) -> Iterator[TrainingPanel]:
    panel = TrainingPanel(session)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    panel.resize(1000, 800)
    panel.show()
    yield panel
    panel.close_feeds()


@pytest.fixture
def job(session: FakeSession, panel: TrainingPanel) -> FakeJob:
    job = session.jobs.start(SPEC, "VAE")
    session.open_run(job.run)
    return job


def test_an_alarm_is_a_card_that_says_what_to_try(
    panel: TrainingPanel, job: FakeJob, qtbot: QtBot
) -> None:
    assert not panel.alarm.isVisible()
    job.feed.alarms = [STUCK]
    job.feed.updated.emit()

    assert panel.alarm.isVisible()
    assert "within 0.5 % of 0.500" in panel.alarm.accessibleName()
    assert "learning rate" in panel.alarm.accessibleName()
    with qtbot.waitSignal(panel.duplicate_wanted):
        panel.alarm.buttons[0].click()
    panel.alarm.buttons[1].click()
    job.feed.updated.emit()
    assert not panel.alarm.isVisible()
    job.feed.alarms = [STUCK, COLLAPSED]
    job.feed.updated.emit()
    assert panel.alarm.isVisible()
    assert "collapsed" in panel.alarm.accessibleName()


def test_an_alarm_leaves_with_its_run(
    panel: TrainingPanel, session: FakeSession, job: FakeJob
) -> None:
    job.feed.alarms = [STUCK]
    job.feed.updated.emit()
    session.open_run(session.jobs.start(SPEC, "Other").run)

    assert not panel.alarm.isVisible()


def test_alarms_speak_the_language_of_the_window(qtbot: QtBot) -> None:
    card = AlarmCard()
    qtbot.addWidget(card)
    set_language("zh_CN")
    try:
        words = alarm_words(COLLAPSED)
        card.show_alarms([COLLAPSED])
    finally:
        set_language("en")

    assert words == "已连续 4 轮，所有图像得到几乎相同的潜向量。"
    assert "坍缩" in card.accessibleName()


def test_the_probe_is_a_table_of_the_details(panel: TrainingPanel, job: FakeJob) -> None:
    job.feed.probe = {"latents": {"knn": 0.5}, "pixels": {"knn": 0.4, "linear": 0.3}}
    job.feed.updated.emit()

    item = panel._details.itemAt(0)
    assert item is not None
    frame: Any = item.widget()
    assert frame.content._view.rows == [
        ("latents", "50.0%", "–"),
        ("raw pixels", "40.0%", "30.0%"),
    ]


def test_pictures_of_a_training_appear_as_they_come(
    panel: TrainingPanel, job: FakeJob, tmp_path: Path
) -> None:
    for name, value in (("a", 0.0), ("b", 1.0)):
        view = HeatMap("Confusion", np.full((2, 2), value, np.float32))
        write_views(tmp_path / name, [view])
        job.feed.views = {"Confusion": tmp_path / name}
        job.feed.updated.emit()
        panel.tabs.setCurrentIndex(1)

    assert panel.tabs.isTabVisible(1)
    assert list(panel.pictures.frames) == ["Confusion"]
    frame: Any = panel.pictures.frames["Confusion"]
    assert frame.content._view.matrix[0, 0] == 1.0


def test_pictures_of_the_end_take_the_place_of_those_of_the_way(
    qtbot: QtBot, tmp_path: Path
) -> None:
    pictures = MethodPictures(FakeBackground(pytest.fail))  # type: ignore[arg-type]
    qtbot.addWidget(pictures)
    write_views(tmp_path / "way", [Table("Clusters", ["n"], [(1,)])])
    write_views(tmp_path / "run" / "views", [Table("Clusters", ["n"], [(2,)])])
    pictures.open_run(tmp_path / "run")
    pictures.finish()
    pictures.follow({"Clusters": tmp_path / "way", "Gone": tmp_path / "gone"}, live=False)

    assert list(pictures.frames) == ["Clusters"]
    frame: Any = pictures.frames["Clusters"]
    assert frame.content._view.rows == [[2]]
