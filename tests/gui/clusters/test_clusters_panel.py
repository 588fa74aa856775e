"""The room of clusters: rows, selection, names, folders."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from desktop_app.gui.clusters.panel import ClustersPanel
from desktop_app.gui.clusters.rows import TILE, tile_at, tiles_in
from desktop_app.gui.filtering import shared_filter
from desktop_app.gui.tags import shared_tags
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


@pytest.fixture
def panel(qtbot: QtBot, session: StillSession) -> Iterator[ClustersPanel]:
    """22 images: seven in each of cluster 0 to 2 in turn, the last in none."""
    panel = ClustersPanel(session)
    qtbot.addWidget(panel)
    panel.resize(900, 600)
    panel.show()
    session.put_run("encodes", "clusters")
    clusters = np.arange(len(session.table)) % 3
    clusters[-1] = -1
    session.put_result(replace(result_for(session), clusters=clusters))
    qtbot.waitUntil(lambda: panel.model.rowCount() == 4)
    yield panel
    panel.close_threads()


def click(qtbot: QtBot, panel: ClustersPanel, row: int, tile: int) -> None:
    area = panel.list.visualRect(panel.model.index(row))
    x = next(x for x in range(area.width()) if tile_at(area, QPoint(x, area.center().y())) == tile)
    place = QPoint(x + TILE // 2, area.center().y())
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_each_cluster_is_a_row_and_none_comes_last(panel: ClustersPanel) -> None:
    assert [row.name for row in panel.model.rows] == [
        "Cluster 0",
        "Cluster 1",
        "Cluster 2",
        "No cluster",
    ]
    assert panel.model.rows[0].size == "7 images, 32 %"
    assert panel._summary.text() == "3 clusters  ·  22 images"


def test_a_click_selects_the_cluster_everywhere(
    qtbot: QtBot, panel: ClustersPanel, session: StillSession
) -> None:
    click(qtbot, panel, 1, 2)

    cluster = panel.clusters()[1]
    assert np.flatnonzero(session.selected).tolist() == sorted(cluster.rows.tolist())
    assert session.current == cluster.rows[2]


def test_there_are_as_many_thumbnails_as_have_room(panel: ClustersPanel) -> None:
    area = panel.list.visualRect(panel.model.index(0))
    assert tiles_in(area) == 9
    narrow = area.adjusted(0, 0, -area.width() + 4, 0)
    assert tiles_in(narrow) == 0
    assert tile_at(narrow, narrow.center()) == -1


def test_a_name_is_a_tag_and_is_kept_with_the_run(
    qtbot: QtBot, panel: ClustersPanel, session: StillSession
) -> None:
    cluster, tags = panel.clusters()[0], shared_tags(session)
    panel.rename(cluster, "划痕")
    assert panel.model.rows[0].name == "划痕"
    assert tags.rows("划痕").tolist() == sorted(cluster.rows.tolist())
    panel.rename(cluster, "scratch")
    assert tags.names() == ["scratch"]

    again = ClustersPanel(session)
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: again.model.rowCount() == 4)
    assert again.model.rows[0].name == "scratch"
    again.close_threads()


def test_show_only_filters_every_view(
    qtbot: QtBot, panel: ClustersPanel, session: StillSession
) -> None:
    with qtbot.waitSignal(panel.place_wanted) as asked:
        panel.show_only(panel.clusters()[2])

    assert asked.args == ["gallery"]
    assert np.flatnonzero(session.visible).tolist() == sorted(panel.clusters()[2].rows.tolist())
    assert shared_filter(session).criterion("cluster") is not None


def test_images_are_copied_into_a_folder_per_cluster(
    panel: ClustersPanel, session: StillSession, tmp_path: Path
) -> None:
    panel.rename(panel.clusters()[0], "a/b")
    list(panel.sorting(tmp_path / "out"))

    counts = {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "out").iterdir()}
    assert counts == {"a_b": 7, "Cluster 1": 7, "Cluster 2": 7, "No cluster": 1}


def test_the_folder_of_the_images_is_refused(
    qtbot: QtBot, panel: ClustersPanel, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.folder is not None
    inside = str(session.folder.root / "sorted")
    monkeypatch.setattr(
        "desktop_app.gui.clusters.panel.QFileDialog.getExistingDirectory", lambda *_: inside
    )

    with qtbot.waitSignal(session.problem) as told:
        panel.sort_into_folders()

    assert "to which nothing is ever written" in told.args[0]
    assert not Path(inside).exists()


def test_the_list_says_cluster_and_name(panel: ClustersPanel, tmp_path: Path) -> None:
    panel.rename(panel.clusters()[0], "round")
    list(panel.listing(tmp_path / "clusters.csv"))

    with (tmp_path / "clusters.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 22
    assert (rows[0]["cluster"], rows[0]["name"]) == ("0", "round")
    assert (rows[-1]["cluster"], rows[-1]["name"]) == ("", "")


def test_the_menu_leaves_a_cluster_out_of_training(
    panel: ClustersPanel, session: StillSession
) -> None:
    menu = panel.menu(panel.clusters()[1])
    actions = {action.text(): action for action in menu.actions()}
    actions["Leave 7 out of training"].trigger()

    assert np.flatnonzero(session.left_out).tolist() == sorted(panel.clusters()[1].rows.tolist())
    assert "Name the cluster…" not in {
        action.text() for action in panel.menu(panel.clusters()[3]).actions()
    }


def test_without_clusters_it_says_how_to_get_some(
    qtbot: QtBot, panel: ClustersPanel, session: StillSession
) -> None:
    session.put_result(result_for(session))

    assert panel.model.rowCount() == 0
    with qtbot.waitSignal(panel.method_wanted):
        panel._empty.button.click()
