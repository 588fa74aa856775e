"""The region is painted with the mouse, kept with the folder, and given to trainings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from desktop_app.gui.regions.canvas import RegionCanvas
from desktop_app.gui.regions.dialog import RegionDialog
from tests.gui.fakes_session import StillSession

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, image_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(image_folder)
    yield session
    session.close()


@pytest.fixture
def dialog(qtbot: QtBot, session: StillSession) -> RegionDialog:
    dialog = RegionDialog(session)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.resize(820, 700)
    dialog.show()
    qtbot.waitUntil(lambda: not dialog.canvas._image.isNull())
    return dialog


def at(canvas: RegionCanvas, x: float, y: float) -> QPoint:
    area = canvas.area()
    return (area.topLeft() + QPointF(x * area.width(), y * area.height())).toPoint()


def drag(qtbot: QtBot, canvas: RegionCanvas, *places: tuple[float, float]) -> None:
    qtbot.mousePress(canvas, LEFT, pos=at(canvas, *places[0]))
    for place in places[1:]:
        qtbot.mouseMove(canvas, at(canvas, *place))
    qtbot.mouseRelease(canvas, LEFT, pos=at(canvas, *places[-1]))


def test_what_is_painted_is_kept_with_the_folder(
    dialog: RegionDialog, session: StillSession, qtbot: QtBot
) -> None:
    assert session.folder is not None
    drag(qtbot, dialog.canvas, (0.0, 0.0), (0.5, 1.0))
    dialog.effect.choose("ignore")
    dialog.tool.choose("brush")
    drag(qtbot, dialog.canvas, (0.25, 0.5))
    assert "% of every image counts" in dialog._counted.text()

    with qtbot.waitSignal(session.region_changed):
        dialog.accept()

    region = session.region
    assert region is not None
    assert region.at(4, 4)[:, 0].all()
    assert not region.at(4, 4)[:, 3].any()
    assert region.share < 0.5
    workspace, key = session.workspace, session.folder.key
    qtbot.waitUntil(lambda: workspace.region(key) is not None)
    session.put_folder(session.folder.root)
    assert session.region is not None
    assert session.region.hash == region.hash


def test_a_polygon_is_clicked_and_closed_with_enter(dialog: RegionDialog, qtbot: QtBot) -> None:
    canvas = dialog.canvas
    dialog.tool.choose("polygon")
    for corner in ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)):
        qtbot.mouseClick(canvas, LEFT, pos=at(canvas, *corner))
    qtbot.keyClick(canvas, Qt.Key.Key_Return)

    assert canvas.painting is not None
    assert canvas.painting.mask.mean() == pytest.approx(0.32, abs=0.02)
    dialog._undo()
    assert canvas.painting.mask.all()
    assert dialog._redo_button.isEnabled()


def test_a_mask_is_loaded_and_one_that_marks_nothing_is_refused(
    dialog: RegionDialog, tmp_path: Path
) -> None:
    mask = np.zeros((10, 10), np.uint8)
    Image.fromarray(mask).save(tmp_path / "nothing.png")
    mask[:, :3] = 255
    Image.fromarray(mask).save(tmp_path / "掩膜.png")

    dialog.load(tmp_path / "掩膜.png")
    assert dialog._counted.text() == "30 % of every image counts."

    dialog.load(tmp_path / "nothing.png")
    assert "marks nothing" in dialog._counted.text()
    assert dialog.canvas.painting is not None
    assert dialog.canvas.painting.mask.mean() == pytest.approx(0.3, abs=0.01)


def test_nothing_that_counts_cannot_be_kept(dialog: RegionDialog) -> None:
    dialog._invert()

    assert not dialog.save_button.isEnabled()


def test_the_mean_of_the_folder_can_be_painted_over(dialog: RegionDialog, qtbot: QtBot) -> None:
    before = dialog.canvas._image

    dialog.picture.choose("mean")
    dialog.picture.chosen.emit("mean")

    qtbot.waitUntil(lambda: dialog.canvas._image is not before)
    assert dialog.canvas._image.width() == 16
