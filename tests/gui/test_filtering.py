"""One filter for all views, put together from what each of them asks for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.gui.filtering import (
    among,
    flagged,
    path_contains,
    scored_between,
    shared_filter,
    these,
)
from tests.gui.fakes_session import StillSession, result_for, synthetic_table


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, image_folder: Path) -> Iterator[StillSession]:
    """Eight images, good and bad by turns, with scores 0 to 7."""
    session = StillSession(tmp_path)
    session.put_folder(image_folder, synthetic_table(8))
    session.put_run()
    session.put_result(result_for(session))
    yield session
    session.close()


def shown(session: StillSession) -> list[int]:
    return np.flatnonzero(session.visible).tolist()


def test_images_must_meet_every_criterion(session: StillSession) -> None:
    criteria = shared_filter(session)
    criteria.set("label", among("label", frozenset({"good"})))
    criteria.set("score", scored_between(1, 5))
    assert shown(session) == [2, 4]


def test_a_criterion_that_is_taken_away_shows_its_images_again(session: StillSession) -> None:
    criteria = shared_filter(session)
    criteria.set("label", among("label", frozenset({"good"})))
    criteria.set("score", scored_between(1, 5))
    criteria.set("label", None)
    assert shown(session) == [1, 2, 3, 4, 5]


def test_there_is_one_filter_per_session(session: StillSession) -> None:
    assert shared_filter(session) is shared_filter(session)


def test_flagged_images_follow_the_threshold(session: StillSession) -> None:
    session.set_threshold(6.0)
    shared_filter(session).set("flagged", flagged())
    assert shown(session) == [6, 7]
    session.set_threshold(4.5)
    assert shown(session) == [5, 6, 7]


def test_images_to_judge_leave_once_they_are_judged(session: StillSession) -> None:
    shared_filter(session).set("verdict", among("verdict", frozenset({""})))
    session.set_verdict(np.array([0, 3]), 2)
    assert shown(session) == [1, 2, 4, 5, 6, 7]


def test_all_words_must_be_in_the_path(session: StillSession) -> None:
    shared_filter(session).set("path", path_contains("HOLE 0000005"))
    assert shown(session) == [5]
    shared_filter(session).set("path", path_contains("test good"))
    assert shown(session) == [0, 2, 4, 6]


def test_chosen_rows_are_shown_alone(session: StillSession) -> None:
    shared_filter(session).set("chosen", these(np.array([1, 6]), 8))
    assert shown(session) == [1, 6]


def test_another_folder_starts_without_a_filter(session: StillSession, mvtec_folder: Path) -> None:
    criteria = shared_filter(session)
    criteria.set("label", among("label", frozenset({"good"})))
    session.put_folder(mvtec_folder, synthetic_table(3))
    assert criteria.criteria() == {}
    assert shown(session) == [0, 1, 2]


def test_a_grown_table_of_the_same_folder_keeps_the_filter(session: StillSession) -> None:
    shared_filter(session).set("label", among("label", frozenset({"good"})))
    session._take_table(synthetic_table(10), keep=False)
    assert shown(session) == [0, 2, 4, 6, 8]
