"""Where a score stands among normal images."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.gui.scorescale import Reference, reference_of, usual_rows
from tests.gui.fakes_session import StillSession, result_for, synthetic_table


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, image_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    table = synthetic_table(40)
    session.put_folder(image_folder, replace(table, splits=["train"] * 20 + ["test"] * 20))
    session.put_run()
    session.put_result(result_for(session))
    yield session
    session.close()


def test_the_reference_is_the_normal_training_images(session: StillSession) -> None:
    reference = reference_of(session)
    assert reference.name == "training images"
    assert reference.scores.tolist() == [float(row) for row in range(0, 20, 2)]


def test_heat_maps_are_held_against_normal_images_that_were_not_trained_on(
    session: StillSession,
) -> None:
    assert usual_rows(session).tolist() == list(range(20, 40, 2))


def test_without_training_images_normal_ones_are_taken(session: StillSession) -> None:
    session._take_table(synthetic_table(40), keep=False)
    session.put_result(result_for(session))
    reference = reference_of(session)
    assert reference.name == "normal images"
    assert len(reference) == 20


def test_the_share_counts_lower_scores_alone() -> None:
    reference = Reference(np.arange(10.0), "images")
    assert reference.share_below(5.0) == 0.5
    assert reference.share_below(100.0) == 1.0
    assert reference.share_below(float("nan")) is None


def test_too_few_images_tell_nothing() -> None:
    reference = Reference(np.arange(4.0), "images")
    assert reference.share_below(5.0) is None
    assert reference.sentence(5.0) == ""


def test_the_sentence_says_against_what(session: StillSession) -> None:
    assert reference_of(session).sentence(9.0) == "more unusual than 50.0 % of 10 training images"


def test_all_but_one_of_many_are_not_told_as_all_of_them() -> None:
    reference = Reference(np.arange(4000.0), "images")
    assert "99.9 % of 4,000" in reference.sentence(3999.0)
    assert "0.1 % of 4,000" in reference.sentence(1.0)
    assert "100 % of 4,000" in reference.sentence(4000.0)
