"""Pictures that methods describe, as widgets."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.gui.theme import apply_theme
from desktop_app.gui.views.curve import CurveView
from desktop_app.gui.views.frame import ViewFrame, view_frame
from desktop_app.gui.views.heat_map import HeatMapView
from desktop_app.gui.views.image_grid import ImageGridView, diverging, signed_pixels
from desktop_app.gui.views.table import TableView
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Scatter, Table, View

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((10, 3, 8, 8)).astype(np.float32)
X = np.arange(5, dtype=np.float32)
VIEWS: dict[str, View] = {
    "samples": ImageGrid("Samples", IMAGES, columns=4, captions=["one", "two"]),
    "filters": ImageGrid("Filters", IMAGES - 0.5, signed=True),
    "grey": ImageGrid("Grey", IMAGES[:, :1]),
    "no images": ImageGrid("None", IMAGES[:0]),
    "lines": Curve("Scree", {"a": (X, X**2), "b": (X, X)}, "k", "share", marks={"trivial": 2.0}),
    "place": Curve("Gap", {"a": (X, X**2)}, "K", "gap", places={"K = 3": 3.0}),
    "bars": Curve("Counts", {"a": (X, X), "b": (X, X)}, kind="bars"),
    "no points": Curve("None", {"a": (X[:0], X[:0])}),
    "scatter": Scatter("Map", RANDOM.normal(size=(50, 2)).astype(np.float32), X.repeat(10)),
    "plain scatter": Scatter("Map", RANDOM.normal(size=(50, 2)).astype(np.float32)),
    "matrix": HeatMap("Covariance", RANDOM.normal(size=(4, 6)).astype(np.float32), "row", "column"),
    "constant matrix": HeatMap("Ones", np.ones((3, 3), np.float32)),
    "table": Table("Clusters", ["name", "size"], [("b", 10), ("a", 9), ("c", 2.5)]),
    "no rows": Table("None", ["name"], []),
}


def framed(qtbot: QtBot, name: str) -> ViewFrame:
    frame = view_frame(VIEWS[name])
    qtbot.addWidget(frame)
    frame.resize(400, 400)
    frame.show()
    return frame


@pytest.mark.parametrize("name", VIEWS)
def test_every_kind_of_view_is_drawn_in_both_themes(
    qtbot: QtBot, qapp: QApplication, name: str
) -> None:
    frame = framed(qtbot, name)
    for theme in ("light", "dark"):
        apply_theme(qapp, theme)
        image = frame.grab().toImage()
        pixels = {
            image.pixel(x, y)
            for x in range(0, image.width(), 3)
            for y in range(0, image.height(), 3)
        }
        assert len(pixels) > 2


def test_signed_images_show_zero_in_the_middle_and_both_signs_alike() -> None:
    images = np.array([-2, 0, 2, 1], np.float32).reshape(1, 1, 2, 2)
    table = np.arange(255, dtype=np.uint8)[:, None].repeat(3, axis=1)
    pixels = signed_pixels(images, table)[0, :, :, 0]
    assert pixels.ravel().tolist() == [0, 127, 254, 190]


def test_zero_is_the_colour_of_the_canvas_in_both_themes() -> None:
    dark, light = diverging("dark")[127], diverging("light")[127]
    assert dark.max() < 50
    assert light.min() > 200


def test_the_bar_of_signed_images_is_symmetric(qtbot: QtBot) -> None:
    images = np.array([-3, 1], np.float32).reshape(2, 1, 1, 1)
    view = ImageGridView(ImageGrid("Filters", images, signed=True))
    qtbot.addWidget(view)
    assert view.bar._ends == ("-3", "3")


def test_pictures_lie_in_rows_of_the_asked_length(qtbot: QtBot) -> None:
    frame = framed(qtbot, "samples")
    assert isinstance(frame.content, ImageGridView)
    sheet = frame.content.sheet
    first, fourth, fifth = (sheet.tile_area(index) for index in (0, 3, 4))
    assert fourth.top() == first.top()
    assert fifth.left() == first.left()
    assert fifth.top() > first.bottom()
    assert sheet.tile_at(fifth.center().x(), fifth.center().y()) == 4
    assert sheet.tile_at(-5, 2) == -1


def test_a_line_is_hidden_by_its_chip(qtbot: QtBot) -> None:
    frame = framed(qtbot, "lines")
    assert isinstance(frame.content, CurveView)
    frame.content.names.toggle("b")
    assert not frame.content._items["b"].isVisible()
    assert frame.content._items["a"].isVisible()
    frame.content.names.toggle("b")
    assert frame.content._items["b"].isVisible()


def test_the_value_below_the_pointer_is_told(qtbot: QtBot) -> None:
    frame = framed(qtbot, "matrix")
    content = frame.content
    assert isinstance(content, HeatMapView)
    box = content.plot.plotItem.vb
    content._hover(box.mapViewToScene(QPointF(5.5, 2.5)))
    assert content.value.text().startswith("row 2, column 5:")
    content._hover(box.mapViewToScene(QPointF(50, 2)))
    assert content.value.text() == ""


def test_a_table_sorts_numbers_as_numbers_and_copies_what_is_selected(qtbot: QtBot) -> None:
    frame = framed(qtbot, "table")
    content = frame.content
    assert isinstance(content, TableView)
    content.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    shown = [content.model().index(row, 0).data() for row in range(3)]
    assert shown == ["c", "a", "b"]
    content.selectRow(1)
    content.copy_selected()
    assert QGuiApplication.clipboard().text() == "name\tsize\na\t9\n"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("lines", ["a k", "a share", "b k", "b share"]),
        ("scatter", ["x", "y", "value"]),
        ("matrix", ["0", "1", "2", "3", "4", "5"]),
        ("table", ["name", "size"]),
    ],
)
def test_views_become_tables(qtbot: QtBot, tmp_path: Path, name: str, first: list[str]) -> None:
    path = tmp_path / "表.csv"
    framed(qtbot, name).save(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == first
    assert {len(row) for row in rows} == {len(first)}
    assert len(rows) > 3


def test_pictures_are_saved_as_pixels_and_as_lines(qtbot: QtBot, tmp_path: Path) -> None:
    frame = framed(qtbot, "lines")
    frame.save(tmp_path / "a.png")
    frame.save(tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    drawing = (tmp_path / "a.svg").read_text()
    assert "<text" in drawing
    assert "polyline" in drawing or "<path" in drawing


def test_a_picture_that_cannot_be_saved_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    frame = framed(qtbot, "table")
    with qtbot.waitSignal(frame.failed) as told:
        frame.save(tmp_path / "missing" / "a.csv")
    assert "cannot be written" in told.args[0]
    with qtbot.waitSignal(frame.failed):
        frame.save(tmp_path / "missing" / "a.png")
