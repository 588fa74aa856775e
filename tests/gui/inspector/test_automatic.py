"""Thresholds by rule, on which images they rest, and why one is not offered."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from desktop_app.core.scoring import tail_thresholds
from desktop_app.gui.inspector.automatic import (
    TAIL_RATES,
    rules_by_tail,
    rules_by_truth,
    rules_by_usual,
    tail_of,
)
from desktop_app.gui.inspector.automaticmenu import AutomaticMenu
from desktop_app.gui.inspector.judging import judgements
from desktop_app.gui.scorescale import Reference, reference_of
from tests.gui.fakes_session import StillSession, result_for, synthetic_table

NORMAL = np.sort(np.random.default_rng(0).exponential(1.0, 400))


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, image_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(image_folder, synthetic_table(600))
    session.put_run()
    scores = np.random.default_rng(1).exponential(1.0, 600) + 5.0 * (session.truth == 1)
    session.put_result(result_for(session, scores.astype(np.float32)))
    yield session
    session.close()


@pytest.fixture
def menu(qtbot: QtBot, session: StillSession) -> AutomaticMenu:
    menu = AutomaticMenu(session, lambda: judgements(session)[0])
    qtbot.addWidget(menu)
    return menu


def entry(menu: AutomaticMenu, start: str) -> QAction:
    return next(action for action in menu.actions() if action.text().startswith(start))


def test_the_best_f1_separates_what_can_be_separated(session: StillSession) -> None:
    scores = np.arange(600) + 1000.0 * (session.truth == 1)
    session.put_result(result_for(session, scores.astype(np.float32)))
    (best,) = rules_by_truth(judgements(session)[0]).proposals
    assert best.value == 1001.0
    assert "1.000" in best.detail


def test_without_known_images_the_best_f1_says_what_it_needs() -> None:
    (best,) = rules_by_truth(None).proposals
    assert best.value is None
    assert "labels" in best.detail
    assert best.short == "needs both kinds"


def test_false_alarms_stand_with_the_interval_of_their_true_rate() -> None:
    rules = rules_by_usual(Reference(NORMAL, "held-out images"))
    alarm = next(one for one in rules.proposals if one.name.startswith("At most 1 %"))
    assert (alarm.value <= NORMAL).sum() == 4
    assert "(true rate 0.3-2.5 %)" in alarm.name  # Clopper and Pearson for 4 of 400
    assert "400 held-out images" in alarm.detail


def test_higher_demands_give_higher_thresholds() -> None:
    values = [one.value for one in rules_by_usual(Reference(NORMAL, "images")).proposals]
    tail = rules_by_tail(Reference(NORMAL, ""), tail_of(NORMAL), pending=False).proposals
    for low, high in (values[0:2], values[1:3], values[3:5], values[5:7]):
        assert low < high
    assert [one.value for one in tail] == sorted(one.value for one in tail)
    assert tail[0].value == pytest.approx(tail_thresholds(NORMAL, TAIL_RATES)[0])


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        ("unseen", "Rests on 30 held-out images"),
        ("train", "Rests on 20 training images: new ones tend to score higher"),
        ("normal", "Rests on 300 normal images"),
        ("all", "Rests on 600 images: unusual ones may be among them"),
    ],
)
def test_each_rule_says_on_which_images_it_rests(
    session: StillSession, kind: str, heading: str
) -> None:
    table, unseen = synthetic_table(600), np.arange(600) < 60
    if kind == "train":
        table = replace(table, splits=["train"] * 40 + ["test"] * 560)
    if kind == "all":
        table = replace(table, labels=[""] * 600)
    session._take_table(table, keep=False)
    result = result_for(session)
    session.put_result(replace(result, unseen=unseen) if kind == "unseen" else result)
    assert rules_by_usual(reference_of(session)).heading == heading


def test_too_few_images_give_reasons_instead_of_thresholds() -> None:
    few = Reference(np.arange(4.0), "images")
    rules = [rules_by_usual(few), rules_by_tail(few, tail_of(few.scores), pending=False)]
    proposals = [proposal for group in rules for proposal in group.proposals]
    assert all(proposal.value is None and proposal.detail for proposal in proposals)
    assert {proposal.short for proposal in proposals} == {"needs 5 images", "needs 100 images"}


def test_equal_scores_have_no_tail() -> None:
    same = Reference(np.ones(500), "images")
    tail = rules_by_tail(same, tail_of(same.scores), pending=False)
    assert tail.proposals[0].short == "scores too alike"


def test_the_tail_is_filled_in_when_it_is_found(
    qtbot: QtBot, session: StillSession, menu: AutomaticMenu
) -> None:
    menu.aboutToShow.emit()
    extreme = entry(menu, "Expected to flag 0.1 %")
    assert not extreme.isEnabled()
    qtbot.waitUntil(extreme.isEnabled)
    with qtbot.waitSignal(menu.chosen) as chosen:
        extreme.trigger()
    (expected,) = tail_thresholds(reference_of(session).scores, [0.001])
    assert chosen.args[0] == pytest.approx(expected)
    menu.aboutToShow.emit()
    assert entry(menu, "Expected to flag 0.1 %").isEnabled()  # known from before


def test_what_cannot_be_chosen_says_why(session: StillSession, menu: AutomaticMenu) -> None:
    session._take_table(synthetic_table(4), keep=False)
    session.put_result(result_for(session))
    menu.aboutToShow.emit()
    short = entry(menu, "99 % quantile")
    assert short.text().endswith("needs 5 images")
    assert "at least 5" in short.toolTip()


def test_defects_are_made_when_asked_for_and_the_threshold_follows(
    qtbot: QtBot, session: StillSession, menu: AutomaticMenu
) -> None:
    menu.aboutToShow.emit()
    ask = entry(menu, "Best F1 on synthetic defects")
    assert ask.text().endswith("make and score them")
    assert "may look different" in ask.toolTip()
    assert not any(kind == "spoil" for kind, *_ in session.inference.asked)
    with qtbot.waitSignal(menu.chosen) as chosen:
        ask.trigger()

    kind, header, arrays = session.inference.asked[-1]
    assert (kind, len(header["ids"]), len(arrays["normal"])) == ("spoil", 100, 100)
    rows = np.flatnonzero(np.isin(session.table.ids, header["ids"]))
    assert (session.truth[rows] == 0).all()
    np.testing.assert_array_equal(arrays["normal"], session.result.scores[rows])
    menu.aboutToShow.emit()
    made = entry(menu, "Best F1 on synthetic defects")
    assert made.text().endswith(f"{chosen.args[0]:.4g}")
    assert entry(menu, "Rests on 100 normal images and 100 synthetic defects in them (seed 7)")
    session.put_result(result_for(session))
    menu.aboutToShow.emit()
    assert entry(menu, "Best F1 on synthetic defects").text().endswith("make and score them")


def test_an_answer_for_former_scores_moves_nothing(
    session: StillSession, menu: AutomaticMenu
) -> None:
    moved: list[float] = []
    menu.chosen.connect(moved.append)
    session.inference.held = []
    menu.aboutToShow.emit()
    entry(menu, "Best F1 on synthetic defects").trigger()
    menu.aboutToShow.emit()
    waiting = entry(menu, "Best F1 on synthetic defects")
    assert (waiting.text().endswith("being scored…"), waiting.isEnabled()) == (True, False)
    session.put_result(result_for(session))
    session.inference.held[0]()
    assert moved == []
    menu.aboutToShow.emit()
    assert entry(menu, "Best F1 on synthetic defects").isEnabled()
