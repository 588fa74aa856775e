"""The inspector: ranking, threshold, judging."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from desktop_app.core.zones import Thresholds
from desktop_app.gui.filtering import shared_filter
from desktop_app.gui.inspector.maps import HeatMaps
from desktop_app.gui.inspector.panel import InspectorPanel
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    """22 real images, 12 of them to train on; without a run."""
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


@pytest.fixture
def empty(qtbot: QtBot, session: StillSession) -> Iterator[InspectorPanel]:
    panel = InspectorPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 800)
    panel.show()
    yield panel
    panel.ranking.close_threads()


@pytest.fixture
def panel(session: StillSession, empty: InspectorPanel) -> InspectorPanel:
    """The scores rise with the row: the last image is the most unusual one."""
    session.put_run()
    session.put_result(result_for(session))
    return empty


def press(qtbot: QtBot, panel: InspectorPanel, *keys: Qt.Key) -> None:
    for key in keys:
        qtbot.keyClick(panel, key)


def test_the_most_unusual_image_comes_first(panel: InspectorPanel, session: StillSession) -> None:
    assert panel.ranking.order()[:3].tolist() == [21, 20, 19]
    assert session.current == 21


def test_images_without_a_score_are_not_ranked(
    panel: InspectorPanel, session: StillSession
) -> None:
    scores = np.arange(22, dtype=np.float32)
    scores[21] = np.nan
    session.put_result(result_for(session, scores))
    assert panel.ranking.order()[0] == 20
    assert len(panel.ranking.order()) == 21


def test_keys_walk_and_judge(qtbot: QtBot, panel: InspectorPanel, session: StillSession) -> None:
    press(qtbot, panel, Qt.Key.Key_J, Qt.Key.Key_Right, Qt.Key.Key_K)
    assert session.current == 20
    press(qtbot, panel, Qt.Key.Key_A, Qt.Key.Key_N, Qt.Key.Key_U)
    assert session.verdicts[[20, 19, 18]].tolist() == [2, 1, 3]
    assert session.current == 17


def test_a_verdict_can_be_undone_by_key(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    press(qtbot, panel, Qt.Key.Key_A)
    qtbot.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.verdicts[21] == 0
    assert session.current == 21


def test_judging_counts_what_is_judged(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    press(qtbot, panel, Qt.Key.Key_A, Qt.Key.Key_N)
    assert panel._progress_text.text() == "judged 2 of 22"


def test_judged_images_leave_the_list_of_those_to_judge(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    panel._shown.choose("open")
    press(qtbot, panel, Qt.Key.Key_A, Qt.Key.Key_N)
    assert panel.ranking.order()[:2].tolist() == [19, 18]
    assert session.current == 19


def test_a_click_on_a_verdict_takes_it_back(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    panel._advances.setChecked(False)
    button = panel.triage.verdict_button(2)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert session.verdicts[21] == 2
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert session.verdicts[21] == 0


def test_flagged_images_follow_the_dragged_threshold(
    panel: InspectorPanel, session: StillSession
) -> None:
    panel._shown.choose("flagged")
    panel.measures.histogram._line.setValue(19.5)
    assert session.threshold == 19.5
    assert panel.ranking.order().tolist() == [21, 20]


def test_counts_follow_the_threshold_at_once(panel: InspectorPanel, session: StillSession) -> None:
    session.set_threshold(-1.0)
    confusion = panel.measures.confusion()
    assert confusion is not None
    assert (confusion.fn, confusion.tn) == (0, 0)
    assert panel.measures.readouts["recall"].value() == "100.0 %"
    session.set_threshold(1000.0)
    assert panel.measures.readouts["recall"].value() == "0.0 %"


def test_a_cell_of_the_matrix_shows_its_images(
    panel: InspectorPanel, session: StillSession
) -> None:
    session.set_threshold(-1.0)
    panel.measures.matrix.chosen.emit("fp")
    rows = np.flatnonzero(session.visible)
    assert len(rows) == panel.measures.confusion().fp
    assert (session.truth[rows] == 0).all()
    panel.measures.matrix.chosen.emit("fp")
    assert session.visible.all()


def test_a_range_of_scores_is_shown_and_selected(
    panel: InspectorPanel, session: StillSession
) -> None:
    panel.measures.histogram.range_chosen.emit(3.5, 6.5)
    assert np.flatnonzero(session.visible).tolist() == [4, 5, 6]
    assert np.flatnonzero(session.selected).tolist() == [4, 5, 6]
    panel.measures.histogram.range_cleared.emit()
    assert session.visible.all()


def test_automatic_thresholds_are_offered_with_their_values(
    panel: InspectorPanel, session: StillSession
) -> None:
    menu = panel.measures.automatic.menu()
    menu.aboutToShow.emit()
    best = next(action for action in menu.actions() if action.text().startswith("Best F1"))
    best.trigger()
    assert session.threshold == panel.measures.judgement().table.best_f1()[1]


def test_verdicts_are_measured_where_there_are_no_labels(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    session._take_table(replace(session.table, labels=[""] * 22), keep=False)
    session.put_result(result_for(session))
    assert panel.measures.judgement() is None
    press(qtbot, panel, Qt.Key.Key_A, Qt.Key.Key_A, Qt.Key.Key_N)
    confusion = panel.measures.confusion()
    assert confusion is not None
    assert confusion.tp + confusion.fn == 2


def test_the_photograph_is_shown_in_full_resolution(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    pane = panel.viewer.panes["original"]
    masked = session.table.masks.index(next(filter(None, session.table.masks)))
    session.set_current(masked)
    qtbot.waitUntil(lambda: len(pane._lines) > 0)
    assert pane._photograph.levels[0].width() == 16


def test_maps_that_are_not_kept_are_made_when_looked_at(
    panel: InspectorPanel, session: StillSession
) -> None:
    session.put_result(result_for(session, maps=False))
    assert panel.viewer._map is not None
    assert (panel.viewer._map == session.table.ids[21]).all()
    low, high = panel.viewer._maps.limits
    assert low < high


def test_reconstruction_and_difference_come_from_the_method(
    panel: InspectorPanel, session: StillSession
) -> None:
    panel.viewer.switch("difference").setChecked(True)
    assert panel.viewer._difference is not None
    assert np.allclose(panel.viewer._difference, 0.25)


def test_views_that_the_method_cannot_fill_say_why(
    panel: InspectorPanel, session: StillSession
) -> None:
    session.put_run("scores")
    session.put_result(result_for(session, maps=False))
    for key in ("heat", "reconstruction", "difference"):
        button = panel.viewer.switch(key)
        assert not button.isEnabled()
        assert "open run" in button.toolTip()


@pytest.mark.parametrize(
    ("capabilities", "button"),
    [((), "Choose a method"), (("encodes",), "Choose a method"), (("scores",), "Score the images")],
)
def test_an_empty_inspector_says_what_to_do(
    empty: InspectorPanel, session: StillSession, capabilities: tuple[str, ...], button: str
) -> None:
    if capabilities:
        session.put_run(*capabilities)
    shown = [found.text() for found in empty.findChildren(QPushButton) if found.isVisible()]
    assert shown == [button]


def test_the_panel_survives_a_change_of_folder(
    panel: InspectorPanel, session: StillSession, image_folder: Path
) -> None:
    shared_filter(session)
    session.put_folder(image_folder)
    assert len(panel.ranking.order()) == len(session.table)
    assert session.current == -1


def test_the_ranking_can_be_exported(
    qtbot: QtBot,
    panel: InspectorPanel,
    session: StillSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "out" / "scores.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    panel._exports.aboutToShow.emit()
    table = next(found for found in panel._exports.actions() if "table of 22" in found.text())
    table.trigger()
    qtbot.waitUntil(target.exists)
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert lines[1].startswith(session.table.paths[21])
    assert len(lines) == 23


def test_copying_into_the_folder_of_the_images_is_refused(
    qtbot: QtBot,
    panel: InspectorPanel,
    session: StillSession,
    mvtec_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(mvtec_folder / "test"))
    with qtbot.waitSignal(session.problem) as problem:
        panel.actions_.copy_files(np.array([0, 1]))
    assert "nothing is ever written" in problem.args[0]


@pytest.mark.parametrize(("form", "start"), [(".html", b"<!DOCTYPE html>"), (".pdf", b"%PDF-")])
def test_a_report_is_written(
    form: str,
    start: bytes,
    qtbot: QtBot,
    panel: InspectorPanel,
    session: StillSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target, opened = tmp_path / "report", []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    panel.actions_.export_report(form)
    qtbot.waitUntil(lambda: bool(opened), timeout=20_000)
    assert target.with_suffix(form).read_bytes().startswith(start)


def test_maps_of_usual_images_say_what_is_usual(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    maps = panel.viewer._maps
    qtbot.waitUntil(lambda: maps.usual is not None)
    training = np.flatnonzero(np.array(session.table.splits) == "train")
    assert maps.usual == pytest.approx(np.percentile(session.result.maps[training], 99))
    assert f"{maps.usual:.4g}" in panel.viewer._fade.toolTip()
    late = HeatMaps(session)  # as in a window whose inspector is opened after the run
    qtbot.waitUntil(lambda: late.usual == maps.usual)
    session.put_result(result_for(session, maps=False))
    assert maps.usual is None


def test_a_review_zone_is_added_and_removed(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    session.set_threshold(18.0)
    qtbot.mouseClick(panel.measures._add_review, Qt.MouseButton.LeftButton)
    assert session.review is not None
    assert session.review < 18.0
    assert panel.zones.isVisible()
    assert not panel.measures._add_review.isVisible()
    panel.measures._review_number.setValue(15.0)
    assert session.review == 15.0
    session.set_review(None)
    assert not panel.zones.isVisible()
    assert panel.measures._add_review.isVisible()


def test_how_many_images_are_flagged_is_told_in_full(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    told = panel.measures._flagged_text
    panel.resize(900, 800)
    for thresholds, words in (
        (Thresholds(18.0), "flags 4 of 22"),
        (Thresholds(18.0, 15.0), "4 fail, 3 for review, of 22"),
    ):
        session.set_thresholds(thresholds)
        qtbot.waitUntil(lambda words=words: told.text() == words)
        assert told.width() >= told.sizeHint().width()


def test_a_zone_is_shown_alone_and_follows_the_thresholds(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    session.set_thresholds(Thresholds(18.0, 15.0))
    qtbot.mouseClick(panel.zones.buttons["review"], Qt.MouseButton.LeftButton)
    assert panel.ranking.order().tolist() == [17, 16, 15]
    panel.measures.histogram._review.setValue(16.5)
    assert panel.ranking.order().tolist() == [17]
    session.set_review(None)
    assert session.visible.all()


def test_what_was_flagged_becomes_what_fails(panel: InspectorPanel, session: StillSession) -> None:
    session.set_threshold(18.0)
    panel._shown.choose("flagged")
    session.set_review(15.0)
    assert panel.zones.choice() == "fail"
    assert panel.ranking.order().tolist() == [21, 20, 19, 18]


def test_the_table_counts_zones_by_truth(panel: InspectorPanel, session: StillSession) -> None:
    session.set_thresholds(Thresholds(18.0, 15.0))
    cells = {cell.kind: cell.count for cell in panel.measures.matrix.counts().cells}
    known = panel.measures.judgement()
    inside = known.known & (session.result.scores >= 15) & (session.result.scores < 18)
    assert cells["review-anomalous"] == (inside & known.anomalous).sum()
    assert sum(cells.values()) == known.known.sum()
    panel.measures.matrix.chosen.emit("review-anomalous")
    assert np.array_equal(session.visible, inside & known.anomalous)


def test_without_labels_the_zones_are_counted(panel: InspectorPanel, session: StillSession) -> None:
    session._take_table(replace(session.table, labels=[""] * 22), keep=False)
    session.put_result(result_for(session))
    session.set_thresholds(Thresholds(18.0, 15.0))
    cells = panel.measures.matrix.counts().cells
    assert [(cell.kind, cell.count) for cell in cells] == [("fail", 4), ("review", 3), ("pass", 15)]
    assert cells[0].words == "18.2 %"
    panel.measures.matrix.chosen.emit("review")
    assert np.flatnonzero(session.visible).tolist() == [15, 16, 17]


def test_judging_begins_with_the_review_zone(
    qtbot: QtBot, panel: InspectorPanel, session: StillSession
) -> None:
    session.set_thresholds(Thresholds(18.0, 15.0))
    session.set_verdict(np.array([21]), 2)
    panel._shown.choose("open")
    assert panel.ranking.order()[:5].tolist() == [17, 16, 15, 20, 19]
    assert session.current == 17
    press(qtbot, panel, Qt.Key.Key_N, Qt.Key.Key_A)
    assert session.verdicts[[17, 16]].tolist() == [1, 2]
    assert session.current == 15
    assert panel._progress_text.text() == "judged 3 of 22"


def test_one_rule_sets_both_thresholds(panel: InspectorPanel, session: StillSession) -> None:
    menu = panel.measures.automatic.menu()
    menu.aboutToShow.emit()
    both = next(action for action in menu.actions() if action.text().startswith("Review from"))
    both.trigger()
    assert session.review is not None
    assert session.review <= session.threshold
    review = panel.measures.automatic_review.menu()
    review.aboutToShow.emit()
    rule = next(action for action in review.actions() if action.text().startswith("95 %"))
    rule.trigger()
    assert f"{session.review:.4g}" in rule.text()


def test_a_kept_review_zone_is_there_from_the_start(qtbot: QtBot, session: StillSession) -> None:
    session.put_run()
    session.put_result(result_for(session))
    session.set_thresholds(Thresholds(18.0, 15.0))
    panel = InspectorPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.zones.isVisible()
    assert not panel._shown.button("flagged").isVisible()
    session.set_current(16)
    assert "Review" in panel.triage._about.text()
    session.set_threshold(15.5)
    assert "Fail" in panel.triage._about.text()
    panel.ranking.close_threads()
