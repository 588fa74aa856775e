"""What leaves the window as files."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.zones import Thresholds
from desktop_app.gui.exports import Snapshot, copy_images, snapshot, write_list, write_table
from desktop_app.sdk.errors import InvalidInput
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def shot(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Snapshot:
    """The first three images of a real folder with scores 0, 1, 2; the second is anomalous."""
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run()
    session.put_result(result_for(session))
    session.set_threshold(1.0)
    session.set_verdict(np.array([1]), 2)
    made = snapshot(session, np.arange(3), np.linspace(0, 1, len(session.table)))
    session.close()
    return made


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_table_holds_full_scores_and_verdicts(shot: Snapshot, tmp_path: Path) -> None:
    list(write_table(shot, tmp_path / "out" / "scores.csv"))
    with (tmp_path / "out" / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == shot.table.paths[:3]
    assert [float(row["score"]) for row in rows] == [0.0, 1.0, 2.0]
    assert [row["flagged"] for row in rows] == ["no", "yes", "yes"]
    assert [row["verdict"] for row in rows] == ["", "anomalous", ""]
    assert rows[0]["percentile"] == "0.00"


def test_the_table_tells_zones_and_can_be_json(shot: Snapshot, tmp_path: Path) -> None:
    zoned = replace(shot, thresholds=Thresholds(2.0, 1.0))
    list(write_table(zoned, tmp_path / "scores.json"))
    rows = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert [row["zone"] for row in rows] == ["pass", "review", "fail"]
    assert [row["flagged"] for row in rows] == ["no", "no", "yes"]
    list(write_table(replace(zoned, rows=shot.rows[:0]), tmp_path / "none.json"))
    assert json.loads((tmp_path / "none.json").read_text(encoding="utf-8")) == []


def test_images_without_a_score_have_empty_cells(shot: Snapshot, tmp_path: Path) -> None:
    scores = np.full(len(shot.table), np.nan, np.float32)
    unscored = Snapshot(
        shot.root, shot.table, shot.rows, shot.verdicts, scores, shot.shares, shot.thresholds
    )
    list(write_table(unscored, tmp_path / "scores.csv"))
    with (tmp_path / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["score"], row["percentile"], row["flagged"]) == ("", "", "")


def test_the_list_holds_absolute_paths(shot: Snapshot, tmp_path: Path) -> None:
    list(write_list(shot, tmp_path / "list.txt"))
    lines = (tmp_path / "list.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [str(shot.root / path) for path in shot.table.paths[:3]]


def test_copies_keep_their_subfolders_and_their_bytes(shot: Snapshot, tmp_path: Path) -> None:
    told = list(copy_images(shot, tmp_path / "copies"))
    assert told[-1] == (3, 3)
    assert files_below(tmp_path / "copies") == set(shot.table.paths[:3])
    first = shot.table.paths[0]
    assert (tmp_path / "copies" / first).read_bytes() == (shot.root / first).read_bytes()


def test_a_second_copy_overwrites_nothing(shot: Snapshot, tmp_path: Path) -> None:
    list(copy_images(shot, tmp_path / "copies"))
    list(copy_images(shot, tmp_path / "copies"))
    assert len(files_below(tmp_path / "copies")) == 6


@pytest.mark.parametrize("below", ["", "train", "new/place"])
def test_nothing_is_ever_written_to_the_images(shot: Snapshot, below: str) -> None:
    before = files_below(shot.root)
    for write in (
        lambda: copy_images(shot, shot.root / below),
        lambda: write_table(shot, shot.root / below / "scores.csv"),
        lambda: write_list(shot, shot.root / below / "list.txt"),
    ):
        with pytest.raises(InvalidInput, match="nothing is ever written"):
            list(write())
    assert files_below(shot.root) == before


def test_copying_that_is_broken_off_leaves_whole_files_only(shot: Snapshot, tmp_path: Path) -> None:
    steps = copy_images(shot, tmp_path / "copies")
    next(steps)
    steps.close()
    assert files_below(tmp_path / "copies") == {shot.table.paths[0]}


def test_clusters_and_places_on_the_map_are_written(shot: Snapshot, tmp_path: Path) -> None:
    clusters = np.arange(len(shot.table)) - 1
    places = np.full((len(shot.table), 2), np.nan, np.float32)
    places[1] = 0.5, -2
    list(write_table(replace(shot, clusters=clusters, places=places), tmp_path / "map.csv"))
    with (tmp_path / "map.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cluster"] for row in rows] == ["", "0", "1"]
    assert [(row["x"], row["y"]) for row in rows] == [("", ""), ("0.5", "-2.0"), ("", "")]
