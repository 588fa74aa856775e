"""Why an image is unusual, beside its picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.core.zones import Thresholds
from desktop_app.gui.inspector.viewer import Viewer
from tests.gui.fakes_session import ALL, FakeInference, StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run(*ALL, "explains")
    session.put_result(result_for(session))
    yield session
    session.close()


@pytest.fixture
def inference(session: StillSession) -> FakeInference:
    """Row 3 explains every image, by its upper left quarter."""
    fake = session.inference
    assert isinstance(fake, FakeInference)
    fake.reason = {
        "distance": 2.5,
        "folder": str(session.folder.root if session.folder else ""),
        "path": session.table.paths[3],
        "source": int(session.table.ids[3]),
        "box": [0.5, 0.5, 1.0, 1.0],
        "source_box": [0.0, 0.0, 0.5, 0.5],
    }
    return fake


@pytest.fixture
def viewer(qtbot: QtBot, session: StillSession, inference: FakeInference) -> Viewer:
    viewer = Viewer(session)
    qtbot.addWidget(viewer)
    viewer.resize(1000, 600)
    viewer.show()
    session.set_current(20)
    return viewer


def questions(inference: FakeInference) -> list[int]:
    return [header["id"] for kind, header, _arrays in inference.asked if kind == "explain"]


def test_nothing_is_asked_before_the_reason_is_looked_at(
    viewer: Viewer, inference: FakeInference
) -> None:
    assert questions(inference) == []
    assert not viewer.reason_bar.isVisible()


def test_the_nearest_normal_image_is_shown_with_both_places(
    qtbot: QtBot, viewer: Viewer, session: StillSession
) -> None:
    viewer.switch("reason").setChecked(True)
    pane = viewer.panes["reason"]
    qtbot.waitUntil(lambda: bool(pane._photograph.levels))
    assert pane._box.getRect() == (0.0, 0.0, 0.5, 0.5)
    assert viewer.panes["original"]._box.getRect() == (0.5, 0.5, 0.5, 0.5)
    assert session.table.paths[3] in viewer.reason_bar._text.text()
    assert "2.5" in viewer.reason_bar._text.text()


def test_a_click_opens_the_normal_image_and_a_link_leads_back(
    qtbot: QtBot, viewer: Viewer, session: StillSession
) -> None:
    viewer.switch("reason").setChecked(True)
    assert not viewer.reason_bar.back_button.isVisible()
    qtbot.mouseClick(viewer.panes["reason"], Qt.MouseButton.LeftButton)
    assert session.current == 3
    assert not viewer.reason_bar.open_button.isVisible()
    qtbot.mouseClick(viewer.reason_bar.back_button, Qt.MouseButton.LeftButton)
    assert session.current == 20
    assert not viewer.reason_bar.back_button.isVisible()


def test_an_image_is_asked_for_once_and_a_new_result_anew(
    viewer: Viewer, session: StillSession, inference: FakeInference
) -> None:
    viewer.switch("reason").setChecked(True)
    session.set_current(19)
    session.set_current(20)
    first, second = int(session.table.ids[20]), int(session.table.ids[19])
    assert questions(inference) == [first, second]
    session.put_result(result_for(session))
    assert questions(inference) == [first, second, first]


def test_a_refusal_is_told_in_the_pane(viewer: Viewer, inference: FakeInference) -> None:
    inference.refusal = "Score this folder."
    viewer.switch("reason").setChecked(True)
    assert viewer.panes["reason"]._message == "Score this folder."
    assert viewer.reason_bar._text.text() == "Score this folder."
    assert not viewer.reason_bar.open_button.isVisible()
    inference.refusal = ""
    viewer.switch("reason").setChecked(False)
    viewer.switch("reason").setChecked(True)
    assert "2.5" in viewer.reason_bar._text.text()


def test_a_question_is_taken_back_when_the_view_is_closed(
    viewer: Viewer, inference: FakeInference
) -> None:
    inference.held = []
    viewer.switch("reason").setChecked(True)
    viewer.switch("reason").setChecked(False)
    assert inference.withdrawn == ["explain"]
    assert viewer.panes["original"]._box.isEmpty()


def test_a_run_without_reasons_says_so(viewer: Viewer, session: StillSession) -> None:
    session.put_run("scores")
    session.put_result(result_for(session))
    assert not viewer.switch("reason").isEnabled()
    assert "no reasons" in viewer.switch("reason").toolTip()


def test_contours_follow_both_thresholds(
    qtbot: QtBot, viewer: Viewer, session: StillSession
) -> None:
    slope = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    session.put_result(result_for(session))
    session.result.maps[:] = slope * np.linspace(1, 2, 22, dtype=np.float32)[:, None, None]
    viewer._contours._find()
    session.set_threshold(11.0)
    pane = viewer.panes["heat"]
    qtbot.waitUntil(lambda: len(pane._contours) == 1)
    before = pane._contours[0][1]
    session.set_thresholds(Thresholds(18.0, 5.0))
    assert [tone for tone, _lines in pane._contours] == ["warning", "bad"]
    after = pane._contours[1][1]
    assert min(line.y1() for line in after) > min(line.y1() for line in before)
    viewer._contoured.setChecked(False)
    assert pane._contours == []


def test_contours_lie_at_a_value_of_their_own_until_they_follow_again(
    qtbot: QtBot, viewer: Viewer, session: StillSession
) -> None:
    slope = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    session.put_result(result_for(session))
    session.result.maps[:] = slope * np.linspace(1, 2, 22, dtype=np.float32)[:, None, None]
    viewer._contours._find()
    session.set_thresholds(Thresholds(18.0, 5.0))
    pane, drawn = viewer.panes["heat"], viewer.contour_value
    qtbot.waitUntil(lambda: len(pane._contours) == 2)
    assert drawn.isHidden()

    viewer._follows.click()
    assert session.contour == pytest.approx(viewer._contours.value(18.0))
    assert [tone for tone, _lines in pane._contours] == ["bad"]
    high = pane._contours[0][1]
    drawn.number.setValue(0.25)
    assert session.contour == 0.25
    assert not drawn.isHidden()
    assert min(line.y1() for line in pane._contours[0][1]) < min(line.y1() for line in high)
    session.set_threshold(8.0)
    assert session.contour == 0.25
    session.set_contour(40.0)  # far beyond the scale of the maps
    assert drawn.value() == 40.0

    viewer._follows.click()
    assert (session.contour, len(pane._contours), drawn.isHidden()) == (None, 2, True)
    session.undo()
    assert session.contour == 40.0
    assert not viewer._follows.isChecked()


def test_the_mask_has_a_view_of_its_own(
    qtbot: QtBot, viewer: Viewer, session: StillSession
) -> None:
    viewer.switch("mask").setChecked(True)
    masked = session.table.masks.index(next(filter(None, session.table.masks)))
    session.set_current(masked)
    qtbot.waitUntil(lambda: bool(viewer.panes["mask"]._photograph.levels))
    session.set_current(session.table.masks.index(""))
    assert viewer.panes["mask"]._message == "This image has no mask."
