"""The threshold that the analyst chose comes back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.zones import Thresholds
from tests.gui.fakes_session import StillSession, result_for, synthetic_table


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, image_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(image_folder, synthetic_table(40))
    session.put_run()
    session.put_result(result_for(session))
    yield session
    session.close()


def test_a_chosen_threshold_is_there_when_the_run_is_opened_again(
    session: StillSession,
) -> None:
    first_run, first = session.run, result_for(session)
    session.set_threshold(12.5)
    session.put_run()
    session.put_result(result_for(session))
    assert session.threshold != 12.5
    session.run = first_run
    session.put_result(first)
    assert session.threshold == 12.5


def test_a_chosen_threshold_outlives_the_window(
    session: StillSession, tmp_path: Path, image_folder: Path
) -> None:
    result = result_for(session)
    session.set_threshold(12.5)
    session.close()
    again = StillSession(tmp_path)
    again.put_folder(image_folder, synthetic_table(40))
    again.put_result(result)
    assert again.threshold == 12.5
    again.close()


def test_a_run_that_scores_anew_is_given_a_new_threshold(session: StillSession) -> None:
    session.set_threshold(12.5)
    scores = np.arange(40, dtype=np.float32) * 10
    session.put_result(result_for(session, scores))
    assert session.threshold != 12.5


def test_a_dragged_threshold_is_written_once_it_stays(
    qtbot: QtBot, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    monkeypatch.setattr(
        session.workspace, "set_setting", lambda _name, kept: written.append(kept["value"])
    )
    for value in (1.0, 2.0, 3.0):
        session.set_threshold(value)
    assert not written
    qtbot.waitUntil(lambda: bool(written))
    assert written == [3.0]


def test_without_scores_nothing_is_kept(session: StillSession) -> None:
    session.put_result(None)
    session.set_threshold(12.5)
    session.put_result(result_for(session))
    assert session.threshold != 12.5


def test_a_dragged_threshold_is_taken_back_at_once_and_moved_again(session: StillSession) -> None:
    first = session.threshold
    for value in (1.0, 2.0, 3.0):
        session.set_threshold(value)
    session.undo()
    assert session.threshold == first
    assert not session.can_undo
    session.redo()
    assert session.threshold == 3.0


def test_verdicts_and_thresholds_are_taken_back_in_one_order(session: StillSession) -> None:
    session.set_threshold(1.0)
    session.set_verdict(np.array([4]), 2)
    session.set_threshold(2.0)
    session.undo()
    assert (session.threshold, session.verdicts[4]) == (1.0, 2)
    session.undo()
    assert (session.threshold, session.verdicts[4]) == (1.0, 0)


def test_moves_for_other_scores_cannot_be_taken_back(session: StillSession) -> None:
    session.set_verdict(np.array([4]), 2)
    session.set_threshold(1.0)
    session.put_result(result_for(session, np.arange(40, dtype=np.float32) * 10))
    before = session.threshold
    session.undo()
    assert (session.threshold, session.verdicts[4]) == (before, 0)
    assert not session.can_undo


def test_a_review_zone_is_kept_and_can_be_taken_back(
    session: StillSession, tmp_path: Path, image_folder: Path
) -> None:
    result = result_for(session)
    session.set_threshold(20.0)
    session.set_review(12.0)
    session.undo()
    assert (session.threshold, session.review) == (20.0, None)
    session.redo()
    session.close()
    again = StillSession(tmp_path)
    again.put_folder(image_folder, synthetic_table(40))
    again.put_result(result)
    assert (again.threshold, again.review) == (20.0, 12.0)
    again.close()


def test_moving_within_zones_is_one_move_and_removing_them_another(session: StillSession) -> None:
    session.set_thresholds(Thresholds(20.0, 10.0))
    for value in (11.0, 12.0, 13.0):
        session.set_review(value)
    session.set_review(None)
    session.undo()
    assert session.review == 13.0
    session.undo()
    assert session.review == 10.0


def test_a_value_of_the_contours_is_kept_and_taken_back_like_thresholds(
    session: StillSession, tmp_path: Path, image_folder: Path
) -> None:
    result, first = result_for(session), session.threshold
    session.set_threshold(20.0)
    session.set_contour(0.5)
    for value in (0.6, 0.7):
        session.set_contour(value)
    session.undo()
    assert (session.threshold, session.contour) == (20.0, 0.5)
    session.undo()
    assert (session.threshold, session.contour) == (20.0, None)
    session.undo()
    assert (session.threshold, session.contour) == (first, None)
    for _ in range(3):
        session.redo()
    session.close()
    again = StillSession(tmp_path)
    again.put_folder(image_folder, synthetic_table(40))
    again.put_result(result)
    assert (again.threshold, again.contour) == (20.0, 0.7)
    again.put_result(replace(result, scores=result.scores * 10))
    assert again.contour is None
    again.close()
