"""What scores are measured against."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.zones import Thresholds, zone_counts
from desktop_app.gui.inspector.judging import judgements
from tests.gui.fakes_session import StillSession, result_for, synthetic_table


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, image_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(image_folder, synthetic_table(40))
    session.put_run()
    yield session
    session.close()


def score_by_truth(session: StillSession) -> None:
    """Give anomalous images higher scores than all normal ones."""
    count = len(session.table)
    scores = np.arange(count) + 100.0 * (session.truth == 1)
    session.put_result(result_for(session, scores.astype(np.float32)))


def test_labelled_test_images_are_measured_first(session: StillSession) -> None:
    table = replace(synthetic_table(40), splits=["train"] * 10 + ["test"] * 30)
    session._take_table(table, keep=False)
    score_by_truth(session)
    found = judgements(session)
    assert [one.key for one in found] == ["test", "labels"]
    assert found[0].known.sum() == 30


def test_verdicts_count_where_labels_say_nothing(session: StillSession) -> None:
    session._take_table(replace(synthetic_table(40), labels=[""] * 40), keep=False)
    session.put_result(result_for(session))
    assert judgements(session) == []
    session.set_verdict(np.array([1, 2]), 1)
    session.set_verdict(np.array([30]), 2)
    session.set_verdict(np.array([31]), 3)
    (judgement,) = judgements(session)
    assert judgement.key == "verdicts"
    assert (judgement.table.positives, judgement.table.negatives) == (1, 2)


def test_the_cells_of_the_matrix_are_told_apart(session: StillSession) -> None:
    score_by_truth(session)
    judgement, scores = judgements(session)[0], session.result.scores
    counts = judgement.table.at(120.0)
    for kind in ("tp", "fn", "fp", "tn"):
        assert judgement.outcome(scores, Thresholds(120.0), kind).sum() == getattr(counts, kind)


def test_the_cells_of_the_zones_are_told_apart(session: StillSession) -> None:
    score_by_truth(session)
    judgement, scores = judgements(session)[0], session.result.scores
    thresholds = Thresholds(120.0, 10.0)
    for zone, count in zone_counts(judgement.table, thresholds).items():
        for truth in ("anomalous", "normal"):
            found = judgement.outcome(scores, thresholds, f"{zone}-{truth}").sum()
            assert found == getattr(count, truth)
