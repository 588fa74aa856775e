"""The point canvas: looking, hovering, selecting."""

import gc
import sys
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPolygonF
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.gui.latent import scatter
from desktop_app.gui.latent.scatter import PointCanvas, joined
from desktop_app.gui.theme import LIGHT, apply_theme, current_theme

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def canvas(qtbot: QtBot, qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> PointCanvas:
    """A lattice of 5 x 4 points; row 0 left below, row 19 right above."""
    monkeypatch.setitem(pg.CONFIG_OPTIONS, "mouseRateLimit", -1)  # tests move faster than hands
    apply_theme(qapp, "dark")
    canvas = PointCanvas()
    qtbot.addWidget(canvas)
    canvas.resize(600, 500)
    canvas.show()
    across, up = np.meshgrid(np.arange(5.0), np.arange(4.0))
    canvas.set_points(across.ravel(), up.ravel())
    canvas.grab()
    return canvas


def place(canvas: PointCanvas, row: int) -> QPointF:
    return canvas.widget_position(row % 5, row // 5)


def drag(canvas: PointCanvas, path: list[QPointF], modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    """Press, move and release with the modifiers held; pyqtgraph wants real moves in between."""
    kinds = [QEvent.Type.MouseButtonPress]
    kinds += [QEvent.Type.MouseMove] * (len(path) - 2) + [QEvent.Type.MouseButtonRelease]
    for kind, point in zip(kinds, path, strict=True):
        held = Qt.MouseButton.NoButton if kind is kinds[-1] else LEFT
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
        screen = QPointF(canvas.viewport().mapToGlobal(point.toPoint()))
        event = QMouseEvent(kind, point, screen, button, held, modifiers)
        QApplication.sendEvent(canvas.viewport(), event)


def around(canvas: PointCanvas, first: int, last: int) -> list[QPointF]:
    """Return a drag from below left of one row to above right of another."""
    start, end = place(canvas, first) + QPointF(-30, 30), place(canvas, last) + QPointF(30, -30)
    return [start, start + QPointF(8, -8), (start + end) / 2, end, end]


def test_the_row_under_the_pointer_is_found(canvas: PointCanvas) -> None:
    for row in range(20):
        assert canvas.row_at(place(canvas, row) + QPointF(2, -3)) == row
    assert canvas.row_at((place(canvas, 0) + place(canvas, 1)) / 2) == -1


def test_hovering_tells_the_row_once(qtbot: QtBot, canvas: PointCanvas) -> None:
    told: list[int] = []
    canvas.hovered.connect(told.append)
    for point in (place(canvas, 7), place(canvas, 7) + QPointF(1, 1), place(canvas, 7) * 0.01):
        qtbot.mouseMove(canvas.viewport(), point.toPoint())
    assert told == [7, -1]


def test_a_click_tells_place_and_row(qtbot: QtBot, canvas: PointCanvas) -> None:
    with qtbot.waitSignal(canvas.clicked) as told:
        qtbot.mouseClick(canvas.viewport(), LEFT, pos=place(canvas, 12).toPoint())
    x, y, row = told.args
    assert (x, y) == (pytest.approx(2, abs=0.05), pytest.approx(2, abs=0.05))
    assert row == 12


def test_a_double_click_opens_a_point(qtbot: QtBot, canvas: PointCanvas) -> None:
    with qtbot.waitSignal(canvas.activated) as told:
        qtbot.mouseDClick(canvas.viewport(), LEFT, pos=place(canvas, 3).toPoint())
    assert told.args == [3]


@pytest.mark.parametrize(
    ("modifiers", "mode"),
    [
        (PLAIN, "replace"),
        (Qt.KeyboardModifier.ShiftModifier, "add"),
        (Qt.KeyboardModifier.AltModifier, "subtract"),
    ],
)
def test_a_rectangle_encloses_rows(
    qtbot: QtBot, canvas: PointCanvas, modifiers: Qt.KeyboardModifier, mode: str
) -> None:
    canvas.set_tool("rectangle")
    with qtbot.waitSignal(canvas.lassoed) as told:
        drag(canvas, around(canvas, 6, 12), modifiers)
    rows, how = told.args
    assert (rows.tolist(), how) == ([6, 7, 11, 12], mode)
    assert rows.dtype == np.int64


def test_a_lasso_follows_its_path(qtbot: QtBot, canvas: PointCanvas) -> None:
    canvas.set_tool("lasso")
    corners = [place(canvas, 0), place(canvas, 4), place(canvas, 19)]
    outwards = [QPointF(-15, 12), QPointF(12, 12), QPointF(12, -12)]
    path = [corner + offset for corner, offset in zip(corners, outwards, strict=True)]
    with qtbot.waitSignal(canvas.lassoed) as told:
        drag(canvas, [path[0], (path[0] + path[1]) / 2, path[1], path[2], path[2]])
    assert set(told.args[0].tolist()) >= {1, 2, 3, 4, 9, 14, 19}
    assert not set(told.args[0].tolist()) & {15, 10, 16}


def test_the_cursor_moves_the_map_instead(qtbot: QtBot, canvas: PointCanvas) -> None:
    before = place(canvas, 0)
    with qtbot.assertNotEmitted(canvas.lassoed):
        drag(canvas, [QPointF(300, 250), QPointF(320, 250), QPointF(360, 250), QPointF(380, 250)])
    assert place(canvas, 0).x() - before.x() == pytest.approx(80, abs=25)


def test_hidden_rows_are_neither_seen_nor_found(canvas: PointCanvas) -> None:
    visible = np.ones(20, bool)
    visible[7] = False
    canvas.set_visible(visible)
    shown = canvas.grab().toImage()
    assert shown.pixelColor(place(canvas, 7).toPoint()).name() == current_theme().colours.canvas
    assert canvas.row_at(place(canvas, 7)) == -1
    everywhere = QPolygonF([QPointF(0, 0), QPointF(600, 0), QPointF(600, 500), QPointF(0, 500)])
    assert 7 not in canvas.rows_inside(everywhere)


def test_points_have_the_colours_of_their_rows(canvas: PointCanvas) -> None:
    lut = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    canvas.set_colours((np.arange(20) % 2).astype(np.uint8), lut)
    shown = canvas.grab().toImage()
    for row, colour in ((4, "#ff0000"), (5, "#0000ff")):
        assert shown.pixelColor(place(canvas, row).toPoint()).name() == colour


def test_what_is_not_selected_fades(canvas: PointCanvas) -> None:
    canvas.set_colours(np.zeros(20, np.uint8), np.array([[255, 0, 0]], np.uint8))
    canvas.set_selection(np.arange(20) == 3)
    shown = canvas.grab().toImage()
    assert shown.pixelColor(place(canvas, 3).toPoint()).red() == 255
    assert shown.pixelColor(place(canvas, 4).toPoint()).red() < 120


def test_rows_without_a_place_are_left_out(canvas: PointCanvas) -> None:
    canvas.set_points(np.array([0, 1, np.nan]), np.array([0, 1, 1.0]))
    canvas.grab()
    everywhere = QPolygonF([QPointF(0, 0), QPointF(600, 0), QPointF(600, 500), QPointF(0, 500)])
    assert canvas.rows_inside(everywhere).tolist() == [0, 1]


def test_a_moving_map_keeps_colours_and_selection(canvas: PointCanvas) -> None:
    lut = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    canvas.set_colours((np.arange(20) == 9).astype(np.uint8), lut)
    canvas.set_selection(np.arange(20) == 9)
    across, up = np.meshgrid(np.arange(5.0), np.arange(4.0))
    canvas.set_points(across.ravel()[::-1], up.ravel()[::-1])
    shown = canvas.grab().toImage()
    assert shown.pixelColor(place(canvas, 10).toPoint()).name() == "#0000ff"


def test_an_empty_map_takes_everything(qtbot: QtBot, canvas: PointCanvas) -> None:
    canvas.set_points(np.zeros(0), np.zeros(0))
    canvas.fit()
    canvas.grab()
    assert canvas.row_at(QPointF(300, 250)) == -1
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Plus, Qt.Key.Key_Home, Qt.Key.Key_Escape):
        qtbot.keyClick(canvas, key)


def test_the_map_stays_fitted_until_it_is_moved(qtbot: QtBot, canvas: PointCanvas) -> None:
    canvas.resize(300, 300)
    canvas.grab()
    assert canvas.rect().contains(place(canvas, 19).toPoint())
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    seen = canvas.getViewBox().viewRect().width()
    canvas.resize(320, 300)
    assert canvas.getViewBox().viewRect().width() == pytest.approx(seen, rel=0.1)


def test_near_thumbnails_replace_marks_and_missing_ones_are_asked_for(
    qtbot: QtBot, canvas: PointCanvas
) -> None:
    green = QImage(20, 20, QImage.Format.Format_RGB32)
    green.fill(QColor("#00ff00"))
    wanted: list[int] = []
    canvas.pictures_wanted.connect(lambda rows: wanted.extend(rows.tolist()))
    canvas.set_pictures(lambda row: green if row != 8 else None)
    canvas.grab()
    shown = canvas.grab().toImage()
    assert shown.pixelColor((place(canvas, 7) + QPointF(10, 10)).toPoint()).name() == "#00ff00"
    assert set(wanted) == {8}


def test_a_density_replaces_marks_where_they_crowd(
    canvas: PointCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scatter, "MANY", 10)
    marks = canvas.grab().toImage()
    canvas.refresh_pictures()
    assert canvas.grab().toImage() != marks


def test_a_new_theme_repaints_the_map(qapp: QApplication, canvas: PointCanvas) -> None:
    apply_theme(qapp, "light")
    corner = canvas.grab().toImage().pixelColor(QPoint(3, 3)).name()
    apply_theme(qapp, "dark")
    assert corner == LIGHT.colours.canvas


def test_the_map_is_exported_larger_than_it_is_shown(canvas: PointCanvas, tmp_path: Path) -> None:
    path = tmp_path / "地图.png"
    canvas.export_png(path, scale=2)
    image = QImage(str(path))
    assert image.width() == pytest.approx(2 * canvas.image().width(), abs=2)
    with pytest.raises(OSError, match="cannot be written"):
        canvas.export_png(tmp_path / "no folder" / "map.png")


def test_a_lasso_replaces_adds_or_subtracts() -> None:
    selected = np.array([True, True, False, False])
    rows = np.array([1, 2])
    assert joined(selected, rows, "replace").tolist() == [False, True, True, False]
    assert joined(selected, rows, "add").tolist() == [True, True, True, False]
    assert joined(selected, rows, "subtract").tolist() == [True, False, False, False]
    assert selected.tolist() == [True, True, False, False]


def test_hundreds_of_repaints_leave_none_alone(qtbot: QtBot, canvas: PointCanvas) -> None:
    """PySide6 6.12 on Python < 3.12 releases None once too often per call that returns nothing."""
    gc.collect()
    before = sys.getrefcount(None)
    for turn in range(300):
        canvas.set_mark_scale(1 + turn % 2)
        canvas.viewport().repaint()
    assert sys.getrefcount(None) > before - 100


def test_points_in_space_turn_with_a_drag(qtbot: QtBot, canvas: PointCanvas) -> None:
    random = np.random.default_rng(0)
    canvas.set_points(*random.normal(size=(3, 20)))
    canvas.grab()
    before = [canvas._ring(row) for row in range(20)]
    start = QPointF(300, 250)
    path = [start, start + QPointF(10, 0), start + QPointF(60, 0), start + QPointF(80, 0)]
    with qtbot.waitSignal(canvas.turned) as told:
        drag(canvas, [*path, path[-1]])
    assert not np.allclose(told.args[0], np.eye(3), atol=0.1)
    after = [canvas._ring(row) for row in range(20)]
    assert max((a - b).manhattanLength() for a, b in zip(before, after, strict=True)) > 10
    assert all(abs(a.y() - b.y()) < 2 for a, b in zip(before, after, strict=True))


def test_what_lies_in_front_is_drawn_last(canvas: PointCanvas) -> None:
    canvas.set_points(np.zeros(2), np.zeros(2), np.array([1.0, -1.0]))
    canvas.set_colours(np.array([0, 1], np.uint8), np.array([[255, 0, 0], [0, 255, 0]], np.uint8))
    assert canvas.grab().toImage().pixelColor(canvas._ring(0).toPoint()) == QColor("#ff0000")
    canvas.set_rotation(np.diag([-1.0, 1.0, -1.0]))
    assert canvas.grab().toImage().pixelColor(canvas._ring(0).toPoint()) == QColor("#00ff00")


def test_lines_lead_from_a_row_or_from_a_guest(canvas: PointCanvas) -> None:
    canvas.set_lines(0, np.array([6, 12]))
    lines = canvas._overlay._lines
    assert [line[0] for line in lines] == [place(canvas, 0)] * 2
    assert lines[1][1] == place(canvas, 12)
    canvas.set_guest(np.array([2.0, 1.0]))
    canvas.set_lines(-1, np.array([3]))
    assert canvas._overlay._lines == [(place(canvas, 7), place(canvas, 3))]
    canvas.set_guest(None)
    assert canvas._overlay._lines == []


def test_a_camera_leads_back_to_the_same_view(canvas: PointCanvas) -> None:
    assert canvas.camera() is None
    canvas.zoom(3)
    canvas.centre_on(7)
    camera, seen = canvas.camera(), canvas.getViewBox().viewRect()
    canvas.fit()
    assert canvas.camera() is None
    canvas.look_at(camera)
    back = canvas.getViewBox().viewRect()
    assert (back.left(), back.width()) == pytest.approx((seen.left(), seen.width()), rel=1e-6)


def test_a_row_out_of_sight_is_revealed(canvas: PointCanvas) -> None:
    canvas.centre_on(0)
    canvas.zoom(8)
    assert not canvas.getViewBox().viewRect().contains(QPointF(4, 3))
    canvas.reveal(19)
    assert canvas.getViewBox().viewRect().contains(QPointF(4, 3))


def test_a_moving_map_shows_a_sample_and_all_at_rest(
    qtbot: QtBot, canvas: PointCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_SAMPLED", 3000), ("_SAMPLE", 1000), ("MANY", 2000)):
        monkeypatch.setattr(scatter, name, value)
    monkeypatch.setattr(scatter, "_MOST_MOVING", 500)
    random = np.random.default_rng(0)
    canvas.set_points(*random.normal(size=(2, 5000)))
    canvas.grab()
    assert len(canvas._placed.points) == 5000
    with qtbot.waitSignal(canvas.moved):
        canvas.zoom(0.9)
        canvas.grab()
        assert len(canvas._placed.points) == 1000
        assert canvas._placed.count == pytest.approx(5000, rel=0.01)
    canvas.grab()
    assert len(canvas._placed.points) == 5000


def test_a_lasso_on_a_moving_map_takes_all_points(
    canvas: PointCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_SAMPLED", 3000), ("_SAMPLE", 1000), ("MANY", 2000)):
        monkeypatch.setattr(scatter, name, value)
    random = np.random.default_rng(0)
    canvas.set_points(*random.normal(size=(2, 5000)))
    canvas.zoom(0.5)
    canvas.grab()
    area = canvas._area()
    around = QPolygonF([area.topLeft(), area.topRight(), area.bottomRight(), area.bottomLeft()])
    assert len(canvas.rows_inside(around)) == 5000


def test_points_that_move_far_away_are_painted_there(canvas: PointCanvas) -> None:
    canvas.grab()
    canvas.set_points(np.full(20, 1000.0), np.full(20, -1000.0))
    canvas.set_colours(np.zeros(20, np.uint8), np.array([[255, 0, 0]], np.uint8))
    for _ in range(3):
        canvas.fit()
        place = canvas.widget_position(1000, -1000).toPoint()
        assert canvas.grab().toImage().pixelColor(place) == QColor("#ff0000")
        canvas.zoom(1.5)
