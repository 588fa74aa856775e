"""The library: folders, gallery, filters, problems."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidgetItem
from pytestqt.qtbot import QtBot

from desktop_app.gui.filtering import shared_filter
from desktop_app.gui.library.panel import LibraryPanel
from desktop_app.gui.library.sorting import sorted_rows
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.workspace.add_folder(mvtec_folder)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


@pytest.fixture
def panel(qtbot: QtBot, session: StillSession) -> Iterator[LibraryPanel]:
    panel = LibraryPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    qtbot.waitUntil(lambda: panel.folders._tree.topLevelItemCount() > 0)
    yield panel
    panel.gallery_panel.gallery.close_threads()


def items(panel: LibraryPanel) -> dict[str, QTreeWidgetItem]:
    found = panel.folders._tree.findItems(
        "", Qt.MatchFlag.MatchContains | Qt.MatchFlag.MatchRecursive
    )
    return {item.text(0): item for item in found}


def shown(session: StillSession) -> set[str]:
    return {
        f"{session.table.splits[row]}/{session.table.labels[row]}"
        for row in np.flatnonzero(session.visible)
    }


def test_the_gallery_shows_the_folder(panel: LibraryPanel, session: StillSession) -> None:
    assert len(panel.gallery_panel.gallery.order()) == len(session.table)
    assert panel.gallery_panel._name.text() == session.folder.name
    assert "12 training" in panel.gallery_panel._contents.text()


def test_clusters_are_chips_while_a_run_has_found_some(
    panel: LibraryPanel, session: StillSession
) -> None:
    chips = panel.gallery_panel.clusters
    assert not chips.isVisible()
    session.put_run("clusters")
    clusters = np.arange(len(session.table)) % 3 - 1
    session.put_result(replace(result_for(session), clusters=clusters))
    assert chips.isVisible()
    chips.chip("1").click()
    assert np.flatnonzero(session.visible).tolist() == np.flatnonzero(clusters == 1).tolist()
    session.put_result(result_for(session))
    assert not chips.isVisible()


def test_chips_show_only_what_is_chosen(panel: LibraryPanel, session: StillSession) -> None:
    panel.gallery_panel.labels.chip("blot").click()
    assert shown(session) == {"test/blot"}
    panel.gallery_panel.labels.chip("scratch").click()
    assert shown(session) == {"test/blot", "test/scratch"}
    panel.gallery_panel.labels.chip("blot").click()
    panel.gallery_panel.labels.chip("scratch").click()
    assert session.visible.all()


def test_splits_and_labels_filter_together(panel: LibraryPanel, session: StillSession) -> None:
    panel.gallery_panel.splits.chip("test").click()
    panel.gallery_panel.labels.chip("good").click()
    assert shown(session) == {"test/good"}


def test_the_parts_of_a_folder_filter_it(panel: LibraryPanel, session: StillSession) -> None:
    panel.folders._choose(items(panel)["scratch"])
    assert shown(session) == {"test/scratch"}
    panel.folders._choose(items(panel)[session.folder.name])
    assert session.visible.all()


def test_missing_folders_are_marked(
    qtbot: QtBot, panel: LibraryPanel, session: StillSession, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    session.workspace.add_folder(gone)
    gone.rmdir()
    panel.folders.refresh()
    qtbot.waitUntil(lambda: "gone" in items(panel))
    assert "any more" in items(panel)["gone"].toolTip(0)


def test_a_click_on_another_folder_asks_to_open_it(
    qtbot: QtBot, panel: LibraryPanel, session: StillSession, image_folder: Path
) -> None:
    session.workspace.add_folder(image_folder)
    panel.folders.refresh()
    qtbot.waitUntil(lambda: image_folder.name in items(panel))
    with qtbot.waitSignal(panel.folder_chosen) as chosen:
        panel.folders._choose(items(panel)[image_folder.name])
    assert chosen.args == [image_folder.resolve()]


def test_searching_looks_in_paths(panel: LibraryPanel, session: StillSession) -> None:
    panel.gallery_panel.search.setText("SCRATCH 001")
    panel.gallery_panel.search.returnPressed.emit()
    assert [session.table.paths[row] for row in np.flatnonzero(session.visible)] == [
        "test/scratch/001.png"
    ]


def test_a_filter_without_images_offers_a_way_back(
    panel: LibraryPanel, session: StillSession
) -> None:
    panel.gallery_panel.search.setText("no such file")
    panel.gallery_panel.search.returnPressed.emit()
    assert panel.gallery_panel._nothing.isVisible()
    panel.gallery_panel._nothing.button.click()
    assert session.visible.all()
    assert shared_filter(session).criteria() == {}


def test_problems_are_listed_with_their_reasons(
    qtbot: QtBot, panel: LibraryPanel, session: StillSession
) -> None:
    table = session.table
    problems, remarks = [""] * len(table), [""] * len(table)
    problems[4], remarks[2] = "The file is cut off.", "Animated: the first of 12 frames is used."
    session._take_table(replace(table, problems=problems, remarks=remarks), keep=True)
    findings = panel.gallery_panel.problems.findings()
    assert [(found.row, found.is_problem) for found in findings] == [(4, True), (2, False)]
    assert panel.gallery_panel._tabs.tabText(1) == "Problems 2"
    panel.gallery_panel.problems.row_chosen.emit(4)
    assert session.current == 4
    assert "1 in quarantine" in panel.gallery_panel._contents.text()


def test_the_score_can_be_sorted_by_once_there_is_one(
    panel: LibraryPanel, session: StillSession
) -> None:
    gallery = panel.gallery_panel
    assert gallery._sort.findData("score") < 0
    session.put_run()
    session.put_result(result_for(session))
    gallery._sort.choose("score")
    gallery._resort()
    assert gallery.gallery.order()[0] == len(session.table) - 1


def test_sorting_puts_what_has_no_score_last(panel: LibraryPanel, session: StillSession) -> None:
    session.put_run()
    scores = np.array([3, np.nan, 1, 2] + [np.nan] * (len(session.table) - 4), np.float32)
    session.put_result(result_for(session, scores))
    rows = np.array([0, 1, 2, 3])
    assert sorted_rows(session, rows, "score").tolist() == [2, 3, 0, 1]
    assert sorted_rows(session, rows, "score", descending=True).tolist() == [0, 3, 2, 1]
    session.set_verdict(np.array([2]), 2)
    session.set_verdict(np.array([1]), 1)
    assert sorted_rows(session, rows, "verdict").tolist() == [2, 1, 0, 3]
    assert sorted_rows(session, rows, "path", descending=True).tolist() == [3, 2, 1, 0]


def test_selection_and_current_image_are_shared(panel: LibraryPanel, session: StillSession) -> None:
    gallery = panel.gallery_panel.gallery
    session.select(np.array([3, 5]))
    session.set_current(5)
    assert gallery.selection().tolist() == [3, 5]
    assert gallery.current() == 5
    gallery.set_current(7)
    gallery.select_all()
    assert session.current == 7
    assert session.selected.all()


def test_a_new_folder_shows_none_of_the_old_thumbnails(
    qtbot: QtBot, panel: LibraryPanel, session: StillSession, image_folder: Path
) -> None:
    gallery = panel.gallery_panel.gallery
    qtbot.waitUntil(lambda: gallery.thumbnail(0) is not None)
    session.put_folder(image_folder)
    assert gallery._thumbnails.image(int(session.table.ids[0])) is None
