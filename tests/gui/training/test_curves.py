"""Curves on the screen: live, smoothed, compared, exported."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.gui.theme import apply_theme
from desktop_app.gui.training.curve_plot import CurvePlot, Mark
from desktop_app.gui.training.curves import CurvesView, Overlay
from tests.gui.fakes import FakeFeed

RANDOM = np.random.default_rng(0)


@pytest.fixture
def view(qtbot: QtBot) -> CurvesView:
    view = CurvesView()
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    qtbot.waitExposed(view)
    return view


def falling(count: int = 400) -> FakeFeed:
    """Losses that fall, a rate that is lowered once."""
    feed = FakeFeed()
    steps = np.arange(count)
    loss = 50 * np.exp(-steps / 80) + 2 + 0.2 * RANDOM.normal(size=count)
    rate = np.where(steps < count // 2, 1e-3, 1e-4)
    feed.extend(loss=loss, nll=loss * 0.9, learning_rate=rate)
    return feed


def refreshed(view: CurvesView, qtbot: QtBot) -> None:
    view._next = 0.0
    view.refresh()
    settled(view, qtbot)


def settled(view: CurvesView, qtbot: QtBot) -> None:
    """Wait until all plots are made and drawn."""
    qtbot.waitUntil(lambda: view._turns.are_done)
    qtbot.wait(5)


def drawn(plot: CurvePlot, place: int = 0, *, raw: bool = False) -> tuple[np.ndarray, np.ndarray]:
    line = plot.lines[place]
    x, y = (line.raw if raw else line.smooth).getData()
    return x, y


def test_metrics_of_one_size_share_a_plot_and_settings_have_their_own(
    view: CurvesView, qtbot: QtBot
) -> None:
    view.set_source(falling().curves)
    refreshed(view, qtbot)
    assert [[line.metric for line in plot.lines] for plot in view.plots()] == [
        ["loss", "nll"],
        ["learning_rate"],
    ]


def test_raw_values_are_all_kept_and_the_smoothed_line_is_smoother(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed = falling()
    view.set_source(feed.curves)
    view.tools.choose(window=30)
    refreshed(view, qtbot)
    _, raw = drawn(view.plots()[0], raw=True)
    _, smooth = drawn(view.plots()[0])
    np.testing.assert_array_equal(raw, feed.curves.values("loss"))
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(raw)).mean()


def test_new_steps_are_drawn_and_stay_in_sight(view: CurvesView, qtbot: QtBot) -> None:
    feed = falling(100)
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    feed.extend(loss=np.full(300, 1.0), nll=np.full(300, 1.0), learning_rate=np.full(300, 1e-4))
    refreshed(view, qtbot)
    x, y = drawn(view.plots()[0])
    assert x[-1] == 400
    low, high = view.plots()[0].box.viewRange()[0]
    assert low <= x[0]
    assert high >= 400
    assert view.plots()[0].box.viewRange()[1][0] < y.min()


def test_a_zoom_stays_while_steps_come_until_everything_is_asked_for(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed = falling()
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    plot = view.plots()[0]
    plot.box.setRange(xRange=(100, 200), yRange=(1, 5), padding=0)
    plot.box.sigRangeChangedManually.emit([True, True])
    feed.extend(loss=np.ones(50), nll=np.ones(50), learning_rate=np.ones(50))
    refreshed(view, qtbot)
    assert plot.box.viewRange() == [[100, 200], [1, 5]]
    assert view.plots()[1].box.viewRange()[0] == [100, 200], "plots move together"
    x, _ = drawn(plot, raw=True)
    assert x.min() >= 98
    assert x.max() <= 202
    view.fit()
    qtbot.wait(5)
    assert plot.box.viewRange()[0][1] > 440


@pytest.mark.parametrize(("axis", "last"), [("step", 400), ("epoch", 40), ("elapsed", 20)])
def test_the_horizontal_axis_is_steps_epochs_or_time(
    view: CurvesView, qtbot: QtBot, axis: str, last: float
) -> None:
    view.set_source(falling().curves)
    view.tools.choose(axis=axis)
    refreshed(view, qtbot)
    x, _ = drawn(view.plots()[0])
    assert x[-1] == pytest.approx(last)
    assert view.plots()[0].box.viewRange()[0][1] == pytest.approx(last, rel=0.06)


def test_a_logarithmic_axis_leaves_out_and_counts_what_has_no_logarithm(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed = FakeFeed()
    feed.extend(loss=[10.0, 1.0, 0.0, -3.0, 0.1])
    view.set_source(feed.curves)
    view.tools.choose(logarithmic=True)
    refreshed(view, qtbot)
    plot = view.plots()[0]
    _, y = drawn(plot, raw=True)
    np.testing.assert_allclose(y, [1, 0, np.nan, np.nan, -1])
    assert plot.remark.text().startswith("2 values")
    view.tools.choose(logarithmic=False)
    refreshed(view, qtbot)
    assert not plot.remark.isVisible()


def test_outliers_are_zoomed_past_and_not_removed(view: CurvesView, qtbot: QtBot) -> None:
    feed = FakeFeed()
    values = RANDOM.normal(5, 0.1, 1000)
    values[10] = 1e6
    feed.extend(loss=values)
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    plot = view.plots()[0]
    assert plot.box.viewRange()[1][1] >= 1e6
    view.tools.choose(robust=True)
    refreshed(view, qtbot)
    assert plot.box.viewRange()[1][1] < 10
    assert drawn(plot, raw=True)[1].max() == 1e6


def test_the_best_value_is_ringed_and_told(view: CurvesView, qtbot: QtBot) -> None:
    feed = FakeFeed()
    feed.extend(loss=np.abs(np.arange(300) - 200.0) + 1, learning_rate=np.ones(300))
    view.set_source(feed.curves)
    view.tools.choose(window=1)
    refreshed(view, qtbot)
    best = view.best()
    assert best is not None
    assert (best.metric, best.value, best.row) == ("loss", 1.0, 200)
    ringed = view.plots()[0]._best.getData()
    assert [float(column[0]) for column in ringed] == [201, 1]
    assert len(view.plots()[1]._best.getData()[0]) == 0, "a setting has no best value"


def test_events_are_ticks_at_their_step(view: CurvesView, qtbot: QtBot) -> None:
    view.set_source(falling().curves)
    view.set_marks([Mark(100, "checkpoint", ""), Mark(150, "paused", ""), Mark(9e9, "running", "")])
    refreshed(view, qtbot)
    marks = view.plots()[0]._marks
    assert marks["checkpoint"].xvals == [100]
    assert marks["paused"].xvals == [150]
    assert marks["running"].xvals == [400]
    assert marks["learning rate"].xvals == [201]


def test_the_crosshair_tells_the_values_of_every_line(view: CurvesView, qtbot: QtBot) -> None:
    feed = falling()
    view.set_source(feed.curves)
    view.set_marks([Mark(200, "checkpoint", "")])
    refreshed(view, qtbot)
    plot = view.plots()[0]
    plot.hovered.emit(200.2, QPointF(plot.mapToGlobal(QPoint(50, 50))))
    table = view.table
    assert table.isVisible()
    assert table._title == "Step 200 · epoch 20.00 · 0:10 · checkpoint"
    assert [row.name for row in table._rows] == ["Loss", "NLL"]
    assert float(table._rows[0].values[0]) == pytest.approx(
        feed.curves.values("loss")[199], rel=0.01
    )
    assert plot._cursor.value() == 200
    plot.left.emit()
    assert not table.isVisible()


def test_a_chip_hides_its_line_and_the_range_follows(view: CurvesView, qtbot: QtBot) -> None:
    feed = FakeFeed()
    feed.extend(loss=np.linspace(10, 9, 100), nll=np.linspace(1, 0.9, 100))
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    plot = view.plots()[0]
    qtbot.mouseClick(plot.chips, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    qtbot.wait(5)
    assert not plot.lines[0].smooth.isVisible()
    assert plot.box.viewRange()[1][1] < 2


def test_chips_that_do_not_fit_in_a_line_take_another(view: CurvesView, qtbot: QtBot) -> None:
    view.resize(420, 500)
    view.set_source(falling().curves, "a title that takes half of the line")
    view.set_overlays([Overlay("/runs/a", "and another one that is as long", falling().curves)])
    refreshed(view, qtbot)
    chips = view.plots()[0].chips
    assert chips.height() == chips.heightForWidth(chips.width())
    assert chips.height() > 20


def test_other_runs_are_laid_over_one_metric_a_plot_one_colour_a_run(
    view: CurvesView, qtbot: QtBot
) -> None:
    view.set_source(falling().curves, "mine")
    view.set_overlays([Overlay("/runs/a", "theirs", falling(200).curves)])
    refreshed(view, qtbot)
    plots = view.plots()
    assert [[line.name for line in plot.lines] for plot in plots] == [
        ["mine", "theirs"],
        ["mine", "theirs"],
        ["mine", "theirs"],
    ]
    assert [plot.title.text() for plot in plots] == ["Loss", "NLL", "Learning rate"]
    assert {tuple(line.colour for line in plot.lines) for plot in plots} == {(0, 1)}
    view.set_overlays([])
    settled(view, qtbot)
    assert len(view.plots()) == 2


def test_the_analyst_chooses_which_metrics_share_a_plot(view: CurvesView, qtbot: QtBot) -> None:
    view.set_source(falling().curves)
    view.tools.choose(grouping="separate")
    refreshed(view, qtbot)
    assert [len(plot.lines) for plot in view.plots()] == [1, 1, 1]
    view.tools.choose(grouping="together")
    settled(view, qtbot)
    assert [len(plot.lines) for plot in view.plots()] == [3]


def test_a_metric_that_comes_later_gets_its_place(view: CurvesView, qtbot: QtBot) -> None:
    feed = falling()
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    feed.extend(loss=[1.0], nll=[1.0], learning_rate=[1e-4], accuracy=[0.5])
    refreshed(view, qtbot)
    assert ["accuracy"] in [[line.metric for line in plot.lines] for plot in view.plots()]


def test_smoothing_grows_with_the_run_until_the_analyst_chooses(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed = falling(100)
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    assert view.tools.smoothing() < 2
    ones = np.ones(4000)
    feed.extend(loss=ones, nll=ones, learning_rate=ones)
    refreshed(view, qtbot)
    assert view.tools.smoothing() > 20
    view.tools.choose(window=7)
    feed.extend(loss=np.ones(40_000), nll=np.ones(40_000), learning_rate=np.ones(40_000))
    refreshed(view, qtbot)
    assert view.tools.smoothing() == 7


def test_before_the_first_step_the_place_says_what_will_come(view: CurvesView) -> None:
    view.set_source(FakeFeed().curves)
    assert view._stack.currentWidget() is view._empty
    view.set_source(None)
    assert view._stack.currentWidget() is view._empty
    assert view.best() is None


def test_curves_are_copied_and_saved(view: CurvesView, qtbot: QtBot, tmp_path: Path) -> None:
    view.set_source(falling().curves)
    refreshed(view, qtbot)
    view.tools.copy_wanted.emit()
    assert not QGuiApplication.clipboard().image().isNull()
    for kind in ("png", "svg"):
        view.tools.export_wanted.emit(kind, tmp_path / f"曲线.{kind}")
        assert (tmp_path / f"曲线.{kind}").stat().st_size > 1000
    with qtbot.waitSignal(view.table_wanted) as wanted:
        view.tools.export_wanted.emit("csv", tmp_path / "a.csv")
    assert wanted.args == [tmp_path / "a.csv"]
    with qtbot.waitSignal(view.failed):
        view.tools.export_wanted.emit("png", tmp_path / "missing" / "a.png")


def test_a_million_steps_are_drawn_from_a_few_thousand_points(
    view: CurvesView, qtbot: QtBot
) -> None:
    feed = FakeFeed()
    values = np.exp(-np.arange(1_000_000) / 2e5)
    values[123_456] = 9
    feed.extend(loss=values)
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    x, y = drawn(view.plots()[0], raw=True)
    assert len(x) < 5000
    assert y.max() == 9


def test_nothing_is_drawn_while_nobody_looks(view: CurvesView, qtbot: QtBot) -> None:
    feed = falling()
    view.set_source(feed.curves)
    refreshed(view, qtbot)
    view.hide()
    feed.extend(loss=[1.0], nll=[1.0], learning_rate=[1.0])
    refreshed(view, qtbot)
    assert drawn(view.plots()[0])[0][-1] == 400
    view.show()
    qtbot.wait(20)
    assert drawn(view.plots()[0])[0][-1] == 401


def test_curves_change_their_colours_with_the_theme(
    view: CurvesView, qtbot: QtBot, qapp: QApplication
) -> None:
    view.set_source(falling().curves)
    colours = set()
    for theme in ("light", "dark"):
        apply_theme(qapp, theme)
        refreshed(view, qtbot)
        colours.add(view.plots()[0].lines[0].smooth.opts["pen"].color().name())
    assert len(colours) == 2


def test_repainting_a_live_plot_leaves_none_alone(view: CurvesView, qtbot: QtBot) -> None:
    feed = FakeFeed()
    feed.extend(loss=np.ones(50))
    view.resize(320, 260)
    view.set_source(feed.curves)
    refreshed(view, qtbot)

    def repaint(times: int) -> None:
        for _ in range(times):
            feed.extend(loss=[1.0])
            view._next = 0.0
            view.refresh()
            view.area.grab()

    repaint(20)
    before = sys.getrefcount(None)
    repaint(300)
    assert sys.getrefcount(None) > before - 200, "None was released more often than taken"
