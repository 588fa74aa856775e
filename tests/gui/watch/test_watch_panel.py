"""The room in which a folder is watched."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.gui.watch.panel import WatchPanel
from desktop_app.gui.watch.process import Arrived, FolderWatch
from desktop_app.gui.watch.rows import MOST_ROWS, ROW, ArrivalModel
from tests.gui.fakes_session import StillSession, result_for

NOW = 1_700_000_000.0


def image(path: str, score: float | None = 1.0, moment: float = NOW, **more: object) -> Arrived:
    problem = "" if score is not None else "This file is torn."
    return Arrived(path, moment, score, problem=problem, **more)  # type: ignore[arg-type]


def paths(model: ArrivalModel) -> list[str]:
    return [model.index(row).data(ROW).path for row in range(model.rowCount())]


@pytest.fixture
def model(qtbot: QtBot) -> ArrivalModel:
    return ArrivalModel()


def test_the_newest_image_comes_first_or_the_worst(model: ArrivalModel) -> None:
    model.add([image("a", 1.0), image("b", None), image("c", 3.0)])
    model.add([image("d", 2.0)])
    assert paths(model) == ["d", "c", "b", "a"]
    model.set_worst_first(True)
    assert paths(model) == ["c", "d", "a", "b"]
    model.add([image("e", 2.5)])
    assert paths(model) == ["c", "e", "d", "a", "b"]


def test_a_replaced_image_takes_the_place_of_its_former_self(model: ArrivalModel) -> None:
    model.add([image("a", 5.0), image("b", 1.0)])
    model.set_threshold(4.0)
    assert model.flagged() == 1
    model.add([image("a", 2.0, is_replaced=True)])
    assert paths(model) == ["a", "b"]
    assert (model.flagged(), model.broken()) == (0, 0)
    model.add([image("a", None)])
    assert (model.rowCount(), model.broken()) == (2, 1)


def test_flagged_images_are_at_or_above_the_threshold(model: ArrivalModel) -> None:
    model.add([image(str(score), float(score)) for score in range(10)])
    model.set_threshold(7.0)
    assert model.flagged() == 3
    model.set_threshold(None)
    assert model.flagged() == 0


def test_images_are_counted_by_the_hour(model: ArrivalModel) -> None:
    model.add([image(str(hour), moment=NOW - 3600 * hour - 1) for hour in (30, 2, 1, 0)])
    model.add([image("now", moment=NOW)])
    assert model.by_hour(4, NOW) == [0, 1, 1, 2]


def test_only_so_many_images_are_listed(model: ArrivalModel) -> None:
    model.set_worst_first(True)
    model.add([image(str(number), float(-number)) for number in range(MOST_ROWS + 3)])
    assert model.rowCount() == MOST_ROWS
    assert paths(model)[0] == "3"


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run()
    session.put_result(result_for(session))
    session.set_threshold(12.0)
    yield session
    session.close()


@pytest.fixture
def panel(
    qtbot: QtBot, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WatchPanel]:
    monkeypatch.setattr(FolderWatch, "start", lambda *_where: None)
    panel = WatchPanel(session, lambda _place: None)
    qtbot.addWidget(panel)
    panel.resize(900, 600)
    panel.show()
    yield panel
    panel.close_threads()


def test_arrivals_are_judged_by_the_threshold_of_the_run(
    panel: WatchPanel, session: StillSession, mvtec_folder: Path
) -> None:
    panel.begin(mvtec_folder)
    row = {"share": None, "is_replaced": False, "problem": "", "flagged": False}
    now = time.time()
    panel.watch.take(
        [
            {"type": "watching", "threshold": 99.0, "known": 3},
            {"type": "image", "path": "a.png", "time": now, "score": 11.0, **row},
            {"type": "image", "path": "b.png", "time": now, "score": 12.5, **row},
            {"type": "problem", "path": "c.png", "time": now, **row, "score": None},
        ]
    )
    told = {name: readout.value() for name, readout in panel.readouts.items()}
    assert told == {
        "images": "2",
        "flagged": "1",
        "hour": "3",
        "broken": "1",
        "threshold": "12",
    }
    session.set_threshold(10.0)
    assert panel.readouts["flagged"].value() == "2"


def test_a_folder_that_is_away_is_told(panel: WatchPanel, mvtec_folder: Path) -> None:
    panel.begin(mvtec_folder)
    panel.watch.take([{"type": "away", "problem": "It is gone."}])
    assert panel._state.text() == "Folder is away"
    panel.watch.take([{"type": "back"}])
    assert panel._state.text() == "Watching"


def test_without_a_run_nothing_can_be_watched(panel: WatchPanel, session: StillSession) -> None:
    assert panel._empty.button.isVisible()
    session.open_run(None)
    assert not panel._empty.button.isVisible()


def test_a_double_click_opens_an_image_of_the_open_folder(
    panel: WatchPanel, session: StillSession, mvtec_folder: Path
) -> None:
    panel.begin(mvtec_folder)
    panel.take([image(session.table.paths[5], 3.0)])
    panel.list.activated.emit(panel.model.index(0))
    assert session.current == 5


def test_a_worker_that_cannot_start_says_so(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    watch = FolderWatch()
    with qtbot.waitSignal(watch.ended, timeout=5000) as ended:
        watch.start(tmp_path / "run", tmp_path)
    assert ended.args == ["The worker ended unexpectedly."]
    assert not watch.is_running


def test_a_stopped_watch_can_go_on(
    qtbot: QtBot, panel: WatchPanel, mvtec_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.begin(mvtec_folder)
    started: list[Path] = []
    monkeypatch.setattr(FolderWatch, "start", lambda _watch, _run, folder: started.append(folder))
    panel.watch.ended.emit("")
    assert panel._state.text() == "Stopped"
    qtbot.mouseClick(panel._toggle, Qt.MouseButton.LeftButton)
    assert started == [mvtec_folder]


def test_a_new_file_makes_the_worker_look_at_once(qtbot: QtBot, tmp_path: Path) -> None:
    watch, looks = FolderWatch(), []
    watch._notices.changed.connect(lambda: looks.append(time.monotonic()))
    watch._root = tmp_path
    (tmp_path / "inner").mkdir()
    watch.take([{"type": "folders", "folders": ["", "inner"]}])
    assert sorted(watch._notices.folders) == [str(tmp_path), str(tmp_path / "inner")]
    for number in range(20):
        (tmp_path / "inner" / f"{number}.png").write_bytes(b"")
    qtbot.waitUntil(lambda: bool(looks))
    qtbot.wait(150)
    assert len(looks) <= 2  # for twenty files
    watch.take([{"type": "folders", "folders": [""]}])
    assert watch._notices.folders == [str(tmp_path)]
    watch.deleteLater()
