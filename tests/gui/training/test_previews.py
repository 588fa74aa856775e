"""Pictures of the way, with a slider back."""

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.gui.training.previews import Entry, PreviewsView
from tests.gui.fakes import FakeSession


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> FakeSession:
    return FakeSession(tmp_path)


@pytest.fixture
def view(session: FakeSession, qtbot: QtBot) -> PreviewsView:
    view = PreviewsView(session.background)  # type: ignore[arg-type]
    qtbot.addWidget(view)
    view.resize(300, 300)
    view.show()
    return view


def entries(folder: Path, steps: list[int], count: int = 4) -> list[Entry]:
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for step in steps:
        path = folder / f"{step}.npz"
        np.savez(path, images=np.full((count, 1, 5, 6), step % 256, np.uint8))
        made.append((step, path, "", 2))
    return made


def grey(view: PreviewsView) -> int:
    assert view.sheet._sheet is not None
    return view.sheet._sheet.pixelColor(0, 0).red()


def test_the_newest_pictures_are_followed(view: PreviewsView, tmp_path: Path) -> None:
    view.set_previews({"samples": entries(tmp_path, [10, 20])})
    assert (view.step(), grey(view)) == (20, 20)
    view.set_previews({"samples": entries(tmp_path, [10, 20, 30])})
    assert (view.step(), grey(view)) == (30, 30)
    assert view._step.text() == "Step 30, newest"


def test_who_went_back_stays_there_while_pictures_come(view: PreviewsView, tmp_path: Path) -> None:
    view.set_previews({"samples": entries(tmp_path, [10, 20, 30])})
    view.go_to(0)
    view.set_previews({"samples": entries(tmp_path, [10, 20, 30, 40])})
    assert (view.step(), grey(view)) == (10, 10)
    view.go_to(3)
    view.set_previews({"samples": entries(tmp_path, [10, 20, 30, 40, 50])})
    assert view.step() == 50


def test_kinds_of_pictures_are_chosen_by_name(view: PreviewsView, tmp_path: Path) -> None:
    view.set_previews(
        {
            "reconstructions": entries(tmp_path / "a", [1], count=8),
            "my_pictures": entries(tmp_path / "b", [1, 2], count=3),
        }
    )
    assert [view.names.itemText(place) for place in range(2)] == ["Reconstructions", "My pictures"]
    assert view.sheet.count() == 8
    view.names.choose("my_pictures")
    view.names.chosen.emit("my_pictures")
    assert view.sheet.count() == 3


def test_playing_goes_through_all_steps_and_stops(
    view: PreviewsView, tmp_path: Path, qtbot: QtBot
) -> None:
    view.set_previews({"samples": entries(tmp_path, [1, 2, 3])})
    view._clock.setInterval(1)
    seen: list[int | None] = []
    view.slider.valueChanged.connect(lambda _place: seen.append(view.step()))
    view.play.click()
    qtbot.waitUntil(lambda: not view.play.isChecked())
    assert seen == [1, 2, 3]


def test_a_file_that_is_gone_is_told(
    view: PreviewsView, session: FakeSession, tmp_path: Path, qtbot: QtBot
) -> None:
    made = entries(tmp_path, [1])
    made[0][1].unlink()
    with qtbot.waitSignal(session.problem) as sentence:
        view.set_previews({"samples": made})
    assert "cannot be read" in sentence.args[0]


def test_without_pictures_the_place_says_what_will_come(view: PreviewsView, tmp_path: Path) -> None:
    assert view._stack.currentIndex() == 0
    view.set_previews({"samples": entries(tmp_path, [1])})
    assert view._stack.currentIndex() == 1
    view.set_previews({})
    assert view._stack.currentIndex() == 0


def test_read_pictures_are_kept_within_bounds(
    view: PreviewsView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_app.gui.training.previews._KEPT", 3)
    view.set_previews({"samples": entries(tmp_path, list(range(1, 9)))})
    for place in range(8):
        view.go_to(place)
    assert len(view._kept) == 3
    assert grey(view) == 8
