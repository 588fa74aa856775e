"""Bars of scores and the line that is dragged over them."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.core.zones import Thresholds
from desktop_app.gui.inspector.histogram import ScoreHistogram, binned


@pytest.fixture
def histogram(qtbot: QtBot) -> ScoreHistogram:
    histogram = ScoreHistogram()
    qtbot.addWidget(histogram)
    histogram.resize(400, 200)
    histogram.show()
    bars = binned(np.arange(64.0), np.zeros(64, np.int64), 1)
    histogram.set_bars(bars, ["#808080"])
    histogram.set_thresholds(Thresholds(32.0))
    return histogram


def test_every_finite_score_is_counted_once() -> None:
    scores = np.array([0.0, 0.5, 1.0, np.nan, 0.25])
    bars = binned(scores, np.array([0, 1, 1, 0, 0]), 2, bins=4)
    assert bars.counts.sum(axis=1).tolist() == [2, 2]
    assert bars.counts[1].tolist() == [0, 0, 1, 1]


def test_equal_scores_make_one_bar() -> None:
    bars = binned(np.full(5, 3.0), np.zeros(5, np.int64), 1)
    assert bars.counts.max() == 5
    assert (np.diff(bars.edges) > 0).all()


def test_no_scores_make_no_bars() -> None:
    assert binned(np.zeros(0), np.zeros(0, np.int64), 1).counts.sum() == 0


def test_a_threshold_that_is_set_is_not_told_back(qtbot: QtBot, histogram: ScoreHistogram) -> None:
    with qtbot.assertNotEmitted(histogram.threshold_moved):
        histogram.set_thresholds(Thresholds(40.0))
    assert histogram.threshold() == 40.0


def test_the_arrows_move_the_threshold(qtbot: QtBot, histogram: ScoreHistogram) -> None:
    with qtbot.waitSignal(histogram.threshold_moved) as moved:
        qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert moved.args[0] == pytest.approx(32.0 + 63 / 64)


def test_counts_can_be_shown_logarithmically(histogram: ScoreHistogram) -> None:
    histogram.set_bars(binned(np.zeros(999), np.zeros(999, np.int64), 1), ["#808080"])
    histogram.set_logarithmic(True)
    top = histogram.viewRange()[1][1]
    assert top == pytest.approx(3 * 1.08, rel=0.01)


def test_a_histogram_without_a_threshold_can_be_shown(histogram: ScoreHistogram) -> None:
    histogram.set_thresholds(None)
    assert not histogram.grab().isNull()


def test_a_dragged_line_stops_at_the_other_one(qtbot: QtBot, histogram: ScoreHistogram) -> None:
    histogram.set_thresholds(Thresholds(32.0, 20.0))
    with qtbot.waitSignal(histogram.threshold_moved) as moved:
        histogram._line.setValue(5.0)
    assert moved.args[0] == 20.0
    histogram.set_thresholds(Thresholds(32.0, 20.0))
    with qtbot.waitSignal(histogram.review_moved) as moved:
        histogram._review.setValue(50.0)
    assert moved.args[0] == 32.0


def test_thresholds_that_are_set_cross_nothing_and_tell_nobody(
    qtbot: QtBot, histogram: ScoreHistogram
) -> None:
    with (
        qtbot.assertNotEmitted(histogram.threshold_moved),
        qtbot.assertNotEmitted(histogram.review_moved),
    ):
        histogram.set_thresholds(Thresholds(10.0, 5.0))
        histogram.set_thresholds(Thresholds(60.0, 50.0))
        histogram.set_thresholds(Thresholds(4.0, 2.0))
    assert (histogram.threshold(), histogram._review.value()) == (4.0, 2.0)


def test_control_and_the_arrows_move_the_beginning_of_the_review_zone(
    qtbot: QtBot, histogram: ScoreHistogram
) -> None:
    histogram.set_thresholds(Thresholds(32.0, 20.0))
    with qtbot.waitSignal(histogram.review_moved) as moved:
        qtbot.keyClick(histogram, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert moved.args[0] == pytest.approx(20.0 - 63 / 64)


def test_zones_are_named_where_there_is_room(histogram: ScoreHistogram) -> None:
    histogram.set_thresholds(Thresholds(50.0, 20.0))
    assert all(text.isVisible() for text in histogram._names.values())
    histogram.set_thresholds(Thresholds(20.1, 20.0))
    assert not histogram._names["review"].isVisible()
    histogram.set_thresholds(Thresholds(20.0))
    assert not any(text.isVisible() for text in histogram._names.values())
