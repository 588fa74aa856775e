"""Unusual images in groups; the fake worker finds images alike whose ids share a rest by three."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.gui.groups.panel import GroupsPanel
from desktop_app.gui.tags import shared_tags
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    """22 images whose scores rise with the row."""
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run()
    session.put_result(result_for(session))
    session.set_threshold(10.0)
    yield session
    session.close()


@pytest.fixture
def panel(qtbot: QtBot, session: StillSession) -> Iterator[GroupsPanel]:
    panel = GroupsPanel(session, lambda _place: None)
    qtbot.addWidget(panel)
    panel.resize(1000, 600)
    panel.show()
    yield panel
    panel.close_threads()


def grouped(qtbot: QtBot, panel: GroupsPanel) -> GroupsPanel:
    qtbot.mouseClick(panel._again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.groups()), timeout=10_000)
    return panel


def until_groups(qtbot: QtBot, panel: GroupsPanel, count: int) -> None:
    qtbot.waitUntil(lambda: len(panel.groups()) == count, timeout=10_000)


def test_flagged_images_are_grouped_the_worst_group_first(
    qtbot: QtBot, panel: GroupsPanel, session: StillSession
) -> None:
    grouped(qtbot, panel)

    groups = panel.groups()
    assert sorted(row for group in groups for row in group.rows) == list(range(10, 22))
    assert len(groups) == 3
    assert 21 in groups[0].rows
    for group in groups:
        assert len(set(session.table.ids[group.rows] % 3)) == 1
    assert panel._about.text() == "12 images in 3 groups"
    assert not panel._again.isEnabled()


def test_the_number_of_groups_can_be_chosen(qtbot: QtBot, panel: GroupsPanel) -> None:
    grouped(qtbot, panel)
    panel._slider.setValue(1)
    until_groups(qtbot, panel, 1)
    assert len(panel.groups()[0]) == 12
    panel._count.setValue(5)
    assert panel._slider.value() == 5
    until_groups(qtbot, panel, 5)
    qtbot.mouseClick(panel._suggest, Qt.MouseButton.LeftButton)
    until_groups(qtbot, panel, 3)


def test_what_counts_as_similar_can_be_chosen(
    qtbot: QtBot, panel: GroupsPanel, session: StillSession
) -> None:
    grouped(qtbot, panel)
    panel._by.choose("latents")
    panel._by.chosen.emit("latents")
    qtbot.waitUntil(lambda: len(panel.groups()) == 2, timeout=10_000)
    assert len(set(session.table.ids[panel.groups()[0].rows] % 2)) == 1


def test_a_moved_threshold_asks_for_other_images(
    qtbot: QtBot, panel: GroupsPanel, session: StillSession
) -> None:
    grouped(qtbot, panel)
    asked = len(session.inference.asked)  # type: ignore[attr-defined]
    session.set_threshold(6.0)
    assert panel._again.isEnabled()
    qtbot.mouseClick(panel._again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: sum(map(len, panel.groups())) == 16, timeout=10_000)
    new = session.inference.asked[asked:]  # type: ignore[attr-defined]
    assert [len(header["ids"]) for _kind, header, _arrays in new] == [4]  # the others are known


def test_so_many_of_the_most_unusual_are_grouped(qtbot: QtBot, panel: GroupsPanel) -> None:
    panel._which.choose("top")
    panel._top.setValue(5)
    grouped(qtbot, panel)
    assert sum(map(len, panel.groups())) == 5


def test_a_named_group_is_a_tag(
    qtbot: QtBot, panel: GroupsPanel, session: StillSession, tmp_path: Path
) -> None:
    grouped(qtbot, panel)
    group = panel.groups()[1]
    panel.name(group, "Haarriss")

    assert shared_tags(session).rows("Haarriss").tolist() == sorted(group.rows.tolist())
    assert panel.model.rows[1].name == "Haarriss"
    for _ in panel.listing(tmp_path / "groups.csv"):
        pass
    with (tmp_path / "groups.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["name"] for row in rows if row["cluster"] == "2"} == {"Haarriss"}


def test_a_click_selects_the_group_everywhere(
    qtbot: QtBot, panel: GroupsPanel, session: StillSession
) -> None:
    grouped(qtbot, panel)
    group = panel.groups()[0]
    panel.list.cluster_clicked.emit(group, 1)
    assert np.flatnonzero(session.selected).tolist() == sorted(group.rows.tolist())
    assert session.current == group.rows[1]


def test_describing_can_be_stopped(qtbot: QtBot, panel: GroupsPanel, session: StillSession) -> None:
    session.inference.held = []  # type: ignore[attr-defined]
    qtbot.mouseClick(panel._again, Qt.MouseButton.LeftButton)
    assert panel._again.text() == "Stop"
    qtbot.mouseClick(panel._again, Qt.MouseButton.LeftButton)
    session.inference.held.pop()()  # type: ignore[attr-defined]
    assert panel._again.text() == "Group"
    assert panel.groups() == []


def test_a_worker_that_cannot_describe_says_why(
    qtbot: QtBot, panel: GroupsPanel, session: StillSession
) -> None:
    session.inference.refusal = "This image is gone."  # type: ignore[attr-defined]
    with qtbot.waitSignal(session.problem) as told:
        qtbot.mouseClick(panel._again, Qt.MouseButton.LeftButton)
    assert told.args == ["This image is gone."]
    assert panel._again.text() == "Group"


def test_too_few_flagged_images_are_not_grouped(panel: GroupsPanel, session: StillSession) -> None:
    session.set_threshold(21.0)
    assert not panel._again.isEnabled()
    assert "too few" in panel._about.text()
    session.put_result(None)
    assert panel._stack.currentIndex() == 0
